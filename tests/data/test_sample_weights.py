"""Sample weights in both engines: parity, and what a weight means."""

from functools import partial

import numpy as np
import pytest

import fastbp
from fastbp import _core, losses
from fastbp.exceptions import ParameterError
from helpers.differences import central_differences
from helpers.inside import engine_of, row_weights
from helpers.tables import DTYPES, ENGINES
from helpers.weighted import (
    BATCHES,
    LOSSES,
    assert_parity,
    in_every_shape,
    make,
    some_weights,
    weighted_problem,
)

every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_loss_and_shape = in_every_shape(LOSSES)


# ---- native and reference ----------------------------------------------------------------------------------


@every_dtype
@every_loss_and_shape
def test_both_engines_do_the_same(sizes, loss, dtype, rng):
    assert_parity(sizes, loss, dtype, BATCHES, rng)


@in_every_shape([losses.log_cosh, losses.cross_entropy])
@pytest.mark.parametrize("batch_size", [None, 5000])
def test_both_engines_do_the_same_in_row_blocks(batch_size, loss, sizes, rng):
    assert_parity(sizes, loss, "float64", [(2 * 4096 + 33, batch_size, True)], rng)


# ---- what a weight means -----------------------------------------------------------------------------------


@every_loss_and_shape
def test_gradient_is_the_numerical_one(sizes, loss, network_class, rng):
    X, y = weighted_problem(sizes, loss, 6, rng)
    net = make(network_class, sizes, loss)
    weights = np.array([0.5, 0, 2, 1, 0, 3.5])
    _, gradients = net.loss_and_gradients(X, y, sample_weight=weights)
    gradients = gradients.copy()
    for i in rng.choice(len(gradients), 20):
        one = net.parameters[i : i + 1]
        numerical = central_differences(
            lambda: net.loss_and_gradients(X, y, sample_weight=weights)[0], one, 1e-6
        )
        assert gradients[i] == pytest.approx(numerical[0], rel=1e-6, abs=1e-8)


@every_loss
def test_loss_is_the_weighted_mean(loss, network_class, rng):
    """The expected loss is computed from the loss of each row alone."""
    X, y = weighted_problem((3, 5, 2), loss, 11, rng)
    weights = some_weights(11, rng)
    net = make(network_class, (3, 5, 2), loss)
    alone = [net.loss_and_gradients(X[[i]], y[[i]])[0] for i in range(11)]
    expected = np.dot(weights, alone) / (1 if loss.divisor == "one" else weights.sum())
    assert net.loss_and_gradients(X, y, sample_weight=weights)[0] == pytest.approx(expected, rel=1e-12)


@every_loss_and_shape
def test_equal_weights_are_none(sizes, loss, network_class, rng):
    X, y = weighted_problem(sizes, loss, 23, rng)
    plain, weighted = (make(network_class, sizes, loss) for _ in range(2))
    weight = 1 if loss.divisor == "one" else 0.3
    expected = plain.fit(X, y, epochs=3, batch_size=7).loss
    got = weighted.fit(X, y, epochs=3, batch_size=7, sample_weight=np.full(23, weight)).loss
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    np.testing.assert_allclose(weighted.parameters, plain.parameters, rtol=1e-9, atol=1e-12)


@every_loss_and_shape
def test_whole_weights_are_repeated_rows(sizes, loss, network_class, rng):
    X, y = weighted_problem(sizes, loss, 23, rng)
    times = rng.integers(0, 4, 23)
    repeated, weighted = (make(network_class, sizes, loss) for _ in range(2))
    options = {"epochs": 3, "batch_size": None}
    expected = repeated.fit(np.repeat(X, times, 0), np.repeat(y, times, 0), **options).loss
    np.testing.assert_allclose(weighted.fit(X, y, sample_weight=times, **options).loss, expected, rtol=1e-12)
    np.testing.assert_allclose(weighted.parameters, repeated.parameters, rtol=1e-9, atol=1e-12)


@every_dtype
@every_loss_and_shape
def test_rows_of_weight_zero_are_absent(sizes, loss, dtype, network_class, isa, rng):
    """Bit for bit, shuffled or not, in batches, all at once, and one row at a time."""
    for rows, batch_size, shuffle in BATCHES:
        X, y = weighted_problem(sizes, loss, rows, rng)
        weights = some_weights(rows, rng)
        here = weights > 0
        with_them, without = (make(network_class, sizes, loss, dtype, optimizer="adam") for _ in range(2))
        X[~here] = 1e6  # which nobody looks at
        options = {"epochs": 3, "batch_size": batch_size, "shuffle": shuffle}
        got = with_them.fit(X, y, sample_weight=weights, **options).loss
        assert got == without.fit(X[here], y[here], sample_weight=weights[here], **options).loss
        got = with_them.train_on_batch(X, y, sample_weight=weights)
        assert got == without.train_on_batch(X[here], y[here], sample_weight=weights[here])
        assert with_them.parameters.tobytes() == without.parameters.tobytes()


def test_with_regularization(isa, rng):
    """Dropout and noise act on the rows with a nonzero weight; a penalty counts once per batch."""
    X, y = weighted_problem((3, 2), losses.mse, 40, rng)
    weights = some_weights(40, rng)
    here = weights > 0
    hidden = fastbp.Dense(33, "tanh", dropout=0.2, l1=0.01, l2=0.1, max_norm=2)
    options = {"loss": "mse", "input_noise": 0.1, "dtype": "float64", "seed": 1}
    native, numpy, without = (each([3, hidden, 2], **options) for each in (*ENGINES, fastbp.Network))
    fits = [net.fit(X, y, epochs=3, batch_size=7, sample_weight=weights).loss for net in (native, numpy)]
    np.testing.assert_allclose(*fits, rtol=1e-10)
    np.testing.assert_allclose(native.parameters, numpy.parameters, rtol=0, atol=1e-10)
    without.fit(X[here], y[here], epochs=3, batch_size=7, sample_weight=weights[here])
    assert native.parameters.tobytes() == without.parameters.tobytes()


