"""Custom activations whose functions do what they should not, in every call; copies, files, estimators."""

import gc
import pickle
import threading

import numpy as np
import pytest

import fastbp
from fastbp import BusyError, DataError, DivergenceError, DTypeError, ShapeError
from fastbp.activations import CustomActivation
from helpers.custom import OWN, assert_same, slope
from helpers.inside import engine_of, trainer_of


@pytest.fixture
def data(rng):
    return rng.standard_normal((45, 20)), rng.standard_normal((45, 3))


RETURNS = [
    (lambda z: None, DTypeError, "returned None, expected an array of real numbers"),
    (lambda z: "text", DTypeError, "returned 'text', expected an array of real numbers"),
    (lambda z: z.astype(complex), DTypeError, "expected an array of real numbers"),
    (lambda z: np.ma.masked_array(z, True), DTypeError, "expected an array of real numbers"),
    (
        lambda z: z[:-1],
        ShapeError,
        r"array of shape \(\d+, 6\), expected an array of shape \(\d+, 6\) as z has",
    ),
    (lambda z: z.T, ShapeError, r"shape \(6, \d+\), expected"),
    (lambda z: 1.0, ShapeError, r"shape \(\), expected"),
    (lambda z: [[1.0, 2.0], [3.0]], ShapeError, "expected an array of shape"),
    (lambda z: z.resize((1, 1), refcheck=False), DTypeError, "returned None"),
    (lambda z: {}["mine"], KeyError, "mine"),
    (lambda z: exec("raise KeyboardInterrupt"), KeyboardInterrupt, None),
    (lambda z: exec("raise SystemExit(3)"), SystemExit, "3"),
]


def calls_of(net, X, y):
    net.optimizer = "adam"
    return {
        "fit": lambda: net.fit(X, y, batch_size=8),
        "train_on_batch": lambda: net.train_on_batch(X, y),
        "loss_and_gradients": lambda: net.loss_and_gradients(X, y),
        "forward": lambda: net.forward(X),
        "minimize": lambda: fastbp.minimize(net, X, y),
        "evaluate": lambda: net.evaluate(X, y),
        "predict": lambda: net.predict(X),
        "row": lambda: net.predict(X[0]),
    }


@pytest.mark.parametrize(("function", "error", "message"), RETURNS)
def test_wrong_returns(network_class, function, error, message, data, state_of):
    """Of f in every call, of the derivative in those that need it; nothing has changed afterwards."""
    X, y = data
    for is_slope in (False, True):
        functions = (np.tanh, function) if is_slope else (function, slope)
        net = network_class([20, 6, 3], activation=CustomActivation(*functions, "bad"), seed=1)
        for name, call in calls_of(net, X, y).items():
            before = state_of(net)
            if is_slope and name in ("forward", "evaluate", "predict", "row"):
                if name == "forward" and network_class is fastbp.Network:  # it computes f' at once
                    with pytest.raises(error, match=message):
                        call()
                else:
                    call()
                continue
            with pytest.raises(error, match=message) as caught:
                call()
            if error in (DTypeError, ShapeError):
                assert f"the {'derivative of the ' * is_slope}activation bad returned" in str(caught.value)
            if name != "fit":  # which counts the interrupted epoch
                assert state_of(net) == before, name
            with pytest.raises(fastbp.Error):
                net.backward(y)


def test_derivatives_that_are_not_finite(network_class, data, state_of):
    """Where z and y are finite; with y, the loss is infinite, and that is what is told."""
    X, y = data
    for dtype, value in (("float32", np.nan), ("float32", 1e300), ("float64", -np.inf)):
        own = CustomActivation(np.tanh, lambda z, value=value: np.full(z.shape, value, float), "bad")
        net = network_class([20, 6, 3], activation=own, dtype=dtype)
        before = state_of(net)
        with pytest.raises(DataError, match=rf"derivative of the activation bad .* finite in {dtype}"):
            net.fit(X, y)
        with pytest.raises(DataError, match="the derivative of the activation bad returned"):
            net.train_on_batch(X, y)
        assert (net.parameters.tobytes(), net.predict(X).tobytes()) == (
            before and net.parameters.tobytes(),
            net.predict(X).tobytes(),
        )
    own = CustomActivation(lambda z: z * np.inf, lambda z: z * np.nan)
    net = network_class([20, 6, 3], activation=own)
    before = net.parameters.copy()
    for call in (net.fit, net.train_on_batch):
        with pytest.raises(DivergenceError):
            call(X, y)
        assert_same(net.parameters, before)


