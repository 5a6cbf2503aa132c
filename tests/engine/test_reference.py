"""The reference engine: its gradients, and its batches."""

import itertools
import math

import numpy as np
import pytest

from fastbp import activations, losses
from fastbp._base.philox import permutation
from fastbp.exceptions import ShapeError
from fastbp.layers import Layer
from fastbp.losses import CrossEntropy, HalfSSE, Huber, Quantile, Quantiles
from fastbp.optimizers import SGD, Adam
from fastbp.reference import ACTIVATIONS, Engine, chain
from helpers import tables
from helpers.differences import KINKS, central_differences
from helpers.engines import make_data, make_engine
from helpers.inside import set_optimizer
from helpers.problems import fitting

ALL_LOSSES = [
    *losses.LOSSES.values(),
    HalfSSE(reduction="mean"),
    Huber(delta=0.3),
    Quantile(q=0.9),
    Quantiles([0.2, 0.7]),
    CrossEntropy(label_smoothing=0.1),
]

H = 1e-5  # half the step of a difference
MARGIN = 1e-3  # between every kink and every argument, far more than H moves anything
quietly = np.errstate(over="ignore")


def distance(name, values):
    """The least distance of any value from a kink."""
    return min((np.abs(values - kink).min() for kink in KINKS.get(name, ())), default=math.inf)


def smooth_problem(hidden, output, loss):
    """An engine and data with no argument of an activation or of the loss near a kink."""
    sizes = fitting((3, 5, 4, 2), loss)
    for seed in itertools.count():
        rng = np.random.default_rng(seed)
        engine = make_engine(sizes, hidden, output, loss, rng)
        X, y = make_data(loss, 6, sizes[0], sizes[-1], rng)
        tape = engine._forward(X)
        margins = [
            distance(layer.activation.name, z) for layer, z in zip(engine.layers, tape[1::2], strict=True)
        ]
        if min(*margins, distance(loss.name, tape[-1] - loss.expected(y))) > MARGIN:
            return engine, X, y


# ---- gradients ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ALL_LOSSES, ids=repr)
@pytest.mark.parametrize("activation", tables.ACTIVATIONS, ids=repr)
def test_gradient_is_the_numerical_one(activation, loss):
    for_outputs = activation.name in ("softmax", "exponential")  # an exponential of one is too steep for H
    hidden = activations.get("tanh") if for_outputs else activation
    output = activation
    if not losses.allowed(loss, activation):
        output = activations.get(losses.output_activation(loss))
    engine, X, y = smooth_problem(hidden, output, loss)

    value = engine.loss_and_gradients(X, y)
    gradients = engine.gradients.copy()
    numerical = central_differences(lambda: engine.loss(X, y), engine.parameters, H)
    assert value == pytest.approx(engine.loss(X, y), rel=1e-15)
    np.testing.assert_allclose(gradients, numerical, rtol=1e-7, atol=1e-9)

    h = engine.forward(X)
    d_X = engine.backward(loss.gradient(h, y))
    numerical = central_differences(lambda: engine.loss(X, y), X, H)
    assert value == pytest.approx(loss(h, y), rel=1e-12)
    np.testing.assert_allclose(engine.gradients, gradients, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(d_X, numerical, rtol=1e-7, atol=1e-9)


def test_labels_are_rows_of_zeros_with_a_single_one():
    rng = np.random.default_rng(0)
    engine = make_engine(
        (3, 5, 4), activations.get("tanh"), activations.get("softmax"), losses.cross_entropy, rng
    )
    X, labels = rng.normal(size=(6, 3)), np.array([0, 3, 1, 1, 2, 3], np.uint8)
    by_label = engine.loss_and_gradients(X, labels), engine.gradients.copy()
    by_row = engine.loss_and_gradients(X, np.eye(4)[labels]), engine.gradients
    assert by_label[0] == by_row[0]
    np.testing.assert_array_equal(by_label[1], by_row[1])


@pytest.mark.parametrize("activation", tables.ACTIVATIONS, ids=repr)
@quietly
def test_derivative_is_the_numerical_one(activation):
    f, derivative, _ = ACTIVATIONS[activation.name]
    z = np.linspace(-9, 9, 1001)[:, None]
    z = z[[distance(activation.name, value) > MARGIN for value in z]]
    if activation.name == "softmax":  # the derivative of each output by its own argument
        other = np.full_like(z, 0.3)
        y, above, below = (f(np.hstack([z + step, other]), 0.0) for step in (0, H, -H))
        slope = derivative(z, y, 0.0)[:, :1]
        numerical = (above - below)[:, :1] / (2 * H)
    else:
        slope = derivative(z, f(z, activation.alpha), activation.alpha)
        numerical = (f(z + H, activation.alpha) - f(z - H, activation.alpha)) / (2 * H)
    np.testing.assert_allclose(slope, numerical, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "z", "slope"),
    [
        ("relu", [0], [0]),
        ("relu6", [0, 6], [0, 0]),
        ("leaky_relu", [0], [0.01]),
        ("elu", [0], [1]),
        ("hard_sigmoid", [-3, 3], [0, 0]),
        ("hard_swish", [-3, 3], [0, 1]),
        ("hard_tanh", [-1, 1], [0, 0]),
        ("step", [0], [0]),
    ],
)
def test_derivative_at_kinks(name, z, slope):
    alpha, z = activations.get(name).alpha, np.array(z, float)
    row = ACTIVATIONS[name]
    np.testing.assert_array_equal(row.derivative(z, row.function(z, alpha), alpha), slope)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", tables.ACTIVATIONS, ids=repr)
