"""Estimators over Dask, in this process: what they train, and what they share with those of one machine."""

import inspect
import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastbp
from fastbp.dask import DaskMLPClassifier, DaskMLPRegressor
from fastbp.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("in_this_process"),
]

SHORT = {"hidden_layer_sizes": (5,), "learning_rate_init": 0.01, "max_iter": 6, "random_state": 0}
ROWS = 90
rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, 4))
NUMBERS = np.tanh(X @ rng.normal(size=(4, 2)))
LABELS = np.array(["no", "perhaps", "yes"])[np.digitize(X[:, 0], [-0.5, 0.5])]
FLAGS = (NUMBERS > 0).astype(int)  # two labels per row
WEIGHTS = rng.uniform(0, 2, ROWS)

CASES = {
    "classes": (DaskMLPClassifier, LABELS, {}),
    "two classes": (DaskMLPClassifier, LABELS == "yes", {}),
    "labels": (DaskMLPClassifier, FLAGS, {}),
    "hinge": (DaskMLPClassifier, LABELS, {"loss": "hinge"}),
    "numbers": (DaskMLPRegressor, NUMBERS, {}),
    "one number": (DaskMLPRegressor, NUMBERS[:, 0], {"solver": "sgd", "learning_rate": "adaptive"}),
    "counts": (DaskMLPRegressor, np.abs(NUMBERS[:, 0]).round(1), {"loss": "poisson"}),
}


@pytest.fixture(params=CASES)
def case(request):
    """An estimator that is not fitted, and its targets."""
    kind, y, options = CASES[request.param]
    return kind(**SHORT | options), y


def local_class(kind):
    return MLPClassifier if issubclass(kind, MLPClassifier) else MLPRegressor


def chunked(da, array, sizes):
    """Return an array of Dask with chunks of so many rows."""
    return da.from_array(array, chunks=(sizes, *((n,) for n in array.shape[1:])))


def unknown(array):
    """Return an array of Dask that does not know the sizes of its chunks."""
    return array.map_blocks(lambda block: block, chunks=((np.nan,) * array.numblocks[0], *array.chunks[1:]))


def bits(estimator):
    return estimator.network_.parameters.tobytes(), estimator.loss_curve_, estimator.validation_scores_


# ---- parameters --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DaskMLPClassifier, DaskMLPRegressor])
def test_parameters_are_those_of_one_machine(kind):
    own, base = (inspect.signature(one).parameters for one in (kind, local_class(kind)))
    assert [*own] == [name for name in base if name != "max_fun"] + [
        "mode",
        "local_steps",
        "shards",
        "client",
    ]
    for name in own.keys() & base.keys():
        assert (own[name].default, own[name].kind) == (base[name].default, base[name].kind)
    assert kind(alpha=0.5).set_params(shards=3).get_params()["shards"] == 3


def test_wrong_parameters(da):
    data = chunked(da, X, (ROWS,)), chunked(da, LABELS, (ROWS,))
    with pytest.raises(fastbp.ParameterError, match="solver is 'lbfgs', expected 'adam' or 'sgd'"):
        DaskMLPClassifier(solver="lbfgs").fit(*data)
    with pytest.raises(fastbp.ParameterError, match="mode is 'other'"):
        DaskMLPClassifier(mode="other").fit(*data)
    with pytest.raises(fastbp.ParameterError, match="expected X_val and y_val"):
        DaskMLPClassifier(early_stopping=True).fit(*data)
    with pytest.raises(
        fastbp.ParameterError, match="class_weight is 'balanced' for rows with several labels"
    ):
        DaskMLPClassifier(class_weight="balanced").fit(data[0], chunked(da, FLAGS, (ROWS,)))
    with pytest.raises(fastbp.ParameterError, match=r"class_weight is .*, expected weights >= 0"):
        DaskMLPClassifier(class_weight={"no": -1.0}).fit(*data)
    with pytest.raises(fastbp.ParameterError, match="scoring is 'roc_auc' with a dask collection X_val"):
        DaskMLPClassifier(scoring="roc_auc").fit(*data, X_val=data[0], y_val=data[1])
    assert not hasattr(DaskMLPClassifier(), "partial_fit")
    assert DaskMLPClassifier().client_ is None


@pytest.mark.filterwarnings("default")  # warnings belong to the checks
@parametrize_with_checks([kind(**SHORT | {"max_iter": 60}) for kind in (DaskMLPClassifier, DaskMLPRegressor)])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


