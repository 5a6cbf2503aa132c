"""Data in memory, lists, loaders and files as shards."""

import sys

import numpy as np
import pytest

import fastbp
from fastbp import DataError, DTypeError, ParameterError, ShapeError, losses
from fastbp._data.sample_weights import resolve_weights
from fastbp.dask._census import census
from fastbp.dask._shards import loads_of
from fastbp.dask._sources import SHARDS
from helpers.errors import refuses
from helpers.shards import Failing, Loader, Sending, cut, parts_of, rows_in

NAMES = ("a", "b", "c")


@pytest.fixture
def net():
    return fastbp.Network([3, 4, 2], loss="mse", dtype="float64", seed=1)


@pytest.fixture
def data(rng):
    """X, y and weights, of which the first third is 0."""
    X, y, w = rng.normal(size=(30, 3)), rng.normal(size=(30, 2)), rng.uniform(1, 2, 30)
    w[:10] = 0
    return X, y, w


def load(net, *data, **options):
    executor = Sending()
    return parts_of(executor, loads_of(executor, net._model.checks, *data, **options))


def count(net, *data, **options):
    executor = Sending()
    loads = loads_of(executor, net._model.checks, *data, **options)
    return census(executor, executor.place(loads))


def assert_rows(parts, X, y, w=None):
    """Check that the parts have these rows in order, those without a weight apart."""
    present = slice(None) if w is None else w > 0
    found = rows_in(parts)
    assert np.array_equal(found[0], X[present])
    assert np.array_equal(found[1], y[present])
    assert np.array_equal(found[2], np.ones(len(X)) if w is None else w[present])


# ---- in memory ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "shards", "sizes"), [
    (30, 4, [7, 8, 7, 8]),
    (30, 1, [30]),
    (30, 30, [1] * 30),
    (30, None, [3, 4, 4, 4, 3, 4, 4, 4]),
    (3, None, [1, 1, 1]),
])  # fmt: skip
def test_arrays_are_cut_into_parts_of_nearly_one_size(net, data, rows, shards, sizes):
    X, y, _ = (array[:rows] for array in data)
    parts = load(net, X, y, None, shards)
    assert [part.n_rows for part in parts] == sizes
    assert len(parts) <= SHARDS or shards
    assert_rows(parts, X, y)


def test_rows_without_a_weight_are_absent_and_may_be_a_whole_shard(net, data):
    parts = load(net, *data, 6)
    assert [part.n_rows for part in parts] == [0, 0, 5, 5, 5, 5]
    assert parts[0].X is None
    assert_rows(parts, *data)
    assert load(net, *data, 4)[1].n_rows == 5  # of 8


@pytest.mark.parametrize("shards", [1, 4, 7])
def test_weights_of_targets_and_unknown_targets(rng, shards):
    net = fastbp.Network([3, 4, 2], loss=losses.MSE(ignore_nan=True), dtype="float64", seed=1)
    X, y, w = rng.normal(size=(28, 3)), rng.normal(size=(28, 2)), rng.uniform(1, 2, (28, 2))
    y[:9], y[20, 1], w[25] = np.nan, np.nan, 0
    whole = resolve_weights(net._model.checks, y, w, None)
    found = rows_in(load(net, X, y, w, shards))
    assert np.array_equal(found[0], X[whole.rows])
    for values, all_values in zip(found[2], whole.values[whole.rows], strict=True):
        assert np.array_equal(np.broadcast_to(values, 2), np.broadcast_to(all_values, 2))


def test_sparse_rows(net, data):
    sparse = pytest.importorskip("scipy.sparse")
    X, y, w = data
    X = np.where(X > 0, X, 0)
    for kind in (sparse.csr_array, sparse.csc_matrix):
        parts = load(net, kind(X), y, w, 4)
        assert all(part.X is None or part.X.n_entries == np.count_nonzero(part.X.toarray()) for part in parts)
        assert_rows(parts, X, y, w)


