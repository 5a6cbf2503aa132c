"""What estimators remember: warm starts, copies, pickles, weights set by the user, dtypes, sparse rows."""

import copy
import pickle
import threading

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

import joblib
from sklearn.base import clone

import fastbp
from helpers.estimators import MLPClassifier, MLPRegressor, answers, fit, rows

X = rows(50)
LABELS, NUMBERS = answers(X, "multiclass"), answers(X, "regression")
NAMES = np.array(["ash", "beech", "cedar"])[LABELS]
OPTIONS = {
    "max_iter": 10,
    "random_state": 0,
    "batch_size": 16,
    "n_iter_no_change": 100,
    "hidden_layer_sizes": (6, 5),
}


def bits(estimator):
    """Return what training changes, as something that is equal only for the same bits."""
    arrays = [*estimator.coefs_, *estimator.intercepts_]
    return [array.tobytes() for array in arrays], list(estimator.loss_curve_)


@pytest.mark.parametrize(("kind", "y"), [(MLPClassifier, LABELS), (MLPRegressor, NUMBERS)])
@pytest.mark.parametrize(
    "options",
    [
        {"solver": "adam"},
        {"solver": "sgd"},
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.01, "n_iter_no_change": 1},
        {"optimizer": fastbp.RMSprop(0.01)},
        {"optimizer": fastbp.Adam(fastbp.schedules.Cosine(0.01, 100))},
        {"learning_rate": lambda epoch: 0.01 / (1 + epoch)},
        {"dropout": 0.2},
        {"shuffle": False},
        {"optimizer": "irprop"},
    ],
    ids=lambda options: ",".join(options),
)
def test_warm_start_goes_on_where_it_stopped(kind, y, options):
    """Ten epochs twice are twenty once, bit for bit: weights, optimizer, order of rows, rates, dropout."""
    if options.get("optimizer") == "irprop":
        options = options | {"batch_size": "auto"}
    options = OPTIONS | options
    twice = kind(warm_start=True, **options)
    fit(fit(twice, X, y), X, y)
    once = fit(kind(**options | {"max_iter": 20}), X, y)
    assert bits(twice) == bits(once)
    assert (twice.n_iter_, twice.t_) == (once.n_iter_ - 10, once.t_)
    assert fit(kind(**options), X, y).loss_curve_ == once.loss_curve_[:10]


def test_calls_of_partial_fit_are_epochs():
    """Ten calls are a fit of ten epochs: unlike scikit-learn's, they go through the same orders of rows."""
    for kind, y, first in ((MLPClassifier, LABELS, {"classes": [0, 1, 2]}), (MLPRegressor, NUMBERS, {})):
        calls = kind(**OPTIONS)
        calls.partial_fit(X, y, **first)
        for _ in range(9):
            calls.partial_fit(X, y)
        assert bits(calls) == bits(fit(kind(**OPTIONS), X, y))


def test_warm_start_with_a_changed_optimizer():
    """The weights stay, the optimizer begins."""
    estimator = fit(MLPRegressor(warm_start=True, optimizer=fastbp.SGD(0.01), **OPTIONS), X, NUMBERS)
    before = [W.copy() for W in estimator.coefs_]
    fit(estimator.set_params(optimizer=fastbp.Adam(1e-9), max_iter=1), X, NUMBERS)
    assert estimator.network_.optimizer == fastbp.Adam(1e-9)
    for value, expected in zip(estimator.coefs_, before, strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-7)
    assert len(estimator.loss_curve_) == 11
    fit(estimator.set_params(optimizer__learning_rate=0.01, max_iter=5), X, NUMBERS)
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[10]


def test_warm_start_with_changed_parameters_of_the_network():
    """A changed alpha, dropout or loss continues with the weights; other layers do not fit them."""
    estimator = fit(MLPRegressor(warm_start=True, **OPTIONS), X, NUMBERS)
    before = [W.copy() for W in estimator.coefs_]
    for changed in ({"alpha": 2.0}, {"dropout": 0.1}, {"loss": "mae"}):
        fit(estimator.set_params(max_iter=1, learning_rate_init=1e-9, **changed), X, NUMBERS)
        for value, expected in zip(estimator.coefs_, before, strict=True):
            np.testing.assert_allclose(value, expected, atol=1e-6)
    with pytest.raises(ValueError, match="coefs_"):
        fit(estimator.set_params(hidden_layer_sizes=(6, 7)), X, NUMBERS)


