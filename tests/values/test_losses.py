"""Losses as functions of arrays: values, gradients, extremes, refusals."""

import math

import numpy as np
import pytest

from fastbp import activations, losses
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError
from fastbp.losses import (
    CrossEntropy,
    HalfSSE,
    Huber,
    Quantile,
)
from helpers.differences import central_differences
from helpers.problems import fitting

nan, inf = math.nan, math.inf


H = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
T = np.array([[0.0, 1.0, 0.0], [0.7, 0.2, 0.1]])


def example(loss):
    """H and T, or as many columns of them as the loss has outputs and targets."""
    _, n_out = fitting((1, 3), loss)
    return np.resize(H.T, (n_out, 2)).T, T[:, : n_out // loss.outputs_per_target]


def test_losses_by_hand():
    r = H - T
    assert losses.half_sse(H, T) == pytest.approx(np.sum(r**2) / 2, rel=1e-15)
    assert HalfSSE(reduction="mean")(H, T) == pytest.approx(np.sum(r**2) / 4, rel=1e-15)
    assert losses.mse(H, T) == pytest.approx(np.sum(r**2) / 6, rel=1e-15)
    assert losses.mae(H, T) == pytest.approx(np.sum(abs(r)) / 6, rel=1e-15)
    assert Huber(delta=0.4)([[0, 0.3, -2]], [[0, 0, 0]]) == pytest.approx((0.045 + 0.4 * 1.8) / 3, rel=1e-15)
    assert losses.log_cosh([[0, 0.5, -800]], [[0, 0, 0]]) == pytest.approx(
        (math.log(math.cosh(0.5)) + 800 - math.log(2)) / 3, rel=1e-15
    )
    assert Quantile(0.9)([[1, 2, 5]], [[3, 2, 1]]) == pytest.approx((0.9 * 2 + 0.1 * 4) / 3, rel=1e-15)
    assert losses.hinge([[0.5, -2, 3]], [[1, 1, -1]]) == pytest.approx((0.5 + 3 + 4) / 3, rel=1e-15)
    assert losses.poisson([[2, 0.5]], [[3, 0]]) == pytest.approx((2 - 3 * math.log(2) + 0.5) / 2, rel=1e-15)
    assert CrossEntropy(0.3)(H[:1], [1]) == pytest.approx(
        -(0.1 * math.log(0.2) + 0.8 * math.log(0.5) + 0.1 * math.log(0.3)), rel=1e-15
    )
    assert losses.binary_cross_entropy([0.25], [0.5]) == pytest.approx(-math.log(0.25 * 0.75) / 2, rel=1e-15)
    assert losses.cross_entropy(H, [1, 0]) == pytest.approx(-math.log(0.5 * 0.6) / 2, rel=1e-15)


def test_slopes_at_kinks():
    """The slope at a kink is 0 for all three, as documented."""
    for loss, h, t in (
        (losses.mae, 2.0, 2.0),
        (Quantile(0.9), 2.0, 2.0),
        (losses.hinge, 1.0, 1.0),
        (losses.hinge, -1.0, -1.0),
    ):
        assert loss.gradient([h], [t]) == 0


@pytest.mark.parametrize(
    "loss",
    [*losses.LOSSES.values(), HalfSSE(reduction="mean"), Huber(0.4), Quantile(0.9), CrossEntropy(0.1)],
    ids=repr,
)
def test_loss_gradient_is_the_numerical_one(loss):
    h, t = example(loss)
    moved = h.copy()
    numerical = central_differences(lambda: loss(moved, t), moved, 1e-6)
    gradient = loss.gradient(h, t)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-8, atol=1e-9)
    single = loss.gradient(h.astype(np.float32), t)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, gradient, rtol=1e-6)


@pytest.mark.parametrize("loss", losses.LOSSES.values(), ids=repr)
def test_loss_leaves_its_arguments_alone(loss):
    given = example(loss)
    h, t = (array.copy() for array in given)
    assert isinstance(loss(h, t), float)
    loss.gradient(h, t)
    np.testing.assert_array_equal(h, given[0])
    np.testing.assert_array_equal(t, given[1])


