"""The native engine against the NumPy reference, driven by the tables of both."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import fastbp
from fastbp import _core, activations, losses, reference, schedules
from fastbp._base import philox
from helpers.engines_agree import assert_all_close, assert_parity
from helpers.isas import ISAS, using
from helpers.optimizers import OPTIMIZERS, batches
from helpers.problems import fitting, problem
from helpers.tables import DIFFERENTIABLE, DTYPES, ENGINES

STEPS, BATCH, EPOCHS = 50, 7, 10

# layer sizes between which the activation under test stands: narrow ones, odd ones, and widths of one unit
NETS = ((3, 16, 5, 2), (7, 17, 4, 3), (1, 33, 1))

SCHEDULES = {
    "constant": schedules.Constant(0.01),
    "step": schedules.Step(0.05, every=9),
    "exponential": schedules.Exponential(0.05, decay=0.9),
    "inverse_scaling": schedules.InverseScaling(0.05),
    "cosine": schedules.Cosine(0.05, steps=10, final=0.001, warmup=5, growth=2),
    "one_cycle": schedules.OneCycle(0.05, STEPS),
}

# data in which no output meets its target up to rounding, where the slope jumps
SEEDS = {"quantiles": 1}
# the curvature grows with exp(-s): larger steps would multiply rounding errors
GENTLE = {"gaussian_nll": 1e-3}

CASES = [(activation, loss) for activation in DIFFERENTIABLE for loss in losses.LOSSES] + [
    ("softmax", loss) for loss in losses.LOSSES if losses.get(loss).activation in (None, "softmax")
]


def test_both_engines_have_the_same_rows():
    assert [name for name, *_ in _core.ACTIVATIONS] == list(reference.ACTIVATIONS)
    assert {name for name, *_ in _core.LOSSES} == set(losses.LOSSES)
    assert {name: joined for name, joined, _ in _core.LOSSES if joined != "none"} == {
        name: loss.activation for name, loss in losses.LOSSES.items() if loss.activation
    }
    assert dict(_core.OPTIMIZERS) == {name: states for name, (states, _) in reference.OPTIMIZERS.items()}
    assert set(OPTIMIZERS) == set(reference.OPTIMIZERS)
    assert list(SCHEDULES) == list(_core.SCHEDULES)


def for_output(sizes, activation, loss):
    """The sizes, with two units for a softmax that would have one, and those that the loss needs."""
    return fitting((*sizes[:-1], 2) if activation == "softmax" and sizes[-1] == 1 else sizes, loss)


def make(network_class, sizes, activation, loss, optimizer, dtype, seed=3):
    """A network with the activation in its hidden layers, and at the output where the loss allows it."""
    output = activation if losses.allowed(losses.get(loss), activations.get(activation)) else None
    hidden = "tanh" if activation in ("softmax", "exponential") else activation  # which are for outputs
    return network_class(
        list(sizes),
        activation=hidden,
        output_activation=output,
        loss=loss,
        optimizer=optimizer,
        dtype=dtype,
        seed=seed,
    )


def trained(network_class, sizes, activation, loss, optimizer, dtype, start=None):
    net = make(network_class, sizes, activation, loss, optimizer, dtype)
    if start is not None:
        net.parameters[:] = start
    size = batches(optimizer, BATCH)
    data = problem(sizes, STEPS // EPOCHS * BATCH, loss, SEEDS.get(loss, 0))
    history = net.fit(*data, epochs=EPOCHS if size else STEPS, batch_size=size)
    return net.parameters.astype(np.float64), np.array(history.loss)


@cache
def reference_result(sizes, activation, loss, optimizer, dtype):
    """Result of the reference, from the float32 initial weights in either dtype."""
    start = make(reference.Network, sizes, activation, loss, optimizer, "float32").parameters
    return trained(reference.Network, sizes, activation, loss, optimizer, dtype, start)


def check_parity(sizes, activation, loss, optimizer, dtype):
    """Weights and losses: float64 within 1e-9, float32 as near to float64 as 4 times NumPy's float32."""
    start = make(reference.Network, sizes, activation, loss, optimizer, "float32").parameters
    truth = reference_result(sizes, activation, loss, optimizer, "float64")
    numpy = reference_result(sizes, activation, loss, optimizer, "float32")
    for isa in ISAS:
        with using(isa):
            native = trained(fastbp.Network, sizes, activation, loss, optimizer, dtype, start)
            assert_parity(native, truth, numpy, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("activation", "loss"), CASES)
