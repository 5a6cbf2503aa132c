"""Custom activations: the same results as a built-in activation that computes the same."""

import gc
import itertools
import pickle
import threading

import numpy as np
import pytest
import scipy.sparse

import fastbp
from fastbp import BusyError, DataError, DivergenceError, DTypeError, ShapeError
from fastbp.activations import CustomActivation
from helpers.differences import central_differences
from helpers.inside import engine_of, trainer_of
from helpers.isas import ISAS, using
from helpers.optimizers import VARIANTS

tanh = fastbp.activations.tanh


def slope(z):
    """The derivative of tanh as the table computes it, from the native tanh."""
    y = tanh(z)
    return 1 - y * y


OWN = CustomActivation(tanh, slope, "own", check=True)
NUMPY = CustomActivation(np.tanh, lambda z: 1 - np.tanh(z) ** 2, "numpy", check=True)
BOTH = (fastbp.Network, fastbp.reference.Network)


@pytest.fixture
def data(rng):
    return rng.standard_normal((45, 20)), rng.standard_normal((45, 3))


def pair(network_class, own=OWN, *, sizes=(20, 30, 18, 3), output=False, **options):
    """Return a network with the custom activation and one with tanh; too wide to be a narrow one."""
    return [
        network_class([*sizes], activation=f, output_activation=f if output else None, seed=5, **options)
        for f in (own, "tanh")
    ]


def assert_same(a, b):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


# ---- as a built-in activation ------------------------------------------------------------------------------


def test_the_bits_of_the_table(network_class, isa, data):
    """With the native tanh, the steps are those of tanh, bit for bit, as in `stored` plans."""
    for dtype, batch_size, output in itertools.product(("float32", "float64"), (1, 8, None), (False, True)):
        nets = pair(network_class, dtype=dtype, output=output)
        fits = [net.fit(*data, epochs=3, batch_size=batch_size, validation_data=data) for net in nets]
        if network_class is fastbp.Network:
            assert_same(fits[0].loss, fits[1].loss)
            assert_same(fits[0].validation_loss, fits[1].validation_loss)
            assert_same(*(net.parameters for net in nets))
            assert_same(*(net.predict(data[0]) for net in nets))
        else:  # NumPy's tanh is another
            tolerance = 1e-4 if dtype == "float32" else 1e-12
            np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=0, atol=tolerance)


def test_narrow_networks(data):
    """These have a layout of their own, which is not for Python functions: results agree within rounding."""
    X, y = data[0][:, :3], data[1]
    for network_class, dtype, batch_size in itertools.product(BOTH, ("float32", "float64"), (1, 7, None)):
        nets = pair(network_class, NUMPY, sizes=(3, 5, 4, 3), output=True, dtype=dtype)
        for net in nets:
            net.fit(X, y, epochs=3, batch_size=batch_size)
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=0, atol=tolerance)
        np.testing.assert_allclose(nets[0].predict(X), nets[1].predict(X), rtol=0, atol=10 * tolerance)
        np.testing.assert_allclose(nets[0].predict(X[0]), nets[1].predict(X[0]), rtol=0, atol=10 * tolerance)


