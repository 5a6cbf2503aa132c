"""`fastbp.inspect` over the native engine against the same over the reference, driven by the tables."""

import numpy as np
import pytest

import fastbp
from fastbp import Dense, activations, inspect, losses, reference
from fastbp.layers import split
from helpers.engines_agree import assert_close
from helpers.isas import ISAS, using
from helpers.noted import noted
from helpers.problems import fitting, problem
from helpers.tables import ACTIVATIONS, DTYPES
from helpers.weighted import IGNORING, LOSSES

SHAPES = ((3, 5, 2), (7, 33, 18, 4))  # narrow; wide and odd
ROWS = 21
CASES = [(activation, "mse") for activation in ACTIVATIONS] + [("tanh", loss) for loss in LOSSES]


def make(network_class, sizes, dtype, activation="tanh", loss="mse", **options):
    """Return a network with the activation wherever it may stand; weights are the same for all dtypes."""
    activation, loss = activations.get(activation), losses.get(loss)
    output = activation if losses.allowed(loss, activation) else None
    hidden = "tanh" if activation.name in ("softmax", "exponential") else activation  # which are for outputs
    options = {"activation": hidden, "output_activation": output, "seed": 3} | options
    net = network_class(list(sizes), loss=loss, dtype=dtype, **options)
    rng = np.random.default_rng(2)
    scale = np.concatenate(
        [np.full(W.size + b.size, len(W) ** -0.5) for W, b in zip(net.weights, net.biases, strict=True)]
    )
    net.parameters[:] = (scale * rng.normal(size=scale.size)).astype(np.float32)
    return net


def everything(net, X, y, **weighted):
    """Return the results of all functions."""
    v = np.random.default_rng(7).normal(size=net.parameters.size).astype(np.float32)
    of_rows = [
        inspect.jacobian(net, X),
        inspect.per_sample_gradients(net, X, y),
        inspect.per_sample_gradient_norms(net, X, y),
        inspect.per_sample_gradient_norms(net, X, y, per_layer=True),
    ]
    products = [
        inspect.hessian_vector_product(net, X, y, v, **weighted),
        inspect.gauss_newton_product(net, X, y, v, **weighted),
    ]
    gradients = inspect.input_gradients(net, X, y, **weighted)
    return [*inspect.deltas(net, X, y, **weighted), gradients, *of_rows, *products]


def assert_parity(found, exact, rounded, dtype, layers):
    """Check results against the reference in float64, to 1e-9 of the largest number of an array.

    In float32 to 4 times the error of the reference in float32: that of the array for which it is largest,
    but at least a rounding per layer. Below, the reference's error is luck.
    """
    scales = [np.abs(truth).max() for truth in exact]
    tolerance = 1e-9
    if dtype == "float32":
        errors = [np.abs(a - b).max() for a, b in zip(rounded, exact, strict=True)]
        relative = [error / scale for error, scale in zip(errors, scales, strict=True) if scale]
        tolerance = 4 * max([*relative, layers * np.finfo(np.float32).eps])
    for got, truth, scale in zip(found, exact, scales, strict=True):
        assert got.shape == truth.shape
        assert np.abs(got - truth).max() <= tolerance * scale, dtype


def compare(make_net, X, y, **weighted):
    """Compare both engines on every path and in both dtypes; `make_net` takes a class and a dtype."""
    exact = everything(make_net(reference.Network, "float64"), X, y, **weighted)
    rounded = everything(make_net(reference.Network, "float32"), X, y, **weighted)
    for isa in ISAS:
        for dtype in DTYPES:
            with using(isa):
                net = make_net(fastbp.Network, dtype)
                assert_parity(everything(net, X, y, **weighted), exact, rounded, dtype, len(net.layers))


@pytest.mark.parametrize(("activation", "loss"), CASES, ids=repr)
def test_every_row(activation, loss):
    for sizes in SHAPES:
        sizes = fitting(sizes, loss) if activation != activations.softmax else (*sizes[:-1], 4)
        X, y = problem(sizes, ROWS, loss)
        with noted(sizes):
            compare(lambda *which, sizes=sizes: make(which[0], sizes, which[1], activation, loss), X, y)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_every_activation_with_every_loss(loss):
    sizes = fitting((*SHAPES[0][:-1], 3), loss)
    X, y = problem(sizes, ROWS, loss)
    for activation in ACTIVATIONS:
        with noted(activation):
            compare(lambda *which, f=activation: make(which[0], sizes, which[1], f, loss), X, y)


def test_one_input_and_one_output():
    X, y = problem((1, 16, 1), ROWS)
    for sizes in ((1, 16, 1), (1, 1), (1, 40, 1)):
        compare(lambda *which, sizes=sizes: make(which[0], sizes, which[1]), X, y)


def test_threads_change_no_bits(isa):
    """Products are so large that threads share them."""
    sizes = (300, 260, 10)
    X, y = problem(sizes, 100, "cross_entropy")
    net = make(fastbp.Network, sizes, "float32", loss="cross_entropy")
    found = []
    for n in (1, 2):
        with fastbp.threads(n):
            found.append([each.tobytes() for each in everything(net, X, y)])
    assert found[0] == found[1]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_sample_weights(loss, rng):
    sizes = fitting((7, 33, 3), loss)
    X, y = problem(sizes, ROWS, loss)
    weights = rng.integers(0, 3, ROWS) / 2  # a third of the rows is absent
    compare(lambda *which: make(which[0], sizes, which[1], loss=loss), X, y, sample_weight=weights)
    if y.ndim == 2:
        weights = rng.integers(0, 3, y.shape) / 2
        compare(lambda *which: make(which[0], sizes, which[1], loss=loss), X, y, sample_weight=weights)