def test_nan_comes_out_as_nan_and_the_dtype_stays(activation, dtype):
    row, z = ACTIVATIONS[activation.name], np.full((2, 3), np.nan, dtype)
    y = row.function(z, activation.alpha)
    slope = row.derivative(z, y, activation.alpha)
    assert y.dtype == slope.dtype == dtype
    assert np.isnan(y).all()
    assert np.isnan(slope).all() or activation.name in ("identity", "step")


def test_softmax_chain_is_the_jacobian():
    rng = np.random.default_rng(0)
    z, d_y = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    y = ACTIVATIONS["softmax"].function(z, 0.0)
    jacobians = [np.diag(row) - np.outer(row, row) for row in y]
    expected = [jacobian @ g for jacobian, g in zip(jacobians, d_y, strict=True)]
    np.testing.assert_allclose(chain(activations.get("softmax"), z, y, d_y), expected, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropies_are_exact_at_extreme_logits(dtype):
    def train_on(logits, activation, loss, y):
        n = len(logits)
        layer = Layer(1, n, activations.get(activation))
        engine = Engine((layer,), loss, np.array([*logits, *[0] * n], dtype))
        return engine.loss_and_gradients(np.ones((1, 1)), np.array(y)), engine.gradients[:n]

    value, gradient = train_on([1000, -1000, 1000], "sigmoid", losses.binary_cross_entropy, [[0, 0, 1]])
    assert value == pytest.approx(1000 / 3, rel=1e-15)
    np.testing.assert_array_equal(gradient, np.array([1, 0, 0], dtype) / dtype(3))
    value, gradient = train_on([1000, 0, -1000], "softmax", losses.cross_entropy, [2])
    assert value == 2000
    np.testing.assert_array_equal(gradient, [1, 0, -1])
    value, _ = train_on([0, 10, 10], "softmax", losses.cross_entropy, [[0, 0.5, 0.5]])
    assert value == pytest.approx(math.log(2 + math.exp(-10)), rel=1e-10)


# ---- batches -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("widest", "rows"), [(3, 4096), (24, 2688), (100, 640), (784, 512), (4096, 512)])
def test_row_blocks_depend_on_the_widest_layer(widest, rows):
    rng = np.random.default_rng(0)
    for sizes in ((widest, 2), (2, widest)):
        engine = make_engine(sizes, None, activations.get("identity"), losses.mse, rng)
        assert engine._block_rows == rows


@pytest.mark.parametrize("loss", [losses.half_sse, losses.mse, HalfSSE(reduction="mean")], ids=repr)
def test_row_blocks_add_up(loss):
    rng = np.random.default_rng(0)
    engine = make_engine((3, 2), None, activations.get("tanh"), loss, rng)
    X, y = rng.normal(size=(5000, 3)), rng.normal(size=(5000, 2))
    whole = engine.loss_and_gradients(X, y), engine.gradients.copy()
    parts = []
    for rows in (slice(4096), slice(4096, None)):
        share = loss.divide_by(len(X[rows]), 2) / loss.divide_by(5000, 2)
        parts.append((share * engine.loss_and_gradients(X[rows], y[rows]), share * engine.gradients))
    assert whole[0] == pytest.approx(parts[0][0] + parts[1][0], rel=1e-14)
    assert whole[0] == pytest.approx(engine.loss(X, y), rel=1e-14)
    np.testing.assert_allclose(whole[1], parts[0][1] + parts[1][1], rtol=1e-12)
    out = np.empty((5000, 2))
    engine.predict(X, out)
    W, b = engine.parameters[:6].reshape(3, 2), engine.parameters[6:]
    np.testing.assert_allclose(out[4090:4100], np.tanh(X[4090:4100] @ W + b), rtol=1e-12)


def start(engine, X, y, **options):
    defaults = {"batch_size": 4, "shuffle": True, "seed": 7, "first_epoch": 3, "epochs": 5, "stored": False}
    return engine.begin(X, y, **(defaults | options))


def small_problem(loss=losses.mse):
    rng = np.random.default_rng(0)
    engine = make_engine((3, 4, 2), activations.get("tanh"), activations.get("identity"), loss, rng)
    set_optimizer(engine, Adam(0.01))
    return engine, *make_data(loss, 10, 3, 2, rng)


@pytest.mark.parametrize("loss", [losses.mse, losses.half_sse], ids=repr)
@pytest.mark.parametrize("shuffle", [True, False])
def test_run_is_a_loop_over_batches(shuffle, loss):
    engine, X, y = small_problem(loss)
    run = start(engine, X, y, shuffle=shuffle)
    assert run.steps_per_epoch == 3
    assert run.advance(5, 60.0)
    assert (run.epoch, run.step) == (5, 0)

    twin, X, y = small_problem(loss)
    for epoch in range(5):
        order = permutation(7, 3 + epoch, 10) if shuffle else np.arange(10)
        batches = [order[:4], order[4:8], order[8:]]
        values = [twin.train_on_batch(X[rows], y[rows]) for rows in batches]
        expected = sum(values) if loss.divisor == "one" else np.average(values, weights=[4, 4, 2])
        assert run.losses[epoch] == pytest.approx(expected, rel=1e-15)
    np.testing.assert_array_equal(engine.parameters, twin.parameters)
    np.testing.assert_array_equal(engine.state, twin.state)
    assert engine.t == twin.t == 15


def test_slices_change_nothing():
    engine, X, y = small_problem()
    whole = start(engine, X, y)
    whole.advance(5, 60.0)
    twin, X, y = small_problem()
    sliced = start(twin, X, y)
    positions = []
    while sliced.epoch < 5:
        sliced.advance(5, 0.0)
        positions.append((sliced.epoch, sliced.step))
    assert positions == [divmod(steps, 3) for steps in range(1, 16)]
    np.testing.assert_array_equal(engine.parameters, twin.parameters)
    np.testing.assert_array_equal(whole.losses, sliced.losses)


def test_run_stops_at_the_epoch_asked_for():
    engine, X, y = small_problem()
    run = start(engine, X, y)
    assert run.advance(2, 60.0)
    assert (run.epoch, run.step, engine.t) == (2, 0, 6)


def test_run_stops_right_after_a_loss_that_is_not_finite():
    engine, X, y = small_problem()
    set_optimizer(engine, SGD(1e200))
    run = start(engine, X, y)
    assert not run.advance(5, 60.0)
    assert (run.epoch, run.step, engine.t) == (0, 2, 2)


def test_backward_needs_a_forward_of_the_same_rows():
    engine, X, y = small_problem()
    with pytest.raises(ShapeError, match="d_output has 10 rows, expected those of the last forward"):
        engine.backward(y)
    engine.forward(X[:9])
    with pytest.raises(ShapeError, match="d_output has 10 rows"):
        engine.backward(y)


def test_forward_and_backward_leave_their_arguments_alone():
    rng, tanh = np.random.default_rng(0), activations.get("tanh")
    engine = make_engine((3, 4, 2), tanh, tanh, losses.mse, rng)
    X, y = make_data(losses.mse, 10, 3, 2, rng)
    d_y = y.copy()
    engine.forward(X)
    d_X = engine.backward(d_y)
    np.testing.assert_array_equal(d_y, y)
    before = engine.gradients.copy()
    engine.forward(X)[:] = 0
    X[:] = 0  # what forward has seen counts
    np.testing.assert_array_equal(engine.backward(d_y), d_X)
    np.testing.assert_array_equal(engine.gradients, before)


def test_errors_add_up_in_double():
    engine = Engine((Layer(1, 1, activations.get("identity")),), losses.half_sse, np.zeros(2, np.float32))
    t = np.float32(0.1)
    term = float(np.float32(0.5) * t * t)
    X, y = np.zeros((2000, 1)), np.full((2000, 1), t)
    assert engine.loss(X, y) == engine.loss_and_gradients(X, y) == pytest.approx(2000 * term, rel=1e-12)
