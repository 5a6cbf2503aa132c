"""scikit-learn's own checks of estimators, without expected failures."""

import inspect
import re
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import estimator_checks
from sklearn.utils._testing import ignore_warnings
from sklearn.utils.estimator_checks import parametrize_with_checks

from helpers.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("default")  # warnings belong to the checks

#: Checks that cannot hold for a parameter, scikit-learn's own MLP included, with the reason.
IMPOSSIBLE = {
    ("warm_start", "check_supervised_y_2d"): "fits twice and expects the same",
    (
        "warm_start",
        "check_classifiers_multilabel_representation_invariance",
    ): "fits twice and expects the same",
    (
        "early_stopping",
        "check_sample_weight_equivalence_on_dense_data",
    ): "the split depends on the number of rows",
    (
        "early_stopping",
        "check_sample_weight_equivalence_on_sparse_data",
    ): "the split depends on the number of rows",
    ("early_stopping", "check_class_weight_classifiers"): "scores do not use the weights of classes",
    (
        "dropout",
        "check_sample_weight_equivalence_on_dense_data",
    ): "what is dropped depends on the number of rows",
    (
        "dropout",
        "check_sample_weight_equivalence_on_sparse_data",
    ): "what is dropped depends on the number of rows",
}


class WithoutPartialFit:
    """`partial_fit` with early stopping needs validation data, which the checks do not have."""

    @property
    def partial_fit(self):
        raise AttributeError("partial_fit")


class Classifier(WithoutPartialFit, MLPClassifier):
    pass


class Regressor(WithoutPartialFit, MLPRegressor):
    pass


SMALL = {"hidden_layer_sizes": 20, "max_iter": 100}
VARIANTS = [
    {},
    {"solver": "lbfgs", "max_iter": 30},
    {"optimizer": "rmsprop"},
    {"dropout": 0.1},
    {"warm_start": True},
]
STOPPING = {"early_stopping": True, "validation_fraction": 0.4, "n_iter_no_change": 100}
ESTIMATORS = [
    *(kind(**SMALL | options) for kind in (MLPClassifier, MLPRegressor) for options in VARIANTS),
    *(MLPClassifier(solver="sgd", learning_rate_init=0.1, **SMALL), MLPRegressor(solver="sgd", **SMALL)),
    *(Classifier(**SMALL | STOPPING), Regressor(**SMALL | STOPPING)),
]


checks = parametrize_with_checks(ESTIMATORS).mark


@pytest.mark.parametrize(checks.args[0], [*checks.args[1]], **checks.kwargs)  # a list, which pytest asks for
def test_checks_of_scikit_learn(estimator, check):
    for name, check_name in IMPOSSIBLE:
        if getattr(estimator, name) and getattr(check, "func", check).__name__ == check_name:
            pytest.skip(IMPOSSIBLE[name, check_name])
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
    documented = re.findall(r"^(\w+(?:, \w+)*) :", inspect.cleandoc(kind.__doc__), re.MULTILINE)
    assert not named - {name for entry in documented for name in entry.split(", ")}


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