@pytest.mark.parametrize("loss", losses.LOSSES.values(), ids=repr)
def test_loss_passes_nan_on(loss):
    h, t = example(loss)
    assert math.isnan(loss(h, np.full_like(t, nan)))
    h = h.copy()
    h[1, 0] = nan
    assert math.isnan(loss(h, t))
    assert math.isnan(loss.gradient(h, t)[1, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_poisson_stays_finite_at_0(dtype):
    zero = np.zeros((1, 1), dtype)
    assert losses.poisson(zero, zero) == 0
    assert losses.poisson(zero, zero + 2) == 200
    assert np.isfinite(losses.poisson.gradient(zero, zero + 2)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropies_stay_finite_at_0_and_1(dtype):
    h = np.array([[0, 1], [1, 0]], dtype)
    assert losses.binary_cross_entropy(h, 1 - h) == 100
    assert losses.cross_entropy(h, 1 - h) == 100
    for loss in (losses.binary_cross_entropy, losses.cross_entropy):
        assert loss(h, h) == 0
        assert np.isfinite(loss.gradient(h, 1 - h)).all()


def test_loss_sums_in_double():
    h = np.full((100_000, 1), 0.1, np.float32)
    term = float(np.float32(0.5) * h[0, 0] * h[0, 0])
    assert losses.half_sse(h, np.zeros_like(h)) == pytest.approx(100_000 * term, rel=1e-11)


def test_one_row_and_one_output_need_one_dimension():
    assert losses.mse(H[0], T[0]) == losses.mse(H[:1], T[:1])
    assert HalfSSE(reduction="mean")(H[0], T[0]) == HalfSSE(reduction="mean")(H[:1], T[:1])
    assert losses.cross_entropy(H[0], 1) == losses.cross_entropy(H[:1], [1])
    assert losses.mse.gradient(H[0], T[0]).shape == (3,)
    assert losses.mse(H[:, :1], T[:, 0]) == losses.mse(H[:, :1], T[:, :1])
    np.testing.assert_array_equal(
        losses.mse.gradient(H[:, :1], T[:, 0]), losses.mse.gradient(H[:, :1], T[:, :1])
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64, ">i4", bool])
def test_labels_of_any_integer_dtype(dtype):
    assert losses.cross_entropy(H, np.array([1, 0], dtype)) == losses.cross_entropy(H, [[0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize("loss", [*losses.LOSSES.values(), losses.CrossEntropy(0.1)], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_where_numpy_raises(loss, dtype):
    """Over- and underflow in a loss raises nothing, whatever numpy.seterr says."""
    numbers = [
        0,
        1e-320,
        1e-310,
        1e-200,
        1e-45,
        1e-39,
        1,
        100,
        500,
        1e20,
        1e38,
        1e308,
        -1e308,
        -500,
        math.inf,
        math.nan,
    ]
    _, n_out = fitting((1, 2), loss)
    for h in numbers:
        with np.errstate(all="ignore"):
            output = np.array([[h, 0.5, h][:n_out]], dtype)
        for t in numbers:
            target = [[t, 0.5][: n_out // loss.outputs_per_target]]
            quiet = loss(output, target), loss.gradient(output, target)
            with np.errstate(all="raise"):
                raising = loss(output, target), loss.gradient(output, target)
            for one, other in zip(quiet, raising, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("loss", losses.LOSSES.values(), ids=repr)
def test_losses_of_one_output_do_not_broadcast(loss):
    """Targets (n,) of outputs (n, 1) are a column, and of no other shape."""
    each = loss.outputs_per_target
    output, target = np.repeat(np.linspace(0.1, 0.9, 5)[:, None], each, axis=1), np.ones(5)
    if loss.name != "cross_entropy":
        assert loss(output, target) == loss(output, target[:, None])
        assert loss.gradient(output, target).shape == (5, each)
    for h, t in (
        (output, target[:4]),
        *([(output[:, 0], target[:, None])] if each == 1 else []),
        (output, target[None]),
        (output, 1.0),
    ):
        for call in (loss, loss.gradient):
            with pytest.raises(ShapeError, match="target has shape"):
                call(h, t)


@pytest.mark.parametrize("loss", losses.LOSSES.values(), ids=repr)
def test_loss_refuses_shapes_that_do_not_fit(loss):
    h, t = example(loss)
    for target in (t[:1], t[:, :-1], t.T[:, :1], t[0], 0.5, t[None]):
        with pytest.raises(ShapeError, match="target has shape"):
            loss(h, target)
        with pytest.raises(ShapeError, match="target has shape"):
            loss.gradient(h, target)
    for output in (0.5, h[None], h[:0]):
        with pytest.raises(ShapeError, match=r"output has shape .* expected \(rows, outputs\)"):
            loss(output, t)
    with pytest.raises(DTypeError, match="output has dtype complex128, expected real numbers"):
        loss(h.astype(complex), t)
    with pytest.raises(DTypeError, match="target has dtype <U1, expected real numbers"):
        loss(h, np.full(t.shape, "a"))


def test_labels_are_checked():
    with pytest.raises(DataError, match="target has the label 3, expected 0 to 2"):
        losses.cross_entropy(H, [0, 3])
    with pytest.raises(DataError, match="target has the label -1, expected 0 to 2"):
        losses.cross_entropy(H, [-1, 0])
    with pytest.raises(
        ShapeError, match=r"target has shape \(2,\) and dtype float64, expected integer labels \(2,\)"
    ):
        losses.cross_entropy(H, [0.0, 1.0])


def test_pairs_that_make_no_sense_are_refused_by_name():
    for loss in losses.LOSSES.values():
        default = activations.get(losses.output_activation(loss))
        losses.check_pair(loss, default)
        for activation in activations.ACTIVATIONS.values():
            assert losses.allowed(loss, activation) == (loss.activation is None or activation == default)
    with pytest.raises(
        ParameterError, match=r"output_activation is 'relu' with the loss 'cross_entropy', .*'softmax'"
    ):
        losses.check_pair(losses.cross_entropy, activations.relu)
    with pytest.raises(
        ParameterError, match="'softmax' with the loss 'binary_cross_entropy', expected 'sigmoid'"
    ):
        losses.check_pair(losses.binary_cross_entropy, activations.softmax)
