"""Metrics as functions: by hand, against NumPy and scikit-learn, and the shapes they take."""

import math
import warnings
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from fastbp import DataError, ShapeError, losses, metrics
from fastbp.metrics import TopK, at_least_half, positive
from helpers.memory import traced_peak


@pytest.fixture
def sklearn_metrics():
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")


@pytest.fixture(params=["one block", "several"])
def blocks(request, monkeypatch):
    """A few rows per block, or all rows in one block."""
    if request.param == "several":
        monkeypatch.setattr(metrics, "BLOCK_ROWS", 7)


@pytest.fixture
def classes(rng):
    """Probabilities of three classes with ties, and labels."""
    output = rng.integers(1, 5, size=(100, 3)).astype(np.float32)
    return output / output.sum(axis=1, keepdims=True), rng.integers(3, size=100)


@pytest.fixture
def labels(rng):
    """Probabilities of four yes/no answers with ties, and these."""
    return rng.integers(0, 9, size=(100, 4)) / np.float32(8), rng.integers(2, size=(100, 4))


# ---- by hand -----------------------------------------------------------------------------------------------

P = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]])  # answers 0 1 0 2
T = np.array([0, 1, 1, 2])
YES = np.array([[0.9], [0.5], [0.4], [0.1]])  # answers yes yes no no
TRUE = np.array([[1.0], [0.0], [1.0], [0.0]])


def test_by_hand():
    assert metrics.accuracy(P, T) == 3 / 4
    assert metrics.f1(P, T) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert metrics.auc(P, T) == pytest.approx((1 + 1 + 1) / 3)
    assert TopK(2)(P, T) == 1
    assert metrics.accuracy(YES, TRUE, at_least_half) == 1 / 2
    assert metrics.f1(YES, TRUE, at_least_half) == 1 / 2
    assert metrics.auc(YES, TRUE, at_least_half) == 3 / 4
    assert metrics.r2(YES, TRUE) == pytest.approx(1 - (0.01 + 0.25 + 0.36 + 0.01))
    assert metrics.mae(YES, TRUE) == pytest.approx((0.1 + 0.5 + 0.6 + 0.1) / 4)


def test_signs():
    output, target = np.array([[2.0], [-0.5], [0.0], [0.1]]), np.array([[1], [-1], [-1], [-1]])
    assert metrics.accuracy(output, target, positive) == 3 / 4
    assert metrics.auc(output, target, positive) == 1
    assert metrics.f1(output, target, positive) == pytest.approx(2 / 3)


def test_r2_of_constant_targets():
    constant = np.full((4, 1), 3.0)
    assert metrics.r2(constant, constant) == 1
    assert metrics.r2(constant + 1, constant) == 0


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("constant", [0.1, 0.3, 1 / 3, 1e15 + 0.3, -1e-9, 0.5])
@pytest.mark.parametrize("n", [1, 2, 10, 49, 50])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_r2_of_constants_whose_mean_is_rounded(constant, n, dtype):
    target = np.full((n, 1), constant, dtype)
    assert metrics.r2(target, target) == 1
    assert metrics.r2(target + target, target) == 0
    one_of_two = np.hstack([target, np.arange(n, dtype=dtype)[:, None]])
    if n > 1:
        assert metrics.r2(np.hstack([2 * target, one_of_two[:, 1:]]), one_of_two) == 0.5


def exact_r2(output, target):
    h, t = ([Fraction(float(x)) for x in column[:, 0]] for column in (output, target))
    mean = sum(t) / len(t)
    return float(1 - sum((a - b) ** 2 for a, b in zip(h, t, strict=True)) / sum((b - mean) ** 2 for b in t))


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(
    ("offset", "unit"), [(0.1, 2**-56), (1e8, 1.0), (1e15, 1.0), (0.3, 1e-14), (-7.0, 1e3)]
)
def test_r2_of_targets_that_are_nearly_constant(rng, offset, unit):
    target = offset + unit * rng.integers(0, 3, (50, 1))
    output = target + unit * rng.normal(size=(50, 1))
    assert metrics.r2(output, target) == pytest.approx(exact_r2(output, target), rel=1e-12)
    assert metrics.r2(target, target) == 1


