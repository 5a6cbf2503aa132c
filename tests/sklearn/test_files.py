"""Model files of the estimators: what comes back."""

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

import fastbp
from fastbp.sklearn import MLPClassifier
from helpers.saved_estimators import CASES, CUSTOM, LABELS, X, classifier, fitted, predictions

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Training interrupted:UserWarning"
)

ATTRIBUTES = ["coefs_", "intercepts_", "network_", "_own_weights"]  # that vars() cannot compare


def same(one, other):
    """Tell whether two values are equal and of the same types, down to the bits and the order."""
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and bool((one == other).all())
    return type(one) is type(other) and repr(one) == repr(other)


def assert_same(one, other):
    """Check that two estimators agree in parameters, attributes and weights."""
    assert vars(one).keys() == vars(other).keys()
    given = one.get_params(deep=False).keys()
    for name in vars(one).keys() - given - {*ATTRIBUTES}:
        assert same(vars(one)[name], vars(other)[name]), name
    assert one.network_.parameters.tobytes() == other.network_.parameters.tobytes()
    assert one.network_.dtype == other.network_.dtype


def plain(value):
    """Return a parameter as the file brings it back: NumPy's numbers and arrays as Python's."""
    if isinstance(value, dict):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value


@pytest.mark.parametrize("case", CASES)
def test_what_comes_back(case, tmp_path):
    """Parameters, attributes, predictions; and a fit continues as that of the saved estimator."""
    before, path = fitted(case), tmp_path / "estimator.safetensors"
    y = CASES[case][1]
    before.save(path)
    after = type(before).load(path, custom=CUSTOM)
    assert type(after) is type(before)
    for name, value in before.get_params(deep=False).items():
        assert same(plain(value), getattr(after, name)), name
    assert_same(before, after)
    assert all(map(same, predictions(before), predictions(after)))
    data = X.astype(before.network_.dtype)
    for estimator in (before, after):
        estimator.fit(data, y)
    assert_same(before, after)
    after.save(tmp_path / "again.safetensors")
    assert_same(type(before).load(tmp_path / "again.safetensors", custom=CUSTOM), after)


def test_partial_fit_continues(tmp_path):
    """With early stopping, the best weights so far are in the file."""
    path = tmp_path / "estimator.safetensors"
    labels = np.array(["b", "a", "c"])[LABELS]
    data = {"X_val": X[30:], "y_val": labels[30:]}
    before = classifier(early_stopping=True, n_iter_no_change=3, learning_rate_init=0.3)
    before.partial_fit(X[:30], labels[:30], classes=["a", "b", "c"], **data)
    best = before._best_parameters.copy()
    before.save(path)
    after = MLPClassifier.load(path)
    assert same(after._best_parameters, best)
    for _ in range(12):
        for estimator in (before, after):
            estimator.partial_fit(X[:30], labels[:30], **data)
        assert_same(before, after)
        assert all(map(same, predictions(before), predictions(after)))
    assert before.converged_ or before._no_improvement_count


@pytest.mark.parametrize(
    "classes",
    [
        [-3, 0, 2**40],
        np.array([0, 200], np.uint8),
        [False, True],
        [0.0, 2.0, 5.0],
        np.array([1, 3], np.float32),
        ["é", "\U0001f600", ""],
        np.array(["x", "y", "z"], object),
    ],
    ids=str,
)
def test_classes(classes, tmp_path):
    classes, path = np.array(classes), tmp_path / "estimator.safetensors"
    y = np.sort(classes)[LABELS % len(classes)]
    before = classifier().fit(X, y)
    before.save(path)
    after = MLPClassifier.load(path)
    assert same(after.classes_, before.classes_)
    assert same(after.predict(X), before.predict(X))
    names = tuple(str(label) for label in before.classes_.tolist())
    assert fastbp.load(path).class_names == (names if len(names) > 2 else names[1:])


def test_the_file_is_one_of_a_network(tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame, path = pandas.DataFrame(X, columns=["a", "b", "c"]), tmp_path / "estimator.safetensors"
    before = classifier().fit(frame, np.array(["no", "yes", "maybe"])[LABELS])
    own = before.network_
    own.feature_names = ("x", "y", "z")
    before.save(path)
    assert before.network_ is own
    assert (own.feature_names, own.class_names) == (("x", "y", "z"), None)
    net = fastbp.load(path)
    assert (net.feature_names, net.class_names) == (("a", "b", "c"), ("maybe", "no", "yes"))
    assert net.predict(frame[["c", "a", "b"]]).tobytes() == before.predict_proba(frame).tobytes()
    after = MLPClassifier.load(path)
    assert same(after.feature_names_in_, before.feature_names_in_)
    with pytest.raises(ValueError, match="feature names should match"):
        after.predict(frame.rename(columns={"a": "d"}))


def test_inference(tmp_path):
    whole, small = tmp_path / "whole.safetensors", tmp_path / "small.safetensors"
    before = fitted("functions")
    before.save(whole)
    before.save(small, inference=True)
    assert small.stat().st_size < whole.stat().st_size
    after = MLPClassifier.load(small)  # without the functions
    assert same(after.predict_proba(X), before.predict_proba(X))
    left_out = {"loss_curve_", "validation_scores_", "validation_loss_curve_", "_no_improvement_count"}
    assert vars(before).keys() - vars(after).keys() == left_out
    with pytest.raises(fastbp.ParameterError, match=r"half_rate.*custom="):
        after.fit(X, LABELS)
    after = MLPClassifier.load(small, custom=CUSTOM).fit(X, LABELS)
    assert len(after.loss_curve_) == after.n_iter_


def test_weights_of_the_user(tmp_path):
    """Arrays that were put into `coefs_` are saved, before anything else has used them."""
    before, path = fitted("adam"), tmp_path / "estimator.safetensors"
    before.coefs_[0] = np.full_like(before.coefs_[0], 0.25)
    before.save(path)
    assert (MLPClassifier.load(path).coefs_[0] == 0.25).all()


class Own(MLPClassifier):
    """A classifier of a user."""


def test_derived_classes(tmp_path):
    path = tmp_path / "estimator.safetensors"
    before = Own((2,), max_iter=2).fit(X, LABELS)
    before.note = "mine"
    before.save(path)
    for kind in (Own, MLPClassifier):
        after = kind.load(path)
        assert type(after) is kind
        assert not hasattr(after, "note")
        assert same(after.predict_proba(X), before.predict_proba(X))


def test_files_are_the_same_each_time(tmp_path):
    before = fitted("values")
    for name in "ab":
        before.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
