"""Synchronous fits over shards do what `Network.fit` does on all rows at once."""

import itertools

import numpy as np
import pytest

import fastbp
import fastbp.dask
from fastbp import CustomActivation, Dense, losses, schedules
from fastbp.callbacks import ExponentialMovingAverage, StochasticWeightAveraging
from helpers import layered, regularized
from helpers.hashes import hash_of
from helpers.noted import noted
from helpers.optimizers import OPTIMIZERS, batches
from helpers.problems import fitting
from helpers.tables import DTYPES
from helpers.weighted import IGNORING, LOSSES, problem_with_nan, some_weights, weighted_problem

SIZES = (3, 9, 2)
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
STEPS = 20
ROWS, SHARDS = 41, 4


def make(loss="mse", dtype="float64", **options):
    sizes = fitting(SIZES, loss)
    return fastbp.Network([*sizes], loss=loss, dtype=dtype, **{"activation": "tanh", "seed": 1} | options)


def assert_agree(make_net, X, y, **options):
    """Compare full batches over shards with those of one machine: parameters, state and losses."""
    options = {"epochs": STEPS, "batch_size": None} | options
    one, sharded = make_net(), make_net()
    one.fit(X, y, **options)
    fastbp.dask.fit(None, sharded, X, y, shards=SHARDS, **options)
    tolerance = TOLERANCE[one.dtype.name]
    np.testing.assert_allclose(sharded.parameters, one.parameters, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(sharded.history.loss, one.history.loss, rtol=tolerance, atol=tolerance)
    assert sharded.history.learning_rate == one.history.learning_rate


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", [*LOSSES, *IGNORING], ids=str)
def test_every_loss_and_optimizer(loss, dtype, rng):
    """Weights see to it that no gradient is 0, where rounding decides what some optimizers do."""
    X, y = weighted_problem(SIZES, loss, ROWS, rng)
    weights = rng.uniform(0.5, 2, ROWS)
    for name, optimizer in OPTIMIZERS.items():
        with noted(name):
            small = optimizer.with_learning_rate(1e-3)  # for losses that are sums
            assert_agree(lambda o=small: make(loss, dtype, optimizer=o), X, y, sample_weight=weights)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", layered.LAYERED)
def test_every_option_of_layers(name, dtype, rng):
    """All but dropout, which every shard draws anew."""
    options = [{key: own[key] for key in own if key != "dropout"} for own in layered.LAYERED[name]]
    X, y = weighted_problem((3, 2), losses.get("mse"), ROWS, rng)
    weights = some_weights(ROWS, rng)
    for loss, divide, clip_norm in itertools.product(("mse", "half_sse"), (False, True), (None, 0.1)):
        layers = [Dense(n, **own, divide_penalty=divide) for n, own in zip((9, 5, 2), options, strict=True)]

        options_of_net = {"loss": loss, "optimizer": fastbp.Adam(1e-3, clip_norm=clip_norm, clip_value=0.5)}

        def make_net(layers=layers, own=options_of_net):
            return fastbp.Network([3, *layers], **own, activation="tanh", dtype=dtype, seed=1)

        with noted(loss, divide, clip_norm):
            assert_agree(make_net, X, y, sample_weight=weights)


def squares(output, target):
    """A loss of the user's."""
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


def cube_and(x):
    return x + 0.1 * x**3


def slope(x):
    return 1 + 0.3 * x**2


def scaled(dtype):
    net = make(dtype=dtype)
    rng = np.random.default_rng(5)
    net.adapt(rng.normal(3, 2, (50, 3)), rng.normal(-1, 5, (50, 2)))
    return net


NETWORKS = {
    "custom loss": lambda dtype: make(squares, dtype),
    "custom activation": lambda dtype: make(activation=CustomActivation(cube_and, slope), dtype=dtype),
    "scaled": scaled,
    "schedule": lambda dtype: make(optimizer=fastbp.SGD(schedules.Cosine(0.1, 9), momentum=0.9), dtype=dtype),
    "rate of the epoch": lambda dtype: make(optimizer=fastbp.Adam(lambda e: 0.01 / (1 + e)), dtype=dtype),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_custom_functions_scaling_and_schedules(name, dtype, rng):
    X, y = weighted_problem(SIZES, losses.get("mse"), ROWS, rng)
    assert_agree(lambda: NETWORKS[name](dtype), X, y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_and_unknown_targets(dtype, rng):
    """In one shard all rows weigh 0, in another all targets are unknown."""
    for loss in (fastbp.MSE(ignore_nan=True), fastbp.HalfSSE(ignore_nan=True)):
        X, y = problem_with_nan(SIZES, loss, ROWS, rng)
        rows, targets = some_weights(ROWS, rng), rng.uniform(0.1, 2, y.shape)
        rows[:12], y[12:22] = 0, np.nan
        for weights in (None, rows, targets):
            assert_agree(lambda loss=loss: make(loss, dtype), X, y, sample_weight=weights)
    loss = fastbp.CrossEntropy(ignore_index=-1)
    X, labels = weighted_problem(SIZES, loss, ROWS, rng)
    labels[5:25] = -1
    for class_weight in (None, {0: 2.5}, "balanced"):
        assert_agree(lambda: make(loss, dtype), X, labels, class_weight=class_weight)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sparse_rows(dtype, rng):
    sparse = pytest.importorskip("scipy.sparse")
    X = rng.normal(size=(ROWS, 3)) * (rng.random((ROWS, 3)) < 0.5)
    y = rng.normal(size=(ROWS, 2))
    assert_agree(lambda: make(dtype=dtype), sparse.csr_array(X), y)


# ---- one shard ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["synchronous", "local"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*regularized.OPTIONS, *NETWORKS])
def test_one_shard_has_the_bits_of_network_fit(name, dtype, mode, rng):
    """Rows in random order, dropout, noise and penalties included."""
    X, y = weighted_problem(SIZES, losses.get("mse"), ROWS, rng)

    def make_net():
        if name in NETWORKS:
            return NETWORKS[name](dtype)
        return regularized.make(fastbp.Network, (3, 24, 2), name, dtype=dtype)

    weighted = {} if name == "custom loss" else {"sample_weight": some_weights(ROWS, rng)}
    for batch_size, shuffle in ((8, True), (8, False), (1, True), (None, True)):
        with noted(batch_size, shuffle):
            options = {"epochs": 2, "batch_size": batch_size, "shuffle": shuffle} | weighted
            one, sharded = make_net(), make_net()
            one.fit(X, y, **options)
            fastbp.dask.fit(None, sharded, X, y, shards=1, mode=mode, **options)
            assert hash_of(sharded) == hash_of(one)


def test_one_shard_with_every_optimizer(rng):
    X, y = weighted_problem(SIZES, losses.get("mse"), ROWS, rng)
    for name, optimizer in OPTIMIZERS.items():
        scheduled = optimizer.with_learning_rate(schedules.Warmup(schedules.Cosine(0.02, 30), 4))
        for mode in ("synchronous",) if optimizer.full_batch else ("synchronous", "local"):
            with noted(name, mode):
                one, sharded = make(optimizer=scheduled), make(optimizer=scheduled)
                size = batches(optimizer, 8)
                one.fit(X, y, epochs=3, batch_size=size)
                fastbp.dask.fit(None, sharded, X, y, epochs=3, batch_size=size, shards=1, mode=mode)
                assert hash_of(sharded) == hash_of(one)


# ---- averages of the weights -------------------------------------------------------------------------------


@pytest.mark.parametrize("callback", [ExponentialMovingAverage(0.9), StochasticWeightAveraging(1)], ids=str)
def test_averages_of_the_weights(callback, rng):
    X, y = weighted_problem(SIZES, losses.get("mse"), ROWS, rng)
    assert_agree(make, X, y, callbacks=callback)
    one, sharded = make(), make()
    one.fit(X, y, epochs=3, callbacks=callback)
    fastbp.dask.fit(None, sharded, X, y, epochs=3, shards=1, callbacks=callback)
    assert hash_of(sharded) == hash_of(one)
