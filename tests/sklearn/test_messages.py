"""Errors, warnings and printed lines in scikit-learn's own words."""

import itertools
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from sklearn.exceptions import ConvergenceWarning

from helpers.estimators import RELEASE, MLPClassifier, MLPRegressor, answers, fit, rows, theirs

X = rows(40, 3)
BINARY, MANY, NUMBERS = (answers(X, task) for task in ("binary", "multiclass", "regression"))
WEIGHTS = () if RELEASE < (1, 7) else (np.ones(39),)


def refusal(call, estimator):
    """Return the class and the text of what `call` raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as info:  # noqa: PT011
            call(estimator)
    return info.type, str(info.value)


def same(kind, call, beginning=None, **options):
    """Assert that both classes refuse in the same words, or with the same beginning."""
    options = {"max_iter": 3, "random_state": 0} | options
    ours, expected = (refusal(call, one(**options)) for one in (kind, theirs(kind)))
    if beginning is None:
        assert ours[1] == expected[1]
    else:
        assert ours[1].startswith(beginning)
        assert expected[1].startswith(beginning)
    assert issubclass(ours[0], expected[0]), ours


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_parameters_out_of_range(kind):
    """What scikit-learn refuses is refused by name, in fastbp's words, and nothing is fitted."""
    refused = {
        "hidden_layer_sizes": [-1, (0,), (5, -2), "5"],
        "solver": ["newton", None],
        "alpha": [-1, "1", None],
        "batch_size": [0, -3, "all", 2.5],
        "learning_rate": ["sometimes", None],
        "learning_rate_init": [0, -1.0],
        "power_t": [-1],
        "max_iter": [0, 1.5],
        "shuffle": [3],
        "tol": [-1e-3],
        "warm_start": ["yes"],
        "momentum": [-0.1, 1.1],
        "nesterovs_momentum": ["yes"],
        "early_stopping": ["yes"],
        "validation_fraction": [-0.1, 1.0],
        "beta_1": [1.0, -0.1],
        "beta_2": [1.0, -0.1],
        "epsilon": [0, -1e-8],
        "n_iter_no_change": [0, 2.5],
        "max_fun": [0],
    }
    for (name, values), solver in itertools.product(refused.items(), ("adam", "sgd", "lbfgs")):
        for value in values:
            estimator = kind(**{"max_iter": 2, "solver": solver, name: value})
            refused_as, text = refusal(lambda estimator: estimator.fit(X, BINARY), estimator)
            assert issubclass(refused_as, ValueError), (name, value)
            assert name in text
            assert not vars(estimator).keys() - estimator.get_params().keys()
            assert refusal(
                lambda estimator: estimator.fit(X, BINARY), theirs(kind)(**{"solver": solver, name: value})
            )


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_data(kind):
    odd = X.copy()
    odd[3, 1] = np.nan
    large = X.copy()
    large[3, 1] = np.inf
    bad = [
        lambda e: e.fit(X, BINARY[:-1]),
        lambda e: e.fit(X[0], BINARY),
        lambda e: e.fit(odd, BINARY),
        lambda e: e.fit(large, BINARY),
        lambda e: e.fit(X[:0], BINARY[:0]),
        lambda e: e.fit(X[:, :0], BINARY),
        lambda e: e.fit(X, None),
        lambda e: e.fit([["a"]] * 40, BINARY),
        lambda e: e.fit(X + 1j, BINARY),
        lambda e: e.predict(X),
        lambda e: e.fit(X, BINARY).predict(X[:, :2]),
        lambda e: e.fit(X, BINARY).predict(odd),
        lambda e: e.fit(X, BINARY).partial_fit(X[:, :2], BINARY),
        lambda e: e.score(X, BINARY),
    ]
    if WEIGHTS:
        bad += [lambda e: e.fit(X, BINARY, *WEIGHTS), lambda e: e.fit(X, BINARY, np.full(40, np.nan))]
    for call in bad:
        same(kind, call)


