"""class_weight of the classifier: weights of samples by their labels."""

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from sklearn.utils.class_weight import compute_sample_weight

from helpers.estimators import MLPClassifier, answers, fit, rows

X = rows(60)
LABELS = answers(X, "multiclass")
LABELS[:25] = 0  # classes of different sizes
NAMES = np.array(["ash", "beech", "cedar"])[LABELS]
MULTILABEL = answers(X, "multilabel")
OPTIONS = {"max_iter": 5, "random_state": 0, "shuffle": False, "batch_size": 20, "solver": "sgd"}


def alike(y, class_weight, sample_weight, **options):
    """Assert that class weights do what these sample weights do; that is not nothing."""
    options = OPTIONS | options
    by_class = fit(MLPClassifier(class_weight=class_weight, **options), X, y)
    by_sample = fit(MLPClassifier(**options), X, y, sample_weight=sample_weight)
    plain = fit(MLPClassifier(**options), X, y)
    assert by_class.loss_ == pytest.approx(by_sample.loss_, rel=1e-12)
    for value, expected in zip(by_class.coefs_, by_sample.coefs_, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-15)
    assert by_class.loss_ != pytest.approx(plain.loss_, rel=1e-6)


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_weights_by_label(solver):
    weights = np.array([0.5, 1.0, 3.0])
    alike(LABELS, {0: 0.5, 2: 3.0}, weights[LABELS], solver=solver)
    alike(NAMES, {"ash": 0.5, "cedar": 3.0}, weights[LABELS], solver=solver)
    two = LABELS > 0
    alike(two, {True: 3.0}, np.where(two, 3.0, 1.0), solver=solver)


def test_balanced():
    for y in (LABELS, NAMES, LABELS > 0, NAMES.astype(object)):
        alike(y, "balanced", compute_sample_weight("balanced", y))


def test_labels_of_a_multilabel_problem():
    """As scikit-learn: one dictionary per label; the weights of a row are multiplied."""
    each = [{0: 1.0, 1: 2.0}, {0: 0.5, 1: 1.0}, {0: 1.0, 1: 3.0}]
    alike(MULTILABEL, each, compute_sample_weight(each, MULTILABEL))
    alike(MULTILABEL, "balanced", compute_sample_weight("balanced", MULTILABEL))


def test_times_sample_weight():
    own = np.random.default_rng(0).uniform(0.5, 2, size=60)
    both = fit(MLPClassifier(class_weight={0: 0.5}, **OPTIONS), X, LABELS, sample_weight=own)
    product = fit(MLPClassifier(**OPTIONS), X, LABELS, sample_weight=own * np.where(LABELS == 0, 0.5, 1.0))
    assert both.loss_ == pytest.approx(product.loss_, rel=1e-12)


def test_partial_fit():
    weights = {0: 0.5, 1: 1.0, 2: 3.0}
    by_class = MLPClassifier(class_weight=weights, **OPTIONS)
    by_sample = MLPClassifier(**OPTIONS)
    for _ in range(3):
        by_class.partial_fit(X, LABELS, classes=[0, 1, 2])
        by_sample.partial_fit(X, LABELS, np.vectorize(weights.get)(LABELS), [0, 1, 2])
    np.testing.assert_allclose(by_class.loss_curve_, by_sample.loss_curve_, rtol=1e-12)
    with pytest.raises(ValueError, match=r"class_weight.*balanced.*partial_fit"):
        MLPClassifier(class_weight="balanced").partial_fit(X, LABELS, classes=[0, 1, 2])


def test_nonsense():
    for given in ("even", {5: 1.0}, {0: -1.0}, {0: np.nan}, 3, [{0: 1.0}]):
        with pytest.raises((ValueError, TypeError), match=r"class_weight|The classes, \[5\]"):
            fit(MLPClassifier(class_weight=given, **OPTIONS), X, LABELS)
