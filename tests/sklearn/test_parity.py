"""The same numbers as scikit-learn's own MLP, where rows keep their order."""

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from helpers.estimators import KINDS, RELEASE, answers, fit, rows, theirs

X = rows()
TASKS = [task for task in KINDS if task != "poisson" or RELEASE >= (1, 7)]
#: A last batch of 5 rows, a penalty that is felt, and every epoch of the 30 done.
COMMON = {
    "hidden_layer_sizes": (7, 6),
    "solver": "sgd",
    "batch_size": 16,
    "learning_rate_init": 0.02,
    "alpha": 0.1,
    "max_iter": 30,
    "n_iter_no_change": 1000,
    "shuffle": False,
    "random_state": 3,
}

weighted = pytest.mark.skipif(
    RELEASE < (1, 7), reason="scikit-learn's MLP takes sample weights since version 1.7"
)


def pair(task, X=X, fit=fit, sample_weight=None, **options):
    """Return an estimator and scikit-learn's, fitted alike to the answers of a task."""
    options = COMMON | options
    if task == "poisson":
        options["loss"] = "poisson"
    weights = () if sample_weight is None else (sample_weight,)
    y = answers(rows(len(X.toarray() if hasattr(X, "toarray") else X)), task)
    return tuple(fit(kind(**options), X, y, *weights) for kind in (KINDS[task], theirs(KINDS[task])))


#: Several targets are left out: see `test_loss_of_several_targets`.
LOSSES = ("loss_curve_", "loss_", "best_loss_", "validation_scores_", "best_validation_score_")


def close(ours, reference, rtol=1e-10, losses=LOSSES):
    """Compare what two estimators have learned, and what they say about it."""
    if ours.n_outputs_ > 1 and not hasattr(ours, "classes_"):
        losses = [name for name in losses if "loss" not in name]
    for name in losses:
        expected = getattr(reference, name, None)
        if expected is not None:
            np.testing.assert_allclose(getattr(ours, name), expected, rtol=rtol, err_msg=name)
    for name in ("coefs_", "intercepts_"):
        for k, (value, expected) in enumerate(
            zip(getattr(ours, name), getattr(reference, name), strict=True)
        ):
            assert value.shape == expected.shape
            assert value.dtype == expected.dtype
            scale = np.abs(expected).max()
            np.testing.assert_allclose(value, expected, rtol=rtol, atol=rtol * scale, err_msg=f"{name}[{k}]")
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(reference, name), name


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "options",
    [
        {"momentum": 0.0},
        {"momentum": 0.9, "nesterovs_momentum": False},
        {"momentum": 0.9, "nesterovs_momentum": True},
        {"learning_rate": "invscaling", "power_t": 0.3, "learning_rate_init": 0.1},
        {"learning_rate": "adaptive", "tol": 0.02, "n_iter_no_change": 2, "max_iter": 60},
        {"activation": "tanh", "hidden_layer_sizes": 9},
        {"activation": "logistic", "batch_size": "auto"},
        {"activation": "identity", "alpha": 0.0},
    ],
    ids=lambda options: ",".join(options),
)
def test_sgd(task, options):
    if task == "multioutput" and options.get("learning_rate") == "adaptive":
        pytest.skip("other epochs improve by `tol`: see test_loss_of_several_targets")
    close(*pair(task, **options))


def test_loss_of_several_targets():
    """fastbp shows the sum over targets, which it minimizes. So does scikit-learn, but it shows the mean."""
    ours, reference = pair("multioutput", alpha=0.0)
    close(ours, reference)
    np.testing.assert_allclose(ours.loss_curve_, 2 * np.array(reference.loss_curve_), rtol=1e-10)


