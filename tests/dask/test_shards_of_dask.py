"""Collections of Dask and delayed objects as shards; they are computed in this process."""

import numpy as np
import pytest

import fastbp
from fastbp import ParameterError, ShapeError
from helpers.errors import refuses

dask = pytest.importorskip("dask", reason="dask is not installed")
da = pytest.importorskip("dask.array")

from fastbp.dask._census import census  # noqa: E402
from fastbp.dask._executor import SerialExecutor  # noqa: E402
from fastbp.dask._shards import loads_of  # noqa: E402
from helpers.shards import parts_of, rows_in, sent  # noqa: E402

NAMES = ("a", "b", "c")


@pytest.fixture
def net():
    return fastbp.Network([3, 4, 2], loss="mse", dtype="float64", seed=1)


@pytest.fixture
def data(rng):
    return rng.normal(size=(30, 3)), rng.normal(size=(30, 2)), rng.uniform(1, 2, 30)


@pytest.fixture
def frame(data):
    """A pandas frame of all of the data."""
    pd = pytest.importorskip("pandas")
    X, y, w = data
    return pd.DataFrame(X, columns=NAMES).assign(s=y[:, 0], t=y[:, 1], w=w)


def load(net, *data, **options):
    executor = SerialExecutor()
    return parts_of(executor, loads_of(executor, net._model.checks, *data, **options))


def sizes(parts):
    return [part.n_rows for part in parts]


def assert_rows(parts, *arrays):
    for found, expected in zip(rows_in(parts), arrays, strict=False):
        assert np.array_equal(found, expected)


# ---- arrays ------------------------------------------------------------------------------------------------


def test_chunks_of_rows_are_shards(net, data):
    X, y, w = data
    chunked = da.from_array(X, chunks=((9, 0, 14, 7), 2))
    for targets in (y, da.from_array(y, chunks=(4, 1)), da.from_array(y, chunks=(30, 2))):
        for weights in (w, da.from_array(w, chunks=13)):
            parts = load(net, chunked, targets, weights)
            assert sizes(parts) == [9, 0, 14, 7]
            assert_rows(parts, X, y, w)


def test_rows_in_memory_beside_targets_in_chunks(net, data):
    X, y, _ = data
    parts = load(net, X, da.from_array(y, chunks=(17, 2)))
    assert sizes(parts) == [17, 13]
    assert_rows(parts, X, y)


def test_chunks_of_unknown_sizes(net, data):
    both = da.from_array(np.hstack(data[:2]), chunks=(8, 2))
    some = both[both[:, 0] > 0]
    present = data[0][:, 0] > 0
    parts = load(net, some[:, :3], some[:, 3:])
    assert len(parts) == 4
    assert_rows(parts, data[0][present], data[1][present])


def test_sparse_chunks(net, data):
    sparse = pytest.importorskip("scipy.sparse")
    X, y, _ = data
    X = np.where(X > 0, X, 0)
    chunked = da.from_array(X, chunks=(12, 3)).map_blocks(sparse.csr_array)
    assert_rows(load(net, chunked, y), X, y)


def test_what_dask_has_not_computed_is_read_by_the_shard(net, data):
    X, y, _ = data

    def fails(block):
        raise OSError("the disk is gone")

    lazy = da.from_array(X, chunks=(10, 3)).map_blocks(fails, dtype=float, meta=X[:0])
    executor = SerialExecutor()
    loads = loads_of(executor, net._model.checks, lazy, y)
    handles = executor.place(loads)
    with pytest.raises(OSError, match="the disk is gone"):
        census(executor, handles)


# ---- frames ------------------------------------------------------------------------------------------------


@pytest.fixture
def partitioned(frame):
    dd = pytest.importorskip("dask.dataframe")
    return dd.from_pandas(frame, npartitions=4)


def test_partitions_are_shards_read_by_name(net, data, partitioned):
    X, y, w = data
    columns = [*NAMES]
    parts = load(net, partitioned[columns], partitioned[["s", "t"]], partitioned["w"])
    assert len(parts) == 4
    assert all(part.names == NAMES for part in parts)
    assert_rows(parts, X, y, w)
    net.feature_names = NAMES
    assert_rows(load(net, partitioned[columns[::-1]], partitioned[["s", "t"]]), X, y)
    refuses(
        lambda: load(net, partitioned[["a", "b", "w"]], partitioned[["s", "t"]]), ShapeError, "shard 1 of 4"
    )


def test_empty_partitions_and_arrays_of_frames(net, data, partitioned):
    X, y, _ = data
    some = partitioned[partitioned["a"] > 1]
    present = X[:, 0] > 1
    columns, targets = some[[*NAMES]], some[["s", "t"]]
    assert_rows(load(net, columns, targets, some["w"]), *(array[present] for array in data))
    assert_rows(load(net, columns.values, targets.values, some["w"].values), *(a[present] for a in data))
    assert_rows(load(net, columns, targets.values), X[present], y[present])
    none = partitioned[partitioned["a"] > X[9:, 0].max()]  # rows are in the first partition at most
    assert 0 in sizes(load(net, none[[*NAMES]], none[["s", "t"]]))


def test_one_target_as_a_series(data, partitioned):
    net = fastbp.Network([3, 4, 1], loss="mse", dtype="float64", seed=1)
    assert_rows(load(net, partitioned[[*NAMES]], partitioned["t"]), data[0], data[1][:, 1:])


# ---- delayed -----------------------------------------------------------------------------------------------


def test_delayed_objects(net, data):
    X, y, w = data

    @dask.delayed
    def rows(array, first, end):
        return array[first:end]

    def delayed(array):
        return [rows(array, *part) for part in ((0, 11), (11, 11), (11, 30))]

    assert_rows(load(net, delayed(X), delayed(y), delayed(w)), X, y, w)
    assert_rows(load(net, [X[:11], delayed(X)[2]], [y[:11], y[11:]]), X, y)
    pairs = [dask.delayed((x, t)) for x, t in zip(delayed(X), delayed(y), strict=True)]
    assert_rows(load(net, shards=pairs), X, y)


def test_loads_can_be_sent(net, data):
    X, y, _ = data
    executor = SerialExecutor()
    loads = loads_of(executor, net._model.checks, da.from_array(X, chunks=(9, 3)), y)
    assert_rows(parts_of(executor, sent(loads)), X, y)


# ---- what does not go together -----------------------------------------------------------------------------


def test_data_that_do_not_go_together(net, data, partitioned):
    X, y, _ = data
    chunked = da.from_array(X, chunks=(10, 3))
    unknown = chunked[chunked[:, 0] > 0]
    for given, options, error, *says in [
        ((chunked, y[:20]), {}, ShapeError, "y has 20 rows, expected 30"),
        ((chunked, da.from_array(y[:20])), {}, ShapeError, "y has 20 rows, expected 30"),
        ((unknown, y), {}, ParameterError, "y is in memory beside dask data"),
        ((unknown, da.from_array(y, chunks=15)), {}, ParameterError, "X and y have 3, 2 parts"),
        ((partitioned[[*NAMES]], y), {}, ParameterError, "y is in memory beside dask data"),
        ((dask.delayed(X), y), {}, ParameterError, "X is a Delayed", "expected a dask array"),
        ((chunked, y), {"shards": 4}, ParameterError, "shards is 4 for data in parts"),
        ((chunked, None), {}, ParameterError, "y is None"),
    ]:
        refuses(lambda g=given, o=options: load(net, *g, **o), error, *says)
    other = partitioned["t"].repartition(npartitions=2)
    refuses(lambda: load(net, partitioned[[*NAMES]], other), ParameterError, "X and y have 4, 2 parts")
