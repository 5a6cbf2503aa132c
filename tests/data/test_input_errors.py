"""Wrong data and options: errors name the argument, the value and what was expected; nothing changes."""

import numpy as np
import pytest

import fastbp
from fastbp import Adam, DataError, Dense, DTypeError, ParameterError, ShapeError
from helpers.errors import refuses

NAN, INF = float("nan"), float("inf")
RAGGED = [[1.0, 2.0, 3.0], [1.0]]


class Sparse:
    """The part of a SciPy matrix that matters here."""

    shape = (4, 3)

    def toarray(self):
        return np.ones(self.shape)


def with_value(value, at=(2, 1), shape=(4, 3), dtype="float64"):
    array = np.ones(shape, dtype)
    array[at] = value
    return array


# ---- calling one -------------------------------------------------------------------------------------------

# Calls of a 3-2 network with good data X (4, 3), y (4, 2), labels (4,); which one is in the name of the loss.
X = np.arange(12.0).reshape(4, 3) / 12
Y = np.arange(8.0).reshape(4, 2) / 8
LABELS = np.array([0, 1, 1, 0])

INPUTS = [
    (np.ones((4, 63)), ShapeError, ["X has 63 columns", "expected 3 (the network's inputs)"]),
    (np.ones(3), ShapeError, ["X has shape (3,)", "(rows, 3)"]),
    (np.ones((2, 2, 3)), ShapeError, ["X has shape (2, 2, 3)"]),
    (np.ones((0, 3)), ShapeError, ["X has no rows", "at least one"]),
    ([], ShapeError, ["X has shape (0,)"]),
    (3.0, ShapeError, ["X has shape ()"]),
    (None, DTypeError, ["X has dtype object"]),
    ("abc", DTypeError, ["X has dtype <U3"]),
    (RAGGED, ShapeError, ["X does not form an array"]),
    (np.ones((4, 3), complex), DTypeError, ["X has dtype complex128", "float16"]),
    (np.ones((4, 3), object), DTypeError, ["X has dtype object"]),
    (np.ones((4, 3), np.longdouble), DTypeError, ["X has dtype"]),
    (np.ones((4, 3), "datetime64[s]"), DTypeError, ["X has dtype datetime64"]),
    (Sparse(), DTypeError, ["X is a sparse Sparse", "toarray"]),
    (np.ma.masked_array(X, X > 1), DTypeError, ["X is a masked array", "filled"]),
]

BAD_X_VALUES = [
    (with_value(NAN), DataError, ["X[2, 1] is nan", "finite"]),
    (with_value(-INF), DataError, ["X[2, 1] is -inf"]),
    (with_value(INF, dtype="float16"), DataError, ["X[2, 1] is inf"]),
    (with_value(NAN, dtype=">f4"), DataError, ["X[2, 1] is nan"]),
    (with_value(NAN)[::-1], DataError, ["X[1, 1] is nan"]),
    (with_value(1e39), DataError, ["X[2, 1] is 1e+39", "finite number in float32", "dtype='float64'"]),
]

TARGETS = [
    ("mse", np.ones((4, 3)), ShapeError, ["y has shape (4, 3)", "(4, 2)"]),
    ("mse", np.ones((3, 2)), ShapeError, ["y has shape (3, 2)", "(4, 2)", "4 rows of X"]),
    ("mse", np.ones(4), ShapeError, ["y has shape (4,)", "(4, 2)"]),
    ("mse", np.ones((4, 2, 1)), ShapeError, ["y has shape (4, 2, 1)"]),
    ("mse", np.ones((4, 2), complex), DTypeError, ["y has dtype complex128"]),
    ("mse", Sparse(), DTypeError, ["y is a sparse Sparse"]),
    ("mse", with_value(NAN, (3, 0), (4, 2)), DataError, ["y[3, 0] is nan"]),
    ("mse", with_value(-4e38, (3, 0), (4, 2)), DataError, ["y[3, 0] is -4e+38", "in float32"]),
    ("cross_entropy", LABELS[:3], ShapeError, ["y has shape (3,)", "class labels (4,)"]),
    (
        "cross_entropy",
        LABELS[:, None],
        ShapeError,
        ["y has shape (4, 1)", "class labels (4,) or probabilities (4, 2)"],
    ),
    ("cross_entropy", np.array([0, 1, 2, 7]), DataError, ["y[2] is 2", "class label, 0 to 1"]),
    ("cross_entropy", np.array([0, -1, 2, 7]), DataError, ["y[1] is -1", "0 to 1"]),
    ("cross_entropy", np.array([0, 1, 2**63, 7], np.uint64), DataError, [f"y[2] is {2**63}"]),
    (
        "cross_entropy",
        np.array([0.0, 1, 1, 0]),
        DTypeError,
        ["y has dtype float64", "integers (classes 0 to 1)"],
    ),
    ("cross_entropy", list("abca"), DTypeError, ["y has dtype <U1"]),
    ("cross_entropy", Y, DataError, ["y[0] sums to 0.125", "expected 1"]),
    (
        "cross_entropy",
        np.array([[0.5, 0.5], [-1, 2], [0, 1], [0, 1]]),
        DataError,
        ["y[1, 0] is -1.0", "probability"],
    ),
    ("cross_entropy", with_value(NAN, (3, 0), (4, 2)), DataError, ["y[3, 0] is nan"]),
    ("binary_cross_entropy", 2 * Y, DataError, ["y[2, 1] is 1.25", "0 to 1"]),
    ("binary_cross_entropy", Y - 0.5, DataError, ["y[0, 0] is -0.5"]),
    ("poisson", Y - 0.5, DataError, ["y[0, 0] is -0.5", "a count, >= 0"]),
    ("hinge", Y, DataError, ["y[0, 0] is 0", "-1 or 1"]),
    ("hinge", np.eye(4, 2, dtype=bool), DataError, ["y[0, 1] is False", "-1 or 1"]),
    ("binary_cross_entropy", LABELS, ShapeError, ["y has shape (4,)", "(4, 2)"]),
]

