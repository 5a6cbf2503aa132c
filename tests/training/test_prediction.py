"""predict, predict_classes and evaluate."""

import numpy as np
import pytest

import fastbp
from fastbp.losses import cross_entropy, mse
from helpers.problems import regression


def test_predict_is_the_formula(network_class, rng):
    net = network_class([4, 5, 3], activation="tanh", dtype="float64", seed=0)
    X, _ = regression(rng)
    hidden = np.tanh(X @ net.weights[0] + net.biases[0])
    np.testing.assert_allclose(net.predict(X), hidden @ net.weights[1] + net.biases[1], rtol=1e-12)


def test_predict_shapes(network_class, rng):
    net = network_class([4, 5, 3], seed=0)
    X, _ = regression(rng)
    whole = net.predict(X)
    assert whole.shape == (50, 3)
    np.testing.assert_array_equal(net.predict(X[0]), net.predict(X[:1])[0])
    assert net.predict(X[0]).shape == (3,)
    assert net.predict(X[:0]).shape == (0, 3)
    np.testing.assert_array_equal(net.predict(X.tolist()), whole)


def test_predict_into_out(network_class, rng):
    net = network_class([4, 3], seed=0)
    X, _ = regression(rng)
    out = np.full((50, 3), np.nan, np.float32)
    assert net.predict(X, out=out) is out
    np.testing.assert_array_equal(out, net.predict(X))
    row = np.full(3, np.nan, np.float32)
    assert net.predict(X[1], row) is row
    np.testing.assert_array_equal(row, net.predict(X[1]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predict_of_plain_arrays_has_the_same_bits(network_class, rng, isa, dtype):
    """Few rows in a plain array take a short cut, a strided view of them does not."""
    net = network_class([4, 70, 3], loss="cross_entropy", dtype=dtype, seed=0)
    X = rng.normal(size=(40, 4)).astype(dtype)
    X[2, 1], X[3, 0] = np.nan, np.inf
    strided = np.repeat(X, 2, axis=1)[:, ::2]
    for rows in (0, slice(1), 2, slice(0), slice(4), slice(40)):
        output = net.predict(X[rows])
        assert (type(output), output.dtype, output.flags.owndata) == (np.ndarray, np.dtype(dtype), True)
        np.testing.assert_array_equal(output, net.predict(strided[rows]))
        out = np.zeros_like(output)
        assert net.predict(X[rows], out=out) is out
        np.testing.assert_array_equal(out, output)


@pytest.mark.parametrize("loss", ["mse", "half_sse", fastbp.HalfSSE(reduction="mean")])
def test_predict_and_evaluate_in_slices_are_the_same(network_class, rng, monkeypatch, loss):
    net = network_class([4, 5, 3], loss=loss, seed=0)
    X, y = regression(rng)
    whole, measures = net.predict(X), net.evaluate(X, y)
    monkeypatch.setattr(fastbp._engine.inference, "SLICE_WORK", 7 * net.parameters.size)
    np.testing.assert_allclose(net.predict(X), whole, rtol=1e-6)
    assert net.evaluate(X, y) == pytest.approx(measures, rel=1e-6)


def test_predict_lets_nan_and_infinity_through(network_class, rng):
    net = network_class([4, 5, 3], activation="tanh", seed=0)
    X, _ = regression(rng)
    X[3, 1], X[5, 2] = np.nan, np.inf
    output = net.predict(X)
    assert np.isnan(output[3]).all()
    assert np.isfinite(np.delete(output, [3, 5], axis=0)).all()


def test_classes_of_softmax_outputs(network_class, rng):
    net = network_class([4, 3], loss="cross_entropy", seed=0)
    X, _ = regression(rng)
    classes = net.predict_classes(X)
    assert classes.dtype == np.int64
    np.testing.assert_array_equal(classes, net.predict(X).argmax(axis=1))
    assert net.predict_classes(X[7]) == classes[7]


def test_classes_of_sigmoid_outputs(network_class, rng):
    X, _ = regression(rng)
    one = network_class([4, 1], loss="binary_cross_entropy", seed=0)
    np.testing.assert_array_equal(one.predict_classes(X), one.predict(X)[:, 0] >= 0.5)
    several = network_class([4, 3], loss="binary_cross_entropy", seed=0)
    np.testing.assert_array_equal(several.predict_classes(X), several.predict(X) >= 0.5)
    assert several.predict_classes(X[0]).shape == (3,)
    assert several.predict_classes(X).dtype == one.predict_classes(X).dtype == np.int64


def test_hinge_classes_are_signs(network_class, rng):
    X, _ = regression(rng)
    one, several = (network_class([4, n], loss="hinge", seed=0) for n in (1, 3))
    np.testing.assert_array_equal(one.predict_classes(X), np.sign(one.predict(X)[:, 0]))
    np.testing.assert_array_equal(several.predict_classes(X), np.sign(several.predict(X)))
    y = several.predict_classes(X)
    assert several.evaluate(X, y)["accuracy"] == 1
    several.parameters[:] = 0
    assert several.predict_classes(X[0]).tolist() == [-1, -1, -1]  # as accuracy counts it


def test_evaluate_classification(network_class, rng):
    net = network_class([4, 3], loss="cross_entropy", dtype="float64", seed=0)
    X, labels = rng.normal(size=(50, 4)), rng.integers(3, size=50)
    measures = net.evaluate(X, labels)
    assert measures["accuracy"] == np.mean(net.predict_classes(X) == labels)
    assert measures["loss"] == pytest.approx(cross_entropy(net.predict(X), labels), rel=1e-12)
    assert net.evaluate(X, np.eye(3)[labels]) == pytest.approx(measures, rel=1e-12)


def test_evaluate_yes_or_no(network_class, rng):
    net = network_class([4, 2], loss="binary_cross_entropy", seed=0)
    X, y = rng.normal(size=(50, 4)), rng.integers(2, size=(50, 2))
    assert net.evaluate(X, y)["accuracy"] == np.mean(net.predict_classes(X) == y)


def test_evaluate_regression(network_class, rng):
    net = network_class([4, 3], dtype="float64", seed=0)
    X, y = regression(rng)
    y[:, 2] = 4  # constant, and missed: counts 0
    h = net.predict(X)
    r2 = 1 - ((y - h)[:, :2] ** 2).sum(axis=0) / ((y - y.mean(axis=0))[:, :2] ** 2).sum(axis=0)
    assert net.evaluate(X, y) == pytest.approx({"loss": mse(h, y), "r2": r2.sum() / 3}, rel=1e-12)


@pytest.mark.parametrize("loss", ["mse", "half_sse", fastbp.HalfSSE(reduction="mean")])
def test_evaluate_is_exact_over_more_rows_than_a_block(network_class, rng, loss):
    net = network_class([2, 3], loss=loss, dtype="float64", seed=0)
    X, y = rng.normal(size=(9000, 2)), rng.normal(size=(9000, 3))
    assert net.evaluate(X, y)["loss"] == pytest.approx(net.loss(net.predict(X), y), rel=1e-12)