def test_adaptive_rate_falls_to_its_end():
    """The rate is divided by 5 until it is at most 1e-6, which ends the fit in the same epoch."""
    options = {"learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 1, "max_iter": 500}
    ours, reference = pair("binary", **options)
    assert reference.n_iter_ < 100
    close(ours, reference)


@pytest.mark.parametrize("task", TASKS)
def test_predictions(task):
    ours, reference = pair(task, max_iter=10)
    new = rows(31, seed=5)
    names = (
        ["predict"]
        if KINDS[task].__name__ == "MLPRegressor"
        else ["predict", "predict_proba", "predict_log_proba"]
    )
    for name in names:
        value, expected = (getattr(estimator, name)(new) for estimator in (ours, reference))
        assert (value.shape, value.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12, err_msg=name)
    y = answers(new, task)
    weights = np.random.default_rng(2).uniform(size=len(new))
    assert ours.score(new, y) == pytest.approx(reference.score(new, y), rel=1e-9)
    assert ours.score(new, y, weights) == pytest.approx(reference.score(new, y, weights), rel=1e-9)


@weighted
@pytest.mark.parametrize("task", TASKS)
def test_sample_weights(task):
    """The weights of the network agree in any batches, the loss of an epoch in one batch.

    Of several batches, scikit-learn's loss of the epoch is the mean by numbers of rows, fastbp's by weights.
    Rows of weight 0 are in no batch of fastbp, which a batch of all rows does not tell.
    """
    weights = np.random.default_rng(7).uniform(0.1, 3, size=len(X))
    close(*pair(task, sample_weight=weights), losses=())
    weights[::6] = 0
    close(*pair(task, sample_weight=weights, batch_size=len(X), activation="tanh"))


@pytest.mark.parametrize("format", ["csr", "csc", "list", "float32", "int"])
def test_kinds_of_inputs(format):
    if format in ("csr", "csc"):
        sparse = pytest.importorskip("scipy.sparse")
        inputs = sparse.random(53, 5, density=0.4, format=format, random_state=np.random.RandomState(0))
    elif format == "list":
        inputs = X.tolist()
    elif format == "int":
        inputs = (3 * X).astype(int)
    else:
        inputs = X.astype(np.float32)
    for task in ("multiclass", "regression"):
        close(*pair(task, inputs, max_iter=10), rtol=2e-4 if format == "float32" else 1e-10)


@pytest.mark.parametrize("task", TASKS)
def test_partial_fit(task):
    """Five calls, the fourth with fewer rows."""

    def calls(estimator, X, y):
        first = (
            (None, np.arange(3 if y.ndim == 2 else y.max() + 1))
            if hasattr(estimator, "predict_proba")
            else ()
        )
        if first and RELEASE < (1, 7):
            first = first[1:]
            if type(estimator).__module__.startswith("fastbp"):
                first = (None, *first)
        estimator.partial_fit(X, y, *first)
        for n in (53, 53, 20, 53):
            estimator.partial_fit(X[:n], y[:n])
        return estimator

    close(*pair(task, fit=calls, momentum=0.9))


@pytest.mark.parametrize("task", TASKS)
def test_adam(task):
    """scikit-learn adds epsilon before the correction of the moments for the first steps, fastbp after it.

    Where epsilon is far below the gradients, the numbers are the same. With the default of 1e-8, the losses
    of these fits differ by about a millionth, their weights by about 0.00001.
    """
    options = {"solver": "adam", "learning_rate_init": 0.01, "activation": "tanh"}
    close(*pair(task, epsilon=1e-20, **options))
    close(*pair(task, **options), rtol=5e-5)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression", "multioutput"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_split_of_early_stopping(task, shuffled):
    """The rows held out are the same, shuffled or not."""
    options = {
        "early_stopping": True,
        "validation_fraction": 0.3,
        "n_iter_no_change": 4,
        "batch_size": "auto",
    }
    ours, reference = pair(task, max_iter=25, shuffle=shuffled, **options)
    # one batch has all rows: their order changes nothing but the last bits
    close(ours, reference, rtol=1e-8)
    assert len(ours.validation_scores_) == ours.n_iter_


def test_early_stopping_stops_where_scikit_learn_stops():
    for task in ("binary", "regression"):
        options = {
            "early_stopping": True,
            "n_iter_no_change": 3,
            "max_iter": 200,
            "validation_fraction": 0.25,
        }
        ours, reference = pair(task, **options)
        assert reference.n_iter_ < 200
        close(ours, reference)


@weighted
def test_early_stopping_with_sample_weights():
    """The weights are split like the rows, and weigh the score."""
    weights = np.random.default_rng(7).uniform(0.1, 3, size=len(X))
    for task in ("binary", "multiclass", "regression"):
        options = {"early_stopping": True, "n_iter_no_change": 3, "validation_fraction": 0.25}
        close(
            *pair(task, sample_weight=weights, **options),
            losses=("validation_scores_", "best_validation_score_"),
        )


def test_stops_when_the_loss_stalls():
    for options in ({"tol": 0.01, "n_iter_no_change": 3}, {"tol": 0.05, "n_iter_no_change": 1}):
        ours, reference = pair("multiclass", max_iter=300, **options)
        assert reference.n_iter_ < 300
        close(ours, reference)


@pytest.mark.parametrize("task", [task for task in TASKS if task != "multioutput"])
def test_lbfgs(task):
    """Not for several targets: scikit-learn's gradient is then not that of its loss (a sum, and a mean)."""
    for alpha in (0.1, 1e-3):
        ours, reference = pair(task, solver="lbfgs", activation="tanh", alpha=alpha, max_iter=40)
        assert ours.loss_ == pytest.approx(reference.loss_, rel=1e-6)
        assert not hasattr(ours, "loss_curve_") or hasattr(reference, "loss_curve_")
        assert ours.n_iter_ == reference.n_iter_


@weighted
def test_lbfgs_with_sample_weights():
    weights = np.random.default_rng(7).uniform(0, 3, size=len(X))
    for task in ("binary", "regression"):
        ours, reference = pair(task, solver="lbfgs", activation="tanh", max_iter=30, sample_weight=weights)
        assert ours.loss_ == pytest.approx(reference.loss_, rel=1e-6)


def test_warm_start_without_momentum():
    """scikit-learn forgets the momentum at a warm start, fastbp does not; without it, both do the same."""

    def twice(estimator, X, y):
        return fit(fit(estimator, X, y), X, y)

    for task in ("binary", "multioutput"):
        close(*pair(task, fit=twice, warm_start=True, momentum=0.0, max_iter=12))


@pytest.mark.parametrize("activation", ["relu", "logistic"])
def test_no_hidden_layers(activation):
    """The activation says how the weights are drawn, also where no layer has it."""
    for task in ("multiclass", "regression"):
        close(*pair(task, hidden_layer_sizes=(), activation=activation))


def test_initial_weights_of_a_generator():
    """A generator gives scikit-learn's initial weights, too, and others in the next fit."""
    y = answers(X, "regression")
    start = COMMON | {"max_iter": 1, "learning_rate_init": 1e-12, "momentum": 0.0}
    kind = KINDS["regression"]
    ours, reference = (
        one(**start | {"random_state": np.random.RandomState(7)}) for one in (kind, theirs(kind))
    )
    first = fit(ours, X, y).coefs_[0].copy()
    np.testing.assert_allclose(first, fit(reference, X, y).coefs_[0], rtol=1e-9)
    assert (fit(ours, X, y).coefs_[0] != first).all()


def test_shuffled_fits_are_as_good():
    """The order of the rows is another, so numbers differ, but as little as those of two seeds."""
    ours, reference = pair("multiclass", shuffle=True, max_iter=40)
    assert ours.loss_ != reference.loss_
    assert ours.loss_ == pytest.approx(reference.loss_, rel=0.05)
    again, _ = pair("multiclass", shuffle=True, max_iter=40)
    assert again.loss_curve_ == ours.loss_curve_


def test_fitted_attributes_are_those_of_scikit_learn():
    for options in ({}, {"early_stopping": True}, {"solver": "lbfgs"}):
        for task in ("binary", "regression"):
            ours, reference = pair(task, max_iter=5, **options)
            public = {name for name in vars(reference) if name.endswith("_") and not name.startswith("_")}
            missing = {name for name in public if not hasattr(ours, name)}
            assert not missing
            for name in public - {"coefs_", "intercepts_"}:
                value, expected = getattr(ours, name), getattr(reference, name)
                assert isinstance(expected, type(value)), name  # a float for one of NumPy's