OPTIONS = [
    ({"epochs": 0}, ["epochs is 0", ">= 1"]),
    ({"epochs": 1.5}, ["epochs is 1.5", "integer"]),
    ({"epochs": None}, ["epochs is None"]),
    ({"batch_size": 0}, ["batch_size is 0", ">= 1"]),
    ({"batch_size": -32}, ["batch_size is -32"]),
    ({"batch_size": True}, ["batch_size is True"]),
    ({"batch_size": "auto"}, ["batch_size is 'auto'"]),
    ({"shuffle": 1}, ["shuffle is 1", "True or False"]),
    ({"tol": -1e-3}, ["tol is -0.001", ">= 0"]),
    ({"tol": NAN}, ["tol is nan"]),
    ({"patience": 0, "tol": 0.1}, ["patience is 0"]),
    ({"gradient_tol": 0, "batch_size": None}, ["gradient_tol is 0", "> 0"]),
    ({"gradient_tol": 0.1, "batch_size": 3}, ["gradient_tol is 0.1", "batch_size=3", "batch_size=None"]),
    ({"verbose": 3}, ["verbose is 3", "< 3"]),
    ({"verbose": "yes"}, ["verbose is 'yes'"]),
    ({"validation_data": X}, ["validation_data is a ndarray", "expected (X, y)"]),
    ({"validation_data": (X, Y, Y, Y)}, ["a tuple of length 4", "expected (X, y)"]),
]


def good_target(loss):
    return LABELS if loss == "cross_entropy" else np.ones_like(Y) if loss == "hinge" else Y


@pytest.fixture
def trained(network_class, state_of):
    """Make a trained 3-2 network, and after the test check that not a bit of it has changed."""
    checks = []

    def trained(loss="mse"):
        net = network_class([3, 2], loss=loss, seed=0)
        net.fit(X, good_target(loss), epochs=2, batch_size=3)
        d_input = net.backward(net.forward(X))
        checks.append((net, state_of(net), net.gradients.copy(), d_input))
        return net

    yield trained
    for net, before, gradients, d_input in checks:
        assert state_of(net) == before
        np.testing.assert_array_equal(net.gradients, gradients)
        np.testing.assert_array_equal(net.backward(net.forward(X)), d_input)
        net.fit(X, good_target(net.loss.name))


LEARNING = ["fit", "train_on_batch", "loss_and_gradients", "evaluate"]


@pytest.mark.parametrize("method", LEARNING)
@pytest.mark.parametrize(("X", "error", "parts"), INPUTS + BAD_X_VALUES)
def test_inputs(trained, method, X, error, parts):
    refuses(lambda: getattr(trained(), method)(X, Y), error, *parts)


@pytest.mark.parametrize("method", LEARNING)
@pytest.mark.parametrize(("loss", "y", "error", "parts"), TARGETS)
def test_targets(trained, method, loss, y, error, parts):
    refuses(lambda: getattr(trained(loss), method)(X, y), error, *parts)


