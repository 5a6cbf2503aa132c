"""Parameters within values, and searches over them."""

import copy

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastbp
from helpers.estimators import MLPClassifier, MLPRegressor, answers, fit, quietly, rows

X = rows(45)
LABELS, NUMBERS = answers(X, "multiclass"), answers(X, "regression")
FEW = {"max_iter": 3, "random_state": 0, "hidden_layer_sizes": 4}


def test_parameter_of_a_value_makes_a_changed_copy():
    given = fastbp.Adam(0.1, beta1=0.8)
    estimator = MLPClassifier(optimizer=given)
    assert estimator.get_params()["optimizer__learning_rate"] == 0.1
    assert estimator.set_params(optimizer__learning_rate=0.25) is estimator
    assert estimator.optimizer == fastbp.Adam(0.25, beta1=0.8)
    assert given == fastbp.Adam(0.1, beta1=0.8)


def test_parameters_of_every_kind_of_value():
    estimator = MLPRegressor(
        fastbp.Huber(delta=2.0),
        activation=fastbp.LeakyReLU(0.1),
        learning_rate=fastbp.schedules.Cosine(0.1, 100),
    )
    estimator.set_params(loss__delta=0.5, activation__alpha=0.3)
    assert estimator.loss == fastbp.Huber(delta=0.5)
    assert estimator.activation == fastbp.LeakyReLU(0.3)
    names = {name for name in estimator.get_params() if name.startswith("learning_rate__")}
    assert names
    nested = MLPRegressor(optimizer=fastbp.SGD(fastbp.schedules.Cosine(0.1, 100), 0.9))
    inner = next(name for name in nested.get_params() if name.startswith("optimizer__learning_rate__"))
    nested.set_params(**{inner: nested.get_params()[inner]}, optimizer__momentum=0.5)
    assert nested.optimizer == fastbp.SGD(fastbp.schedules.Cosine(0.1, 100), 0.5)


def test_value_and_its_parameter_in_one_call():
    estimator = MLPClassifier()
    estimator.set_params(optimizer=fastbp.SGD(0.5), optimizer__momentum=0.7, alpha=1.0)
    assert estimator.optimizer == fastbp.SGD(0.5, 0.7)
    assert estimator.alpha == 1.0


def test_unknown_parameters():
    estimator = MLPClassifier(optimizer=fastbp.Adam(0.1))
    for name, message in {
        "optimizer__speed": r"'speed' is not a parameter of Adam\(",
        "alpha__x": "^alpha is 0.0001, which has no parameter 'x'",
        "activation__x": "^activation is 'relu', which has no parameter 'x'",
        "nothing": "nothing",
        "nothing__x": "nothing",
        "optimizer__learning_rate__x": "^learning_rate of Adam.* is 0.1, which has no parameter 'x'",
    }.items():
        with pytest.raises(ValueError, match=message):
            estimator.set_params(**{name: 1})
    with pytest.raises(ValueError, match="learning_rate"):
        estimator.set_params(optimizer__learning_rate=-1.0)
    assert estimator.optimizer == fastbp.Adam(0.1)


def test_clones_of_estimators_with_values():
    estimator = MLPClassifier(
        optimizer=fastbp.Adam(0.1), activation=["tanh"], class_weight={0: 2.0}, dropout=[0.1]
    )
    twin = clone(estimator)
    assert twin.get_params() == estimator.get_params()
    assert clone(fit(estimator.set_params(**FEW), X, LABELS)).get_params() == estimator.get_params()
    assert not hasattr(clone(estimator), "coefs_")


def test_constructor_stores_what_it_is_given():
    """Nothing is copied, converted or checked before fit."""
    given = {"hidden_layer_sizes": [3], "activation": ["tanh"], "alpha": "nonsense", "dropout": [0.5]}
    estimator = MLPClassifier(**given)
    assert all(getattr(estimator, name) is value for name, value in given.items())


@pytest.mark.parametrize("backend", [None, "threading"])
def test_grid_over_the_rate_of_an_optimizer(backend):
    grid = {"mlpclassifier__optimizer__learning_rate": [1e-7, 0.1], "mlpclassifier__alpha": [1e-4]}
    pipeline = make_pipeline(
        StandardScaler(), MLPClassifier(optimizer=fastbp.Adam(), **FEW | {"max_iter": 30})
    )
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=None if backend is None else 2)
    if backend is None:
        quietly(search.fit, X, LABELS)
    else:
        from joblib import parallel_backend

        with parallel_backend(backend):
            quietly(search.fit, X, LABELS)
    assert search.best_params_["mlpclassifier__optimizer__learning_rate"] == 0.1
    assert search.best_estimator_[-1].optimizer == fastbp.Adam(0.1)
    slow, fast = search.cv_results_["mean_test_score"]
    assert fast > slow


def test_grids_over_values_and_lists():
    grid = {
        "optimizer": ["rmsprop", fastbp.SGD(0.1), None],
        "activation": ["tanh", ["relu"]],
        "dropout": [0.0, [0.2]],
    }
    search = quietly(GridSearchCV(MLPRegressor(**FEW), grid, cv=2).fit, X, NUMBERS)
    assert len(search.cv_results_["params"]) == 12
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    random = RandomizedSearchCV(
        MLPRegressor("huber", **FEW), {"loss": ["mae", fastbp.Huber(0.5)]}, n_iter=2, cv=2, random_state=0
    )
    assert quietly(random.fit, X, NUMBERS).best_params_["loss"] in ["mae", fastbp.Huber(0.5)]


def test_cross_validation_in_processes_and_threads_agree():
    from joblib import parallel_backend

    estimator = MLPClassifier(**FEW)
    expected = quietly(cross_val_score, estimator, X, LABELS, cv=3)
    with parallel_backend("threading"):
        threads = quietly(cross_val_score, estimator, X, LABELS, cv=3, n_jobs=3)
    np.testing.assert_array_equal(threads, expected)


def test_get_params_of_plain_values():
    """Deep parameters of values do not appear among those of the estimator itself."""
    estimator = MLPClassifier(optimizer=fastbp.Adam(0.1))
    assert "optimizer__learning_rate" not in estimator.get_params(deep=False)
    assert copy.deepcopy(estimator).get_params() == estimator.get_params()
