"""The estimators of fastbp.sklearn beside scikit-learn's own, small data, and fits without warnings."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

import sklearn
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning

from fastbp.sklearn import MLPClassifier, MLPRegressor

__all__ = ["RELEASE", "MLPClassifier", "MLPRegressor", "answers", "fit", "quietly", "rows", "theirs"]

#: (major, minor) of the installed scikit-learn
RELEASE = tuple(int(part) for part in sklearn.__version__.split(".")[:2])

#: What the tasks of `answers` train.
KINDS = {
    "binary": MLPClassifier,
    "multiclass": MLPClassifier,
    "multilabel": MLPClassifier,
    "regression": MLPRegressor,
    "multioutput": MLPRegressor,
    "poisson": MLPRegressor,
}


def theirs(kind):
    """Return scikit-learn's own class of the same name."""
    return getattr(neural_network, kind.__name__)


def rows(n=53, columns=5, seed=0):
    """Return inputs, (n, columns)."""
    return np.random.default_rng(seed).normal(size=(n, columns))


def answers(X, task, seed=1):
    """Return learnable answers of X for a task of `KINDS`."""
    rng = np.random.default_rng(seed)
    signal = np.tanh(X @ rng.normal(size=(X.shape[1], 3))) + 0.3 * rng.normal(size=(len(X), 3))  # (n, 3)
    return {
        "binary": (signal[:, 0] > 0).astype(int),
        "multiclass": signal.argmax(axis=1),
        "multilabel": (signal > 0).astype(int),
        "regression": signal[:, 0],
        "multioutput": signal[:, :2],
        "poisson": rng.poisson(np.exp(signal[:, 0])).astype(float),
    }[task]


def quietly(call, *args, **options):
    """Call without the warning that a fit has not converged, and SciPy's about an old scikit-learn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "scipy.optimize: The `disp` and `iprint`", DeprecationWarning)
        return call(*args, **options)


def fit(estimator, X, y, *args, **options):
    """Fit without the warning that it has not converged."""
    return quietly(estimator.fit, X, y, *args, **options)