def test_labels():
    y = np.array(["a", "b", "c"], dtype=object)[MANY]
    bad = [
        lambda e: e.partial_fit(X, MANY),
        lambda e: e.partial_fit(X, MANY, classes=[0, 1, 2]).partial_fit(X, MANY, classes=[0, 1]),
        lambda e: e.partial_fit(X, BINARY, classes=[0, 1]).partial_fit(X, MANY),
        lambda e: e.partial_fit(X, BINARY, classes=[5, 6]),
        lambda e: e.fit(X, np.full(40, np.nan)),
        lambda e: e.set_params(warm_start=True).fit(X, MANY).fit(X, BINARY),
        lambda e: e.set_params(warm_start=True).fit(X, y).fit(X, MANY),
        lambda e: e.set_params(early_stopping=True).fit(X[:4], [0, 0, 0, 1]),
        lambda e: e.set_params(early_stopping=True, validation_fraction=0.01).fit(X, MANY),
    ]
    if RELEASE < (
        1,
        7,
    ):  # there, classes are the third argument of partial_fit, and one row is validation data
        bad = bad[4:-1]
    for call in bad:
        same(MLPClassifier, call)
    same(MLPClassifier, lambda e: e.fit(X, NUMBERS), beginning="Unknown label type: ")


def test_targets():
    bad = [
        lambda e: e.fit(X, np.full(40, np.nan)),
        lambda e: e.fit(X, np.column_stack([NUMBERS, NUMBERS])).score(X, NUMBERS),
    ]
    if RELEASE >= (1, 7):
        bad.append(lambda e: e.set_params(early_stopping=True).fit(X[:2], NUMBERS[:2]))
    for call in bad:
        same(MLPRegressor, call)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_partial_fit_with_early_stopping_needs_validation_data(kind):
    beginning = "partial_fit does not support early_stopping=True"
    same(kind, lambda e: e.fit(X, BINARY).partial_fit(X, BINARY), beginning, early_stopping=True)
    with pytest.raises(ValueError, match="X_val"):
        fit(kind(early_stopping=True, max_iter=2), X, BINARY).partial_fit(X, BINARY)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_partial_fit_of_a_full_batch_solver(kind):
    assert not hasattr(kind(solver="lbfgs"), "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        kind(solver="lbfgs").partial_fit(X, BINARY)


def test_divergence():
    """Regression with a huge rate: the text is scikit-learn's, what happened follows it."""
    options = {
        "solver": "sgd",
        "learning_rate_init": 1e6,
        "shuffle": False,
        "activation": "identity",
        "max_iter": 60,
    }
    text = "Solver produced non-finite parameter weights. The input data may contain large values"
    same(MLPRegressor, lambda estimator: estimator.fit(100 * X, NUMBERS), beginning=text, **options)


def warned(estimator, y):
    """Return classes and texts of the warnings of a fit, without SciPy's about an old scikit-learn."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, y)
    return [(w.category, str(w.message)) for w in caught if w.category is not DeprecationWarning]


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_warnings(kind):
    """Not converged; batches larger than the data; a column as answers."""
    y = BINARY if kind is MLPClassifier else NUMBERS
    for options, given in (
        ({"solver": "sgd"}, y),
        ({"solver": "adam"}, y),
        ({"batch_size": 1000}, y),
        ({}, y[:, None]),
    ):
        options = {"max_iter": 4, "random_state": 0} | options
        seen, expected = (warned(one(**options), given) for one in (kind, theirs(kind)))
        assert seen == expected
        assert seen
    for one in (kind, theirs(kind)):  # the end of the text, which advises, is another
        ((category, text),) = warned(one(solver="lbfgs", max_iter=4, random_state=0), y)
        assert category is ConvergenceWarning
        assert text.startswith("lbfgs failed to converge")
        assert "TOTAL NO. OF ITERATIONS REACHED LIMIT" in text
        assert "max_iter" in text


def test_converged_fits_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in ({"tol": 1.0, "n_iter_no_change": 2}, {"solver": "lbfgs", "tol": 0.1}):
            estimator = MLPClassifier(random_state=0, **options).fit(X, BINARY)
            assert estimator.n_iter_ < estimator.max_iter


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1},
        {"early_stopping": True, "n_iter_no_change": 2, "solver": "sgd"},
        {"tol": 1.0, "n_iter_no_change": 2},
    ],
)
def test_verbose(options, capsys):
    """Line for line, save for the last digits of ADAM's losses."""
    printed = []
    for one in (MLPClassifier, theirs(MLPClassifier)):
        estimator = one(verbose=True, shuffle=False, random_state=0, max_iter=40, **options)
        fit(estimator, X, BINARY)
        printed.append(capsys.readouterr().out)
    if options.get("solver") == "sgd":
        assert printed[0] == printed[1]
    first, second = (text.splitlines() for text in printed)
    assert len(first) == len(second)
    for line, expected in zip(first, second, strict=True):
        assert line.split("loss = ")[0] == expected.split("loss = ")[0]
