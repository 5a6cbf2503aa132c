"""fastbp.inspect with activations that are Python functions: the same as with the built-in tanh."""

import contextlib
import threading

import numpy as np
import pytest

import fastbp
from fastbp import inspect

SLOPE = lambda z: 1 - np.tanh(z) ** 2  # noqa: E731
OWN = fastbp.CustomActivation(np.tanh, SLOPE)
EXACT = fastbp.CustomActivation(np.tanh, SLOPE, second_derivative=lambda z: -2 * np.tanh(z) * SLOPE(z))


@pytest.fixture
def data(rng):
    return rng.standard_normal((700, 4)), rng.standard_normal((700, 2))


def make(network_class, f, **options):
    return network_class([4, 6, 5, 2], activation=f, output_activation=f, seed=2, dtype="float64", **options)


CALLS = {
    "jacobian": lambda net, X, y: [inspect.jacobian(net, X)],
    "input_gradients": lambda net, X, y: [inspect.input_gradients(net, X, y)],
    "deltas": lambda net, X, y: inspect.deltas(net, X, y),
    "per_sample_gradients": lambda net, X, y: [inspect.per_sample_gradients(net, X, y)],
    "gauss_newton_product": lambda net, X, y: [inspect.gauss_newton_product(net, X, y, np.ones(77))],
    "landscape": lambda net, X, y: [inspect.landscape(net, X, y, resolution=4).losses],
    "hessian_vector_product": lambda net, X, y: [inspect.hessian_vector_product(net, X, y, np.ones(77))],
}


def test_as_the_built_in_activation(network_class, data):
    for name, call in CALLS.items():
        for f in (OWN, EXACT):
            found = [call(make(network_class, g), *data) for g in (f, "tanh")]
            rounding = 1e-8 if (f is OWN and name == "hessian_vector_product") else 1e-13  # differences
            for own, built_in in zip(*found, strict=True):
                np.testing.assert_allclose(own, built_in, rtol=0, atol=rounding, err_msg=name)


def test_errors_pass_through(network_class, data):
    """The functions are called on the calling thread, also where threads share the points of a landscape."""
    threads = set()

    def f(z):
        threads.add(threading.get_ident())
        if wrong:
            raise KeyError("mine")
        return np.tanh(z)

    net, wrong = make(network_class, fastbp.CustomActivation(f, SLOPE)), []
    with fastbp.threads(2):
        inspect.landscape(net, *data, resolution=3)
        assert threads == {threading.get_ident()}
        wrong.append(True)
        for call in CALLS.values():
            with pytest.raises(KeyError, match="mine"):
                call(net, *data)


def test_functions_that_resize_the_data(network_class, rng):
    """Memory that a function frees is not read: neither by the backward pass nor in the next block."""
    for name, call in CALLS.items():
        arrays = [rng.standard_normal((9000, 4)), rng.standard_normal((9000, 2))]

        def f(z, arrays=arrays):
            for array in arrays:
                array.resize((1, 1), refcheck=False)
            return np.tanh(z)

        with contextlib.suppress(fastbp.DataError, fastbp.ShapeError):
            call(make(network_class, fastbp.CustomActivation(f, SLOPE)), *arrays)
        assert arrays[0].shape == (1, 1), name
