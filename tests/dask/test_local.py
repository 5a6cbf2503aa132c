"""Local fits: every shard trains on its own, and the numbers are averaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import fastbp
import fastbp.dask
from fastbp import Dense, schedules
from fastbp.callbacks import ExponentialMovingAverage, StochasticWeightAveraging
from fastbp.dask import _tasks
from fastbp.dask._local import average
from fastbp.dask._parts import shard_seed
from fastbp.dask._worker import CancelledTaskError
from fastbp.exceptions import DivergenceError, ParameterError
from helpers.hashes import hash_of
from helpers.inside import engine_of
from helpers.tables import DTYPES

ROWS = 50
EDGES = (0, 16, 33, 50)  # of three shards


def make(**options):
    layers = [3, Dense(20, dropout=0.3, max_norm=2.0), Dense(4, l2=0.01), 2]
    return fastbp.Network(layers, **{"activation": "tanh", "seed": 7, "dtype": "float64"} | options)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(ROWS, 3))
    return X, np.tanh(X @ rng.normal(size=(3, 2)))


# ---- averages ----------------------------------------------------------------------------------------------

NUMBERS = arrays.arrays(
    np.float32, (4, 3), elements=st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False)
)
SHARES = st.lists(st.integers(1, 1000), min_size=4, max_size=4)


@given(NUMBERS, SHARES)
def test_average(numbers, weights):
    """It is right to the last bit of the dtype, and between the least and the largest number."""
    shares = [weight / sum(weights) for weight in weights]
    found = average([*numbers], shares)
    assert found.dtype == np.float32
    expected = (np.array(weights)[:, None] * numbers.astype(np.longdouble)).sum(axis=0) / sum(weights)
    largest = np.abs(numbers).max(axis=0)
    assert (np.abs(found - expected) <= np.finfo(np.float32).eps * largest).all()
    assert (numbers.min(axis=0) <= found).all()
    assert (found <= numbers.max(axis=0)).all()


@given(arrays.arrays(np.float64, 5, elements=st.floats(-1e300, 1e300)), SHARES)
def test_average_of_equal_numbers_is_the_number(numbers, weights):
    shares = [weight / sum(weights) for weight in weights]
    assert average([numbers] * 4, shares).tobytes() == numbers.tobytes()


def test_average_of_mean_squares_is_not_negative():
    """Though shares add up to a little more than 1."""
    assert average([np.ones(1), np.zeros(1), np.zeros(1)], [1e-17, 0.5, 0.5 + 2e-16])[0] >= 0


# ---- rounds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [4, 1000, None])
@pytest.mark.parametrize("optimizer", [fastbp.Adam(0.01), fastbp.SGD(0.1, momentum=0.9)], ids=str)
def test_a_round_is_an_epoch_of_each_shard(data, optimizer, batch_size):
    """Networks with the seeds of the shards do the same with `Network.fit`; the t is the largest."""
    X, y = data
    net = make(optimizer=optimizer)
    fastbp.dask.fit(None, net, X, y, epochs=3, batch_size=batch_size, mode="local", shards=3)
    main = make(optimizer=optimizer)
    for _ in range(3):
        found = []
        for i in range(3):
            state = main.__getstate__()
            one = make()
            one.__setstate__(state | {"seed": shard_seed(7, i)})
            own = slice(EDGES[i], EDGES[i + 1])
            one.fit(X[own], y[own], batch_size=batch_size)
            found.append(one)
        shares = [(EDGES[i + 1] - EDGES[i]) / ROWS for i in range(3)]
        parameters, optimizer_state, _, memory = state["numbers"]
        numbers = [one.__getstate__()["numbers"] for one in found]
        parameters, optimizer_state = (average([n[k] for n in numbers], shares) for k in range(2))
        state |= {"history": found[0].history, "schedule": found[0].__getstate__()["schedule"]}
        main.__setstate__(
            state | {"numbers": (parameters, optimizer_state, max(n[2] for n in numbers), memory)}
        )
    assert net.parameters.tobytes() == main.parameters.tobytes()
    assert engine_of(net).state.tobytes() == engine_of(main).state.tobytes()
    assert engine_of(net).t == engine_of(main).t


@pytest.mark.parametrize("loss", ["mse", "half_sse"])
def test_any_number_of_steps_of_one_shard_is_network_fit(data, loss):
    one = make(loss=loss)
    one.fit(*data, epochs=3, batch_size=8)
    for local_steps in (1, 2, 3, 7, 100):
        net = make(loss=loss)
        history = fastbp.dask.fit(
            None, net, *data, epochs=3, batch_size=8, mode="local", shards=1, local_steps=local_steps
        )
        assert net.parameters.tobytes() == one.parameters.tobytes()
        np.testing.assert_allclose(history.loss, one.history.loss, rtol=1e-14)
        assert history.learning_rate == one.history.learning_rate


@pytest.mark.parametrize("loss", ["mse", "half_sse"])
@pytest.mark.parametrize("local_steps", [None, 2])
def test_the_loss_of_an_epoch_is_that_of_all_rows(data, loss, local_steps):
    """The mean over them, or the sum of the sums; with steps so small that the order does not count."""
    X, y = data
    net = fastbp.Network([3, 4, 2], loss=loss, optimizer=fastbp.SGD(1e-20), dtype="float64", seed=1)
    options = {"mode": "local", "shards": 3, "batch_size": 4, "local_steps": local_steps}
    history = fastbp.dask.fit(None, net, X, y, **options, sample_weight=np.arange(ROWS) + 1.0)
    expected = net.evaluate(X, y, (), sample_weight=np.arange(ROWS) + 1.0)["loss"]
    np.testing.assert_allclose(history.loss, expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_single_steps_are_synchronous_ones_to_rounding(data, dtype):
    """With plain gradient descent on all rows: the average of the steps is the step of the average."""
    found = []
    for mode, steps in (("synchronous", None), ("local", 1)):
        net = fastbp.Network([3, 6, 2], activation="tanh", optimizer=fastbp.SGD(0.1), dtype=dtype, seed=1)
        fastbp.dask.fit(None, net, *data, epochs=20, batch_size=None, shards=3, mode=mode, local_steps=steps)
        found.append(net)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(found[0].parameters, found[1].parameters, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(found[0].history.loss, found[1].history.loss, rtol=tolerance)


def test_steps_and_rates_are_those_of_the_largest_shard(data):
    """Shards of 16, 17 and 17 rows have 4, 5 and 5 batches."""
    schedule = schedules.Cosine(0.1, 12)
    net = make(optimizer=fastbp.SGD(schedule, momentum=0.5))
    steps = []

    class Watch:
        def on_batch_end(self, state):
            steps.append((state.step, state.steps_per_epoch))

    fastbp.dask.fit(
        None, net, *data, epochs=2, batch_size=4, mode="local", shards=3, local_steps=2, callbacks=Watch()
    )
    assert steps == [(2, 5), (4, 5), (5, 5)] * 2
    assert engine_of(net).t == 10
    assert net.history.learning_rate == [schedule(4), schedule(9)]


def test_frozen_layers_keep_their_bits(data):
    net = make()
    net.trainable = (False, True, True)
    before = net.weights[0].copy()
    fastbp.dask.fit(None, net, *data, epochs=3, batch_size=3, mode="local", shards=7, local_steps=2)
    assert net.weights[0].tobytes() == before.tobytes()
    assert net.history.loss[-1] < net.history.loss[0]


def test_callbacks_set_the_rate_of_later_rounds(data):
    def halve(state):
        state.learning_rate = state.learning_rate / 2

    plain, halved = make(optimizer=fastbp.SGD(0.1)), make(optimizer=fastbp.SGD(0.1))
    options = {"epochs": 2, "batch_size": 4, "mode": "local", "shards": 3}
    fastbp.dask.fit(None, plain, *data, **options)
    fastbp.dask.fit(None, halved, *data, **options, callbacks=halve)
    assert halved.history.learning_rate == [0.1, 0.05]
    assert halved.history.loss[0] == plain.history.loss[0]
    assert halved.history.loss[1] != plain.history.loss[1]
    by_epoch = make(optimizer=fastbp.SGD(lambda epoch: 0.1 / 2**epoch))
    fastbp.dask.fit(None, by_epoch, *data, **options)
    assert by_epoch.parameters.tobytes() == halved.parameters.tobytes()


def test_means_over_epochs_work(data):
    net = make()
    fastbp.dask.fit(
        None, net, *data, epochs=3, mode="local", shards=3, callbacks=StochasticWeightAveraging(1)
    )
    points = []
    other = make()
    fastbp.dask.fit(
        None,
        other,
        *data,
        epochs=3,
        mode="local",
        shards=3,
        callbacks=lambda state: points.append(state.network.parameters.copy()),
    )
    np.testing.assert_allclose(net.parameters, (points[1] + points[2]) / 2, rtol=1e-14, atol=1e-16)


def test_a_shard_that_diverges_ends_the_fit(data):
    X, y = data
    X = X.copy()
    X[-1] = 1e200
    net = fastbp.Network([3, 2], optimizer=fastbp.SGD(1e-3), dtype="float64", seed=1)
    before = net.parameters.copy()
    with pytest.raises(DivergenceError, match="epoch 1 of this fit"):
        fastbp.dask.fit(None, net, X, y, epochs=3, mode="local", shards=3)
    assert net.parameters.tobytes() == before.tobytes()
    assert len(net.history) == 0


@pytest.mark.parametrize(
    ("options", "fit_options", "message"),
    [
        ({"optimizer": "irprop"}, {}, "expected mode='synchronous': IRprop relates a step"),
        ({"optimizer": "quickprop"}, {"batch_size": None}, "expected mode='synchronous'"),
        ({}, {"gradient_tol": 0.1, "batch_size": None}, "gradient_tol is 0.1 with mode='local'"),
        ({}, {"callbacks": ExponentialMovingAverage()}, "a moving average needs every step"),
        ({}, {"callbacks": [ExponentialMovingAverage()]}, "a moving average needs every step"),
        ({}, {"local_steps": 0}, "local_steps is 0"),
        (
            {"optimizer": fastbp.LevenbergMarquardt()},
            {},
            "expected one that makes steps along gradients",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(data, options, fit_options, message):
    layers = [3, 4, 2]
    net = fastbp.Network(layers, **options, seed=1)
    before = hash_of(net)
    with pytest.raises(ParameterError, match=message):
        fastbp.dask.fit(None, net, *data, mode="local", **fit_options)
    assert hash_of(net) == before


def test_a_cancelled_task_ends_before_its_epoch(data, monkeypatch):
    """Nobody waits for it; the network of this process stays as it was."""
    monkeypatch.setattr(_tasks, "is_cancelled", lambda: True)
    net, before = make(), make()
    with pytest.raises(CancelledTaskError):
        fastbp.dask.fit(None, net, *data, shards=3, mode="local", batch_size=8)
    np.testing.assert_array_equal(net.parameters, before.parameters)
    assert len(net.history) == 0