def test_every_activation_and_loss(activation, loss, dtype):
    sgd = OPTIMIZERS["sgd"]
    sgd = replace(sgd, learning_rate=GENTLE.get(loss, sgd.learning_rate))
    for sizes in NETS:
        check_parity(for_output(sizes, activation, loss), activation, loss, sgd, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", NETS)
def test_exponential_in_hidden_layers(sizes, dtype, isa):
    """A single step is compared: most networks would diverge in a second one."""
    nets = [each(list(sizes), activation="exponential", dtype=dtype, seed=3) for each in ENGINES]
    results = [net.loss_and_gradients(*problem(sizes, STEPS // EPOCHS * BATCH)) for net in nets]
    assert_all_close(*results, 1e-12 if dtype == "float64" else 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("outputs", [2, 3, 33])
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_label_smoothing(kind, outputs, dtype, isa, rng):
    """Loss, gradients and evaluation agree with the loss as a function."""
    X, y = rng.standard_normal((19, 3)), rng.integers(0, outputs, 19)
    if kind == "probabilities":
        y = rng.dirichlet(np.ones(outputs), 19)
    loss = fastbp.CrossEntropy(label_smoothing=0.1)
    results = []
    for network_class in ENGINES:
        net = network_class([3, 5, outputs], loss=loss, dtype=dtype, seed=2)
        value, gradients = net.loss_and_gradients(X, y)
        results.append((value, gradients, net.evaluate(X, y)["loss"]))
        assert net.loss(net.predict(X), y) == pytest.approx(value, rel=1e-6, abs=1e-6)
    tolerance = 1e-12 if dtype == "float64" else 2e-6
    for native, numpy in zip(*results, strict=True):
        np.testing.assert_allclose(native, numpy, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", OPTIMIZERS)
def test_every_optimizer(row, dtype):
    assert OPTIMIZERS[row].row == row
    for sizes in NETS[:2]:
        check_parity(sizes, "tanh", "mse", OPTIMIZERS[row], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("schedule", "row"),
    [(s, row) for s in SCHEDULES for row in OPTIMIZERS if s == "cosine" or row in ("sgd", "adam")],
)
def test_every_schedule(schedule, row, dtype):
    assert SCHEDULES[schedule].row == schedule
    optimizer = replace(OPTIMIZERS[row], learning_rate=SCHEDULES[schedule])
    check_parity(NETS[0], "tanh", "mse", optimizer, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warmup_before_every_schedule(schedule, dtype):
    optimizer = fastbp.Adam(schedules.Warmup(SCHEDULES[schedule], steps=12))
    check_parity(NETS[0], "tanh", "mse", optimizer, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", OPTIMIZERS)
def test_gradients_whose_squares_overflow(row, dtype, isa):
    """Adam then divides by infinity, and leaves the weight where it is."""
    huge = {"float32": 1e30, "float64": 1e200}[dtype]
    nets = [each([1, 40], optimizer=OPTIMIZERS[row], dtype=dtype, seed=0) for each in ENGINES]
    for net in nets:
        for _ in range(2):
            net.forward(np.ones((1, 1)))
            net.backward(np.full((1, 40), huge))
            with np.errstate(over="ignore"):
                net.step()
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-6)


SIZES = st.sampled_from((1, 2, 3, 7, 16, 17, 33, 100))


def away_from_kinks(network_class, *arguments):
    """A network whose biases are not 0.

    Where a unit's inputs are 0, z = b would be nothing but rounding soon, and the derivative of a rectifier
    0 in one engine and 1 in the other.
    """
    net = make(network_class, *arguments)
    for bias in net.biases:
        bias[:] = 0.1
    return net


def signs_are_rounding(nets, X, y, batch_size, shuffle, epochs):
    """Tell whether the terms of some gradient cancel, so that rounding decides its sign.

    Those of hinge do, +1/m and -1/m for the bias of an output. The step of an optimizer that goes by the
    sign is discontinuous there: the engines may both be right and a whole step apart.
    """
    size = batch_size or len(X)
    for epoch in range(epochs):
        order = (
            philox.permutation(nets[0].seed, epoch, len(X)) if shuffle and batch_size else np.arange(len(X))
        )
        for rows in (order[i : i + size] for i in range(0, len(X), size)):
            g, h = (net.loss_and_gradients(X[rows], y[rows])[1].copy() for net in nets)
            rounding = len(rows) * np.finfo(np.float64).eps * max(1, np.abs(g).max())  # terms are about 1
            if ((np.sign(g) != np.sign(h)) & (np.abs(g - h) <= rounding)).any():
                return True
            for net in nets:
                net.step()
    return False


def losses_or_none(net, X, y, **options):
    """Fit two epochs; return their losses, or None if the fit diverges."""
    try:
        return net.fit(X, y, epochs=2, **options).loss
    except fastbp.DivergenceError:
        return None


@settings(max_examples=150)
@given(
    sizes=st.lists(SIZES, min_size=2, max_size=5),
    case=st.sampled_from(CASES),
    row=st.sampled_from(sorted(OPTIMIZERS)),
    batch_size=st.integers(1, 70),
    rows=st.integers(1, 140),
    shuffle=st.booleans(),
    isa=st.sampled_from(ISAS),
)
@example([1, 1, 16, 1], ("relu6", "hinge"), "adadelta", 33, 20, False, "avx2")
@example([16, 2], ("exponential", "half_sse"), "momentum", 1, 19, False, "avx512")
def test_sizes_and_batches(sizes, case, row, batch_size, rows, shuffle, isa):
    assume(isa in ISAS)
    sizes = for_output(sizes, *case)
    before = _core.isa()
    _core.set_isa(isa)
    gentle = replace(OPTIMIZERS[row], learning_rate=1e-4)  # hardly a size diverges
    X, y = problem(sizes, rows, case[1])
    batch_size = batches(gentle, batch_size)
    try:
        nets = [away_from_kinks(c, sizes, *case, gentle, "float64") for c in ENGINES]
        if row in ("lion", "irprop"):
            assume(not signs_are_rounding([net.clone() for net in nets], X, y, batch_size, shuffle, epochs=2))
    finally:
        _core.set_isa(before)
    losses_of = [losses_or_none(net, X, y, batch_size=batch_size, shuffle=shuffle) for net in nets]
    if None in losses_of:  # exponential outputs can grow at any rate
        assert losses_of == [None, None]
        return
    native, numpy = nets
    np.testing.assert_allclose(losses_of[0], losses_of[1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        native.parameters, numpy.parameters, rtol=0, atol=1e-9 * np.abs(numpy.parameters).max()
    )
    np.testing.assert_allclose(native.predict(X), numpy.predict(X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", losses.LOSSES)
@pytest.mark.parametrize("rows", [1, 2, 15, 16, 17, 100, 4096 + 4096 + 33])
def test_every_number_of_rows(rows, loss, dtype):
    """Few rows, about a vector of rows, and several row blocks, in training and in evaluation."""
    sizes = fitting((5, 7, 3), loss)
    X, y = problem(sizes, rows, loss)
    tolerance = 1e-10 if dtype == "float64" else 1e-4

    def found(network_class):
        net = make(network_class, sizes, "tanh", loss, fastbp.SGD(1e-5), dtype)
        net.fit(X, y, epochs=3, batch_size=None)
        gradients = net.loss_and_gradients(X, y)[1].copy()
        return gradients, net.parameters, net.predict(X), net.evaluate(X, y)["loss"]

    gradients, *numpy = found(reference.Network)
    for isa in ISAS:
        with using(isa):
            native_gradients, *native = found(fastbp.Network)
            scale = np.abs(gradients).max()
            np.testing.assert_allclose(native_gradients, gradients, rtol=tolerance, atol=tolerance * scale)
            for a, b in zip(native[:2], numpy[:2], strict=True):
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
            assert native[2] == pytest.approx(numpy[2], rel=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("outputs", [2, 17, 33])
def test_probabilities_of_classes(outputs, dtype, isa, rng):
    """cross_entropy of probability rows: loss and gradients."""
    X = rng.standard_normal((19, 3))
    y = rng.random((19, outputs))
    y /= y.sum(axis=1, keepdims=True)
    results = []
    for network_class in ENGINES:
        net = network_class([3, 5, outputs], loss="cross_entropy", dtype=dtype, seed=2)
        loss, gradients = net.loss_and_gradients(X, y)
        results.append((loss, gradients, net.evaluate(X, y)["loss"]))
    tolerance = 1e-12 if dtype == "float64" else 2e-6
    for native, numpy in zip(*results, strict=True):
        np.testing.assert_allclose(native, numpy, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", ["identity", "gelu", "softmax"])
@pytest.mark.parametrize("rows", [1, 13, 5000])
def test_a_custom_loss(output, rows, dtype, rng):
    """forward, backward from any dJ/dy, step: the same as NumPy, dJ/dX included."""
    X = rng.standard_normal((rows, 7))
    d_output = rng.standard_normal((rows, 4)) / rows

    def found(network_class):
        net = network_class([7, 16, 17, 4], activation="silu", output_activation=output, dtype=dtype, seed=1)
        h = net.forward(X)
        d_input = net.backward(d_output)
        gradients = net.gradients.copy()
        net.step()
        return h, d_input, gradients, net.parameters

    numpy = found(reference.Network)
    for isa in ISAS:
        with using(isa):
            assert_all_close(found(fastbp.Network), numpy, 1e-10 if dtype == "float64" else 2e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("joined", sorted(reference.JOINT.keys() - {"poisson"}))  # exp(1e4) is no finite loss
def test_extreme_logits(joined, dtype, isa):
    """With logits of +-1e4 the loss is exact and the gradient finite: no logarithm of a rounded 0."""
    targets = {"cross_entropy": np.array([0, 1]), "binary_cross_entropy": np.array([[1.0, 0.0], [0.0, 0.0]])}
    exact = {"cross_entropy": (0 + 2e4) / 2, "binary_cross_entropy": (0 + 0 + 1e4 + 0) / 4}
    net = fastbp.Network([1, 2], loss=joined, dtype=dtype, seed=0)
    net.parameters[:] = [1e4, -1e4, 0, 0]
    loss, gradients = net.loss_and_gradients([[1.0], [1.0]], targets[joined])
    assert loss == exact[joined]
    assert np.isfinite(gradients).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network_class", ENGINES)
def test_poisson_that_overflows(network_class, dtype, isa):
    """exp(-1e4) is 0 and the loss exact; exp(1e4) is infinite, which training tells and undoes."""
    net = network_class([1, 2], loss="poisson", dtype=dtype, seed=0)
    net.parameters[:] = [-1e4, -1e4, 0, 0]
    loss, gradients = net.loss_and_gradients([[1.0]], [[3.0, 0.0]])
    assert loss == 3e4 / 2
    np.testing.assert_array_equal(gradients, [-1.5, 0, -1.5, 0])
    net.parameters[0] = 1e4
    before = net.parameters.copy()
    assert net.evaluate([[1.0]], [[3.0, 0.0]])["loss"] == np.inf
    with pytest.raises(fastbp.DivergenceError, match="loss became NaN or infinite in epoch 1"):
        net.fit([[1.0]], [[3.0, 0.0]])
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network_class", ENGINES)
@pytest.mark.parametrize("error", [0.0, 1e-6, 1e-3, 0.999, 1.001, 1e4, -1e4])
def test_log_cosh_near_and_far(error, network_class, dtype, isa):
    """log cosh is accurate where it is far smaller than the error, and where cosh overflows."""
    net = network_class([1, 1], loss="log_cosh", dtype=dtype, seed=0)
    net.parameters[:] = [error, 0]
    loss, gradients = net.loss_and_gradients([[1.0]], [[0.0]])
    error = float(net.parameters[0])  # in dtype
    far, tolerance = abs(error) > 20, 8 * float(np.finfo(dtype).eps)
    exact = abs(error) - np.log(2) if far else np.log1p(2 * np.sinh(error / 2) ** 2)
    assert loss == pytest.approx(exact, rel=tolerance, abs=0)
    assert gradients[0] == pytest.approx(np.tanh(error), rel=tolerance, abs=0)


@pytest.mark.parametrize(
    ("dtype", "widths"), [("float32", (*range(127, 138), *range(254, 274))), ("float64", range(126, 138))]
)
def test_widths_about_a_padded_row(dtype, widths, rng):
    """Rows of a multiple of 1 KB are padded, their wider neighbors are not: both fit into the workspace."""
    X = rng.standard_normal((40, 4))
    for first in widths:
        for second in (widths[0], first + 4):
            net = fastbp.Network([4, first, second, 1], dtype=dtype, seed=0)
            assert net.predict(X).tobytes() == net.forward(X).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("targets", [[0, 0, 1], np.eye(2)[[0, 0, 1]]], ids=["labels", "probabilities"])
def test_large_equal_logits(targets, dtype, isa):
    """The loss of a row of equal logits is log 2, however large they are, for all other rows."""
    net = fastbp.Network([2, 2], loss="cross_entropy", dtype=dtype, seed=0)
    net.parameters[:] = [1, 0, 0, 1, 0, 0]
    X = np.array([[0, 0], [1e30, 0], [1e30, 1e30]])
    assert net.loss_and_gradients(X, np.array(targets))[0] == pytest.approx(2 * np.log(2) / 3, rel=1e-6)