def test_an_epoch_takes_the_rows_with_a_nonzero_weight(network_class):
    """Each is taken once, in batches of the given size."""
    X, weights = np.arange(12.0)[:, None], np.tile([1.0, 0, 2], 4)
    net = make(network_class, (1, 1), losses.mse)
    run = engine_of(net).begin(
        X,
        X,
        weights=row_weights(net, X, weights),
        batch_size=1,
        shuffle=True,
        seed=3,
        first_epoch=0,
        epochs=2,
        stored=True,
    )
    assert run.steps_per_epoch == 8
    order = []
    for _ in range(2 * 8):
        net.parameters[:] = [0, -1]  # h = -1, and d_W / d_b = x
        run.advance(2, 0.0)
        order.append(round(engine_of(net).gradients[0] / engine_of(net).gradients[1]))
    kept = np.flatnonzero(weights)
    assert order == [*kept[_core.permutation(3, 0, 8)], *kept[_core.permutation(3, 1, 8)]]


def test_epoch_loss_is_the_mean_of_the_batches_by_weight(network_class, rng):
    X, y = weighted_problem((3, 2), losses.mse, 10, rng)
    weights = rng.uniform(0.1, 5, 10)
    fitted, by_hand = (make(network_class, (3, 2), losses.mse) for _ in range(2))
    batches = [slice(0, 4), slice(4, 8), slice(8, 10)]
    alone = [by_hand.train_on_batch(X[b], y[b], sample_weight=weights[b]) for b in batches]
    loss = fitted.fit(X, y, batch_size=4, shuffle=False, sample_weight=weights).loss[0]
    assert loss == pytest.approx(np.average(alone, weights=[weights[b].sum() for b in batches]), rel=1e-14)


@pytest.mark.parametrize("sizes", [(3, 16, 2), (40, 100, 3)])
def test_threads_and_modes_change_no_bit(sizes, isa, rng):
    loss = losses.log_cosh
    X, y = weighted_problem(sizes, loss, 10_000, rng)
    weights = some_weights(10_000, rng)
    results = set()
    for threads in (1, 2, 3):
        for gradient_tol in (None, 1e-30):
            net = make(fastbp.Network, sizes, loss, "float32")
            with fastbp.threads(threads):
                net.fit(X, y, epochs=2, batch_size=None, sample_weight=weights, gradient_tol=gradient_tol)
            results.add((net.parameters.tobytes(), tuple(net.history.loss)))
    assert len(results) == 1


@pytest.mark.parametrize("batch_size", [5, None])
def test_fused_and_stored(batch_size, isa, rng):
    X, y = weighted_problem((3, 40, 2), losses.mse, 23, rng)
    weights = some_weights(23, rng)
    fused, stored = (make(fastbp.Network, (3, 40, 2), losses.mse) for _ in range(2))
    for _ in range(3):
        loss = fused.train_on_batch(X, y, sample_weight=weights)
        assert stored.loss_and_gradients(X, y, sample_weight=weights)[0] == loss
        stored.step()
    assert fused.parameters.tobytes() == stored.parameters.tobytes()


@pytest.mark.parametrize("kind", ["f4", ">f8", "f2", "i8", "u1", "?"])
def test_weights_of_any_real_dtype(kind, network_class, rng):
    X, y = weighted_problem((3, 2), losses.mse, 20, rng)
    weights = rng.integers(0, 2, 20)
    results = []
    for given in (weights.astype(kind), np.repeat(weights, 2).astype(kind)[::2], weights.tolist()):
        net = make(network_class, (3, 2), losses.mse)
        net.fit(X, y, sample_weight=given)
        results.append(net.parameters.tobytes())
    assert len(set(results)) == 1


def test_convergence_and_divergence_with_weights(network_class, rng):
    X, y = weighted_problem((3, 2), losses.mse, 20, rng)
    weights = some_weights(20, rng)
    net = make(network_class, (3, 2), losses.mse, optimizer=fastbp.SGD(0.1))
    assert net.fit(X, y, epochs=3000, batch_size=None, sample_weight=weights, tol=1e-6).stopped == "tol"
    fit = partial(net.fit, X, y, batch_size=None, sample_weight=weights)
    assert fit(epochs=5000, gradient_tol=1e-6).stopped == "gradient_tol"
    assert np.abs(net.loss_and_gradients(X, y, sample_weight=weights)[1]).max() <= 1e-6
    net.optimizer = fastbp.SGD(1e200)
    before = net.parameters.copy()
    with pytest.raises(fastbp.DivergenceError, match="step 2 of 4"):
        net.fit(X, y, batch_size=4, sample_weight=np.r_[np.ones(14), np.zeros(6)])
    np.testing.assert_array_equal(net.parameters, before)


def test_an_optimizer_of_full_batches_takes_rows_with_a_nonzero_weight(network_class, rng):
    X, y = weighted_problem((3, 2), losses.mse, 20, rng)
    weights = some_weights(20, rng)
    net = make(network_class, (3, 2), losses.mse, optimizer=fastbp.IRprop())
    history = net.fit(X, y, epochs=20, batch_size=None, sample_weight=weights)
    assert history.loss[-1] < history.loss[0]
    with pytest.raises(ParameterError, match="batch_size"):
        net.fit(X, y, batch_size=10, sample_weight=weights)
