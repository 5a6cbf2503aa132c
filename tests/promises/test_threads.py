"""Any number of threads gives the same bits, for shared products and for row blocks side by side.

The pool starts as many threads as are asked for, also where there are fewer CPUs.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import fastbp
from helpers import optimizers
from helpers.inside import engine_of
from helpers.tables import DTYPES

OPTIMIZERS = {row: replace(value, learning_rate=1e-3) for row, value in optimizers.OPTIMIZERS.items()}
SGD, MOMENTUM, NESTEROV, ADAM = (OPTIMIZERS[row] for row in ("sgd", "momentum", "nesterov", "adam"))

# Sizes for which products copy operands, blocks run in lanes, or networks are narrow: layers, activation,
# loss, optimizer, rows, rows of a batch.
# A row block has 4096 rows up to a width of 16, 960 at 67, and 512 from 128 on.
CASES = {
    "products of odd sizes": ([131, 257, 67, 3], "gelu", "mse", NESTEROV, 300, 263),
    "copies of W, strips of x": ([2053, 257, 3], "relu", "huber", MOMENTUM, 59, 41),
    "copies of delta": ([37, 4099, 5], "tanh", "cross_entropy", ADAM, 150, 137),
    "many units, few rows": ([1019, 1031, 2], "sigmoid", "mse", SGD, 11, 9),
    "lanes": ([61, 67, 17], "silu", "mae", ADAM, 4 * 960 + 17, 4 * 960 + 13),
    "lanes with labels": ([19, 43, 3], "elu", "cross_entropy", MOMENTUM, 3 * 1472 + 37, 3 * 1472 + 1),
    "lanes, then a block whose products are shared": ([67, 131, 67, 3], "tanh", "mse", SGD, 5 * 512, 5 * 512),
    "row blocks too large for lanes": (
        [4201, 5, 3],
        "softplus",
        "binary_cross_entropy",
        NESTEROV,
        1030,
        1027,
    ),
    "narrow lanes": ([3, 16, 7, 2], "gelu", "binary_cross_entropy", ADAM, 4 * 4096 + 17, 4 * 4096 + 5),
    "narrow lanes with labels": ([5, 13, 3], "mish", "cross_entropy", NESTEROV, 2 * 4096 + 11, 2 * 4096 + 1),
}


def data_for(sizes, loss, rows):
    rng = np.random.default_rng(0)
    X = rng.random((rows, sizes[0]), np.float32) - 0.5
    return X, rng.integers(sizes[-1], size=rows) if loss == "cross_entropy" else rng.random((rows, sizes[-1]))


def make(sizes, activation, loss, optimizer, dtype):
    return fastbp.Network(sizes, activation=activation, loss=loss, optimizer=optimizer, dtype=dtype, seed=0)


def results(net, X, y, batch_size):
    """All that the calls of a network compute, by name."""
    found = {}

    def keep(name, *values):
        found[name] = [np.asarray(v).tobytes() for v in (*values, net.parameters, engine_of(net).state)]

    keep("fit", net.fit(X, y, batch_size=batch_size).loss)
    keep("fit, gradients stored", net.fit(X, y, batch_size=None, gradient_tol=1e-30).loss)
    keep("train_on_batch", net.train_on_batch(X[:batch_size], y[:batch_size]))
    keep("evaluate", *net.evaluate(X, y).values())
    keep("predict", net.predict(X))
    keep("loss_and_gradients", *net.loss_and_gradients(X, y))
    net.step()
    h = net.forward(X[:batch_size])
    keep("forward and backward", h, net.backward(h - 1), net.gradients)
    net.step()
    keep("step")
    return found


def assert_same_bits(case, dtype):
    sizes, activation, loss, optimizer, rows, batch_size = case
    X, y = data_for(sizes, loss, rows)
    alone = None
    for threads in (1, 2 if dtype == "float32" else 3, 8):
        with fastbp.threads(threads):
            found = results(make(sizes, activation, loss, optimizer, dtype), X, y, batch_size)
        alone = alone or found
        assert {name for name in alone if found[name] != alone[name]} == set(), f"{threads} threads"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_call(case, dtype, isa):
    assert_same_bits(case, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_optimizer(optimizer, dtype, isa):
    for sizes, rows in (([67, 131, 5], 251), ([3, 16, 2], 2 * 4096 + 3)):
        assert_same_bits((sizes, "tanh", "mse", optimizer, rows, rows - (not optimizer.full_batch)), dtype)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_cases_use_threads(case):
    """In the tests above, other threads do take a share of the work."""

    def seconds_of_others():
        return time.process_time() - time.thread_time()

    sizes, activation, loss, optimizer, rows, batch_size = case
    X, y = data_for(sizes, loss, rows)
    net = make(sizes, activation, loss, optimizer, "float32")
    before, deadline = seconds_of_others(), time.monotonic() + 30
    with fastbp.threads(2):
        while seconds_of_others() - before < 1e-3:  # the first regions may be over before a thread wakes up
            assert time.monotonic() < deadline
            net.fit(X, y, batch_size=batch_size)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_several_fits_at_once(case):
    """One of them has the pool, the others work alone meanwhile."""
    sizes, activation, loss, optimizer, rows, batch_size = case
    X, y = data_for(sizes, loss, rows)

    def fit(threads):
        net = make(sizes, activation, loss, optimizer, "float32")
        with fastbp.threads(threads):
            history = net.fit(X, y, epochs=2, batch_size=batch_size)
        return net.parameters.tobytes(), engine_of(net).state.tobytes(), history.loss

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fit, [3, 3, 3, 2])) == [fit(1)] * 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_million_rows(dtype):
    X, y = data_for([3, 1], "mse", 1_000_000)
    found = set()
    for threads in (1, 2, 3, 8):
        net = make([3, 2, 1], "sigmoid", "half_sse", fastbp.SGD(1e-6), dtype)
        with fastbp.threads(threads):
            history = net.fit(X, y, epochs=2, batch_size=None)
        found.add((net.parameters.tobytes(), tuple(history.loss)))
    assert len(found) == 1