@pytest.mark.parametrize("loss", IGNORING, ids=repr)
def test_unknown_targets(loss, rng):
    sizes = fitting((3, 5, 3), loss)
    X, y = problem(sizes, ROWS, loss)
    y = np.where(rng.random(y.shape) < 0.3, np.nan, y)
    known = ~np.isnan(y).all(axis=1)
    X, y = X[known], y[known]  # a row without any known target has no loss of its own
    compare(lambda *which: make(which[0], sizes, which[1], loss=loss), X, y)


def test_layers_without_bias():
    sizes = [7, Dense(33, "tanh", bias=False), Dense(5, "relu"), Dense(3, bias=False)]
    X, y = problem((7, 3), ROWS)
    compare(lambda *which: make(which[0], sizes, which[1]), X, y)


def test_scaled_inputs_and_targets():
    for loss in ("mse", "gaussian_nll", "cross_entropy"):
        sizes = fitting((7, 33, 3), loss)
        X, y = problem(sizes, ROWS, loss)
        X = 4 * X + 1

        def adapted(*which, sizes=sizes, loss=loss, data=(X, y)):
            net = make(which[0], sizes, which[1], loss=loss)
            net.adapt(data[0], data[1] if data[1].ndim == 2 else None)
            return net

        with noted(loss):
            compare(adapted, X, y)


def test_sparse_inputs(rng):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    X, y = problem((40, 9, 2), ROWS)
    X[rng.random(X.shape) < 0.9] = 0
    for dtype in DTYPES:
        net = make(fastbp.Network, (40, 9, 2), dtype)
        for ours, of_dense in zip(
            everything(net, sparse.csr_array(X), y), everything(net, X, y), strict=True
        ):
            np.testing.assert_array_equal(ours, of_dense)


@pytest.mark.parametrize("rows", [1, 2, 511, 513, 4097])
def test_blocks_of_rows(rows, network_class):
    """What is computed of all rows is the sum over rows, however many there are."""
    sizes = (3, 5, 2) if rows > 1000 else (3, 130, 2)
    net = make(network_class, sizes, "float64")
    X, y = problem(sizes, rows)
    each = inspect.per_sample_gradients(net, X, y)
    gradients = net.loss_and_gradients(X, y)[1]
    assert_close(each.mean(axis=0), gradients, 1e-10)
    for delta, (_, d_b) in zip(inspect.deltas(net, X, y), split(gradients, net.layers), strict=True):
        assert_close(delta.sum(axis=0), d_b, 1e-10)
    d_x, J = inspect.input_gradients(net, X, y), inspect.jacobian(net, X)
    norms = inspect.per_sample_gradient_norms(net, X, y)
    for i in {0, rows // 2, rows - 1}:
        row = slice(i, i + 1)
        assert_close(each[row], inspect.per_sample_gradients(net, X[row], y[row]), 1e-12)
        assert_close(rows * d_x[row], inspect.input_gradients(net, X[row], y[row]), 1e-12)
        assert_close(J[i], inspect.jacobian(net, X[i]), 1e-12)
        assert_close(norms[row], np.linalg.norm(each[row], axis=1), 1e-12)
    v = np.random.default_rng(1).normal(size=gradients.size)
    k = rows // 2
    for product in (inspect.hessian_vector_product, inspect.gauss_newton_product):
        parts = sum(len(X[s]) * product(net, X[s], y[s], v) for s in (slice(k), slice(k, None)) if len(X[s]))
        assert_close(product(net, X, y, v), parts / rows, 1e-10)


def test_gradients_of_rows_need_memory_of_their_own(network_class):
    net = make(network_class, (3, 2), "float64")
    before = net.parameters.copy()
    memory = np.arange(8.0)
    X, y = memory[:3].reshape(1, 3), memory[3:5].reshape(1, 2)
    net.loss_and_gradients(X, y)
    taken = net.parameters.reshape(1, -1), net.gradients.reshape(1, -1), memory.reshape(1, 8)
    for out in (*taken, np.zeros((1, 16))[:, ::2]):
        with pytest.raises(fastbp.ParameterError, match=r"out is strided, .* expected a C-contiguous"):
            inspect.per_sample_gradients(net, X, y, out=out)
    np.testing.assert_array_equal(net.parameters, before)
    for bad, error in (
        (np.zeros((2, 8)), fastbp.ShapeError),
        (np.zeros((1, 8), np.float32), fastbp.DTypeError),
    ):
        with pytest.raises(error, match="out has"):
            inspect.per_sample_gradients(net, X, y, out=bad)


def test_gradients_of_rows_come_in_blocks(network_class):
    net = make(network_class, (3, 130, 2), "float64")
    X, y = problem((3, 2), 600)
    whole = inspect.per_sample_gradients(net, X, y)
    out = np.full_like(whole, np.nan)
    assert inspect.per_sample_gradients(net, X, y, out=out) is out
    assert out.tobytes() == whole.tobytes()
    ends = 0
    for rows, gradients in inspect.gradient_blocks(net, X, y):
        assert rows.start == ends
        np.testing.assert_array_equal(gradients, whole[rows])
        ends = rows.stop
    assert ends == len(X)


def test_norms_are_of_all_layers_or_of_each():
    X, y = problem((3, 2), 4)
    net = make(fastbp.Network, (3, 5, 2), "float64")
    assert inspect.per_sample_gradient_norms(net, X, y, per_layer=True).shape == (4, 2)
    with pytest.raises(fastbp.ParameterError, match="per_layer is 'no', expected True or False"):
        inspect.per_sample_gradient_norms(net, X, y, per_layer="no")
