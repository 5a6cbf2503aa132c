"""Metrics with weights, against scikit-learn and against metrics of the rows that count."""

import numpy as np
import pytest

from fastbp import metrics
from fastbp.exceptions import DataError, DTypeError, ShapeError
from fastbp.metrics import TopK, at_least_half, positive

nan = np.nan


@pytest.fixture
def weights(rng):
    """A third of them 0."""
    return np.where(rng.random(60) < 1 / 3, 0, rng.uniform(0.1, 3, 60))


@pytest.fixture(params=[1, 4096])
def blocks(request, monkeypatch):
    """Compare one row at a time, and many."""
    monkeypatch.setattr(metrics, "BLOCK_ROWS", request.param)


@pytest.fixture
def their():
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")


@pytest.mark.usefixtures("blocks")
def test_metrics_of_classes_are_scikit_learns(rng, weights, their):
    output = np.round(rng.dirichlet(np.ones(4), 60), 2)  # with ties
    output /= output.sum(axis=1, keepdims=True)
    labels = rng.integers(0, 4, 60)
    answers, kept = output.argmax(axis=1), weights > 0
    expected = their.accuracy_score(labels, answers, sample_weight=weights)
    assert metrics.accuracy(output, labels, sample_weight=weights) == pytest.approx(expected, rel=1e-12)
    expected = their.f1_score(labels, answers, average="macro", sample_weight=weights)
    assert metrics.f1(output, labels, sample_weight=weights) == pytest.approx(expected, rel=1e-12)
    areas = [
        their.roc_auc_score(labels[kept] == j, output[kept, j], sample_weight=weights[kept]) for j in range(4)
    ]
    assert metrics.auc(output, labels, sample_weight=weights) == pytest.approx(np.mean(areas), rel=1e-12)
    distinct = rng.random((60, 4))
    expected = their.top_k_accuracy_score(labels, distinct, k=2, sample_weight=weights, labels=range(4))
    assert TopK(2)(distinct, labels, sample_weight=weights) == pytest.approx(expected, rel=1e-12)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("kind", ["rows", "targets"])
def test_metrics_of_yes_and_no_are_scikit_learns(kind, outputs, rng, weights, their):
    output = np.round(rng.random((60, outputs)), 1)
    target = rng.integers(0, 2, (60, outputs)).astype(float)
    if kind == "targets":
        weights = weights[:, None] * rng.integers(0, 3, (60, outputs))
    each = np.broadcast_to(weights.reshape(60, -1), (60, outputs))
    columns = [(target[:, j], output[:, j], each[:, j]) for j in range(outputs)]
    given = {"read": at_least_half, "sample_weight": weights}
    expected = their.accuracy_score(target.ravel(), output.ravel() >= 0.5, sample_weight=each.ravel())
    assert metrics.accuracy(output, target, **given) == pytest.approx(expected, rel=1e-12)
    expected = np.mean([their.f1_score(t, h >= 0.5, sample_weight=w) for t, h, w in columns])
    assert metrics.f1(output, target, **given) == pytest.approx(expected, rel=1e-12)
    expected = np.mean([their.roc_auc_score(t, h, sample_weight=w) for t, h, w in columns])
    assert metrics.auc(output, target, **given) == pytest.approx(expected, rel=1e-12)
    signs = {"read": positive, "sample_weight": weights}
    assert metrics.accuracy(output - 0.45, 2 * target - 1, **signs) == metrics.accuracy(
        output, target, **given
    )


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "i4"])
@pytest.mark.parametrize("kind", ["rows", "targets"])
def test_metrics_of_numbers_are_scikit_learns(kind, dtype, rng, weights, their):
    output, target = 9 * rng.normal(size=(60, 3)), (9 * rng.normal(size=(60, 3))).astype(dtype)
    if kind == "targets":
        weights = weights[:, None] * rng.integers(0, 3, (60, 3))
    each = np.broadcast_to(weights.reshape(60, -1), (60, 3))
    expected = np.mean(
        [their.r2_score(target[:, j], output[:, j], sample_weight=each[:, j]) for j in range(3)]
    )
    assert metrics.r2(output, target, sample_weight=weights) == pytest.approx(expected, rel=1e-12)
    expected = their.mean_absolute_error(target.ravel(), output.ravel(), sample_weight=each.ravel())
    assert metrics.mae(output, target, sample_weight=weights) == pytest.approx(expected, rel=1e-12)


