"""What workers compute with: settings on their way, and models of them that a process keeps."""

import pickle

import pytest

import fastbp
from fastbp.dask._setting import MOST_SETTINGS, Models, PackedSetting, Setting
from helpers.inside import engine_of


def packed_setting(**options):
    net = fastbp.Network([3, 2], seed=1, **options)
    return PackedSetting(Setting.of(net._model, engine_of(net).isa))


def test_models_are_a_cache_of_bounded_size():
    """Of each setting as many are kept as were used at once, and of a few settings only."""
    models, packed = Models(), packed_setting()
    with models.borrowed(packed) as one, models.borrowed(packed) as two:
        assert one is not two
    with models.borrowed(packed) as again:
        assert again in (one, two)
    for _ in range(MOST_SETTINGS + 1):
        with models.borrowed(PackedSetting(packed.setting)), models.borrowed(packed) as again:
            assert again in (one, two)  # the one that was used last is not let go
    for _ in range(MOST_SETTINGS):
        with models.borrowed(PackedSetting(packed.setting)):
            pass
    with models.borrowed(packed) as new:
        assert new not in (one, two)
    models.forget(packed)
    with models.borrowed(packed) as newer:
        assert newer is not new


def test_a_model_whose_task_failed_is_not_kept():
    models, packed = Models(), packed_setting()
    with pytest.raises(ArithmeticError), models.borrowed(packed) as first:
        raise ArithmeticError
    with models.borrowed(packed) as second:
        assert second is not first


def test_a_setting_is_pickled_once_and_with_functions():
    pytest.importorskip("distributed", reason="distributed is not installed")
    packed = packed_setting(loss=lambda h, t: (0.0, h))
    copy = pickle.loads(pickle.dumps(packed))
    assert copy.key == packed.key
    assert copy.setting.architecture.loss.function(1, 2) == (0.0, 1)
    assert packed.__reduce__()[1][2] is packed.__reduce__()[1][2]
