"""Rules for one call, argument or type hold for all of its kind: a table per kind."""

import copy

import numpy as np
import pytest

import fastbp
from fastbp import Dense, callbacks, losses, metrics, schedules
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau
from fastbp.datasets import stratified_split
from helpers.inside import engine_of

ROWS = 64


@pytest.fixture
def numbers(rng):
    X = rng.normal(size=(ROWS, 3))
    return X, np.sin(X[:, :1])


# ---- memory that is a network's own ------------------------------------------------------------------------

WRITES = {
    "all": lambda net: net.parameters.__setitem__(slice(None), 3 * net.parameters),
    "one": lambda net: net.parameters.__setitem__(5, 7.0),
    "weight": lambda net: net.weights[1].__setitem__((0, 0), 7.0),
    "bias": lambda net: net.biases[0].__setitem__(0, 7.0),
    "out": lambda net: np.add(net.parameters, 1, out=net.parameters),
    "reshaped": lambda net: net.parameters.reshape(-1, 1).__setitem__((3, 0), 9.0),
    "buffer": lambda net: memoryview(net.parameters).__setitem__(2, 5.0),
    "sorted": lambda net: net.parameters.sort(),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_write_to_the_parameters_ends_the_forward_pass(network_class, numbers, dtype, write):
    X, _ = numbers
    net = network_class([3, 4, 1], activation="tanh", dtype=dtype, seed=0)
    net.forward(X)
    write(net)
    with pytest.raises(fastbp.Error, match="parameters"):
        net.backward(np.ones((ROWS, 1)))


READERS = {
    "train_on_batch": lambda net, X, y: net.train_on_batch(X, y),
    "loss_and_gradients": lambda net, X, y: net.loss_and_gradients(X, y),
    "fit": lambda net, X, y: net.fit(X, y, epochs=2, batch_size=8),
    "minimize": lambda net, X, y: fastbp.minimize(net, X, y, max_iterations=2),
    "backward": lambda net, X, y: (net.forward(X), net.backward(y)),
}


@pytest.mark.parametrize("call", READERS.values(), ids=READERS)
@pytest.mark.parametrize("source", ["parameters", "gradients"])
@pytest.mark.parametrize("argument", ["X", "y"])
def test_a_view_of_its_own_numbers_counts_as_a_copy(network_class, numbers, call, source, argument):
    def run(take):
        net = network_class([3, ROWS, 1], seed=0)
        X, y = numbers
        net.loss_and_gradients(X, y)
        own = take(getattr(net, source))
        X, y = (own[: X.size].reshape(X.shape), y) if argument == "X" else (X, own[:ROWS].reshape(y.shape))
        call(net, X, y)
        return net.parameters.copy(), np.copy(engine_of(net).gradients)

    expected = run(np.copy)
    found = run(lambda array: array)
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softplus", "identity"])
def test_what_forward_returns_is_the_callers(network_class, numbers, activation):
    X, _ = numbers

    def d_input(spoil):
        net = network_class([3, 4, 2], output_activation=activation, seed=0)
        net.forward(X)[:] *= spoil
        return net.backward(np.ones((ROWS, 2)))

    assert np.array_equal(d_input(1), d_input(0))


# ---- values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [("growth", 0), ("growth", -1), ("growth", 0.5), ("steps", -1)])
def test_a_cosine_comes_to_an_end_whatever_is_written_to_it(name, value):
    schedule = schedules.Cosine(0.1, 5, growth=2)
    object.__setattr__(schedule, name, value)
    assert np.isfinite(schedule(100))


class Rooted(fastbp.Network):
    """A network with attributes that hold it."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.root, self.listed = self, [self]


@pytest.mark.parametrize("copied", [lambda net: net.clone(), copy.deepcopy], ids=["clone", "deepcopy"])
def test_a_copy_holds_itself_where_the_network_does(copied):
    twin = copied(Rooted([3, 1], seed=0))
    assert twin.root is twin
    assert twin.listed[0] is twin


# ---- errors ------------------------------------------------------------------------------------------------

LONG = {
    "int": 10**6000,
    "text": "x" * 100_000,
    "array": np.zeros((500, 500)),
    "list": np.zeros((500, 500)).tolist(),
    "dict": dict.fromkeys(range(10_000)),
}
TAKERS = {
    "dtype": lambda v: fastbp.Network([3, 1], dtype=v),
    "seed": lambda v: fastbp.Network([3, 1], seed=v),
    "loss": lambda v: fastbp.Network([3, 1], loss=v),
    "activation": lambda v: fastbp.Network([3, 1], activation=v),
    "optimizer": lambda v: fastbp.Network([3, 1], optimizer=v),
    "input_noise": lambda v: fastbp.Network([3, 1], input_noise=v),
    "layers": lambda v: fastbp.Network([3, Dense(v), 1]),
    "dropout": lambda v: Dense(3, dropout=v),
    "initializer": lambda v: Dense(3, initializer=v),
    "learning_rate": fastbp.SGD,
    "alpha": fastbp.LeakyReLU,
    "delta": fastbp.Huber,
    "steps": lambda v: schedules.Cosine(0.1, v),
    "factor": lambda v: ReduceLROnPlateau(factor=v),
    "min_delta": lambda v: EarlyStopping(min_delta=v),
    "threads": fastbp.set_num_threads,
    "test_fraction": lambda v: stratified_split([1, 1, 2, 2], [0, 0, 1, 1], test_fraction=v),
    "epochs": lambda v: fastbp.Network([3, 1]).fit(np.ones((4, 3)), np.ones(4), epochs=v),
    "metrics": lambda v: fastbp.Network([3, 1]).evaluate(np.ones((4, 3)), np.ones(4), metrics=v),
    "k": lambda v: fastbp.Network([3, 2], loss="cross_entropy").evaluate(
        np.ones((4, 3)), [0, 1, 0, 1], metrics=metrics.TopK(v)
    ),
}


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize("value", LONG.values(), ids=LONG)
def test_no_value_makes_a_long_error(take, value):
    with pytest.raises(fastbp.Error) as caught:
        take(value)
    assert len(str(caught.value)) < 900


# ---- where NumPy raises ------------------------------------------------------------------------------------

WITHOUT_A_WORD = {
    "fit": lambda net, X, y: net.fit(X, y, epochs=2, validation_data=(X, y)),
    "evaluate": lambda net, X, y: net.evaluate(X, y * 1e-38, metrics=["r2", "mae"]),
    "train_on_batch": lambda net, X, y: net.train_on_batch(X, y),
    "minimize": lambda net, X, y: fastbp.minimize(net, X, y, max_iterations=2),
    "adapt": lambda net, X, y: net.adapt(X * 1e-200, y * 1e-200),
    "predict": lambda net, X, y: net.predict(X * 1e300),
    "predict of little": lambda net, X, y: net.predict(X * 1e-300),
    "backward": lambda net, X, y: (net.forward(X), net.backward(y * 1e-38)),
    "reset": lambda net, X, y: net.reset(),
    "clone": lambda net, X, y: net.clone(),
    "loss": lambda net, X, y: net.loss([[1e300]], [[0.0]]),
    "gradient": lambda net, X, y: losses.mse.gradient(np.float32([[3e38]]), [[-1e300]]),
    "levenberg_marquardt": lambda net, X, y: (
        setattr(net, "optimizer", fastbp.LevenbergMarquardt(bayesian=True)),
        net.fit(X, y, epochs=3, batch_size=None),
    ),
    "callbacks": lambda net, X, y: net.fit(
        X, y, epochs=3, validation_data=(X, y), callbacks=[callbacks.ReduceLROnPlateau(patience=1)]
    ),
}


@pytest.mark.parametrize("call", WITHOUT_A_WORD.values(), ids=WITHOUT_A_WORD)
def test_rounding_is_no_affair_of_the_callers(network_class, numbers, call):
    X, y = numbers
    net = network_class([3, 4, 1], activation="tanh", seed=0)
    with np.errstate(all="raise"):
        call(net, X, y)