METRICS = {
    "accuracy": lambda h, t, w: metrics.accuracy(h, t, at_least_half, w),
    "f1": lambda h, t, w: metrics.f1(h, t, at_least_half, w),
    "auc": lambda h, t, w: metrics.auc(h, t, at_least_half, w),
    "r2": metrics.r2,
    "mae": metrics.mae,
}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


@pytest.mark.usefixtures("blocks")
@every_metric
def test_what_has_no_weight_is_left_out(metric, rng, weights):
    output, target = rng.random((60, 2)), rng.integers(0, 2, (60, 2)).astype(float)
    kept = weights > 0
    expected = metric(output[kept], target[kept], weights[kept])
    odd = np.where(kept[:, None], target, nan)
    assert metric(output, odd, weights) == pytest.approx(expected, rel=1e-12)
    assert metric(np.where(kept[:, None], output, np.inf), odd, weights) == pytest.approx(expected, rel=1e-12)
    assert metric(output, target, np.repeat(weights[:, None], 2, 1)) == pytest.approx(
        metric(output, target, weights), rel=1e-12
    )


@every_metric
def test_equal_weights_are_none(metric, rng):
    output, target = rng.random((60, 2)), rng.integers(0, 2, (60, 2))
    for weight in (1, 0.3, 1e-30, 1e-320, 1e308):
        value = metric(output, target, np.full(60, weight))
        assert value == pytest.approx(metric(output, target, None), rel=1e-12)


def test_outputs_without_weight_are_left_out():
    output, target = np.array([[1.0, 5], [2, 6], [3, 8]]), np.array([[1.0, nan], [2, nan], [4, nan]])
    weights = ~np.isnan(target)
    assert metrics.r2(output, target, weights) == metrics.r2(output[:, :1], target[:, :1])
    assert metrics.auc([[0.2, 0.1], [0.8, 0.3]], [[0, nan], [1, nan]], at_least_half, [[1, 0], [1, 0]]) == 1
    constant = np.array([[nan, 0.1], [0.3, 0.1], [0.3, nan]])
    assert metrics.r2(constant, constant, ~np.isnan(constant)) == 1
    assert metrics.r2(constant + 1, constant, ~np.isnan(constant)) == 0


@every_metric
@pytest.mark.parametrize(
    ("weights", "error", "text"),
    [
        ([1, 1], ShapeError, r"sample_weight has shape \(2,\), expected \(3,\) or \(3, 2\)"),
        ([1, -1, 1], DataError, "sample_weight has negative"),
        ([1, nan, 1], DataError, "sample_weight has negative or not finite numbers or only 0"),
        ([1, np.inf, 1], DataError, "expected weights >= 0"),
        ([0, 0, 0], DataError, "or only 0"),
        ("abc", DTypeError, "sample_weight has dtype"),
    ],
)
def test_bad_weights(metric, weights, error, text):
    with pytest.raises(error, match=text):
        metric(np.ones((3, 2)), np.ones((3, 2)), weights)


@pytest.mark.parametrize("metric", [metrics.accuracy, metrics.f1, metrics.auc, TopK(1)])
def test_classes_have_weights_of_rows(metric):
    with pytest.raises(ShapeError, match=r"sample_weight has shape \(3, 2\), expected \(3,\)$"):
        metric(np.ones((3, 2)), [0, 1, 0], sample_weight=np.ones((3, 2)))