def test_r2_of_integers_and_nan(rng):
    target = rng.integers(0, 9, (30, 2))
    output = target + rng.normal(size=target.shape)
    for dtype in ("u1", "i8", ">i4", "f2"):
        assert metrics.r2(output, target.astype(dtype)) == metrics.r2(output, target.astype(float))
    assert metrics.r2(output, np.full((30, 2), 2**63 + 2**12, np.uint64)) == 0
    assert math.isnan(metrics.r2([[math.nan], [1.0]], [[1.0], [2.0]]))
    assert math.isnan(metrics.r2([[1.0], [1.0]], [[math.nan], [2.0]]))


def test_auc_of_ties_is_a_half():
    assert metrics.auc(np.full((4, 1), 0.3), TRUE, at_least_half) == 1 / 2


def test_without_yes_and_no_there_is_no_auc():
    assert math.isnan(metrics.auc(YES, np.ones((4, 1)), at_least_half))
    assert math.isnan(metrics.auc(P, np.zeros(4, int)))
    assert metrics.auc(P[:2], T[:2]) == 1  # of the classes 0 and 1; 2 is left out


def test_without_any_yes_there_is_no_f1():
    assert math.isnan(metrics.f1(np.zeros((4, 1)), np.zeros((4, 1)), at_least_half))
    assert metrics.f1(P[:2], T[:2]) == 1  # class 2 is left out


def test_of_equal_outputs_the_lower_class_counts_first():
    """The rule is that of `predict_classes`: constant outputs are right by chance alone."""
    output, target = np.ones((6, 3)), np.array([0, 0, 0, 1, 1, 2])
    assert TopK(1)(output, target) == metrics.accuracy(output, target) == 3 / 6
    assert TopK(2)(output, target) == 5 / 6


# ---- against NumPy and scikit-learn ------------------------------------------------------------------------


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, ">i4", bool])
def test_labels_of_any_integer_type_and_one_hot_rows(classes, dtype):
    output, target = classes
    target = target.astype(dtype)
    one_hot = np.eye(3)[target.astype(int)]
    assert metrics.accuracy(output, target) == np.mean(output.argmax(axis=1) == target)
    for metric in (metrics.accuracy, metrics.f1, metrics.auc, TopK(2)):
        assert metric(output, target) == metric(output, one_hot)


@pytest.mark.usefixtures("blocks")
def test_classes_as_scikit_learn(classes, sklearn_metrics):
    output, target = classes
    answers = output.argmax(axis=1)
    assert metrics.accuracy(output, target) == pytest.approx(sklearn_metrics.accuracy_score(target, answers))
    assert metrics.f1(output, target) == pytest.approx(
        sklearn_metrics.f1_score(target, answers, average="macro")
    )
    expected = sklearn_metrics.roc_auc_score(target, output, multi_class="ovr")
    assert metrics.auc(output, target) == pytest.approx(expected)


@pytest.mark.usefixtures("blocks")
def test_labels_as_scikit_learn(labels, sklearn_metrics):
    output, target = labels
    answers = output >= 0.5
    assert metrics.accuracy(output, target, at_least_half) == np.mean(answers == target)
    expected = sklearn_metrics.f1_score(target, answers, average="macro")
    assert metrics.f1(output, target, at_least_half) == pytest.approx(expected)
    expected = sklearn_metrics.roc_auc_score(target, output)
    assert metrics.auc(output, target, at_least_half) == pytest.approx(expected)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("k", [1, 2, 6])
def test_top_k_as_scikit_learn(rng, sklearn_metrics, k):
    output, target = rng.random((100, 7)), rng.integers(7, size=100)
    expected = sklearn_metrics.top_k_accuracy_score(target, output, k=k, labels=range(7))
    assert TopK(k)(output, target) == pytest.approx(expected)


@pytest.mark.usefixtures("blocks")
def test_numbers_as_scikit_learn(rng, sklearn_metrics):
    target = rng.normal(size=(100, 3))
    output = target + rng.normal(size=(100, 3))
    assert metrics.r2(output, target) == pytest.approx(sklearn_metrics.r2_score(target, output))
    assert metrics.mae(output, target) == pytest.approx(sklearn_metrics.mean_absolute_error(target, output))


# ---- shapes ------------------------------------------------------------------------------------------------

YES_NO = {
    f"{f.__name__} of yes/no": partial(f, read=at_least_half)
    for f in (metrics.accuracy, metrics.f1, metrics.auc)
}