def test_frames_are_read_by_name(net, data):
    pd = pytest.importorskip("pandas")
    X, y, _ = data
    frame = pd.DataFrame(X, columns=NAMES)
    assert count(net, frame, y).names == NAMES
    net.feature_names = NAMES
    assert_rows(load(net, frame[["c", "a", "b"]], y), X, y)


def test_errors_of_arrays_in_memory_are_those_of_a_fit(net, data):
    X, y, w = data
    X[20, 1] = np.nan
    refuses(lambda: load(net, X, y, w), DataError, "X[20, 1] is nan")
    assert net.feature_names is None


# ---- lists -------------------------------------------------------------------------------------------------


def test_lists_have_an_item_per_shard(net, data):
    parts = load(net, *cut(*data, at=[4, 4, 19]))
    assert [part.n_rows for part in parts] == [0, 0, 9, 11]
    assert_rows(parts, *data)


def test_a_list_of_rows_is_an_array(net, data):
    X, y, _ = data
    assert_rows(load(net, list(X), y.tolist(), None, 3), X, y)


def test_frames_in_a_list_must_have_one_order(net, data):
    pd = pytest.importorskip("pandas")
    X, y, _ = data
    frame = pd.DataFrame(X, columns=NAMES)
    frames, ys = [frame[:10], frame[["b", "a", "c"]][10:]], [y[:10], y[10:]]
    assert count(net, [frame[:10], frame[10:]], ys).names == NAMES
    refuses(lambda: count(net, frames, ys), ShapeError, "shard 2 of 2 has the columns", "'b', 'a', 'c'")
    net.feature_names = NAMES
    assert_rows(load(net, frames, ys), X, y)


def test_errors_name_the_shard(net, data):
    X, y, w = data
    listed = cut(X, y, w, at=[10, 20])
    for wrong, error, *says in [
        ([X[:10], X[10:20, :2], X[20:]], ShapeError, "shard 2 of 3: X has 2 columns, expected 3"),
        ([X[:10], X[10:20], X[20:] * np.inf], DataError, "shard 3 of 3: X[0, 0] is"),
        ([X[:10], X[10:20].astype(str), X[20:]], DTypeError, "shard 2 of 3: X has dtype"),
        ([X[:10], X[10:19], X[20:]], ShapeError, "shard 2 of 3: y has shape (10, 2)", "for 9 rows of X"),
        ([X[:0], X[10:20], X[20:]], ShapeError, "shard 1 of 3: y has 10 rows, expected 0"),
    ]:
        refuses(lambda wrong=wrong: load(net, wrong, *listed[1:]), error, *says)
    w[12] = -1
    refuses(lambda: load(net, *listed), DataError, "shard 2 of 3: sample_weight[2] is -1.0")


# ---- loaders and files -------------------------------------------------------------------------------------


def test_loaders(net, data):
    X, y, w = data
    loaders = [Loader(X[:15], y[:15], w[:15]), Loader(X[15:], y[15:])]
    assert_rows(load(net, shards=loaders), X, y, np.where(np.arange(30) < 15, w, 1))


def test_a_loader_that_raises_or_returns_no_shard(net, data):
    X, y, _ = data
    good = Loader(X, y)
    with pytest.raises(OSError, match="the disk is gone"):
        load(net, shards=[good, Failing()])
    refuses(
        lambda: load(net, shards=[good, Loader(X)]), DataError, "shard 2 of 2: what was loaded is a tuple"
    )
    refuses(lambda: load(net, shards=[dict]), DataError, "shard 1 of 1: what was loaded is a dict, expected")


