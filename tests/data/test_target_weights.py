"""Weights of single targets, (n, n_out): parity of the engines, and what they mean."""

import numpy as np
import pytest

import fastbp
from fastbp import losses
from fastbp.exceptions import DataError, ShapeError
from helpers.differences import central_differences
from helpers.tables import DTYPES
from helpers.weighted import (
    BATCHES,
    LOSSES,
    assert_parity,
    in_every_shape,
    make,
    some_weights,
    weighted_problem,
)

ELEMENTWISE = [loss for loss in LOSSES if loss.name != "cross_entropy"]

every_loss = pytest.mark.parametrize("loss", ELEMENTWISE, ids=repr)
every_loss_and_shape = in_every_shape(ELEMENTWISE)


def target_weights(shape, rng):
    """Random weights (rows, n_targets), some of them and some rows 0; the last one is not."""
    weights = rng.uniform(0.1, 3, shape)
    weights[rng.random(shape) < 1 / 3] = 0
    weights[rng.random(shape[0]) < 1 / 5] = 0
    weights[-1, -1] = 1.5
    return weights


# ---- native and reference ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@every_loss_and_shape
def test_both_engines_do_the_same(sizes, loss, dtype, rng):
    assert_parity(sizes, loss, dtype, BATCHES, rng, target_weights)


@in_every_shape([losses.log_cosh, losses.binary_cross_entropy])
@pytest.mark.parametrize("batch_size", [None, 5000])
def test_both_engines_do_the_same_in_row_blocks(batch_size, loss, sizes, rng):
    assert_parity(sizes, loss, "float64", [(2 * 4096 + 33, batch_size, True)], rng, target_weights)


@pytest.mark.parametrize("sizes", [(3, 16, 2), (40, 100, 3)])
def test_threads_and_modes_change_no_bit(sizes, isa, rng):
    X, y = weighted_problem(sizes, losses.mse, 9000, rng)
    weights = target_weights(y.shape, rng)
    results = set()
    for threads in (1, 2, 3, 8):
        for gradient_tol in (None, 1e-300):  # fused or stored
            net = make(fastbp.Network, sizes, losses.mse)
            with fastbp.threads(threads):
                net.fit(X, y, epochs=3, batch_size=None, sample_weight=weights, gradient_tol=gradient_tol)
                value = net.evaluate(X, y, sample_weight=weights)
            results.add((net.parameters.tobytes(), tuple(net.history.loss), tuple(value.values())))
    assert len(results) == 1


@pytest.mark.parametrize("batch_size", [5, 1])
@pytest.mark.parametrize("sizes", [(3, 5, 2), (3, 40, 2)])
def test_fused_and_stored(sizes, batch_size, isa, rng):
    X, y = weighted_problem(sizes, losses.mse, batch_size, rng)
    weights = target_weights(y.shape, rng)
    fused, stored = (make(fastbp.Network, sizes, losses.mse) for _ in range(2))
    for _ in range(3):
        loss = fused.train_on_batch(X, y, sample_weight=weights)
        assert stored.loss_and_gradients(X, y, sample_weight=weights)[0] == loss
        stored.step()
    assert fused.parameters.tobytes() == stored.parameters.tobytes()


# ---- what a weight means -----------------------------------------------------------------------------------


def divisor_of(loss, weights):
    """Return the number by which the loss divides the weighted sum of its terms."""
    n_out = weights.shape[1]
    return {"one": 1, "rows": weights.sum() / n_out, "elements": weights.sum()}[loss.divisor]


