"""Estimators within scikit-learn: names of columns, pipelines, routed arguments, callbacks, tags."""

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators import RELEASE, MLPClassifier, MLPRegressor, answers, fit, quietly, rows, theirs

X, X_VAL = 10 * rows(50, 3) + 5, 10 * rows(30, 3, seed=9) + 5
LABELS, NUMBERS = answers(X, "multiclass"), answers(X, "regression")
LABELS_VAL, NUMBERS_VAL = answers(X_VAL, "multiclass"), answers(X_VAL, "regression")
OPTIONS = {"max_iter": 4, "random_state": 0, "hidden_layer_sizes": 4}
NAMES = ["length", "width", "depth"]


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas", reason="pandas is not installed")


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_names_of_columns(kind, pandas):
    """A frame with its columns in another order is refused by name, or put right; so are validation data."""
    frame = pandas.DataFrame(X, columns=NAMES)
    estimator = fit(kind(early_stopping=True, **OPTIONS), frame, LABELS)
    assert estimator.feature_names_in_.tolist() == NAMES
    expected = estimator.predict(frame)
    shuffled = frame[["depth", "length", "width"]]
    try:
        np.testing.assert_array_equal(estimator.predict(shuffled), expected)
    except ValueError as error:
        assert "feature names" in str(error)  # noqa: PT017
    with pytest.raises(ValueError, match="height"):
        estimator.predict(frame.rename(columns={"depth": "height"}))
    with pytest.warns(UserWarning, match="feature names"):
        estimator.predict(X)
    with pytest.raises(ValueError, match="height"):
        fit(clone(estimator), frame, LABELS, X_val=frame.rename(columns={"depth": "height"}), y_val=LABELS)
    assert not hasattr(fit(estimator, X, LABELS), "feature_names_in_")


def test_no_warnings_about_names_within_a_fit(pandas):
    """Validation data, scorers and callables get frames with the names that the estimator has seen."""
    frame, held_out = (pandas.DataFrame(values, columns=NAMES) for values in (X, X_VAL))
    for scoring in (None, "accuracy", "loss", lambda estimator, X, y: estimator.score(X, y)):
        for early_stopping in (False, True):
            estimator = MLPClassifier(scoring=scoring, early_stopping=early_stopping, **OPTIONS)
            fit(estimator, frame, LABELS, X_val=held_out, y_val=LABELS_VAL)
            fit(estimator, frame, pandas.Series(LABELS))


def test_set_output_of_a_pipeline(pandas):
    pipeline = make_pipeline(StandardScaler(), MLPRegressor(**OPTIONS)).set_output(transform="pandas")
    quietly(pipeline.fit, pandas.DataFrame(X, columns=NAMES), NUMBERS)
    assert pipeline[-1].feature_names_in_.tolist() == NAMES
    assert pipeline.predict(pandas.DataFrame(X, columns=NAMES)).shape == (50,)


def test_meta_estimators():
    pair = np.column_stack([NUMBERS, NUMBERS**2])
    wrapped = quietly(MultiOutputRegressor(MLPRegressor(**OPTIONS)).fit, X, pair)
    assert wrapped.predict(X).shape == (50, 2)
    for outer in (
        CalibratedClassifierCV(MLPClassifier(**OPTIONS), cv=2),
        BaggingClassifier(MLPClassifier(**OPTIONS), n_estimators=2),
        VotingClassifier([("a", MLPClassifier(**OPTIONS)), ("b", MLPClassifier(**OPTIONS))], voting="soft"),
    ):
        assert quietly(outer.fit, X, LABELS).predict_proba(X).shape == (50, 3)


@pytest.mark.skipif(RELEASE < (1, 7), reason="scikit-learn's MLP takes sample weights since version 1.7")
def test_ensembles_are_those_of_scikit_learns_mlp():
    """One batch has all rows: their order changes nothing, and boosting weighs the same mistakes."""
    for seed in range(3):
        ours, expected = (
            quietly(
                AdaBoostClassifier(kind(max_iter=30), n_estimators=3, random_state=seed).fit, X / 10, LABELS
            )
            for kind in (MLPClassifier, theirs(MLPClassifier))
        )
        np.testing.assert_array_equal(ours.predict(X / 10), expected.predict(X / 10))
        np.testing.assert_allclose(ours.estimator_weights_, expected.estimator_weights_, rtol=1e-4)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_routed_arguments_of_fit():
    """A search passes sample weights by row, and validation data whole."""
    asked = MLPClassifier(**OPTIONS).set_score_request(sample_weight=False)
    asked.set_fit_request(sample_weight=True, X_val=True, y_val=True, sample_weight_val=True)
    search = GridSearchCV(asked, {"alpha": [1e-4, 1.0]}, cv=2)
    given = {
        "sample_weight": np.ones(50),
        "X_val": X_VAL,
        "y_val": LABELS_VAL,
        "sample_weight_val": np.ones(30),
    }
    quietly(search.fit, X, LABELS, **given)
    assert len(search.best_estimator_.validation_scores_) == 4
    silent = MLPClassifier(**OPTIONS)
    with pytest.raises((ValueError, TypeError), match="X_val"):
        GridSearchCV(silent, {"alpha": [1e-4]}, cv=2).fit(X, LABELS, X_val=X_VAL, y_val=LABELS_VAL)
    assert hasattr(asked, "set_partial_fit_request")
    assert hasattr(asked, "set_score_request")


