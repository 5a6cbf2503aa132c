"""Validation: data of the user's own, scoring, curves, and early stopping across calls of partial_fit."""

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from sklearn.metrics import f1_score, log_loss, make_scorer, mean_absolute_error, mean_poisson_deviance

from helpers.estimators import KINDS, MLPClassifier, MLPRegressor, answers, fit, rows

X, X_VAL = rows(60), rows(40, seed=9)
LABELS, NAMED = answers(X, "multiclass"), np.array(["ash", "beech", "cedar"])
LABELS_VAL = answers(X_VAL, "multiclass")
NUMBERS, NUMBERS_VAL = (answers(inputs, "regression") for inputs in (X, X_VAL))
WEIGHTS = np.random.default_rng(0).uniform(0, 3, size=40)
OPTIONS = {
    "max_iter": 12,
    "random_state": 0,
    "batch_size": 20,
    "learning_rate_init": 0.01,
    "n_iter_no_change": 100,
}


@pytest.mark.parametrize("task", list(KINDS))
@pytest.mark.parametrize("early_stopping", [False, True])
def test_scores_are_those_of_the_data_given(task, early_stopping):
    """The last entries are the score and the loss after the last epoch, for every kind of answers."""
    options = OPTIONS | {"early_stopping": early_stopping, "alpha": 0.0}
    if task == "poisson":
        options["loss"] = "poisson"
    y, y_val = answers(X, task), answers(X_VAL, task)
    for weights in (None, WEIGHTS):
        estimator = fit(KINDS[task](**options), X, y, X_val=X_VAL, y_val=y_val, sample_weight_val=weights)
        scores, losses = estimator.validation_scores_, estimator.validation_loss_curve_
        assert len(scores) == len(losses) == estimator.n_iter_ == 12
        score = estimator.score(X_VAL, y_val, weights)
        assert score == pytest.approx(max(scores) if early_stopping else scores[-1], rel=1e-9)
        if not early_stopping and task in ("multiclass", "binary"):
            expected = log_loss(y_val, estimator.predict_proba(X_VAL), sample_weight=weights)
            assert losses[-1] == pytest.approx(expected, rel=1e-9)
        if not early_stopping and task == "regression":
            expected = np.average((estimator.predict(X_VAL) - y_val) ** 2 / 2, weights=weights)
            assert losses[-1] == pytest.approx(expected, rel=1e-9)
        if not early_stopping and task == "poisson":
            expected = mean_poisson_deviance(y_val, estimator.predict(X_VAL), sample_weight=weights) / 2
            assert losses[-1] == pytest.approx(expected, rel=1e-9)