@pytest.mark.parametrize(("loss", "y", "error", "parts"), TARGETS)
def test_validation_targets(trained, loss, y, error, parts):
    parts = [part.replace("y", "validation_data[1]", 1) if part.startswith("y") else part for part in parts]
    refuses(lambda: trained(loss).fit(X, good_target(loss), validation_data=(X, y)), error, *parts)


@pytest.mark.parametrize(("bad", "error", "parts"), INPUTS + BAD_X_VALUES)
def test_validation_inputs(trained, bad, error, parts):
    refuses(
        lambda: trained().fit(X, Y, validation_data=[bad, Y]),
        error,
        parts[0].replace("X", "validation_data[0]", 1),
    )


@pytest.mark.parametrize(("options", "parts"), OPTIONS, ids=str)
def test_options(trained, options, parts):
    refuses(lambda: trained().fit(X, Y, **options), ParameterError, *parts)


QUERIES = [
    (np.ones((4, 63)), ShapeError, ["X has shape (4, 63)", "(rows, 3)", "(3,) for one row"]),
    (np.ones(63), ShapeError, ["X has shape (63,)", "(3,) for one row"]),
    (np.ones((2, 2, 3)), ShapeError, ["X has shape (2, 2, 3)"]),
    (3.0, ShapeError, ["X has shape ()"]),
    (np.ones((4, 3), complex), DTypeError, ["X has dtype complex128"]),
    (np.ones((4, 3), object), DTypeError, ["X has dtype object"]),
    (Sparse(), DTypeError, ["X is a sparse Sparse"]),
    (np.ma.masked_array(X), DTypeError, ["X is a masked array"]),
    (RAGGED, ShapeError, ["X does not form an array"]),
]


@pytest.mark.parametrize("method", ["predict", "predict_classes", "forward"])
@pytest.mark.parametrize(("bad", "error", "parts"), QUERIES)
def test_queries(trained, method, bad, error, parts):
    refuses(lambda: getattr(trained("cross_entropy"), method)(bad), error, *parts)


def read_only(shape):
    array = np.empty(shape, np.float32)
    array.flags.writeable = False
    return array


OUTS = [
    ([[0.0, 0.0]] * 4, DTypeError, ["out is a list", "float32"]),
    (np.empty((4, 2)), DTypeError, ["out has dtype float64", "float32"]),
    (np.empty((4, 2), ">f4"), DTypeError, ["out has dtype >f4"]),
    (np.empty((4, 3), np.float32), ShapeError, ["out has shape (4, 3)", "(4, 2)"]),
    (np.empty((5, 2), np.float32), ShapeError, ["out has shape (5, 2)", "(4, 2)"]),
    (np.empty((2, 4), np.float32).T, ParameterError, ["out is strided", "C-contiguous"]),
    (np.empty((8, 2), np.float32)[::2], ParameterError, ["out is strided"]),
    (read_only((4, 2)), ParameterError, ["read-only"]),
    (np.empty(33, np.uint8)[1:].view(np.float32).reshape(4, 2), ParameterError, ["misaligned"]),
]


@pytest.mark.parametrize(("out", "error", "parts"), OUTS)
def test_out(trained, out, error, parts):
    refuses(lambda: trained().predict(X, out=out), error, *parts)


@pytest.mark.parametrize(("out", "error", "parts"), OUTS)
def test_out_for_plain_arrays(trained, out, error, parts):
    """predict has a short cut for them."""
    refuses(lambda: trained().predict(X.astype(np.float32), out=out), error, *parts)


@pytest.mark.parametrize(
    "bad", [np.ones((4, 2)), np.ones(2), np.ones(()), np.ones((1, 1, 3)), np.ones((4, 0))]
)
def test_plain_queries(trained, bad):
    refuses(lambda: trained().predict(bad.astype(np.float32)), ShapeError, f"X has shape {bad.shape}")


@pytest.mark.parametrize("shape", [(2,), (1, 3), (1, 2, 1), ()])
def test_out_for_one_plain_row(trained, shape):
    row, out = X[0].astype(np.float32), np.empty(shape, np.float32)
    if shape == (2,):
        assert trained().predict(row, out=out) is out
    else:
        refuses(lambda: trained().predict(row, out=out), ShapeError, f"out has shape {shape}")


def test_out_that_overlaps_the_input(network_class):
    memory = np.zeros(20, np.float32)
    net = network_class([3, 2], seed=0)
    rows = memory[:12].reshape(4, 3)
    for first in (0, 4, 11):
        out = memory[first : first + 8].reshape(4, 2)
        refuses(lambda out=out: net.predict(rows, out=out), ParameterError, "shares memory with X")
    net.predict(rows, out=memory[12:].reshape(4, 2))


