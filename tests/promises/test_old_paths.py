"""Import paths of earlier versions still work, and rooms are loaded on first use."""

import importlib
import sys

import pytest

import fastbp
from fastbp import _moved


@pytest.fixture
def not_imported():
    """Forget the modules under their old paths, whatever imported them before."""
    yield
    for old in _moved.MOVED:
        sys.modules.pop(old, None)
        vars(fastbp).pop(old.removeprefix("fastbp."), None)


@pytest.mark.parametrize("old", _moved.MOVED)
def test_an_old_path_gives_the_present_module(old, not_imported):
    new = _moved.MOVED[old]
    with pytest.warns(DeprecationWarning, match=f"^{old} has moved to {new}: ") as caught:
        module = importlib.import_module(old)
    assert module is importlib.import_module(new)
    assert module.__spec__.name == module.__name__ == new
    assert caught[0].filename == __file__ or "importlib" in caught[0].filename
    assert importlib.import_module(old) is module  # now without a warning


def test_what_was_public_is_found_under_its_old_path(not_imported):
    with pytest.warns(DeprecationWarning, match="import it from there"):
        from fastbp.levenberg_marquardt import LevenbergMarquardt
    with pytest.warns(DeprecationWarning, match="import it from there"):
        from fastbp.loss import Loss, OwnLoss
    with pytest.warns(DeprecationWarning, match="import it from there") as caught:
        assert fastbp.optimizer.Optimizer is fastbp.optimizers.Optimizer
    assert caught[0].filename == __file__  # Python shows the warning in the main program
    assert LevenbergMarquardt is fastbp.LevenbergMarquardt
    assert OwnLoss is fastbp.losses.CustomLoss
    assert Loss is fastbp.losses.Loss


@pytest.mark.parametrize("name", ["nothing", "_nothing", "moved"])
def test_other_names_are_refused(name):
    with pytest.raises(ModuleNotFoundError, match=f"No module named 'fastbp.{name}'"):
        importlib.import_module(f"fastbp.{name}")
    with pytest.raises(AttributeError, match=f"module 'fastbp' has no attribute '{name}'"):
        getattr(fastbp, name)


def test_names_of_modules_are_hinted_at():
    with pytest.raises(AttributeError, match=r"no attribute 'EarlyStopping': it is in fastbp\.callbacks$"):
        getattr(fastbp, "EarlyStopping")  # noqa: B009


def test_rooms_are_loaded_on_first_use(python):
    found = python("""
        import sys, fastbp
        assert "fastbp._many" not in sys.modules
        for name in ("dask", "datasets", "io", "reference", "inspect", "plot"):  # the last one loads inspect
            assert name in dir(fastbp), name
            assert f"fastbp.{name}" not in sys.modules, name
            assert getattr(fastbp, name) is sys.modules[f"fastbp.{name}"]
    """)
    assert found.returncode == 0, found.stderr


def test_completion_shows_what_a_user_needs():
    assert dir(fastbp) == sorted(
        {*fastbp.__all__, "dask", "datasets", "inspect", "io", "plot", "reference", "sklearn"}
    )
    assert not [name for name in dir(fastbp) if name.startswith("_") and name != "__version__"]
    assert dir(fastbp.dask) == sorted(fastbp.dask.__all__)
    assert {*vars(fastbp.exceptions)} & {*fastbp.__all__} == {
        name for name, value in vars(fastbp.exceptions).items() if isinstance(value, type)
    }