def test_data_that_is_only_recorded_changes_nothing():
    plain = fit(MLPRegressor(**OPTIONS), X, NUMBERS)
    watched = fit(MLPRegressor(**OPTIONS), X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL)
    assert watched.loss_curve_ == plain.loss_curve_
    for value, expected in zip(watched.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(value, expected)
    assert plain.validation_scores_ is None
    assert getattr(plain, "validation_loss_curve_", None) is None
    assert watched.best_loss_ == plain.best_loss_


def test_all_rows_are_trained_on_where_validation_data_is_given():
    stopped = fit(MLPRegressor(early_stopping=True, **OPTIONS), X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL)
    plain = fit(MLPRegressor(**OPTIONS), X, NUMBERS)
    assert stopped.loss_curve_ == plain.loss_curve_
    assert stopped.t_ == plain.t_ == 12 * 60
    split = fit(MLPRegressor(early_stopping=True, **OPTIONS), X, NUMBERS)
    assert split.t_ == 12 * 54


def test_the_best_weights_are_kept():
    """Labels without a pattern: the score is best somewhere, and that network is the result."""
    rng = np.random.default_rng(3)
    y, y_val = rng.integers(3, size=60), rng.integers(3, size=40)
    options = OPTIONS | {
        "max_iter": 60,
        "n_iter_no_change": 15,
        "early_stopping": True,
        "learning_rate_init": 0.1,
    }
    estimator = fit(MLPClassifier(**options), X, y, X_val=X_VAL, y_val=y_val)
    scores = estimator.validation_scores_
    assert scores[-1] < max(scores)
    assert estimator.score(X_VAL, y_val) == max(scores) == estimator.best_validation_score_


def test_stops_by_the_score():
    """Constant scores do not improve: after n_iter_no_change + 1 epochs beyond the first, the fit ends."""
    options = OPTIONS | {
        "early_stopping": True,
        "n_iter_no_change": 3,
        "scoring": lambda estimator, X, y: 0.5,
    }
    estimator = MLPRegressor(**options).fit(X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL)
    assert estimator.n_iter_ == 5
    assert estimator.validation_scores_ == [0.5] * 5


def test_scoring():
    """A name, a scorer, a callable, and "loss", of which the negative is maximized."""
    y_val = LABELS_VAL
    macro = make_scorer(f1_score, average="macro")

    def own(estimator, X, y):
        return f1_score(y, estimator.predict(X), average="macro")

    curves = []
    for scoring in ("f1_macro", macro, own):
        options = OPTIONS | {"scoring": scoring, "early_stopping": True}
        estimator = fit(MLPClassifier(**options), X, LABELS, X_val=X_VAL, y_val=y_val)
        curves.append(estimator.validation_scores_)
        assert max(curves[-1]) == pytest.approx(f1_score(y_val, estimator.predict(X_VAL), average="macro"))
    assert curves[0] == curves[1] == curves[2]
    by_loss = fit(
        MLPClassifier(scoring="loss", early_stopping=True, **OPTIONS), X, LABELS, X_val=X_VAL, y_val=y_val
    )
    np.testing.assert_allclose(
        np.negative(by_loss.validation_scores_), by_loss.validation_loss_curve_, rtol=1e-12
    )
    default = fit(MLPClassifier(early_stopping=True, **OPTIONS), X, LABELS, X_val=X_VAL, y_val=y_val)
    assert default.validation_scores_ != curves[0]


def test_scoring_with_the_split_and_names_of_classes():
    y = NAMED[LABELS]
    options = OPTIONS | {"early_stopping": True, "validation_fraction": 0.3, "scoring": "balanced_accuracy"}
    estimator = fit(MLPClassifier(**options), X, y)
    assert len(estimator.validation_scores_) == estimator.n_iter_
    assert all(0 <= score <= 1 for score in estimator.validation_scores_)
    numbers = fit(MLPClassifier(**options), X, LABELS)
    assert numbers.validation_scores_ == estimator.validation_scores_


def test_scoring_with_sample_weights():
    """A scorer that takes weights gets those of the validation data."""
    options = OPTIONS | {"scoring": make_scorer(mean_absolute_error, greater_is_better=False), "max_iter": 3}
    with_weights, without = (
        fit(MLPRegressor(**options), X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL, sample_weight_val=weights)
        for weights in (WEIGHTS, None)
    )
    expected = -mean_absolute_error(NUMBERS_VAL, with_weights.predict(X_VAL), sample_weight=WEIGHTS)
    assert with_weights.validation_scores_[-1] == pytest.approx(expected, rel=1e-9)
    assert without.validation_scores_[-1] != pytest.approx(expected, rel=1e-6)


def test_a_scorer_sees_a_fitted_estimator():
    seen = []

    def scorer(estimator, X, y):
        assert isinstance(estimator, MLPClassifier)
        assert estimator.classes_.tolist() == NAMED.tolist()
        assert set(y) <= set(NAMED)
        seen.append(estimator.predict_proba(X))
        return 0.1 * len(seen)

    estimator = fit(
        MLPClassifier(scoring=scorer, **OPTIONS), X, NAMED[LABELS], X_val=X_VAL, y_val=NAMED[LABELS_VAL]
    )
    assert estimator.validation_scores_ == pytest.approx([0.1 * k for k in range(1, 13)])
    np.testing.assert_array_equal(seen[-1], estimator.predict_proba(X_VAL))
    assert (seen[0] != seen[-1]).any()


def test_nan_scores():
    """A score that cannot be computed is no improvement and no error."""
    options = OPTIONS | {
        "scoring": lambda estimator, X, y: np.nan,
        "early_stopping": True,
        "n_iter_no_change": 2,
    }
    estimator = fit(MLPRegressor(**options), X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL)
    assert np.isnan(estimator.validation_scores_).all()
    assert np.isfinite(estimator.predict(X)).all()


def test_nonsense():
    fits = [
        ({}, {"X_val": X_VAL}, "y_val"),
        ({}, {"y_val": NUMBERS_VAL}, "X_val"),
        ({}, {"sample_weight_val": WEIGHTS}, "sample_weight_val"),
        ({}, {"X_val": X_VAL[:, :2], "y_val": NUMBERS_VAL}, "features"),
        ({}, {"X_val": X_VAL, "y_val": NUMBERS_VAL[:-1]}, "inconsistent"),
        ({}, {"X_val": X_VAL, "y_val": np.full(40, np.nan)}, "NaN"),
        ({}, {"X_val": X_VAL, "y_val": NUMBERS_VAL, "sample_weight_val": WEIGHTS[:-1]}, "sample_weight"),
        ({"scoring": "f2"}, {"X_val": X_VAL, "y_val": NUMBERS_VAL}, "scoring|f2"),
        ({"scoring": 3}, {"X_val": X_VAL, "y_val": NUMBERS_VAL}, "scoring"),
        ({"solver": "lbfgs"}, {"X_val": X_VAL, "y_val": NUMBERS_VAL}, "X_val"),
    ]
    for options, given, text in fits:
        estimator = MLPRegressor(**OPTIONS | options)
        with pytest.raises((ValueError, TypeError), match=text):
            fit(estimator, X, NUMBERS, **given)
        assert not hasattr(estimator, "coefs_"), text
    with pytest.raises(ValueError, match=r"classes|labels"):
        fit(MLPClassifier(**OPTIONS), X, LABELS, X_val=X_VAL, y_val=LABELS_VAL + 5)


@pytest.mark.parametrize("task", list(KINDS))
def test_partial_fit_with_early_stopping(task):
    """Each call is an epoch, a score and a look at the rule; the best weights come back when it holds."""
    options = OPTIONS | {"early_stopping": True, "n_iter_no_change": 4, "learning_rate_init": 0.05}
    if task == "poisson":
        options["loss"] = "poisson"
    y, y_val = answers(X, task), answers(X_VAL, task)
    estimator = KINDS[task](**options)
    first = {"classes": np.arange(3 if y.ndim == 2 else y.max() + 1)} if KINDS[task] is MLPClassifier else {}
    calls = 0
    while not getattr(estimator, "converged_", False):
        quiet = first if calls == 0 else {}
        estimator.partial_fit(X, y, X_val=X_VAL, y_val=y_val, **quiet)
        calls += 1
        assert len(estimator.validation_scores_) == calls
        assert calls < 300
    assert calls > 5
    scores = estimator.validation_scores_
    assert estimator.best_validation_score_ == max(scores)
    assert estimator.score(X_VAL, y_val) == pytest.approx(max(scores), rel=1e-9)


def test_partial_fit_records():
    estimator = MLPRegressor(**OPTIONS)
    for _ in range(3):
        estimator.partial_fit(X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL, sample_weight_val=WEIGHTS)
    assert len(estimator.validation_scores_) == len(estimator.validation_loss_curve_) == 3
    assert estimator.validation_scores_[-1] == pytest.approx(estimator.score(X_VAL, NUMBERS_VAL, WEIGHTS))


def test_multilabel_partial_fit():
    """Rows whose labels are all absent, in a first call, do not hide the labels."""
    y = answers(X, "multilabel")
    estimator = MLPClassifier(**OPTIONS | {"learning_rate_init": 0.05, "batch_size": "auto"})
    estimator.partial_fit(X[:2], np.zeros((2, 3), int), classes=[0, 1, 2])
    for _ in range(150):
        estimator.partial_fit(X, y)
    assert estimator.predict(X).shape == (60, 3)
    assert estimator.score(X, y) > 0.8
    with pytest.raises(ValueError, match=r"y has shape \(60, 2\)"):
        estimator.partial_fit(X, y[:, :2])


def test_full_batch_optimizers_have_validation_too():
    options = {"optimizer": "irprop", "max_iter": 5, "random_state": 0, "early_stopping": True}
    estimator = fit(MLPRegressor(**options), X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL)
    assert len(estimator.validation_scores_) == 5


def test_a_fit_that_goes_on_keeps_the_best_weights_of_all():
    """A later fit, or calls of partial_fit, without a better epoch end where the best one was."""
    options = OPTIONS | {
        "early_stopping": True,
        "n_iter_no_change": 2,
        "tol": 0.0,
        "learning_rate_init": 1e-12,
    }
    validation = {"X_val": X_VAL, "y_val": LABELS_VAL}
    estimator = fit(
        MLPClassifier(**OPTIONS | {"early_stopping": True, "warm_start": True}), X, LABELS, **validation
    )
    best = estimator.network_.parameters.copy()
    estimator.best_validation_score_ = 1.1
    fit(estimator.set_params(**options), X, LABELS, **validation)
    np.testing.assert_array_equal(estimator.network_.parameters, best)
    while not estimator.partial_fit(X, LABELS, **validation).converged_:
        assert len(estimator.validation_scores_) < 40
    np.testing.assert_array_equal(estimator.network_.parameters, best)


def test_the_best_weights_are_those_of_the_last_fit_that_was_better():
    """Calls of partial_fit go back to the best weights of the fit before, not of calls before it."""
    scores = iter([1.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0])
    options = OPTIONS | {"warm_start": True, "n_iter_no_change": 1, "max_iter": 3, "learning_rate_init": 0.1}
    estimator = MLPRegressor(early_stopping=True, scoring=lambda estimator, X, y: next(scores), **options)
    validation = {"X_val": X_VAL, "y_val": NUMBERS_VAL}
    estimator.partial_fit(X, NUMBERS, **validation)
    fit(estimator, X, NUMBERS, **validation)
    best = estimator.network_.parameters.copy()
    while not estimator.partial_fit(X, NUMBERS, **validation).converged_:
        pass
    np.testing.assert_array_equal(estimator.network_.parameters, best)


def test_scoring_that_gives_no_number():
    options = OPTIONS | {"early_stopping": True}
    with pytest.raises(ValueError, match=r"scoring is \['r2'\], expected one score"):
        MLPRegressor(scoring=["r2"], **options).fit(X, NUMBERS)
    for wrong in (None, "1", np.ones(3), {"r2": 1.0}, 1j):
        with pytest.raises(ValueError, match=r"scoring gave .*, expected a number"):
            MLPRegressor(scoring=lambda *data, wrong=wrong: wrong, **options).fit(X, NUMBERS)


def test_rows_held_out_of_weight_0():
    for kind, y in ((MLPClassifier, LABELS), (MLPRegressor, NUMBERS)):
        estimator = kind(early_stopping=True, **OPTIONS)
        with pytest.raises(
            ValueError, match=r"sample_weight is 0 for all rows that early stopping holds out"
        ):
            estimator.fit(X, y, np.eye(60)[0])


def test_another_score_begins_anew():
    """The best accuracy so far, which no negative loss is above, does not keep later fits from training."""
    options = OPTIONS | {"warm_start": True, "early_stopping": True}
    validation = {"X_val": X_VAL, "y_val": LABELS_VAL}
    for scoring in ("loss", "neg_log_loss"):
        estimator = fit(MLPClassifier(**options), X, LABELS, **validation)
        fit(estimator.set_params(scoring=scoring), X, LABELS, **validation)
        assert estimator.best_validation_score_ == max(estimator.validation_scores_[12:]) < 0
        fit(estimator.set_params(scoring=None), X, LABELS, **validation)
        assert estimator.best_validation_score_ == max(estimator.validation_scores_[24:]) > 0


def test_a_fit_that_goes_on_in_another_way():
    """From L-BFGS to epochs, and to early stopping and back."""
    estimator = MLPClassifier(solver="lbfgs", warm_start=True, max_iter=3, random_state=0)
    for options in ({}, {"solver": "adam"}, {"early_stopping": True}, {"early_stopping": False}):
        fit(estimator.set_params(**options), X, LABELS)
    assert len(estimator.loss_curve_) == 9
    assert len(estimator.validation_scores_) == 3
    assert estimator.best_loss_ == min(estimator.loss_curve_[6:])


def test_the_only_class_is_always_right():
    """The score of a fit is that of `score`, whatever the output says."""
    for loss in ("log_loss", "cross_entropy", "hinge"):
        estimator = MLPClassifier(loss=loss, early_stopping=True, **OPTIONS | {"learning_rate_init": 1e-9})
        fit(estimator, X, np.full(60, "ash"), X_val=X_VAL, y_val=np.full(40, "ash"))
        assert set(estimator.validation_scores_) == {1.0}
        assert estimator.score(X_VAL, np.full(40, "ash")) == 1


def test_a_scoring_without_weights_beside_weights():
    estimator = MLPRegressor(early_stopping=True, scoring=lambda estimator, X, y: 0.0, **OPTIONS)
    with pytest.raises(ValueError, match=r"scoring is .* which has no argument sample_weight"):
        fit(estimator, X, NUMBERS, sample_weight=np.ones(60))
    assert not hasattr(estimator, "network_")
    weighted = estimator.set_params(scoring=lambda estimator, X, y, sample_weight=None: sample_weight.sum())
    assert fit(weighted, X, NUMBERS, sample_weight=np.ones(60)).validation_scores_[0] == 6