def test_fit_without_warm_start_forgets():
    estimator = fit(MLPClassifier(**OPTIONS), X, LABELS)
    first = bits(estimator)
    assert bits(fit(estimator, X, LABELS)) == first
    fit(estimator, X[:, :3], NAMES)
    assert estimator.coefs_[0].shape == (3, 6)
    assert estimator.classes_.tolist() == ["ash", "beech", "cedar"]


def test_copies():
    """A pickle, joblib's file, a deep copy: they predict the same, and go on the same."""
    for kind, y in ((MLPClassifier, NAMES), (MLPRegressor, NUMBERS)):
        estimator = fit(kind(warm_start=True, **OPTIONS), X, y)
        twins = [pickle.loads(pickle.dumps(estimator, protocol)) for protocol in (2, 5)]
        twins += [copy.deepcopy(estimator), copy.copy(estimator)]
        for twin in twins:
            assert bits(twin) == bits(estimator)
            np.testing.assert_array_equal(twin.predict(X), estimator.predict(X))
        twins.pop()  # a shallow copy shares the network
        fit(estimator, X, y)
        for twin in twins:
            assert bits(twin) != bits(estimator)
            assert bits(fit(twin, X, y)) == bits(estimator)


def test_joblib_files(tmp_path):
    estimator = fit(MLPClassifier(**OPTIONS), X, NAMES)
    joblib.dump(estimator, tmp_path / "mlp.joblib", compress=3)
    twin = joblib.load(tmp_path / "mlp.joblib")
    np.testing.assert_array_equal(twin.predict_proba(X), estimator.predict_proba(X))
    joblib.dump(estimator, tmp_path / "plain.joblib")
    mapped = joblib.load(tmp_path / "plain.joblib", mmap_mode="r")
    np.testing.assert_array_equal(mapped.predict(X), estimator.predict(X))


def test_weights_that_the_user_sets_are_used():
    estimator = fit(MLPRegressor(activation="tanh", **OPTIONS | {"hidden_layer_sizes": 6}), X, NUMBERS)
    rng = np.random.default_rng(0)
    W1, b1, W2, b2 = (rng.normal(size=shape) for shape in ((5, 6), 6, (6, 1), 1))
    expected = (np.tanh(X @ W1 + b1) @ W2 + b2)[:, 0]
    estimator.coefs_, estimator.intercepts_ = [W1, W2], [b1, b2]
    np.testing.assert_allclose(estimator.predict(X), expected, rtol=1e-12)
    estimator.coefs_[0] *= 0
    np.testing.assert_allclose(estimator.predict(X), np.tile(np.tanh(b1) @ W2 + b2, 50), rtol=1e-12)
    estimator.coefs_[0] = W1
    copied = pickle.loads(pickle.dumps(estimator))
    for one in (copied, estimator):
        np.testing.assert_allclose(one.predict(X), expected, rtol=1e-12)
    estimator.partial_fit(X, NUMBERS)  # goes on from these
    assert np.abs(estimator.coefs_[0] - W1).max() < 0.01


def test_weights_are_the_networks_own():
    estimator = fit(MLPRegressor(**OPTIONS), X, NUMBERS)
    for value, own in zip(estimator.coefs_, estimator.network_.weights, strict=True):
        np.testing.assert_array_equal(value, own)
    np.testing.assert_allclose(estimator.network_.predict(X)[:, 0], estimator.predict(X), rtol=1e-15)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_float32_is_kept(solver):
    narrow = X.astype(np.float32)
    for kind, y in ((MLPClassifier, LABELS), (MLPRegressor, NUMBERS)):
        estimator = fit(kind(solver=solver, **OPTIONS), narrow, y)
        assert {array.dtype for array in estimator.coefs_ + estimator.intercepts_} == {np.dtype(np.float32)}
        assert estimator.network_.dtype == np.float32
        outputs = estimator.predict_proba(narrow) if kind is MLPClassifier else estimator.predict(narrow)
        assert outputs.dtype == np.float32
        wide = fit(kind(solver=solver, **OPTIONS), X, y)
        assert wide.coefs_[0].dtype == np.float64
        assert estimator.loss_ == pytest.approx(wide.loss_, rel=1e-3)
    assert fit(MLPRegressor(**OPTIONS), X.astype(np.float16), NUMBERS).coefs_[0].dtype == np.float64