def test_an_exception_leaves_the_end_of_a_step(network_class, data):
    calls = []

    def f(z):
        calls.append(len(z))
        if len(calls) == 8:
            raise KeyError("mine")
        return np.tanh(z)

    net, twin = (
        network_class([20, 6, 3], activation=CustomActivation(g, slope), seed=2) for g in (f, np.tanh)
    )
    with pytest.raises(KeyError, match="mine"):
        net.fit(*data, epochs=3, batch_size=9, shuffle=False)
    for start in (0, 9, 18, 27, 36, 0, 9):
        twin.train_on_batch(data[0][start : start + 9], data[1][start : start + 9])
    assert_same(net.parameters, twin.parameters)
    assert (len(net.history), net.history.stopped) == (1, "interrupted")


def test_nothing_is_called_after_an_error(network_class):
    """The first error is the one that is raised, also of several layers and blocks of rows."""
    calls = []

    def f(z):
        calls.append(len(z))
        raise KeyError(len(calls))

    net = network_class([20, 6, 6, 3], activation=CustomActivation(f, slope), output_activation=OWN)
    X = np.ones((9000, 20))
    for call in (net.predict, net.forward, lambda X: net.train_on_batch(X, X[:, :3])):
        calls.clear()
        with pytest.raises(KeyError, match="1"):
            call(X)
        assert len(calls) == 1


def test_functions_own_what_they_get(network_class, data):
    """They keep it, write to it and resize it; what they return is copied, too."""
    X, y = data
    kept = []

    def f(z):
        assert (z.flags.owndata, z.flags.writeable, z.flags.c_contiguous) == (True, True, True)
        kept.append(z)
        y = np.tanh(z)
        z[...] = np.nan
        kept.append(y)
        return y

    def careless(z):
        found = slope(z)
        z.resize((0,), refcheck=False)
        return found

    net, twin = (
        network_class([20, 6, 3], activation=own, seed=2)
        for own in (CustomActivation(f, careless), CustomActivation(np.tanh, slope))
    )
    for one in (net, twin):
        one.fit(X, y, epochs=2, batch_size=20)
        for array in kept:
            array[...] = np.inf
    assert_same(net.parameters, twin.parameters)
    assert_same(net.predict(X), twin.predict(X))


def test_functions_that_resize_the_data(network_class, rng):
    """In blocks of rows, memory that f frees would be read after its return, or written to.

    The native engine works on a copy of a batch; the reference notices it before the next block.
    """
    refused = set()
    for call in ("predict", "out", "evaluate", "fit", "train_on_batch", "loss_and_gradients", "forward"):
        X, y, out = rng.standard_normal((9000, 20)), rng.standard_normal((9000, 3)), np.zeros((9000, 3))
        arrays = [X, y, out]

        def f(z, arrays=arrays):
            for array in arrays:
                array.resize((1, 1), refcheck=False)
            gc.collect()
            return np.tanh(z)

        net = network_class([20, 6, 3], activation=CustomActivation(f, slope), dtype="float64")
        twin = network_class([20, 6, 3], activation=CustomActivation(np.tanh, slope), dtype="float64")
        net.parameters[:] = twin.parameters
        expected = twin.predict(X)
        try:
            if call in ("predict", "forward"):
                assert_same(getattr(net, call)(X), expected)
            elif call == "out":
                net.predict(X, out=out)
            elif call == "fit":
                net.fit(X, y, batch_size=5000, shuffle=False)
            else:
                getattr(net, call)(X, y)
        except DataError as error:
            assert "was resized or reshaped during the call" in str(error)  # noqa: PT017
            refused.add(call)
    every = {"predict", "out", "evaluate", "fit", "train_on_batch", "loss_and_gradients"}
    assert refused == ({"out", "fit", "evaluate"} if network_class is fastbp.Network else every)


def test_functions_that_use_the_network(network_class, data):
    """They may read it; whatever changes it is refused."""
    X, y = data
    seen = []

    def f(z):
        if len(seen) < 9 and seen[-1:] != ["inside"]:
            seen.append("inside")
            assert net.predict(X[:3]).shape == (3, 3)
            net.evaluate(X[:5], y[:5])
            for change in (net.reset, lambda: net.fit(X, y), lambda: net.forward(X), lambda: net.adapt(X)):
                with pytest.raises(BusyError):
                    change()
            seen.append("done")
        return np.tanh(z)

    net = network_class([20, 6, 3], activation=CustomActivation(f, slope))
    net.fit(X, y, epochs=1, batch_size=20)
    net.predict(X)
    assert seen == ["inside", "done"] * 4


def test_errors_within_errors():
    """An error of a prediction within the function is raised there, and only there."""

    def f(z):
        if len(z) == 3:
            raise KeyError("inner")
        with pytest.raises(KeyError, match="inner"):
            net.predict(np.ones((3, 4)))
        return np.tanh(z)

    net = fastbp.Network([4, 6, 1], activation=CustomActivation(f, slope))
    assert np.isfinite(net.predict(np.ones((5, 4)))).all()
    with pytest.raises(KeyError, match="inner"):
        net.predict(np.ones((3, 4)))
    net.fit(np.ones((5, 4)), np.ones(5))


