"""`BinaryCrossEntropy` and `Poisson` with `outputs="sum"`: losses summed over the outputs of a row."""

from dataclasses import replace

import numpy as np
import pytest

import fastbp
from fastbp import Dense, losses
from fastbp.exceptions import ParameterError
from helpers.differences import central_differences
from helpers.tables import DTYPES, ENGINES
from helpers.weighted import SHAPES, assert_parity, make, problem_with_nan, some_weights, weighted_problem

SUMMED = [fastbp.BinaryCrossEntropy(outputs="sum"), fastbp.Poisson(outputs="sum")]
every_loss = pytest.mark.parametrize("loss", SUMMED, ids=lambda loss: loss.name)


def target_weights(shape, rng):
    """Weights of single targets, some of them 0; the last one is not."""
    weights = rng.integers(0, 4, shape) / 2
    weights[-1, -1] = 1.5
    return weights


def cases(loss, sizes, rng):
    """Yield data with no weights, with those of rows and of targets, and with unknown targets."""
    X, y = weighted_problem(sizes, loss, 23, rng)
    yield loss, X, y, None
    yield loss, X, y, some_weights(23, rng)
    yield loss, X, y, target_weights(y.shape, rng)
    yield replace(loss, ignore_nan=True), *problem_with_nan(sizes, loss, 23, rng), None


@every_loss
def test_by_hand(loss):
    h, t = np.array([[0.2, 0.5, 0.25], [0.6, 0.75, 0.5]]), np.array([[0.0, 1, 1], [1, 0, 1]])
    terms = loss.terms(h, t)
    assert loss(h, t) == pytest.approx(terms.sum() / 2, rel=1e-15)
    numerical = central_differences(lambda: loss(h, t), h, 1e-6)
    np.testing.assert_allclose(loss.gradient(h, t), numerical, rtol=1e-8)
    strict, t[0, 1] = loss.terms(h, t), np.nan
    value = replace(loss, ignore_nan=True)(h, t)  # 5 of 6 targets are 5/3 rows
    assert value == pytest.approx((strict.sum() - strict[0, 1]) / (5 / 3), rel=1e-15)


@every_loss
def test_it_is_the_mean_times_the_outputs(loss, network_class, rng):
    """In training, with a fused and a stored update, in evaluation and in validation, on any batch."""
    for sizes in SHAPES.values():
        for each, X, y, weights in cases(loss, sizes, rng):
            rate, n_out = 1e-3, sizes[-1]
            summed, mean = (
                make(network_class, sizes, one, optimizer=fastbp.SGD(step))
                for one, step in ((each, rate), (replace(each, outputs="mean"), rate * n_out))
            )
            expected = mean.loss_and_gradients(X, y, sample_weight=weights)
            found = summed.loss_and_gradients(X, y, sample_weight=weights)
            assert found[0] == pytest.approx(n_out * expected[0], rel=1e-12)
            np.testing.assert_allclose(found[1], n_out * expected[1], rtol=1e-12, atol=1e-15)
            found, expected = (
                net.fit(X, y, epochs=2, batch_size=7, sample_weight=weights, validation_data=(X, y))
                for net in (summed, mean)
            )
            np.testing.assert_allclose(found.loss, np.multiply(expected.loss, n_out), rtol=1e-12)
            validated = np.multiply(expected.validation_loss, n_out)
            np.testing.assert_allclose(found.validation_loss, validated, rtol=1e-12)
            np.testing.assert_allclose(summed.parameters, mean.parameters, rtol=1e-9, atol=1e-14)
            measured = [net.evaluate(X, y, sample_weight=weights) for net in (summed, mean)]
            assert measured[0].pop("loss") == pytest.approx(n_out * measured[1].pop("loss"), rel=1e-9)
            assert measured[0] == pytest.approx(measured[1], rel=1e-9)  # metrics are the same


@every_loss
def test_parity(loss, rng):
    for sizes in SHAPES.values():
        for dtype in DTYPES:
            for weights_of in (None, target_weights):
                assert_parity(sizes, loss, dtype, [(41, 7, True), (41, None, False)], rng, weights_of)


@every_loss
def test_with_divided_penalties_it_is_the_loss_of_a_row(loss, rng):
    """Both are over the rows, so the batch's loss times its rows is a sum over rows and weights."""
    X, y = weighted_problem((3, 5, 2), loss, 12, rng)
    output = "sigmoid" if loss.name == "binary_cross_entropy" else "exponential"
    for network_class in ENGINES:
        layers = [3, Dense(5, "tanh", l2=0.3, divide_penalty=True), Dense(2, output)]
        net = network_class(layers, loss=loss, dtype="float64", seed=0)
        terms = loss.terms(net.predict(X), y).sum() + 0.15 * np.square(net.weights[0]).sum()
        assert net.loss_and_gradients(X, y)[0] == pytest.approx(terms / 12, rel=1e-9)


def test_it_is_a_parameter_like_the_others(tmp_path):
    for loss in SUMMED:
        assert loss != type(loss)()
        assert type(loss)() == type(loss)(outputs="mean") == losses.get(loss.name)
        for network_class in ENGINES:
            net = network_class([3, 2], loss=loss)
            net.save(tmp_path / "net.safetensors")
            assert network_class.load(tmp_path / "net.safetensors").loss == loss == net.clone().loss
        with pytest.raises(ParameterError, match="outputs is 'none', expected one of: mean, sum"):
            type(loss)(outputs="none")