@pytest.mark.usefixtures("routing")
def test_pipeline_transforms_the_validation_data():
    """`transform_input` scales X_val as X is scaled."""
    asked = MLPRegressor(**OPTIONS).set_fit_request(X_val=True, y_val=True)
    pipeline = Pipeline([("scale", StandardScaler()), ("mlp", asked)], transform_input=["X_val"])
    quietly(pipeline.fit, X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL)
    scale = StandardScaler().fit(X)
    expected = fit(
        MLPRegressor(**OPTIONS), scale.transform(X), NUMBERS, X_val=scale.transform(X_VAL), y_val=NUMBERS_VAL
    )
    assert pipeline[-1].validation_scores_ == pytest.approx(expected.validation_scores_, rel=1e-12)


def test_tags():
    for kind in (MLPClassifier, MLPRegressor):
        tags = kind().__sklearn_tags__()
        assert tags.input_tags.sparse
        assert tags.target_tags.required
    assert is_classifier(MLPClassifier())
    assert is_regressor(MLPRegressor())
    assert MLPClassifier().__sklearn_tags__().classifier_tags.multi_label
    for kind in (MLPClassifier, MLPRegressor):
        expected = theirs(kind)().__sklearn_tags__()
        expected.target_tags.multi_output = kind().__sklearn_tags__().target_tags.multi_output
        assert kind().__sklearn_tags__() == expected
    assert MLPRegressor().__sklearn_tags__().target_tags.multi_output


def test_shown():
    estimator = MLPClassifier(optimizer="rmsprop", dropout=0.2)
    assert repr(estimator) == "MLPClassifier(dropout=0.2, optimizer='rmsprop')"
    assert "dropout" in estimator._repr_html_()
    assert "MLPClassifier" in fit(estimator.set_params(**OPTIONS), X, LABELS)._repr_html_()


# ---- callbacks of scikit-learn 1.9 -------------------------------------------------------------------------

callbacks = pytest.mark.skipif(RELEASE < (1, 9), reason="scikit-learn has callbacks since version 1.9")


class Recorder:
    """A callback of the user's own: counts tasks; stops after `last` epochs."""

    def __init__(self, last=None):
        self.last, self.begun, self.ended, self.fitted = last, [], [], []
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.ended.append(context.task_id)
        if context.parent is not None:
            self.fitted.append((X, y, fitted_estimator))
        return context.parent is not None and self.last is not None and len(self.fitted) >= self.last


@callbacks
@pytest.mark.parametrize("options", [{}, {"solver": "sgd", "early_stopping": True}, {"optimizer": "rmsprop"}])
def test_callback_sees_every_epoch(options):
    for kind, y in ((MLPClassifier, LABELS), (MLPRegressor, NUMBERS)):
        recorder = Recorder()
        estimator = kind(**OPTIONS | options).set_callbacks(recorder)
        fit(estimator, X, y)
        assert recorder.calls == ["setup", "teardown"]
        assert len(recorder.begun) == len(recorder.ended) == 5  # the fit, and four epochs
        assert recorder.ended[:4] == [0, 1, 2, 3]
        inputs, labels, fitted = recorder.fitted[0]
        assert fitted.predict(inputs).shape == np.shape(labels)
        if "early_stopping" not in options:
            np.testing.assert_array_equal(recorder.fitted[-1][2].predict(X), estimator.predict(X))
            assert bits_differ(recorder.fitted[0][2], estimator)


def bits_differ(first, second):
    """Whether two fitted estimators have other weights."""
    return any((a != b).any() for a, b in zip(first.coefs_, second.coefs_, strict=True))


@callbacks
def test_callback_stops_a_fit():
    estimator = MLPClassifier(**OPTIONS | {"max_iter": 50}).set_callbacks(Recorder(last=3))
    estimator.fit(X, LABELS)  # without a warning that it has not converged
    assert estimator.n_iter_ == 3


@callbacks
def test_callbacks_of_scikit_learn(capsys):
    from sklearn.callback import ProgressBar, ScoringMonitor

    monitor = ScoringMonitor(scoring="accuracy")
    estimator = MLPClassifier(**OPTIONS).set_callbacks(monitor)
    fit(estimator, X, LABELS)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_id_path"][1:]]
    assert len(scores) == 4
    assert scores[-1] == estimator.score(X, LABELS)
    pytest.importorskip("rich", reason="rich, which draws scikit-learn's progress bar, is not installed")
    fit(estimator.set_callbacks(ProgressBar()), X, LABELS)
    assert estimator.n_iter_ == 4


@callbacks
def test_callbacks_change_no_numbers():
    plain, watched = MLPRegressor(**OPTIONS), MLPRegressor(**OPTIONS).set_callbacks(Recorder())
    assert fit(plain, X, NUMBERS).loss_curve_ == fit(watched, X, NUMBERS).loss_curve_
    assert not bits_differ(plain, watched)


@callbacks
def test_failing_callback_is_torn_down():
    class Failing(Recorder):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("a failing callback")

    failing = Failing()
    with pytest.raises(RuntimeError, match="a failing callback"):
        MLPRegressor(**OPTIONS).set_callbacks(failing).fit(X, NUMBERS)
    assert failing.calls == ["setup", "teardown"]


@callbacks
def test_callbacks_of_a_refused_fit_are_torn_down():
    """The estimator is as it was before, which scikit-learn's marks of a fit under way outlive."""

    class Failing(Recorder):
        def on_fit_task_begin(self, estimator, context):
            raise RuntimeError("a failing callback")

    for recorder, weights in ((Failing(), None), (Recorder(), -np.ones(len(X)))):
        estimator = MLPRegressor(**OPTIONS).set_callbacks(recorder)
        with pytest.raises((RuntimeError, ValueError), match=r"a failing callback|sample_weight"):
            estimator.fit(X, NUMBERS, weights)
        assert recorder.calls == ["setup", "teardown"]
        assert vars(estimator).keys() - estimator.get_params().keys() == {"_skl_callbacks"}