def test_files_of_numpy(net, data, tmp_path):
    X, y, w = data
    np.savez(tmp_path / "first.npz", X=X[:12], y=y[:12], sample_weight=w[:12])
    np.savez_compressed(tmp_path / "second.npz", X=X[12:15], y=y[12:15])
    for name, array in {"X": X, "y": y, "w": w}.items():
        np.save(tmp_path / f"{name}.npy", array[15:])
    files = [str(tmp_path / f"{name}.npy") for name in "Xyw"]
    shards = [tmp_path / "first.npz", str(tmp_path / "second.npz"), files[:2], tuple(files)]
    expected = np.concatenate([w[:12], np.ones(3 + 15), w[15:]])
    assert_rows(load(net, shards=shards), *(np.concatenate([a, a[15:]]) for a in (X, y)), expected)


def test_npy_files_are_mapped(net, data, tmp_path):
    X, y, _ = data
    np.save(tmp_path / "X.npy", X), np.save(tmp_path / "y.npy", y)
    executor = fastbp.dask._executor.SerialExecutor()
    loads = loads_of(executor, net._model.checks, shards=[(tmp_path / "X.npy", tmp_path / "y.npy")])
    (part,) = parts_of(executor, loads)
    assert fastbp._core.is_mapped(part.X)


def test_an_npz_file_without_targets(net, data, tmp_path):
    np.savez(tmp_path / "only.npz", X=data[0], target=data[1])
    refuses(lambda: load(net, shards=[tmp_path / "only.npz"]), DataError, "shard 1 of 1", "['X', 'target']")


