"""Sample and class weights that are refused, and those at the limits of a dtype."""

import numpy as np
import pytest

import fastbp
from fastbp import losses
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError
from helpers.inside import engine_of
from helpers.tables import DTYPES, ENGINES
from helpers.weighted import make, weighted_problem

every_dtype = pytest.mark.parametrize("dtype", DTYPES)


NAN = float("nan")

BAD_SAMPLE_WEIGHTS = [
    ([1, 1], ShapeError, "sample_weight has shape (2,), expected (4,)"),
    (
        np.ones((4, 2)),
        ShapeError,
        "sample_weight has shape (4, 2), expected (4,), one per row of X, or (4, 1)",
    ),
    (1.0, ShapeError, "sample_weight has shape (), expected (4,)"),
    ("1111", DTypeError, "sample_weight has dtype <U4"),
    (np.ones(4, complex), DTypeError, "sample_weight has dtype complex128"),
    ([1, NAN, 1, 1], DataError, "sample_weight[1] is nan, expected a finite number"),
    ([1, 1, 1, np.inf], DataError, "sample_weight[3] is inf, expected a finite number"),
    ([1, 1, 1e39, 1], DataError, "sample_weight[2] is 1e+39, expected a finite number in float32"),
    ([1, 1, -1, 1], DataError, "sample_weight[2] is -1.0, expected 0, or a number >= 1.18e-38"),
    ([1, 1, 1e-40, 1], DataError, "sample_weight[2] is 1e-40, expected 0, or a number"),
    ([0, 0, 0, 0], DataError, "sample_weight sums to 0, expected above 0"),
    ([3e38, 3e38, 3e38, 1], DataError, "sample_weight sums to 9e+38, expected above 0 and below 8.51e+37"),
]

FOUR = np.array([0, 1, 1, 2])

BAD_CLASS_WEIGHTS = [
    ("cross_entropy", 3, FOUR, {3: 1}, ParameterError, "a key of class_weight is 3, expected an integer"),
    ("cross_entropy", 3, FOUR, {-1: 1}, ParameterError, "a key of class_weight is -1, expected an integer"),
    ("cross_entropy", 3, FOUR, {"0": 1}, ParameterError, "a key of class_weight is '0'"),
    ("cross_entropy", 3, FOUR, {0: -1}, ParameterError, "class_weight[0] is -1, expected a finite number"),
    ("cross_entropy", 3, FOUR, {0: NAN}, ParameterError, "class_weight[0] is nan, expected a finite"),
    ("cross_entropy", 3, FOUR, {0: 0, 1: 0, 2: 0}, DataError, "class_weight sums to 0, expected above 0"),
    ("cross_entropy", 3, FOUR, "even", ParameterError, "class_weight is 'even', expected 'balanced' or"),
    ("cross_entropy", 3, FOUR, [1, 2, 3], ParameterError, "class_weight is [1, 2, 3], expected 'balanced'"),
    (
        "cross_entropy",
        3,
        [[0, 1, 0], [1, 0, 0], [0, 0.5, 0.5], [0, 0, 1]],
        "balanced",
        DataError,
        "y[2, 1] is 0.5, expected 0 or 1 with class_weight: a row of probabilities has a class only if",
    ),
    (
        "binary_cross_entropy",
        2,
        np.ones((4, 2)),
        "balanced",
        ParameterError,
        "class_weight with the loss 'binary_cross_entropy' and 2 outputs, expected one output",
    ),
    (
        "hinge",
        3,
        np.ones((4, 3)),
        "balanced",
        ParameterError,
        "class_weight with the loss 'hinge' and 3 outputs, expected one output",
    ),
    (
        "hinge",
        1,
        [1, -1, 1, 1],
        {0: 2},
        ParameterError,
        "a key of class_weight is 0, expected one of [-1, 1]",
    ),
    (
        "hinge",
        1,
        [1, -1, 1, 1],
        {2: 2},
        ParameterError,
        "a key of class_weight is 2, expected an integer >= -1",
    ),
    (
        "binary_cross_entropy",
        1,
        [0, 1, 0.5, 1],
        {1: 2},
        DataError,
        "y[2, 0] is 0.5, expected a label, 0 or 1",
    ),
    ("binary_cross_entropy", 1, [0, 1, 0, 1], {2: 2}, ParameterError, "a key of class_weight is 2"),
    (
        "mse",
        1,
        [0, 1, 0, 1],
        "balanced",
        ParameterError,
        "class_weight with the loss 'mse', which has no classes",
    ),
]

METHODS = ["fit", "train_on_batch", "loss_and_gradients"]