@pytest.mark.parametrize("format", ["csr", "csc", "csr_array"])
def test_sparse_rows_are_read_as_they_are(format, monkeypatch):
    """The same numbers as from the dense rows, which are never made."""
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.where(np.random.default_rng(0).random(X.shape) < 0.4, X, 0.0)
    given = sparse.csr_array(dense) if format == "csr_array" else sparse.csr_matrix(dense).asformat(format)
    for kind, y in ((MLPClassifier, LABELS), (MLPRegressor, NUMBERS)):
        options = OPTIONS | {"early_stopping": True, "validation_fraction": 0.2}
        expected = fit(kind(**options), dense, y)
        with monkeypatch.context() as patch:
            for made in ("toarray", "todense"):
                patch.setattr(type(given), made, lambda self, *a, **k: pytest.fail("made dense"))
            estimator = fit(kind(**options), given, y)
            predicted = estimator.predict(given)
        np.testing.assert_allclose(estimator.loss_curve_, expected.loss_curve_, rtol=1e-10)
        assert estimator.validation_scores_ == pytest.approx(expected.validation_scores_, rel=1e-9)
        if kind is MLPRegressor:
            np.testing.assert_allclose(predicted, expected.predict(dense), rtol=1e-8)
        else:
            np.testing.assert_array_equal(predicted, expected.predict(dense))