OF_COLUMNS = YES_NO | {"r2": metrics.r2, "mae": metrics.mae}
OF_ROWS = {f.__name__: f for f in (metrics.accuracy, metrics.f1, metrics.auc)} | {"top_k": TopK(2)}


@pytest.mark.parametrize("metric", OF_COLUMNS.values(), ids=OF_COLUMNS)
def test_one_output_is_a_column(rng, metric):
    """(n,) and (n, 1) are the same on either side, and nothing is broadcast to (n, n)."""
    output, target = rng.random(50), rng.integers(2, size=50)
    expected = metric(output[:, None], target[:, None])
    assert (
        metric(output[:, None], target)
        == metric(output, target[:, None])
        == metric(output, target)
        == expected
    )
    assert metric(output.tolist(), target.tolist()) == expected


@pytest.mark.parametrize("metric", (OF_COLUMNS | OF_ROWS).values(), ids=OF_COLUMNS | OF_ROWS)
@pytest.mark.parametrize(
    ("output", "target", "argument"),
    [
        (P, np.ones((3, 3)), "target"),
        (P, np.ones((4, 2)), "target"),
        (P, np.ones(3, int), "target"),
        (P, np.ones((1, 3)), "target"),
        (P, np.ones((4, 1)), "target"),
        (P, np.ones((4, 3, 1)), "target"),
        (P, 1, "target"),
        (P, [], "target"),
        (np.ones((0, 3)), np.ones((0, 3)), "output"),
        (np.ones((3, 0)), np.ones((3, 0)), "output"),
        ([], [], "output"),
        (0.5, 1, "output"),
        (np.ones((4, 3, 2)), np.ones((4, 3, 2)), "output"),
    ],
)
def test_shapes_that_do_not_fit(metric, output, target, argument):
    with pytest.raises(ShapeError, match=f"{argument} has shape .* expected"):
        metric(output, target)


@pytest.mark.parametrize("metric", OF_COLUMNS.values(), ids=OF_COLUMNS)
def test_labels_are_no_columns(metric):
    with pytest.raises(ShapeError, match=r"target has shape \(4,\), expected \(4, 3\) as output has"):
        metric(P, T)
    with pytest.raises(
        ShapeError, match=r"target has shape \(3,\), expected \(4, 1\) or \(4,\) as output has"
    ):
        metric(YES, T[:3])


@pytest.mark.parametrize("metric", OF_ROWS.values(), ids=OF_ROWS)
def test_labels_that_are_none(metric):
    for label, at in ((3, 0), (-1, 2)):
        labels = T.copy()
        labels[at] = label
        with pytest.raises(DataError, match=f"target has the label {label}, expected 0 to 2"):
            metric(P, labels)
    with pytest.raises(ShapeError, match="dtype float64, expected integer labels"):
        metric(P, T + 0.5)
    for output in (YES, YES[:, 0]):
        with pytest.raises(
            ShapeError, match="output has one column, expected one for each class: read=at_least_half"
        ):
            metric(output, TRUE[:, 0].astype(int))


@pytest.mark.parametrize("metric", (OF_COLUMNS | OF_ROWS).values(), ids=OF_COLUMNS | OF_ROWS)
def test_where_numpy_raises(metric):
    """Over- and underflow in a metric raises nothing, whatever numpy.seterr says."""
    target = np.array([[0, 1], [1, 0], [1, 0]])
    for number in (0, 1e-320, 1e-200, 1e-30, 1e200, -1e308, math.inf, math.nan):
        output = np.array([[number, 0.5], [1, 2], [0.1, number]])
        quiet = metric(output, target)
        with np.errstate(all="raise"):
            np.testing.assert_equal(metric(output, target), quiet)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_nothing_as_large_as_the_outputs_is_allocated(rng, loss):
    output = rng.random((50_000, 20))
    target = rng.integers(20, size=50_000) if loss == "cross_entropy" else rng.integers(2, size=output.shape)
    for metric in metrics.named(losses.get(loss)).values():
        assert traced_peak(lambda metric=metric: metric.measure(output, target)) < output.nbytes / 3


def test_huge_numbers_warn_about_nothing():
    huge = np.full((2, 1), 1e300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.r2(huge, -huge) == 0
        assert metrics.mae(np.full((2, 1), np.inf), huge) == math.inf
