"""scikit-learn's own checks of estimators, without expected failures."""

import inspect
import re
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from helpers.estimators import MLPClassifier, MLPRegressor
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import estimator_checks
from sklearn.utils._testing import ignore_warnings
from sklearn.utils.estimator_checks import parametrize_with_checks

pytestmark = pytest.mark.filterwarnings("default")  # warnings belong to the checks

VARIANTS = [
    {},
    {"solver": "sgd", "learning_rate_init": 0.1},
    {"solver": "lbfgs"},
    {"early_stopping": True, "n_iter_no_change": 30},
    {"warm_start": True},
    {"optimizer": "rmsprop"},
    {"dropout": 0.1},
    {"scoring": "loss", "activation": ["tanh"], "hidden_layer_sizes": [30]},
]
ESTIMATORS = [kind(**{"max_iter": 100} | options) for kind in (MLPClassifier, MLPRegressor) for options in VARIANTS]
ESTIMATORS += [MLPClassifier(class_weight="balanced", max_iter=100), MLPRegressor("mae", max_iter=100)]


@parametrize_with_checks(ESTIMATORS)
def test_checks_of_scikit_learn(estimator, check):
    with ignore_warnings(category=(FutureWarning, ConvergenceWarning, UserWarning)):
        check(estimator)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True, "n_iter_no_change": 1}])
def test_names_of_columns_are_kept_without_warnings(kind, options):
    """scikit-learn's own MLP fails this with early stopping: it scores arrays without their names."""
    estimator = kind(max_iter=3, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator_checks.check_dataframe_column_names_consistency(kind.__name__, estimator)
    assert not [str(w.message) for w in caught if "feature names" in str(w.message)]


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_docstring_has_every_parameter_and_attribute(kind):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    with ignore_warnings(category=ConvergenceWarning):
        fitted = kind(max_iter=2, early_stopping=True).fit(X, y)
    named = set(inspect.signature(kind.__init__).parameters) - {"self"}
    named |= {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}
    documented = set(re.findall(r"^\s*(\w+) :", kind.__doc__, re.MULTILINE))
    assert not named - documented


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_parameters_are_those_of_scikit_learn(kind):
    """The names, the order and the defaults are scikit-learn's; more names follow, by keyword only."""
    from sklearn import neural_network

    theirs = inspect.signature(getattr(neural_network, kind.__name__)).parameters
    ours = inspect.signature(kind).parameters
    shared = [name for name in ours if name in theirs]
    assert shared == list(theirs)
    assert [ours[name].default for name in theirs] == [p.default for p in theirs.values()]
    more = [name for name in ours if name not in theirs and name != "loss"]
    assert {ours[name].kind for name in more} <= {inspect.Parameter.KEYWORD_ONLY}
    assert list(ours)[-len(more) :] == more or "loss" in list(ours)[-len(more) - 1 :]


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_clone_keeps_every_parameter(kind):
    estimator = kind(alpha=0.5, dropout=[0.1], optimizer="rmsprop", scoring="loss")
    assert clone(estimator).get_params() == estimator.get_params()