def test_out_that_is_the_input(network_class):
    net = network_class([3, 3])
    both = np.ones((4, 3), np.float32)
    refuses(lambda: net.predict(both, out=both), ParameterError, "shares memory with X")


@pytest.mark.parametrize(
    ("d_output", "error", "parts"),
    [
        (np.ones((3, 2)), ShapeError, ["d_output has shape (3, 2)", "(4, 2)", "forward"]),
        (np.ones(2), ShapeError, ["d_output has shape (2,)"]),
        (np.ones((4, 2), complex), DTypeError, ["d_output has dtype complex128"]),
        (with_value(NAN, (1, 1), (4, 2)), DataError, ["d_output[1, 1] is nan"]),
        (with_value(1e300, (1, 1), (4, 2)), DataError, ["d_output[1, 1] is 1e+300", "in float32"]),
    ],
)
def test_d_output(trained, d_output, error, parts):
    refuses(lambda: trained().backward(d_output), error, *parts)


def test_forward_of_nothing(trained):
    refuses(lambda: trained().forward(np.ones((0, 3))), ShapeError, "X has no rows")


@pytest.mark.parametrize("bad", ["lbfgs", None, 0.1, Adam])
def test_optimizers(trained, bad):
    refuses(lambda: setattr(trained(), "optimizer", bad), ParameterError, "optimizer is")


def test_classes_of_other_outputs(trained):
    refuses(
        lambda: trained("mse").predict_classes(X), ParameterError, "output_activation is identity", "softmax"
    )


def test_classes_of_nan(trained):
    refuses(
        lambda: trained("cross_entropy").predict_classes(with_value(NAN)),
        DataError,
        "outputs for X[2] are NaN",
    )
    refuses(lambda: trained("cross_entropy").predict_classes([0, NAN, 0]), DataError, "outputs for X are NaN")


# ---- step: it predicts, and no gradient can train it -------------------------------------------------------


@pytest.mark.parametrize("layers", [[3, Dense(4, "step"), 2], [3, 4, Dense(2, "step")]])
@pytest.mark.parametrize("method", ["fit", "train_on_batch", "loss_and_gradients"])
def test_step_cannot_be_trained(network_class, layers, method):
    net = network_class(layers)
    where = f"layers[{1 if len(layers) == 3 and layers[1] != 4 else 2}] has the activation step"
    refuses(
        lambda: getattr(net, method)(X, Y), ParameterError, where, "derivative is 0 everywhere", "no gradient"
    )
    assert net.predict(X).shape == net.forward(X).shape == (4, 2)
    net.evaluate(X, Y)
    refuses(lambda: net.backward(np.ones((4, 2))), ParameterError, where)


# ---- errors far into the data ------------------------------------------------------------------------------


def test_positions_in_later_blocks(network_class, monkeypatch):
    monkeypatch.setattr(fastbp._data.checks, "BLOCK", 30)
    n = 1000
    big = np.ones((n, 3))
    classifier, binary = (
        network_class([3, 2], loss=loss) for loss in ("cross_entropy", "binary_cross_entropy")
    )
    labels, shares = np.zeros(n, int), np.full((n, 2), 0.5)
    bad = big.copy()
    bad[777, 2] = NAN
    refuses(lambda: classifier.fit(bad, labels), DataError, "X[777, 2] is nan")
    labels[888] = 5
    refuses(lambda: classifier.fit(big, labels), DataError, "y[888] is 5")
    shares[999] = 0.4
    refuses(lambda: classifier.fit(big, shares), DataError, "y[999] sums to 0.8")
    shares[555, 1] = 1.5
    refuses(lambda: binary.fit(big, shares), DataError, "y[555, 1] is 1.5")


def test_probabilities_need_not_be_exact(network_class, rng):
    rows = rng.random((50, 300))
    rows /= rows.sum(axis=1, keepdims=True)
    network_class([3, 300], loss="cross_entropy").fit(np.ones((50, 3)), rows.astype(np.float16))


def test_finite_in_float64_is_enough_for_a_float64_network(network_class):
    network_class([3, 2], dtype="float64").evaluate(with_value(1e39), Y)


def test_float32_rounds_to_nearest_before_it_decides(network_class):
    """Halfway between the largest float32 and the next power of two is what no longer rounds to it."""
    limit = 2.0**128 - 2.0**103
    net = network_class([3, 2])
    net.evaluate(with_value(np.nextafter(limit, 0)), Y)
    refuses(lambda: net.evaluate(with_value(limit), Y), DataError, "X[2, 1]")
