"""Several outputs per target with weights of targets, unknown targets and scaled targets."""

import numpy as np
import pytest

import fastbp
from fastbp import GaussianNLL, Quantiles, ShapeError
from helpers.tables import DTYPES, ENGINES

LOSSES = [GaussianNLL, Quantiles]
every_loss = pytest.mark.parametrize("loss", LOSSES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def make(network_class, hidden, loss, n_targets=3, **options):
    sizes = [3, hidden, n_targets * loss.outputs_per_target]
    return network_class(sizes, **{"loss": loss, "optimizer": fastbp.SGD(1e-3), "seed": 1} | options)


def data(rng, rows, n_targets=3):
    return rng.standard_normal((rows, 3)), rng.standard_normal((rows, n_targets))


def some_weights(rng, shape):
    weights = rng.uniform(0.1, 3, shape)
    weights[rng.random(shape) < 1 / 3] = 0
    weights[-1] = 1
    return weights


@every_dtype
@every_loss
@pytest.mark.parametrize("hidden", [5, 40])
def test_both_engines_weight_targets_alike(hidden, loss, dtype, isa, rng):
    tolerance = 1e-10 if dtype == "float64" else 2e-5
    for rows, batch_size in ((1, 1), (9, 1), (17, 16), (40, None), (4096 + 33, None)):
        X, y = data(rng, rows)
        weights = some_weights(rng, y.shape)
        nets = [make(each, hidden, loss(), dtype=dtype) for each in ENGINES]
        found = [net.loss_and_gradients(X, y, sample_weight=weights) for net in nets]
        for native, numpy in zip(*found, strict=True):
            np.testing.assert_allclose(native, numpy, rtol=tolerance, atol=tolerance)
        options = {"epochs": 2, "batch_size": batch_size, "sample_weight": weights}
        np.testing.assert_allclose(*(net.fit(X, y, **options).loss for net in nets), rtol=tolerance)
        np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=0, atol=tolerance)
        measured = [net.evaluate(X, y, metrics=["r2", "mae"], sample_weight=weights) for net in nets]
        for name in measured[0]:
            assert measured[0][name] == pytest.approx(measured[1][name], rel=1e-3 if rows == 1 else 1e-4)


@every_loss
@pytest.mark.parametrize("hidden", [5, 40])
def test_weights_belong_to_targets(hidden, loss, network_class, rng):
    """Equal columns are weights of rows; the outputs of a target of weight 0 get no gradient."""
    X, y = data(rng, 20)
    net = make(network_class, hidden, loss(), dtype="float64")
    each, weights = net.loss.outputs_per_target, rng.uniform(0.1, 2, 20)
    by_row, gradients = net.loss_and_gradients(X, y, sample_weight=weights)
    gradients = gradients.copy()
    by_target, same = net.loss_and_gradients(X, y, sample_weight=np.tile(weights[:, None], 3))
    assert by_target == pytest.approx(by_row, rel=1e-13)
    np.testing.assert_allclose(same, gradients, rtol=1e-11, atol=1e-14)

    only = np.array([0.0, 1.0, 0.0]) * weights[:, None]
    value, gradients = net.loss_and_gradients(X, y, sample_weight=only)
    used = gradients[-3 * each :].reshape(3, each) != 0  # those of b
    np.testing.assert_array_equal(used.any(axis=1), [False, True, False])
    column = slice(each, 2 * each)
    own = net.loss(net.predict(X)[:, column], y[:, 1])
    equal = net.loss_and_gradients(X, y, sample_weight=np.tile([0.0, 1.0, 0.0], (20, 1)))[0]
    assert equal == pytest.approx(own, rel=1e-12)
    assert np.isfinite(value)
    for wrong in (np.ones((20, 3 * each)), np.ones((20, 1))):
        with pytest.raises(ShapeError, match=r"sample_weight has shape .*\(20, 3\)"):
            net.fit(X, y, sample_weight=wrong)


@every_dtype
@every_loss
@pytest.mark.parametrize("hidden", [5, 40])
def test_unknown_targets_weigh_nothing(hidden, loss, dtype, network_class, rng):
    X, y = data(rng, 40)
    known = rng.random(y.shape) > 0.4
    known[7] = False  # a row without any
    holes = np.where(known, y, np.nan)
    skipping, weighted = (
        make(network_class, hidden, loss(ignore_nan=skip), dtype=dtype) for skip in (True, False)
    )
    options = {"epochs": 3, "batch_size": 7, "shuffle": False}
    by_nan = skipping.fit(X, holes, **options).loss
    by_weight = weighted.fit(X, y, sample_weight=known.astype(float), **options).loss
    assert by_nan == by_weight
    np.testing.assert_array_equal(skipping.parameters, weighted.parameters)
    found = skipping.evaluate(X, holes, metrics=["r2", "mae"])
    output = skipping.predict(X)
    assert found["loss"] == pytest.approx(skipping.loss(output, holes), rel=1e-5)
    error = np.abs(skipping.loss.estimate(output) - y)[known]
    assert found["mae"] == pytest.approx(error.mean(), rel=1e-5)
    gradient = skipping.loss.gradient(output, holes)
    grouped = gradient.reshape(40, 3, -1)
    assert (grouped[~known] == 0).all()
    assert np.isfinite(gradient).all()


@every_dtype
@every_loss
@pytest.mark.parametrize("hidden", [5, 40])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_scaled_targets_are_those_of_a_scaled_problem(batch_size, hidden, loss, dtype, network_class, rng):
    """Training is that on scaled targets; predictions, and what the loss makes of them, are raw."""
    X, y = data(rng, 30)
    raw = y * [100.0, 0.01, 3.0] + [1000.0, 0.0, -5.0]
    mean, scale = raw.mean(axis=0), raw.std(axis=0)
    inside, outside = (make(network_class, hidden, loss(), dtype=dtype) for _ in range(2))
    inside.adapt(None, raw)
    options = {"epochs": 3, "batch_size": batch_size}
    tolerance = 1e-9 if dtype == "float64" else 1e-4
    expected = outside.fit(X, (raw - mean) / scale, **options).loss
    np.testing.assert_allclose(inside.fit(X, raw, **options).loss, expected, rtol=tolerance)
    np.testing.assert_allclose(inside.parameters, outside.parameters, rtol=0, atol=tolerance)
    output, scaled = inside.predict(X), outside.predict(X)
    if loss is GaussianNLL:
        (m, std), (m_scaled, std_scaled) = (
            net_loss.mean_and_std(h) for net_loss, h in ((inside.loss, output), (outside.loss, scaled))
        )
        np.testing.assert_allclose(m, m_scaled * scale + mean, rtol=10 * tolerance, atol=10 * tolerance)
        np.testing.assert_allclose(std, std_scaled * scale, rtol=10 * tolerance)
    else:
        expected = outside.loss.split(scaled) * scale[:, None] + mean[:, None]
        np.testing.assert_allclose(
            inside.loss.split(output), expected, rtol=10 * tolerance, atol=10 * tolerance
        )
    copy = inside.clone()
    np.testing.assert_array_equal(copy.predict(X), output)
    assert inside.evaluate(X, raw)["r2"] == pytest.approx(
        fastbp.metrics.r2(inside.loss.estimate(output), raw), abs=1e-4
    )
