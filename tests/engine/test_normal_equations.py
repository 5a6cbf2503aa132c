"""The normal equations of Levenberg-Marquardt in both engines."""

import numpy as np
import pytest

import fastbp
import fastbp.reference
from fastbp import _core
from helpers.differences import central_differences
from helpers.engines_agree import assert_close
from helpers.inside import normal_equations
from helpers.isas import ISAS, using
from helpers.tables import DIFFERENTIABLE

# layer sizes: no hidden layer, narrow and wide ones, several outputs, panels of more than 256 parameters
SIZES = ([3, 1], [2, 5, 1], [4, 7, 3, 2], [3, 40, 17, 3], [1, 300, 1])


def by_differences(net, X, y):
    """Return the same matrix from central differences of the outputs."""
    J = central_differences(lambda: net.predict(X).ravel(), net.parameters, 1e-5)
    rows = np.vstack([J, (net.predict(X) - y).ravel()])
    return rows @ rows.T


def make(network_class, sizes, hidden="tanh", output="identity", dtype="float64", **options):
    net = network_class(
        sizes, activation=hidden, output_activation=output, dtype=dtype, **({"seed": 4} | options)
    )
    net.parameters[:] += 0.1  # biases, too, away from the kinks at 0
    return net


def data_for(sizes, rows, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, sizes[0])), rng.standard_normal((rows, sizes[-1]))


@pytest.mark.parametrize("hidden", DIFFERENTIABLE)
def test_derivatives_of_every_activation(network_class, hidden):
    sizes = [3, 5, 4, 2]
    net = make(network_class, sizes, hidden, hidden)
    X, y = data_for(sizes, 9)
    expected = by_differences(net, X, y)
    np.testing.assert_allclose(
        normal_equations(net, X, y), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()
    )


@pytest.mark.parametrize(
    ("sizes", "output"),
    [
        (sizes, output)
        for sizes in SIZES[:4]
        for output in ("identity", "sigmoid", "softmax", "gelu")
        if sizes[-1] > 1 or output != "softmax"
    ],
    ids=str,
)
def test_derivatives_of_every_shape(network_class, output, sizes):
    net = make(network_class, sizes, "tanh", output)
    X, y = data_for(sizes, 9)
    expected = by_differences(net, X, y)
    np.testing.assert_allclose(
        normal_equations(net, X, y), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 17, 600, 2400, 5000])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_both_engines_agree(sizes, rows, dtype):
    """The engines agree also with row blocks: 512 to 4096 rows, or fewer with many parameters."""
    native, numpy = (make(each, sizes, dtype=dtype) for each in (fastbp.Network, fastbp.reference.Network))
    most = (1 << 31) // (sizes[-1] * native.parameters.size**2)  # more would take seconds
    X, y = data_for(sizes, min(rows, most))
    expected = normal_equations(numpy, X, y)
    for isa in ISAS:
        with using(isa):
            assert_close(normal_equations(native, X, y), expected, 1e-12 if dtype == "float64" else 1e-4)


def test_scaled_inputs_and_strided_rows(network_class, rng):
    """Rows are gathered and scaled as for training."""
    X, y = rng.integers(0, 9, (80, 6))[::2, ::2], rng.standard_normal((2, 40)).T
    net, raw = make(network_class, [3, 5, 2]), make(network_class, [3, 5, 2])
    net.adapt(X)
    expected = normal_equations(raw, (X - X.mean(axis=0)) / X.std(axis=0), y)
    np.testing.assert_allclose(normal_equations(net, X, y), expected, rtol=1e-9, atol=1e-9)


def test_any_number_of_threads(isa):
    """The same bits."""
    X, y = data_for([8, 40, 2], 2000)
    net = make(fastbp.Network, [8, 40, 2])
    results = []
    for threads in (1, 2, 5):
        with fastbp.threads(threads):
            results.append(normal_equations(net, X, y))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_no_memory_for_a_block():
    X, y = data_for([3, 5, 2], 40)
    net = make(fastbp.Network, [3, 5, 2])
    _core.fail_allocation(2)
    with pytest.raises(MemoryError):
        normal_equations(net, X, y)
    assert np.isfinite(normal_equations(net, X, y)).all()