def test_losses(rng):
    """Those joined with their own output activation, too; as the output activation where a loss takes any."""
    X = rng.standard_normal((30, 20))
    for name, loss in fastbp.losses.LOSSES.items():
        y = rng.uniform(0, 1, (30, 6 // loss.outputs_per_target))
        if name == "cross_entropy":
            y = rng.integers(0, 6, 30)
        elif name in ("hinge", "binary_cross_entropy"):
            y = np.where(y < 0.5, -1 if name == "hinge" else 0, 1)
        for output in (False, True)[: 2 if loss.activation is None else 1]:
            nets = pair(fastbp.Network, sizes=(20, 30, 6), output=output, loss=loss)
            weight = rng.uniform(0, 2, 30)
            for net in nets:
                net.fit(X, y, epochs=2, batch_size=9, sample_weight=weight)
            assert_same(*(net.parameters for net in nets))
            assert_same(*([*net.evaluate(X, y).values()] for net in nets))


OPTIONS = {
    "dropout and noise": ({"dropout": 0.4}, {"input_noise": 0.3}),
    "penalties": ({"l1": 0.01, "l2": 0.1, "max_norm": 0.5}, {}),
    "no bias": ({"bias": False}, {}),
    "frozen": ({"trainable": False, "dropout": 0.2}, {}),
    "factors": ({"learning_rate_factor": 0.3}, {}),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_layers(network_class, name, data):
    layer, network = OPTIONS[name]
    nets = [
        network_class(
            [20, fastbp.Dense(30, f, "glorot", **layer), fastbp.Dense(18, f), 3],
            seed=5,
            dtype="float64",
            optimizer=fastbp.Adam(clip_norm=1),
            **network,
        )
        for f in (OWN, "tanh")
    ]
    for net in nets:
        net.fit(*data, epochs=2, batch_size=10)
    if network_class is fastbp.Network:
        assert_same(*(net.parameters for net in nets))
    np.testing.assert_allclose(*(net.parameters for net in nets), rtol=0, atol=1e-12)


def test_optimizers_and_schedules(data):
    for optimizer in VARIANTS.values():
        nets = pair(fastbp.Network, optimizer=optimizer)
        for net in nets:
            net.fit(*data, epochs=2, batch_size=None if optimizer.full_batch else 15)
        assert_same(*(net.parameters for net in nets))


def test_kinds_of_data(data):
    """Sparse rows, integers, batches, rows without weight, unknown targets, scaling, averages."""
    X, y = np.where(np.abs(data[0]) > 1.5, data[0], 0), data[1]
    unknown = np.where(y > 1, np.nan, y)
    weight = np.where(np.arange(45) % 3, 1.0, 0.0)
    average = fastbp.callbacks.ExponentialMovingAverage(0.9)

    def adapted(net):
        net.adapt(10 * X, 3 * y)
        net.fit(10 * X, 3 * y, epochs=2)
        return net.predict(10 * X)

    calls = {
        "sparse": lambda net: net.fit(scipy.sparse.csr_array(X), y, epochs=2, batch_size=9),
        "entries": lambda net: net.predict(scipy.sparse.csr_array(X)),
        "integers": lambda net: net.fit(X.astype(np.int8), y, epochs=2),
        "batches": lambda net: net.fit([(X[:9], y[:9]), (X[9:30], y[9:30])], epochs=3),
        "weights": lambda net: net.fit(X, y, epochs=2, batch_size=7, sample_weight=weight),
        "a batch": lambda net: net.train_on_batch(X, y, sample_weight=weight),
        "unknown": lambda net: net.fit(X, unknown, epochs=2, batch_size=7),
        "scaled": adapted,
        "average": lambda net: net.fit(X, y, epochs=2, callbacks=[average]),
        "order": lambda net: net.fit(X, y, epochs=2, batch_size=4, shuffle=False),
    }
    loss = fastbp.MSE(ignore_nan=True)
    for name, call in calls.items():
        nets = pair(fastbp.Network, loss=loss)
        found = [call(net) for net in nets]
        np.testing.assert_array_equal(*(net.parameters for net in nets), err_msg=name)
        if isinstance(found[0], np.ndarray):
            np.testing.assert_array_equal(*found, err_msg=name)
        numpy = pair(fastbp.reference.Network, NUMPY, loss=loss)
        for net in numpy:
            call(net)
        np.testing.assert_allclose(*(net.parameters for net in numpy), rtol=0, atol=1e-5, err_msg=name)


def test_the_parts_of_a_step(network_class, data):
    X, y = data
    nets = pair(network_class, dtype="float64")
    steps = []
    for net in nets:
        loss, gradients = net.loss_and_gradients(X, y)
        output = net.forward(X)
        d_input = net.backward(2 * (output - y) / y.size)
        np.testing.assert_allclose(net.gradients, gradients, rtol=0, atol=1e-14)
        net.step()
        steps.append([np.array(loss), gradients, output, d_input, net.parameters, net.predict(X[0])])
    for own, built_in in zip(*steps, strict=True):
        np.testing.assert_allclose(own, built_in, rtol=0, atol=1e-13)
    numerical = central_differences(lambda: nets[0].evaluate(X, y)["loss"], nets[0].parameters[:50], 1e-5)
    np.testing.assert_allclose(nets[0].loss_and_gradients(X, y)[1][:50], numerical, rtol=1e-5, atol=1e-8)


def test_minimize_and_levenberg_marquardt(network_class, data):
    X, y = data[0][:, :4], data[1]
    for optimizer in (None, fastbp.LevenbergMarquardt(), fastbp.LevenbergMarquardt(bayesian=True)):
        given = {} if optimizer is None else {"optimizer": optimizer}
        nets = pair(network_class, NUMPY, sizes=(4, 5, 3), output=True, dtype="float64", **given)
        for net in nets:
            if optimizer is None:
                fastbp.minimize(net, X, y, max_iterations=5)
            else:
                net.fit(X, y, epochs=4, batch_size=None)
        assert (
            nets[0].evaluate(X, y)["loss"]
            < 0.9 * pair(network_class, sizes=(4, 5, 3))[0].evaluate(X, y)["loss"]
        )
        np.testing.assert_allclose(*(net.parameters for net in nets), rtol=0, atol=1e-6)


def test_together_with_a_custom_loss(network_class, data):
    def squares(output, target):
        error = output - target
        return float(np.mean(error * error, dtype=np.float64)), 2 * error / error.size

    nets = pair(network_class, NUMPY, output=True, loss=squares, dtype="float64")
    for net in nets:
        net.fit(*data, epochs=3, batch_size=8)
    np.testing.assert_allclose(*(net.parameters for net in nets), rtol=0, atol=1e-13)


def test_blocks_and_threads(rng):
    """The same bits on any number of threads; blocks of rows one after the other, on the calling thread."""
    X, y = rng.standard_normal((5000, 20)).astype("f"), rng.standard_normal((5000, 3)).astype("f")
    seen = []

    def f(z):
        seen.append((threading.get_ident(), len(z)))
        return np.tanh(z)

    own = CustomActivation(f, lambda z: 1 - np.tanh(z) ** 2)
    results = []
    for isa, threads in itertools.product(ISAS, (1, 2)):
        with using(isa), fastbp.threads(threads):
            net, built_in = pair(fastbp.Network, own)
            net.fit(X, y, epochs=2, batch_size=4999)
            built_in.fit(X, y, epochs=2, batch_size=4999)
            results.append((isa, net.parameters.tobytes(), net.predict(X).tobytes()))
            np.testing.assert_allclose(net.parameters, built_in.parameters, rtol=0, atol=1e-5)
    assert all(one == two for one, two in itertools.pairwise(results) if one[0] == two[0])
    assert {thread for thread, _ in seen} == {threading.get_ident()}
    assert max(rows for _, rows in seen) < 4999


# ---- wrong derivatives -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [np.ones_like, np.zeros_like, lambda z: -slope(z), lambda z: z > 0])
def test_wrong_derivatives_are_used(network_class, wrong, data):
    """The gradient is the chain rule's with what the user puts in for f'."""
    X, y = data
    net = network_class([20, 6, 3], activation=CustomActivation(tanh, wrong), dtype="float64", seed=1)
    (W, V), (b, c) = net.weights, net.biases
    z = X @ W + b
    delta = 2 * (np.tanh(z) @ V + c - y) / y.size
    delta_z = (delta @ V.T) * wrong(z)
    expected = [X.T @ delta_z, delta_z.sum(0), np.tanh(z).T @ delta, delta.sum(0)]
    gradients = net.loss_and_gradients(X, y)[1]
    np.testing.assert_allclose(
        gradients, np.concatenate([g.ravel() for g in expected]), rtol=1e-9, atol=1e-12
    )
    before = net.weights[0].copy()
    net.fit(X, y, epochs=3)
    assert (net.weights[0] == before).all() == (not wrong(z).any())


# ---- hostile functions -------------------------------------------------------------------------------------


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