@every_loss
def test_loss_and_gradient_are_those_of_the_weighted_sum(loss, network_class, rng):
    """The terms are computed from the loss of each target alone."""
    sizes = (3, 5, 3)
    X, y = weighted_problem(sizes, loss, 11, rng)
    weights = target_weights(y.shape, rng)
    net = make(network_class, sizes, loss)
    of_targets = net.predict(X).reshape(*y.shape, -1)
    terms = np.array([[loss(of_targets[i, j], y[i, [j]]) for j in range(y.shape[1])] for i in range(11)])
    expected = (weights * terms).sum() / divisor_of(loss, weights)
    value, gradients = net.loss_and_gradients(X, y, sample_weight=weights)
    assert value == pytest.approx(expected, rel=1e-12)
    assert net.evaluate(X, y, sample_weight=weights)["loss"] == pytest.approx(expected, rel=1e-12)
    for i in rng.choice(len(gradients), 10):
        numerical = central_differences(
            lambda: net.evaluate(X, y, sample_weight=weights)["loss"], net.parameters[i : i + 1], 1e-6
        )
        assert gradients[i] == pytest.approx(numerical[0], rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("sizes", [(3, 5, 3), (3, 20, 3)])
def test_a_softmax_output_mixes_weighted_derivatives(sizes, network_class, isa, rng):
    """An output depends on all logits, so the weights belong to the outputs, not to the logits."""
    X, y = weighted_problem(sizes, losses.mse, 11, rng)
    weights = target_weights(y.shape, rng)
    net = make(network_class, sizes, losses.mse, output_activation="softmax")
    _, gradients = net.loss_and_gradients(X, y, sample_weight=weights)
    numerical = central_differences(
        lambda: net.evaluate(X, y, sample_weight=weights)["loss"], net.parameters, 1e-6
    )
    np.testing.assert_allclose(gradients, numerical, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", DTYPES)
@every_loss_and_shape
def test_equal_columns_are_weights_of_rows(sizes, loss, dtype, network_class, isa, rng):
    X, y = weighted_problem(sizes, loss, 23, rng)
    weights = some_weights(23, rng)
    by_row, by_target = (make(network_class, sizes, loss, dtype) for _ in range(2))
    expected = by_row.fit(X, y, epochs=3, batch_size=7, sample_weight=weights).loss
    columns = np.repeat(weights[:, None], y.shape[1], axis=1)
    got = by_target.fit(X, y, epochs=3, batch_size=7, sample_weight=columns).loss
    rtol, atol = (1e-12, 1e-13) if dtype == "float64" else (1e-5, 1e-6)
    np.testing.assert_allclose(got, expected, rtol=rtol)
    np.testing.assert_allclose(by_target.parameters, by_row.parameters, rtol=0, atol=atol)
    if sizes[-1] == 1:
        assert by_target.parameters.tobytes() == by_row.parameters.tobytes()


@every_loss_and_shape
def test_rows_without_weight_are_absent(sizes, loss, network_class, rng):
    X, y = weighted_problem(sizes, loss, 41, rng)
    weights = target_weights(y.shape, rng)
    here = weights.any(axis=1)
    with_them, without = (make(network_class, sizes, loss) for _ in range(2))
    X[~here] = 1e6
    got = with_them.fit(X, y, epochs=2, batch_size=7, sample_weight=weights).loss
    assert got == without.fit(X[here], y[here], epochs=2, batch_size=7, sample_weight=weights[here]).loss
    assert with_them.parameters.tobytes() == without.parameters.tobytes()


def test_a_target_without_weight_does_not_count(network_class, isa, rng):
    X, y = weighted_problem((3, 5, 2), losses.mse, 20, rng)
    weights = target_weights(y.shape, rng)
    results = []
    for absent in (0.0, 1e30):
        net = make(network_class, (3, 5, 2), losses.mse)
        net.fit(X, np.where(weights == 0, absent, y), batch_size=3, sample_weight=weights)
        results.append((net.parameters.tobytes(), net.history.loss))
    assert results[0] == results[1]


def test_epoch_loss_is_the_mean_of_the_batches_by_weight(network_class, rng):
    X, y = weighted_problem((3, 2), losses.mse, 20, rng)
    weights = target_weights(y.shape, rng)
    net = make(network_class, (3, 2), losses.mse, optimizer=fastbp.SGD(1e-300))
    loss = net.fit(X, y, batch_size=3, shuffle=False, sample_weight=weights).loss
    assert loss[0] == pytest.approx(net.evaluate(X, y, sample_weight=weights)["loss"], rel=1e-12)


def test_class_weights_multiply(network_class, rng):
    X, y = rng.normal(size=(30, 3)), rng.integers(0, 2, (30, 1))
    weights = some_weights(30, rng)
    results = []
    for given in (weights, weights[:, None]):
        net = make(network_class, (3, 4, 1), losses.binary_cross_entropy)
        net.fit(X, y, sample_weight=given, class_weight={1: 3.0})
        results.append(net.parameters.tobytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["f4", ">f8", "f2", "i8", "?"])
def test_weights_of_any_dtype_and_layout(kind, order, network_class, rng):
    X, y = weighted_problem((3, 2), losses.mse, 20, rng)
    weights = rng.integers(0, 2, (20, 2))
    results = set()
    for given in (
        weights.astype(kind, order=order),
        np.repeat(weights, 2, 0)[::2].astype(kind),
        weights.tolist(),
    ):
        net = make(network_class, (3, 2), losses.mse)
        net.fit(X, y, sample_weight=given)
        results.add(net.parameters.tobytes())
    assert len(results) == 1


# ---- evaluate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "kind"),
    [(loss, "rows") for loss in LOSSES] + [(loss, "targets") for loss in ELEMENTWISE],
    ids=str,
)
def test_evaluate_in_slices(loss, kind, network_class, rng, monkeypatch):
    X, y = weighted_problem((3, 5, 2), loss, 41, rng)
    weights = some_weights(41, rng) if kind == "rows" else target_weights(y.shape, rng)
    net = make(network_class, (3, 5, 2), loss)
    whole = net.evaluate(X, y, sample_weight=weights)
    monkeypatch.setattr("fastbp._engine.inference.SLICE_ROWS", 7)
    assert net.evaluate(X, y, sample_weight=weights) == pytest.approx(whole, rel=1e-12)
    here = weights.reshape(41, -1).any(axis=1)
    X[~here] = 1e300
    assert net.evaluate(X, y, sample_weight=weights) == pytest.approx(whole, rel=1e-12)


def test_a_callable_gets_the_rows_with_a_weight(network_class, rng):
    X, y = weighted_problem((3, 2), losses.mse, 20, rng)
    weights = some_weights(20, rng)
    net = make(network_class, (3, 2), losses.mse)
    seen = []

    def metric(output, target):
        seen.append((output.copy(), target.copy()))
        return 0.0

    net.evaluate(X, y, metric, sample_weight=weights)
    np.testing.assert_array_equal(seen[0][0], net.predict(X)[weights > 0])
    np.testing.assert_array_equal(seen[0][1], y[weights > 0])


# ---- refusals ----------------------------------------------------------------------------------------------


MSE_SHAPES = "expected (4,), one per row of X, or (4, 3)"
ROWS_ALONE = "expected (4,), one per row of X (the loss cross_entropy has one target per row)"
MEAN = fastbp.HalfSSE("mean")


@pytest.mark.parametrize(
    ("loss", "weights", "error", "text"),
    [
        ("cross_entropy", np.ones((4, 3)), ShapeError, f"sample_weight has shape (4, 3), {ROWS_ALONE}"),
        ("mse", np.ones((4, 2)), ShapeError, f"sample_weight has shape (4, 2), {MSE_SHAPES}"),
        ("mse", np.zeros((4, 3)), DataError, "sample_weight sums to 0"),
        ("mse", np.eye(4, 3) - 0.5, DataError, "sample_weight[0, 1] is -0.5, expected 0, or a number >= "),
        ("mse", np.full((4, 3), np.nan), DataError, "sample_weight[0, 0] is nan, expected a finite number"),
        ("mse", np.full((4, 3), 1e37), DataError, "sums to 1.2e+38, expected above 0 and below 8.51e+37"),
        (MEAN, np.full((4, 3), 2e-38), DataError, "is 2e-38, expected 0, or a number >= 3.53e-38"),
    ],
)
def test_bad_weights(loss, weights, error, text, network_class, state_of):
    net = network_class([2, 3], loss=loss, seed=0)
    y = np.eye(4, 3) if loss != "cross_entropy" else np.zeros(4, int)
    before = state_of(net)
    for call in (net.fit, net.train_on_batch, net.loss_and_gradients, net.evaluate):
        with pytest.raises(error) as caught:
            call(np.ones((4, 2)), y, sample_weight=weights)
        assert text in str(caught.value)
    assert state_of(net) == before


@pytest.mark.parametrize("loss", ["mse", MEAN], ids=str)
@pytest.mark.parametrize("weight", [5e-38, 5e36])
def test_weights_at_the_limits(loss, weight, network_class):
    """A single weight, of which a batch of one row consists."""
    net = network_class([2, 3], loss=loss, seed=0)
    weights = np.zeros((4, 3))
    weights[2, 1] = weight
    loss = net.fit(np.ones((4, 2)), np.ones((4, 3)), batch_size=1, sample_weight=weights).loss
    assert 0 < loss[0] < 100