def test_a_missing_file(net, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.npz"):
        load(net, shards=[tmp_path / "gone.npz"])


@pytest.mark.parametrize("index", [None, "row"])
def test_parquet(net, data, tmp_path, index):
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    X, y, w = data
    frame = pd.DataFrame(X, columns=NAMES).assign(s=y[:, 0], t=y[:, 1], w=w)
    frame.index = pd.Index(np.arange(30) + 100, name=index)[::-1]  # a column of the file
    frame[:11].to_parquet(tmp_path / "first.parquet")
    (tmp_path / "rest.parquet").mkdir()
    frame[11:20].to_parquet(tmp_path / "rest.parquet" / "part.0.parquet")
    frame[20:].to_parquet(tmp_path / "rest.parquet" / "part.1.parquet")
    options = {"shards": [tmp_path / "first.parquet", tmp_path / "rest.parquet"], "target": ["s", "t"]}
    options["weight"] = "w"
    assert count(net, **options).names == NAMES
    assert_rows(load(net, **options), X, y, w)
    net.feature_names = ("b", "a", "c")
    assert_rows(load(net, **options), X[:, [1, 0, 2]], y, w)
    refuses(
        lambda: load(net, **options | {"target": "price"}), DataError, "shard 1 of 2", "no column 'price'"
    )
    net.feature_names = ("a", "b", "z")
    refuses(lambda: load(net, **options), DataError, "shard 1 of 2", "no column 'z'")


def test_labels_in_parquet(rng, tmp_path):
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pd.DataFrame(rng.normal(size=(9, 3)), columns=NAMES).assign(label=np.arange(9) % 2)
    frame.to_parquet(tmp_path / "rows.parquet", index=False)
    net = fastbp.Network([3, 4, 2], loss="cross_entropy", seed=1)
    (part,) = load(net, shards=[tmp_path / "rows.parquet"], target="label")
    assert np.array_equal(part.y, frame["label"])


# ---- class weights -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.5, 2: 0}])
def test_class_weights_are_those_of_all_rows(rng, class_weight, listed):
    loss = losses.CrossEntropy(ignore_index=-1)
    net = fastbp.Network([3, 4, 4], loss=loss, dtype="float64", seed=1)
    X, w = rng.normal(size=(40, 3)), rng.integers(0, 3, 40).astype(float)
    y = np.r_[np.zeros(8, int), rng.integers(0, 3, 28), np.full(4, -1)]  # class 3 has no rows
    whole = resolve_weights(net._model.checks, y, w, class_weight)
    data = cut(X, y, w, at=[8, 20, 36]) if listed else (X, y, w, 5)
    X_, _, values = rows_in(load(net, *data, class_weight=class_weight))
    assert np.array_equal(X_, X[whole.rows])
    assert np.array_equal(values, whole.values[whole.rows])


def test_class_weights_of_a_loss_without_classes(net, data):
    X, y, _ = data
    for given in (X, y), cut(X, y, at=[9]):
        refuses(lambda given=given: load(net, *given, class_weight="balanced"), ParameterError, "no classes")


# ---- together ----------------------------------------------------------------------------------------------


def test_the_census(net, data):
    X, y, w = data
    found = count(net, X, y, w, 6)
    assert found.rows == (0, 0, 5, 5, 5, 5)
    np.testing.assert_allclose(found.weights, w.reshape(6, 5).sum(axis=1))
    assert found.names is None
    assert count(net, *cut(X, y, at=[30])).rows == (30, 0)


def test_dask_can_tell_how_large_a_part_is(net, data):
    X, y, w = data
    (part,) = load(net, X, y, w, 1)
    assert 0 <= sys.getsizeof(part) - X.nbytes - y.nbytes - w.nbytes - 20 * 8 < 200  # indices of 20 rows
    assert sys.getsizeof(load(net, X, y, np.r_[1, np.zeros(29)], 2)[1]) < 200


def test_all_shards_without_a_row(net, data):
    X, y, w = data
    refuses(
        lambda: count(net, [X[:0], X[:10]], [y[:0], y[:10]], [w[:0], w[:10]]), DataError, "none of 2 shards"
    )
    refuses(lambda: count(net, X[:10], y[:10], w[:10]), DataError, "sample_weight sums to 0")


def test_a_network_keeps_its_checks(net, data):
    pd = pytest.importorskip("pandas")
    load(net, pd.DataFrame(data[0], columns=NAMES), data[1])
    assert net.feature_names is None


def test_arguments_that_do_not_go_together(net, data, tmp_path):
    X, y, w = data
    for given, options, *says in [
        ((X, None), {}, "y is None"),
        ((None, y), {}, "X is None"),
        (
            (None, None),
            {},
            "shards is None without X and y, expected X and y, or a list whose items are each an .npz",
        ),
        ((None, None), {"shards": 4}, "shards is 4 without X and y"),
        ((None, None), {"shards": []}, "empty list"),
        ((None, None), {"shards": [3]}, "shards[0] is 3, expected an .npz file"),
        ((None, None), {"shards": ["data.csv"]}, "shards[0] is 'data.csv'"),
        ((None, None), {"shards": [("X.npy",)]}, "shards[0] is ('X.npy',)"),
        ((None, None), {"shards": ["a.parquet"]}, "target is None"),
        ((None, None), {"shards": ["a.parquet"], "target": []}, "target is []"),
        ((None, None), {"shards": ["a.parquet"], "target": ["t", 3]}, "target is ['t', 3]"),
        ((None, None), {"shards": ["a.parquet"], "target": "t", "weight": 1}, "weight is 1"),
        ((None, None), {"shards": ["a.npz"], "weight": "w"}, "weight is 'w' without a Parquet file"),
        ((X, y), {"shards": [Loader(X, y)]}, "with a list of shards"),
        ((X, y), {"shards": 31}, "shards is 31"),
        ((X, y), {"shards": 0}, "shards is 0"),
        ((X, y), {"shards": True}, "shards is True"),
        ((X, y), {"shards": 2.5}, "shards is 2.5"),
        ((X, y), {"target": "price"}, "target is 'price'"),
        (([X], y), {}, "y is a ndarray, expected a list"),
        (([X, X], [y]), {}, "lists of 2, 1 items"),
        (([X], [y], w), {}, "sample_weight is a ndarray"),
        (([X], [y]), {"shards": 3}, "shards is 3"),
    ]:
        refuses(lambda g=given, o=options: load(net, *g, **o), ParameterError, *says)