def test_string_labels():
    for y in (NAMES, NAMES.astype(object), [str(name) for name in NAMES]):
        estimator = fit(MLPClassifier(early_stopping=True, **OPTIONS), X, y)
        assert estimator.classes_.tolist() == ["ash", "beech", "cedar"]
        assert set(estimator.predict(X)) <= {"ash", "beech", "cedar"}
        numbers = fit(MLPClassifier(early_stopping=True, **OPTIONS), X, LABELS)
        assert estimator.validation_scores_ == numbers.validation_scores_
        np.testing.assert_array_equal(estimator.predict_proba(X), numbers.predict_proba(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # for all threads
def test_fits_in_threads():
    """Estimators in threads of their own learn what they learn alone; one of them predicts in all at once."""
    expected = [bits(fit(MLPClassifier(**OPTIONS | {"random_state": seed}), X, LABELS)) for seed in range(4)]
    found = [None] * 4

    def train(seed):
        found[seed] = bits(MLPClassifier(**OPTIONS | {"random_state": seed}).fit(X, LABELS))

    threads = [threading.Thread(target=train, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
    shared = fit(MLPClassifier(**OPTIONS), X, LABELS)
    proba = shared.predict_proba(X)
    results = joblib.Parallel(n_jobs=4, backend="threading")(
        joblib.delayed(shared.predict_proba)(X) for _ in range(16)
    )
    assert all((result == proba).all() for result in results)


def test_interrupted_fit_keeps_what_it_has():
    """Ctrl-C ends a fit with scikit-learn's warning; the epochs so far are kept, and a warm start goes on."""
    calls = []

    def interrupt(estimator, X, y):
        calls.append(estimator.n_iter_)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.0

    estimator = MLPRegressor(scoring=interrupt, warm_start=True, **OPTIONS)
    with pytest.warns(UserWarning, match=r"Training interrupted by user\."):
        estimator.fit(X, NUMBERS, X_val=X, y_val=NUMBERS)
    assert 2 <= len(estimator.loss_curve_) <= 3
    assert np.isfinite(estimator.predict(X)).all()


def test_failed_fits_leave_the_estimator_as_it_was():
    estimator = fit(MLPClassifier(**OPTIONS), X, LABELS)

    def state():
        arrays = ("coefs_", "intercepts_", "_own_weights")
        return bits(estimator), {k: repr(value) for k, value in vars(estimator).items() if k not in arrays}

    before = state()
    for bad in (
        lambda: estimator.fit(X[:, :3], NAMES, X_val=X, y_val=NAMES),
        lambda: estimator.fit(X, NAMES, np.ones(3)),
        lambda: estimator.fit(X, answers(X, "binary"), X_val=X),
        lambda: estimator.partial_fit(X[:, :2], LABELS),
        lambda: estimator.partial_fit(X, LABELS + 7),
        lambda: estimator.partial_fit(X, LABELS, np.ones(3)),
        lambda: estimator.partial_fit(X, LABELS, X_val=X),
    ):
        with pytest.raises(ValueError, match=r"."):
            bad()
        assert state() == before


def test_interrupted_lbfgs_keeps_what_it_has():
    """Ctrl-C is passed on, as by scikit-learn; the iterations so far have trained the network."""
    calls = []

    def squared_error(output, target):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        error = output - target.reshape(output.shape)
        return np.mean(error**2) / 2, error / len(output)

    estimator = MLPRegressor(squared_error, solver="lbfgs", **OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, NUMBERS)
    assert 1 <= estimator.n_iter_ <= 8
    assert np.isfinite(estimator.predict(X)).all()


def test_converged_is_about_the_last_fit():
    """A fit that goes on and is interrupted has not converged, even if the one before has."""

    def interrupt(estimator, X, y):
        raise KeyboardInterrupt

    options = OPTIONS | {"max_iter": 100, "n_iter_no_change": 1, "tol": 1.0}
    estimator = MLPRegressor(warm_start=True, **options).fit(X, NUMBERS)
    assert estimator.converged_
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.set_params(scoring=interrupt).fit(X, NUMBERS, X_val=X, y_val=NUMBERS)
    assert not estimator.converged_


class Narrow(MLPRegressor):
    """An estimator whose constructor has fewer parameters, one that is required, and one of its own."""

    def __init__(self, size, optimizer=None, learning_rate_init=0.02):
        super().__init__(
            hidden_layer_sizes=(size,),
            optimizer=optimizer,
            learning_rate_init=learning_rate_init,
            random_state=0,
            max_iter=5,
        )
        self.size = size


def test_subclass_with_other_parameters(tmp_path):
    narrow = fit(clone(Narrow(6)), X, NUMBERS)
    assert narrow.get_params() == {"size": 6, "optimizer": None, "learning_rate_init": 0.02}
    expected = fit(
        MLPRegressor("squared_error", 6, learning_rate_init=0.02, random_state=0, max_iter=5), X, NUMBERS
    )
    assert bits(narrow) == bits(expected)
    assert bits(fit(pickle.loads(pickle.dumps(narrow)), X, NUMBERS)) == bits(expected)
    narrow.save(tmp_path / "narrow")
    assert bits(fit(Narrow.load(tmp_path / "narrow"), X, NUMBERS)) == bits(expected)
    assert fit(Narrow(6, "rmsprop"), X, NUMBERS).network_.optimizer == fastbp.RMSprop()
    with pytest.raises(ValueError, match=r"learning_rate_init is 0.001 .*expected the default 0.02"):
        fit(Narrow(6, "rmsprop", 0.001), X, NUMBERS)


def test_parameters_within_what_is_no_value():
    for options in ({}, {"optimizer": "adam"}):
        with pytest.raises(ValueError, match=r"optimizer is .*, which has no parameter 'momentum'"):
            MLPRegressor(**options).set_params(optimizer__momentum=0.5)
    with pytest.raises(
        ValueError, match=r"learning_rate of Adam\(.* is 0.001, which has no parameter 'final'"
    ):
        MLPRegressor(optimizer=fastbp.Adam()).set_params(optimizer__learning_rate__final=0.5)
    with pytest.raises(ValueError, match=r"Invalid parameter 'optimiser'"):
        MLPRegressor().set_params(optimiser__momentum=0.5)


@pytest.mark.parametrize("warm_start", [False, True])
def test_what_the_network_refuses_changes_nothing(warm_start):
    """Data and options that only the network checks are refused like all others: no untrained weights."""
    wrong = [
        ({}, (X, NUMBERS, -np.ones(50))),
        ({"loss": "poisson"}, (X, -np.abs(NUMBERS))),
        ({"optimizer": "irprop", "batch_size": 10}, (X, NUMBERS)),
        ({"optimizer": "rmsprop", "loss": lambda output, target: None}, (X, NUMBERS)),
        ({"solver": "lbfgs", "dropout": 0.1}, (X, NUMBERS)),
        ({"solver": "sgd", "batch_size": "auto"}, (X, NUMBERS * 1e200)),
    ]
    for options, data in wrong:
        estimator = MLPRegressor(**OPTIONS | {"warm_start": warm_start} | options)
        with pytest.raises((ValueError, TypeError), match=r"."), np.errstate(all="ignore"):
            estimator.fit(*data)
        assert not hasattr(estimator, "coefs_")
        estimator = fit(MLPRegressor(warm_start=warm_start, **OPTIONS), X, NUMBERS)
        twin = copy.deepcopy(estimator)
        with pytest.raises((ValueError, TypeError), match=r"."), np.errstate(all="ignore"):
            estimator.set_params(**options).fit(*data)
        assert bits(estimator) == bits(twin)
        assert estimator.network_.optimizer == twin.network_.optimizer
        estimator.set_params(**twin.get_params())
        assert bits(fit(estimator, X, NUMBERS)) == bits(fit(twin, X, NUMBERS))
