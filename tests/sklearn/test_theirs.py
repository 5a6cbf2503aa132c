"""scikit-learn's own tests of its MLP, with the classes swapped."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

import helpers.estimators

pytestmark = pytest.mark.filterwarnings("ignore")  # those that matter are caught by the tests

MODULE = "sklearn.neural_network.tests.test_mlp"
IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor\n"

#: Tests of private names, which are scikit-learn's own business, and the name.
PRIVATE = {
    "test_gradient": "calls _loss_grad_lbfgs; gradients are tested in tests/engine",
    "test_learning_rate_warmstart": "reads _optimizer.learning_rate; test_parity.py compares the rates",
    "test_adaptive_learning_rate": "reads _optimizer.learning_rate; test_parity.py compares the rates",
}


def swapped():
    """Return the names of scikit-learn's test module, executed with the classes under test."""
    path = Path(importlib.util.find_spec(MODULE).origin)
    source = path.read_text(encoding="utf-8")
    assert source.count(IMPORT) == 1
    source = source.replace(IMPORT, "from helpers.estimators import MLPClassifier, MLPRegressor\n")
    names = {"__name__": __name__, "__file__": str(path)}
    exec(compile(source, path, "exec"), names)
    return names


THEIRS = {name: value for name, value in swapped().items() if name.startswith("test_")}
globals().update({name: test for name, test in THEIRS.items() if name not in PRIVATE})


@pytest.fixture(params=[42])
def global_random_seed(request):
    """The seed that scikit-learn's own configuration of pytest passes to its tests."""
    return request.param


def test_classes_are_swapped():
    names = swapped()
    assert names["MLPClassifier"] is helpers.estimators.MLPClassifier
    assert names["MLPClassifier"].__module__.startswith("fastbp.")
    assert len(THEIRS) > 30


def test_only_tests_of_private_names_are_left_out():
    for name, reason in PRIVATE.items():
        private = re.search(r"\b_\w+", reason).group()
        assert private in inspect.getsource(THEIRS[name]), name
