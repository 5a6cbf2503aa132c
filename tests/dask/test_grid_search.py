"""The recipe of the guide: searches of scikit-learn over a cluster give the results of one process."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")
pytest.importorskip("distributed", reason="distributed is not installed: pip install fastbp[dask]")

import joblib
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from fastbp.sklearn import MLPClassifier


def test_grid_search(cluster_of):
    cluster_of(2)  # the client in context
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    grid = {"hidden_layer_sizes": [(4,), (8, 4)], "alpha": [0.0, 0.1]}
    search = GridSearchCV(MLPClassifier(max_iter=20, random_state=0), grid, cv=3, return_train_score=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        alone = clone(search).set_params(n_jobs=1).fit(X, y)
        with joblib.parallel_config("dask"):
            over_dask = clone(search).fit(X, y)
    assert over_dask.cv_results_["params"] == alone.cv_results_["params"]
    for column in alone.cv_results_:
        if column.endswith("_score") or column.startswith("split"):
            np.testing.assert_array_equal(over_dask.cv_results_[column], alone.cv_results_[column])
    assert over_dask.best_params_ == alone.best_params_
    best = [one.best_estimator_.network_.parameters for one in (alone, over_dask)]
    np.testing.assert_array_equal(*best)