# ---- fits --------------------------------------------------------------------------------------------------


def test_one_shard_is_the_fit_of_one_machine(case):
    estimator, y = case
    estimator.set_params(shards=1).fit(X, y, WEIGHTS)
    parameters = {name: value for name, value in estimator.get_params().items() if name not in ONLY_DASK}
    local = local_class(type(estimator))(**parameters).fit(X, y, WEIGHTS)
    assert bits(estimator) == bits(local)
    np.testing.assert_array_equal(estimator.predict(X), local.predict(X))
    assert estimator.score(X, y) == local.score(X, y)


ONLY_DASK = ("mode", "local_steps", "shards", "client")


@pytest.mark.parametrize("mode", ["synchronous", "local"])
def test_partitions_are_shards(case, da, mode):
    """Arrays of Dask are trained on like the same rows in memory, whatever their chunks are called."""
    estimator, y = case
    estimator.set_params(mode=mode, shards=3).fit(X, y, WEIGHTS)
    thirds = (ROWS // 3,) * 3
    data = [chunked(da, array, thirds) for array in (X, y, WEIGHTS)]
    over_dask = clone(estimator).fit(data[0].rechunk((thirds, 2)), *data[1:])
    assert bits(over_dask)[0] == bits(estimator)[0]
    np.testing.assert_allclose(over_dask.loss_curve_, estimator.loss_curve_, rtol=1e-12)
    with_unknown = clone(estimator).fit(*map(unknown, data))
    assert bits(with_unknown) == bits(over_dask)
    in_memory = clone(estimator).fit(data[0], y, WEIGHTS)
    assert bits(in_memory) == bits(over_dask)


def test_unequal_and_empty_partitions(case, da):
    estimator, y = case
    sizes = (40, 0, 7, 43)
    first = clone(estimator).fit(chunked(da, X, sizes), chunked(da, y, sizes))
    other = clone(estimator).fit(chunked(da, X, sizes), chunked(da, y, (45, 45)))  # as X divides them
    assert bits(first) == bits(other)
    assert first.predict(chunked(da, X, sizes)).compute().shape == first.to_local().predict(X).shape


def test_no_rows(da):
    data = chunked(da, X[:0], (0, 0)), chunked(da, LABELS[:0], (0, 0))
    with pytest.raises(fastbp.ParameterError, match="no rows in any partition"):
        DaskMLPClassifier().fit(*data)


def test_classes_of_all_partitions(da):
    order = np.argsort(LABELS)  # so that no partition has all classes
    data = chunked(da, X[order], (30, 30, 30)), chunked(da, LABELS[order], (30, 30, 30))
    clf = DaskMLPClassifier(**SHORT | {"max_iter": 60}).fit(*data)
    np.testing.assert_array_equal(clf.classes_, ["no", "perhaps", "yes"])
    assert clf.score(*data) > 0.6
    ints = DaskMLPClassifier(**SHORT).fit(data[0], data[1] == "yes")
    assert ints.classes_.dtype == bool


@pytest.mark.parametrize("class_weight", ["balanced", {"no": 0.5, "yes": 3.0}])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_class_weights(da, class_weight, weights):
    sizes = (40, 50)
    order = np.argsort(LABELS)
    given = None if weights is None else chunked(da, weights, sizes)
    data = chunked(da, X[order], sizes), chunked(da, LABELS[order], sizes), given
    own = DaskMLPClassifier(**SHORT, class_weight=class_weight).fit(*data)
    local = MLPClassifier(**SHORT, class_weight=class_weight)
    factors = local.fit(X[order], LABELS[order], weights)._factors(LABELS[order], weights, incremental=False)
    explicit = factors if weights is None else factors * weights
    same = DaskMLPClassifier(**SHORT).fit(*data[:2], chunked(da, explicit, sizes))
    np.testing.assert_allclose(own.network_.parameters, same.network_.parameters, rtol=1e-12)


def test_loss_of_poisson(case, da):
    """The constant of scikit-learn's loss is measured over all partitions."""
    _, y, options = CASES["counts"]
    local = MLPRegressor(**SHORT | options, shuffle=False, batch_size=ROWS).fit(X, y, WEIGHTS)
    data = [chunked(da, array, (30, 60)) for array in (X, y, WEIGHTS)]
    over_dask = DaskMLPRegressor(**SHORT | options, shuffle=False, batch_size=ROWS).fit(*data)
    np.testing.assert_allclose(over_dask.loss_curve_, local.loss_curve_, rtol=1e-12)


def test_dtypes(da):
    single = chunked(da, X.astype(np.float32), (45, 45)), chunked(da, LABELS, (45, 45))
    clf = DaskMLPClassifier(**SHORT).fit(*single)
    assert clf.network_.dtype == np.float32
    assert clf.predict_proba(single[0]).dtype == clf.predict_proba(single[0]).compute().dtype == np.float32
    assert DaskMLPClassifier(**SHORT).fit(single[0].astype(int), single[1]).network_.dtype == np.float64


@pytest.mark.parametrize("scoring", [None, "loss"])
def test_early_stopping(case, da, scoring):
    estimator, y = case
    estimator.set_params(early_stopping=True, scoring=scoring, max_iter=30, n_iter_no_change=2)
    sizes = (25, 15, 20)
    data = [chunked(da, array[:60], sizes) for array in (X, y)]
    held_out = {"X_val": X[60:], "y_val": y[60:], "sample_weight_val": WEIGHTS[60:]}
    in_memory = clone(estimator).fit(*data, **held_out)
    sharded = {name: chunked(da, array, (10, 0, 20)) for name, array in held_out.items()}
    over_dask = clone(estimator).fit(*data, **sharded)
    assert bits(over_dask)[0] == bits(in_memory)[0]
    np.testing.assert_allclose(over_dask.validation_scores_, in_memory.validation_scores_, rtol=1e-12)
    np.testing.assert_allclose(over_dask.validation_loss_curve_, in_memory.validation_loss_curve_, rtol=1e-12)
    assert over_dask.best_validation_score_ == max(over_dask.validation_scores_)
    memory_only = clone(estimator).set_params(shards=1).fit(X[:60], y[:60], **sharded)
    assert len(memory_only.validation_scores_) == memory_only.n_iter_


def test_warm_start(da):
    data = chunked(da, X, (40, 50)), chunked(da, LABELS, (40, 50))
    whole = DaskMLPClassifier(**SHORT).fit(*data)
    parts = DaskMLPClassifier(**SHORT | {"max_iter": 3}, warm_start=True).fit(*data).fit(*data)
    assert bits(parts)[:2] == bits(whole)[:2]


def test_errors_name_the_partition_and_change_nothing(da):
    data = chunked(da, X, (40, 50)), chunked(da, LABELS, (40, 50))
    clf = DaskMLPClassifier(**SHORT).fit(*data)
    before = bits(clf), clf.classes_.tolist()
    bad = X.copy()
    bad[70, 1] = np.nan
    with pytest.raises(ValueError, match="NaN") as caught:
        clf.fit(chunked(da, bad, (40, 50)), data[1])
    assert "in partition 2 of 2" in caught.value.__notes__
    targets = NUMBERS[:, 0].copy()
    targets[3] = np.inf
    with pytest.raises(ValueError, match="infinity") as caught:
        DaskMLPRegressor().fit(data[0], chunked(da, targets, (40, 50)))
    assert "in partition 1 of 2" in caught.value.__notes__
    with pytest.raises(ValueError, match="Unknown label type"):
        clf.fit(data[0], chunked(da, NUMBERS[:, 0], (40, 50)))
    assert (bits(clf), clf.classes_.tolist()) == before


def test_wrong_collections(da):
    from dask import delayed

    Xd, yd = chunked(da, X, (40, 50)), chunked(da, LABELS, (40, 50))
    clf = DaskMLPClassifier(**SHORT)
    for given, message in [
        ((Xd, None), "y is None, expected a dask collection"),
        ((X, yd), "X is a ndarray beside a dask collection y, expected one, too"),
        ((Xd[:, 0], yd), r"X has 1 dimension\(s\), expected 2"),
        ((Xd, delayed(LABELS)), "y is a Delayed.*, expected a dask array"),
        ((unknown(Xd), LABELS), "y is in memory beside dask data whose sizes of parts are not known"),
        ((Xd, chunked(da, LABELS[:80], (40, 40))), "y has 80 rows, expected 90"),
        ((unknown(Xd), unknown(chunked(da, LABELS, (30, 30, 30)))), "have 2, 3 parts"),
    ]:
        with pytest.raises(ValueError, match=message):
            clf.fit(*given)
    with pytest.raises(NotFittedError):
        clf.predict(Xd)
    with pytest.raises(NotFittedError):
        clf.score(Xd, yd)
    with pytest.raises(ValueError, match="X has 3 features, but DaskMLPClassifier is expecting 4"):
        clf.fit(Xd, yd).predict(Xd[:, :3])


# ---- predictions and scores --------------------------------------------------------------------------------


def test_predictions_are_lazy(case, da):
    estimator, y = case
    sizes = (0, 50, 40)
    data = chunked(da, X, sizes), chunked(da, y, sizes)
    local = estimator.fit(*data).to_local()

    def fail(block):
        raise AssertionError("computed")

    later = data[0].map_blocks(fail, dtype=X.dtype, meta=np.empty((0, 0)))
    for method in ("predict", "predict_proba", "predict_log_proba"):
        if not hasattr(estimator, method):
            continue
        promised = getattr(estimator, method)(later)
        expected = getattr(local, method)(X)
        assert (promised.shape, promised.dtype) == (expected.shape, expected.dtype)
        assert promised._meta.dtype == expected.dtype
        found = getattr(estimator, method)(data[0].rechunk((sizes, 3)))
        assert found.chunks[0] == sizes
        np.testing.assert_array_equal(found.compute(), expected)
        np.testing.assert_array_equal(getattr(estimator, method)(unknown(data[0])).compute(), expected)
        assert type(getattr(estimator, method)(X)) is np.ndarray


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_scores(case, da, weights):
    estimator, y = case
    sizes = (0, 50, 1, 39)
    data = chunked(da, X, sizes), chunked(da, y, sizes)
    estimator.fit(*data)
    given = None if weights is None else chunked(da, weights, sizes)
    expected = estimator.to_local().score(X, y, weights)
    np.testing.assert_allclose(estimator.score(*data, given), expected, rtol=1e-12)
    with pytest.raises(fastbp.ParameterError, match="no rows with a weight above 0"):
        estimator.score(*data, chunked(da, np.zeros(ROWS), sizes))


def test_score_of_a_constant_target(da):
    data = chunked(da, X, (45, 45)), da.ones((ROWS, 2), chunks=(45, 2))
    model = DaskMLPRegressor(**SHORT).fit(*data)
    assert model.score(*data) == model.to_local().score(X, np.ones((ROWS, 2))) == 0.0


def test_hinge_has_no_probabilities(da):
    clf = DaskMLPClassifier(**SHORT, loss="hinge").fit(
        chunked(da, X, (45, 45)), chunked(da, LABELS, (45, 45))
    )
    assert not hasattr(clf, "predict_proba")


# ---- copies ------------------------------------------------------------------------------------------------


def test_to_local(case):
    estimator, y = case
    with pytest.raises(NotFittedError):
        estimator.to_local()
    local = estimator.fit(X, y).to_local()
    assert type(local) is local_class(type(estimator))
    assert {*local.get_params()} == {*estimator.get_params()} - {*ONLY_DASK} | {"max_fun"}
    np.testing.assert_array_equal(local.predict(X), estimator.predict(X))
    before = bits(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        local.set_params(warm_start=True).fit(X, y)
    assert bits(estimator) == before
    again = pickle.loads(pickle.dumps(local))
    np.testing.assert_array_equal(again.predict(X), local.predict(X))


def test_files(case, tmp_path):
    estimator, y = case
    path = tmp_path / "model.safetensors"
    estimator.fit(X, y).save(path)
    loaded, local = type(estimator).load(path), local_class(type(estimator)).load(path)
    assert type(loaded) is type(estimator)
    for one in (loaded, local):
        np.testing.assert_array_equal(one.predict(X), estimator.predict(X))
    assert loaded.get_params() == estimator.get_params()


class Client:
    """Cannot be copied, like the real one."""

    def __reduce__(self):
        raise TypeError("cannot pickle a client")


def test_clients_are_not_pickled(case):
    estimator, y = case
    estimator.fit(X, y).client = client = Client()
    assert estimator.client_ is client
    twin = clone(estimator)
    assert twin.client is client
    assert not hasattr(twin, "network_")
    again = pickle.loads(pickle.dumps(estimator))
    assert again.client is None
    np.testing.assert_array_equal(again.predict(X), estimator.to_local().predict(X))


def test_a_column_of_targets(da):
    column = chunked(da, NUMBERS[:, :1], (45, 45))
    model = DaskMLPRegressor(**SHORT)
    with pytest.warns(DataConversionWarning):
        model.fit(X, NUMBERS[:, :1])
    assert model.predict(X).shape == (ROWS,)
    assert model.fit(chunked(da, X, (45, 45)), column).predict(X).shape == (ROWS,)
