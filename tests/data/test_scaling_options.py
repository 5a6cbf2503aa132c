"""`adapt(X, center=False)` and `adapt(scale=...)`: inputs that are only multiplied."""

import copy
import pickle

import numpy as np
import pytest

import fastbp
from fastbp import DTypeError, ParameterError, ShapeError
from helpers.scaled import scaled_inputs as scaled
from helpers.tables import DTYPES

NETS = {"narrow": [5, 7, 3], "wide": [5, 40, 3]}
FACTORS = {
    "a number": 1 / 255,
    "float32": np.float32(0.1),
    "an integer": 3,
    "each": [1, 0.5, 2.0**-20, 1 / 7, 0.03],
}


@pytest.fixture
def images(rng):
    return rng.integers(256, size=(60, 5), dtype=np.uint8)


def trained(net, X, y):
    """The bits of all that a fit and some calls compute."""
    loss = net.fit(X, y, epochs=2, batch_size=16, validation_data=(X, y)).validation_loss
    return net.parameters.tobytes(), net.predict(X).tobytes(), [*loss], net.train_on_batch(X[:9], y[:9])


@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS.keys())
def test_a_factor_equals_multiplying_beforehand(network_class, images, rng, factor):
    y = rng.random((60, 3))
    for dtype in DTYPES:
        for sizes in NETS.values():
            adapted = network_class(sizes, dtype=dtype, seed=0)
            plain = adapted.clone()
            adapted.adapt(scale=factor)
            np.testing.assert_array_equal(adapted.input_mean, np.zeros(5))
            np.testing.assert_array_equal(adapted.input_scale, np.broadcast_to(1 / np.float64(factor), 5))
            assert trained(adapted, images, y) == trained(plain, scaled(images, adapted), y)


def test_without_centering(network_class, images, rng):
    """The mean is 0 and the scale the same as with it, also of a column that is constant."""
    images[:, 3] = 200
    y = rng.random((60, 3))
    for sizes in NETS.values():
        adapted, centered = network_class(sizes, seed=0), network_class(sizes, seed=0)
        plain = adapted.clone()
        adapted.adapt(images, center=False)
        centered.adapt(images, center=True)
        np.testing.assert_array_equal(adapted.input_mean, np.zeros(5))
        np.testing.assert_array_equal(adapted.input_scale, centered.input_scale)
        assert adapted.input_scale[3] == 1
        np.testing.assert_array_equal(
            adapted.predict(0 * images), plain.predict(0 * images)
        )  # zeros stay zeros
        assert trained(adapted, images, y) == trained(plain, scaled(images, adapted), y)


def test_targets_beside_a_factor(network_class, images, rng):
    y = 100 + rng.random((60, 3))
    by_both, by_each = network_class([5, 7, 3], seed=0), network_class([5, 7, 3], seed=0)
    by_both.adapt(y=y, scale=1 / 255)
    by_each.adapt(y=y)
    assert by_each.input_scale is None
    by_each.adapt(scale=1 / 255)
    assert trained(by_both, images, y) == trained(by_each, images, y)
    by_both.adapt(images, y, center=False)
    np.testing.assert_array_equal(by_both.target_mean, by_each.target_mean)  # targets are centered as ever
    by_both.adapt(None)
    assert by_both.input_scale is None
    by_both.adapt(scale=2)
    np.testing.assert_array_equal(by_both.input_scale, np.full(5, 0.5))


@pytest.mark.parametrize("way", ["clone", "deepcopy", "pickle", "file"])
def test_copies_keep_it(network_class, images, tmp_path, way):
    net = network_class([5, 7, 3], seed=0)
    net.adapt(scale=[1, 2, 3, 1e-150, 5])
    if way == "file":
        net.save(tmp_path / "net.safetensors")
    twin = {
        "clone": net.clone,
        "deepcopy": lambda: copy.deepcopy(net),
        "pickle": lambda: pickle.loads(pickle.dumps(net)),
        "file": lambda: network_class.load(tmp_path / "net.safetensors"),
    }[way]()
    np.testing.assert_array_equal(twin.input_scale, net.input_scale)
    np.testing.assert_array_equal(twin.predict(images), net.predict(images))
    assert "scaled" in str(twin.summary())


WRONG = {
    "both": (lambda X: {"X": X, "scale": 2}, ParameterError, "scale is given together with X, expected one"),
    "both, none": (lambda X: {"X": None, "scale": 2}, ParameterError, "scale is given together with X"),
    "center alone": (
        lambda X: {"center": False},
        ParameterError,
        "center is False without X, expected X, whose",
    ),
    "center, none": (lambda X: {"X": None, "center": False}, ParameterError, "center is False without X"),
    "center, scale": (lambda X: {"center": False, "scale": 2}, ParameterError, "center is False without X"),
    "no flag": (lambda X: {"X": X, "center": 1}, ParameterError, "center is 1, expected True or False"),
    "zero": (lambda X: {"scale": 0}, ParameterError, "scale is 0, expected a finite number > 0"),
    "negative": (lambda X: {"scale": -0.5}, ParameterError, "scale is -0.5, expected a finite number > 0"),
    "nan": (lambda X: {"scale": np.nan}, ParameterError, "scale is nan, expected a finite number > 0"),
    "true": (lambda X: {"scale": True}, ParameterError, "scale is True, expected a finite number > 0"),
    "tiny": (
        lambda X: {"scale": 1e-160},
        ParameterError,
        "scale is 1e-160, expected a number from 1.49e-154 to",
    ),
    "huge": (
        lambda X: {"scale": 1e160},
        ParameterError,
        r"scale is 1e\+160, expected a number from 1.49e-154 to",
    ),
    "one zero": (
        lambda X: {"scale": np.array([1, 2, 0, 4, 5], "f4")},
        ParameterError,
        r"scale\[2\] is 0, expected a number",
    ),
    "one nan": (
        lambda X: {"scale": [1, np.nan, 1, 1, 1]},
        ParameterError,
        r"scale\[1\] is nan, expected a number",
    ),
    "shape": (
        lambda X: {"scale": [1, 2]},
        ShapeError,
        r"scale has shape \(2,\), expected one number, or one per inp",
    ),
    "text": (lambda X: {"scale": "1/255"}, DTypeError, "scale has dtype <U5"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG.values(), ids=WRONG.keys())
def test_refuses_what_cannot_scale(network_class, images, state_of, arguments, error, message):
    net = network_class([5, 7, 3], seed=0)
    net.adapt(images)
    before, scale = state_of(net), net.input_scale.tobytes()
    with pytest.raises(error, match=message):
        net.adapt(**arguments(images))
    assert state_of(net) == before
    assert net.input_scale.tobytes() == scale


def test_a_series_of_factors_goes_by_name():
    pandas = pytest.importorskip("pandas")
    net = fastbp.Network([3, 1], seed=0)
    factors = pandas.Series({"c": 4.0, "a": 1.0, "b": 2.0})
    net.adapt(scale=factors)  # without names by position
    assert net.input_scale.tolist() == [0.25, 1, 0.5]
    net.feature_names = ["a", "b", "c"]
    net.adapt(scale=factors)
    assert net.input_scale.tolist() == [1, 0.5, 0.25]
    with pytest.raises(ShapeError, match=r"^scale lacks the column 'a'"):
        net.adapt(scale=pandas.Series({"c": 4.0, "x": 1.0, "b": 2.0}))
