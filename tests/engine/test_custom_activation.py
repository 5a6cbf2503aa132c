"""Custom activations: the same results as a built-in activation that computes the same."""

import itertools
import threading

import numpy as np
import pytest
import scipy.sparse

import fastbp
from fastbp.activations import CustomActivation
from helpers.custom import BOTH, NUMPY, OWN, assert_same, pair, slope, tanh
from helpers.differences import central_differences
from helpers.isas import ISAS, using
from helpers.optimizers import VARIANTS


@pytest.fixture
def data(rng):
    return rng.standard_normal((45, 20)), rng.standard_normal((45, 3))


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
