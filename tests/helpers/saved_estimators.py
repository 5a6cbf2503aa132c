"""Estimators of every kind for tests of their model files, their data, and functions that files only name."""

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from sklearn.metrics import f1_score, make_scorer

import fastbp
from fastbp import optimizers, schedules
from fastbp.sklearn import MLPClassifier, MLPRegressor

rng = np.random.default_rng(5)
X = rng.normal(size=(40, 3))
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
Y = np.column_stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])])


def half_rate(epoch):
    return 0.01 * 0.5**epoch


def squares(output, target):
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


def weighted(estimator, X, y):
    return 0.5


macro = make_scorer(f1_score, average="macro")
CUSTOM = {"half_rate": half_rate, "squares": squares, "weighted": weighted, "_Scorer": macro}


def classifier(**options):
    return MLPClassifier(**{"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 3} | options)


def regressor(**options):
    return MLPRegressor(**{"hidden_layer_sizes": [4, 3], "max_iter": 4, "random_state": 3} | options)


SCHEDULE = schedules.Warmup(schedules.Cosine(0.05, 6, growth=2), 3)
#: (estimator, y)
CASES = {
    "adam": (classifier(), LABELS),
    "float32": (classifier(), LABELS),
    "sgd, adaptive": (
        classifier(solver="sgd", learning_rate="adaptive", tol=10.0, n_iter_no_change=1),
        LABELS,
    ),
    "lbfgs": (classifier(solver="lbfgs", max_iter=3), LABELS > 0),
    "early stopping": (
        classifier(early_stopping=True, validation_fraction=0.3, tol=np.float64(0)),
        LABELS > 0,
    ),
    "values": (
        classifier(
            activation=[fastbp.LeakyReLU(0.2), "tanh"],
            hidden_layer_sizes=np.array([4, 3]),
            dropout=[0.1, 0.2],
            optimizer=optimizers.SGD(SCHEDULE, momentum=0.9, clip_norm=1.0),
            loss=fastbp.CrossEntropy(label_smoothing=0.1),
            class_weight={0: 1.0, np.int64(1): 2, 2: np.float32(0.1)},
            n_iter_no_change=np.inf,
        ),
        LABELS,
    ),
    "functions": (classifier(learning_rate=half_rate, scoring=weighted, early_stopping=True), LABELS),
    "a scorer": (classifier(scoring=macro, early_stopping=True), LABELS),
    "two outputs for two classes": (classifier(loss="cross_entropy"), np.array(["no", "yes"])[LABELS // 2]),
    "several labels": (classifier(class_weight=None), np.column_stack([LABELS > 0, LABELS > 1, X[:, 2] > 0])),
    "Levenberg-Marquardt": (regressor(optimizer=fastbp.LevenbergMarquardt(), alpha=0, max_iter=2), Y),
    "one target": (regressor(output_activation=fastbp.activations.get("identity")), Y[:, 0]),
    "custom loss": (regressor(loss=squares), Y),
    "Gaussian": (regressor(loss=fastbp.GaussianNLL()), Y),
}


def fitted(case, **options):
    estimator, y = CASES[case]
    data = X.astype(np.float32) if case == "float32" else X
    # a copy by hand: clone is scikit-learn's and copies values
    return type(estimator)(**estimator.get_params(deep=False) | {"warm_start": True} | options).fit(data, y)


def predictions(estimator):
    outputs = [estimator.predict(X), estimator.predict(X.astype(np.float32))]
    if hasattr(estimator, "predict_proba"):
        outputs.append(estimator.predict_proba(X))
    return outputs
