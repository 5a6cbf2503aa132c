"""The estimators of fastbp.sklearn and scikit-learn on the same data sets, with the same parameters.

`bench_sklearn.py` asks a process per library (race.py) for the functions of its module in `rivals`:

    fit(name, seed, epochs)    train on a problem; return the seconds, the score on the rest, and the epochs
    search(name, n_jobs)       a search over a grid; return the seconds, and the score of each place

An estimator stops by itself; `epochs` is for a loop that cannot. The seed chooses the rows that are held out,
the initial weights and the order of the rows.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fashion_mnist

HELD_OUT = 0.2  # of the rows; Fashion-MNIST has its own test images
FOLDS = 3  # of a search
GRID = {"alpha": [1e-5, 1e-4, 1e-3], "learning_rate_init": [1e-3, 3e-3]}
SEARCH_EPOCHS = 100  # of each fit of a search

Array = NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """A data set, and what its estimators have that is not scikit-learn's default."""

    name: str
    loader: str  # a function of sklearn.datasets, or "" for Fashion-MNIST
    parameters: Mapping[str, Any]
    is_regression: bool = False

    def split(self, seed: int) -> tuple[Array, Array, Array, Array]:
        """Return X, X_test, y, y_test, scaled by the mean and standard deviation of the training rows."""
        from sklearn.model_selection import train_test_split
        from sklearn.preprocessing import StandardScaler

        if not self.loader:
            return fashion()
        X, y = loaded(self.loader)
        labels = None if self.is_regression else y
        X, X_test, y, y_test = train_test_split(X, y, test_size=HELD_OUT, stratify=labels, random_state=seed)
        scaler = StandardScaler().fit(X)
        if self.is_regression:
            mean, deviation = y.mean(), y.std()
            y, y_test = (y - mean) / deviation, (y_test - mean) / deviation
        return scaler.transform(X), scaler.transform(X_test), y, y_test

    def rows_and_features(self) -> tuple[int, int]:
        """Return the shape of the whole data set."""
        X, X_test, *_ = self.split(0)
        return len(X) + len(X_test), X.shape[1]


@cache
def loaded(loader: str) -> tuple[Array, Array]:
    """Return X and y of a data set that comes with scikit-learn."""
    from sklearn import datasets

    X, y = getattr(datasets, loader)(return_X_y=True)
    return X, y


@cache
def fashion() -> tuple[Array, Array, Array, Array]:
    """Return X, X_test, y, y_test of Fashion-MNIST, with pixels from 0 to 1 in float32."""
    X, X_test, y, y_test = fashion_mnist.load(fashion_mnist.find(*fashion_mnist.FOLDERS))
    return X, X_test, y.astype(np.int64), y_test.astype(np.int64)


EACH = (
    Problem("digits", "load_digits", {"max_iter": 1000}),
    Problem("breast cancer", "load_breast_cancer", {"max_iter": 1000}),
    Problem("wine", "load_wine", {"max_iter": 1000}),
    Problem(
        "diabetes", "load_diabetes", {"max_iter": 1000, "early_stopping": True}, is_regression=True
    ),  # without early stopping, the score falls after some 50 epochs
    Problem("Fashion-MNIST", "", {"max_iter": 10}),
)
PROBLEMS = {problem.name: problem for problem in EACH}


class Estimators:
    """The classifier and the regressor of a library."""

    def __init__(self, classifier: Any, regressor: Any) -> None:
        self._classifier, self._regressor = classifier, regressor

    def _make(self, problem: Problem, seed: int, **others: Any) -> Any:
        kind = self._regressor if problem.is_regression else self._classifier
        return kind(random_state=seed, **{**problem.parameters, **others})

    def fit(self, name: str, seed: int, epochs: int = 0) -> dict[str, float]:
        problem = PROBLEMS[name]
        X, X_test, y, y_test = problem.split(seed)
        estimator = self._make(problem, seed)
        seconds = timed(estimator.fit, X, y)
        return {"seconds": seconds, "score": estimator.score(X_test, y_test), "epochs": estimator.n_iter_}

    def search(self, name: str, n_jobs: int) -> tuple[float, list[float]]:
        from joblib import parallel_config
        from sklearn.model_selection import GridSearchCV

        problem = PROBLEMS[name]
        X, _, y, _ = problem.split(0)
        estimator = self._make(problem, 0, max_iter=SEARCH_EPOCHS)
        search = GridSearchCV(estimator, GRID, cv=FOLDS, refit=False)
        with parallel_config(backend="threading", n_jobs=n_jobs):
            seconds = timed(search.fit, X, y)
        return seconds, search.cv_results_["mean_test_score"].tolist()


def timed(fit: Any, X: Array, y: Array) -> float:
    """Return the seconds that a fit takes; without the warning that more epochs would help."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = perf_counter()
        fit(X, y)
        return perf_counter() - start