def refuses(network_class, loss, n_out, y, method, weights, error, text, state_of):
    net = network_class([2, n_out], loss=loss, seed=0)
    before = state_of(net)
    with pytest.raises(error) as caught:
        getattr(net, method)(np.ones((4, 2)), np.asarray(y), **weights)
    assert text in str(caught.value)
    assert state_of(net) == before


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("weights", "error", "text"), BAD_SAMPLE_WEIGHTS)
def test_bad_sample_weights(method, weights, error, text, network_class, state_of):
    given = {"sample_weight": weights}
    refuses(network_class, "mse", 1, np.ones(4), method, given, error, text, state_of)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("loss", "n_out", "y", "weights", "error", "text"), BAD_CLASS_WEIGHTS)
def test_bad_class_weights(method, loss, n_out, y, weights, error, text, network_class, state_of):
    refuses(network_class, loss, n_out, y, method, {"class_weight": weights}, error, text, state_of)


def own(output, target):
    return 0.0, np.zeros_like(output)


@pytest.mark.parametrize("given", ["sample_weight", "class_weight"])
def test_a_custom_loss_takes_no_weights(given, network_class, state_of):
    weights, text = {given: "balanced"}, f"{given} with a custom loss, expected None"
    refuses(network_class, own, 2, np.ones(4), "fit", weights, ParameterError, text, state_of)


@pytest.mark.parametrize(
    ("sample", "label", "product"),
    [(1e-20, 1e-20, "1e-40, expected 0, or a number >= 1.18e-38"), (1e300, 1e300, "inf"), (np.inf, 0, "nan")],
)
def test_products_that_are_no_weights(sample, label, product, network_class, state_of):
    given = {"sample_weight": [sample, 1, 1, 1], "class_weight": {0: label}}
    text = f"sample_weight * class_weight[0] is {product}"
    refuses(network_class, "cross_entropy", 3, FOUR, "fit", given, DataError, text, state_of)


@pytest.mark.parametrize(("loss", "refused"), [("mse", True), ("cross_entropy", False), ("half_sse", False)])
def test_weights_times_outputs_that_overflow(loss, refused, network_class):
    """A batch of mse divides by the weights times the outputs: by a number whose inverse is normal."""
    net = network_class([2, 500], loss=loss, seed=0)
    weights, y = np.full(4, 4e36), np.zeros((4, 500))
    y[:, 0] = 1
    if refused:
        with pytest.raises(DataError, match=r"sample_weight sums to 1.6e\+37, expected .* below 1.7e\+35 "):
            net.loss_and_gradients(np.ones((4, 2)), y, sample_weight=weights)
    else:
        net.loss_and_gradients(np.ones((4, 2)), y, sample_weight=weights)
    for fits in (weights / 1000, [1.6e35, 1, 1, 1]):
        net.loss_and_gradients(np.ones((4, 2)), y, sample_weight=fits)


@every_dtype
def test_weights_far_from_1(dtype, network_class, isa, rng):
    """Only their proportions count."""
    X, y = weighted_problem((3, 5, 2), losses.mse, 20, rng)
    weights = rng.uniform(1, 3, 20)
    results = []
    for scale in (1.0, 1e-30, 1e30):
        net = make(network_class, (3, 5, 2), losses.mse, dtype)
        net.fit(X, y, sample_weight=scale * weights, batch_size=3)
        results.append(net.parameters.astype(np.float64))
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=0, atol=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("network_class", ENGINES)
@pytest.mark.parametrize("call", ["fit", "loss_and_gradients", "minimize"])
@pytest.mark.parametrize("memory", ["parameters", "gradients"])
def test_weights_in_memory_that_a_step_writes(network_class, call, memory, rng):
    """The weights of the call's start are used in all later row blocks, steps and iterations."""
    X = rng.standard_normal((2000, 3))
    y = np.sin(X[:, :1])
    found = []
    for copied in (False, True):
        net = network_class([3, 600, 1], dtype="float64", seed=0)
        net.parameters[:] = np.abs(net.parameters) + 0.01
        net.loss_and_gradients(X, y)
        net.gradients[:] = np.abs(net.gradients) + 0.01
        weights = getattr(net, memory)[:2000]
        weights = weights.copy() if copied else weights
        if call == "minimize":
            pytest.importorskip("scipy")
            fastbp.minimize(net, X, y, sample_weight=weights, max_iterations=3)
        else:
            getattr(net, call)(X, y, sample_weight=weights)
        found.append((net.parameters.copy(), engine_of(net).gradients.copy()))
    np.testing.assert_array_equal(*(parameters for parameters, _ in found))
    np.testing.assert_array_equal(*(gradients for _, gradients in found))