def test_threads_share_a_network(network_class, rng):
    """Predictions at the same time; each thread gets its own error."""
    X = rng.standard_normal((600, 20))
    start = threading.Barrier(4)

    def f(z):
        if z.shape[0] % 2:
            raise ValueError(f"{len(z)} rows")
        return np.tanh(z)

    net = network_class([20, 6, 3], activation=CustomActivation(f, slope))
    expected, wrong = net.predict(X), []

    def work(rows):
        start.wait()
        for _ in range(30):
            try:
                found = net.predict(X[:rows])
                if rows % 2 or found.tobytes() != expected[:rows].tobytes():
                    wrong.append(rows)
            except ValueError as error:
                if str(error) != f"{rows} rows":
                    wrong.append(error)

    threads = [threading.Thread(target=work, args=(rows,)) for rows in (101, 200, 303, 400)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_values_of_a_class_that_lies(data):
    """The native engine checks what `apply` of a subclass returns."""

    class Lying(CustomActivation):
        def apply(self, z, with_slope=True):
            return returned[0], returned[0]

    returned = [None]
    net = fastbp.Network([20, 6, 3], activation=Lying(np.tanh, slope))
    for returned[0] in (None, np.ones((45, 5), "f"), np.ones((45, 6)), np.ones(3, "f"), 3.0):
        with pytest.raises(DTypeError, match="apply returned"):
            net.predict(data[0])


def test_calls_of_the_engine_that_cannot_stop(data):
    """A native step or run would update before an error of a function could be raised."""
    net = fastbp.Network([20, 6, 3], activation=OWN)
    X, y = data
    for call in (
        lambda: engine_of(net).train_on_batch(X, y),
        lambda: engine_of(net).begin(
            X, y, batch_size=4, shuffle=False, seed=1, first_epoch=0, epochs=1, stored=True
        ),
    ):
        with pytest.raises(fastbp.Error, match="with a custom activation, expected loss, or"):
            call()
    assert trainer_of(net) is not engine_of(net)


# ---- around a network --------------------------------------------------------------------------------------


def test_copies_resumed_fits_and_new_outputs(network_class, data, tmp_path):
    X, y = data
    net = network_class([20, 6, 3], activation=MODULE, output_activation=MODULE, seed=3)
    net.fit(X, y, epochs=2)
    for twin in (net.clone(), pickle.loads(pickle.dumps(net))):
        assert twin.layers == net.layers
        assert_same(twin.fit(X, y, epochs=2).loss, net.clone().fit(X, y, epochs=2).loss)
    other = net.replace_output(2, output_activation=MODULE)
    assert other.layers[-1].activation is MODULE
    other.fit(X, y[:, :2])
    net.reset()
    fresh = network_class([20, 6, 3], activation="tanh", output_activation="tanh", seed=3)
    assert_same(net.parameters, fresh.parameters)  # glorot_uniform

    file = tmp_path / "checkpoint.safetensors"
    net.fit(X, y, epochs=2, batch_size=9, callbacks=[fastbp.callbacks.Checkpoint(file)])
    net.fit(X, y, epochs=1, batch_size=9)
    again = network_class([20, 6, 3], activation=MODULE, output_activation=MODULE, seed=3)
    again.fit(X, y, epochs=2, batch_size=9, resume=file)
    again.fit(X, y, epochs=1, batch_size=9)
    assert_same(again.parameters, net.parameters)
    assert "bent" in str(net.summary())
    assert "bent" in repr(net)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_estimators(data, tmp_path):
    base = pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")
    estimator = fastbp.sklearn.MLPRegressor(
        hidden_layer_sizes=(12, 5), activation=MODULE, max_iter=3, random_state=0
    )
    twin = base.clone(estimator)
    assert twin.activation is MODULE
    for one in (estimator, twin):
        one.fit(*data)
    assert_same(estimator.predict(data[0]), twin.predict(data[0]))
    assert estimator.network_.layers[0].activation is MODULE
    estimator.save(tmp_path / "model")
    custom = {"bent": bent, "bent_slope": bent_slope}
    again = fastbp.sklearn.MLPRegressor.load(tmp_path / "model", custom=custom)
    assert again.activation == MODULE
    assert_same(again.predict(data[0]), estimator.predict(data[0]))


def bent(z):
    return z / (1 + np.abs(z))


def bent_slope(z):
    return 1 / (1 + np.abs(z)) ** 2


MODULE = CustomActivation(bent, bent_slope, "bent", check=True)
