"""`adapt`, `evaluate` and the census: on worker processes as in this one, to the same bits."""

import numpy as np
import pytest

import fastbp
from fastbp import ShapeError
from fastbp.dask._evaluation import evaluate, validation_of
from fastbp.dask._scaling import adapt
from helpers.shards import Failing, Loader, cut

pytest.importorskip("dask", reason="dask is not installed")
distributed = pytest.importorskip("distributed", reason="distributed is not installed")

from fastbp.dask._census import census  # noqa: E402
from fastbp.dask._cluster import executor_of  # noqa: E402
from fastbp.dask._shards import loads_of  # noqa: E402


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def data(rng):
    X, y = rng.normal([100, 0, -3], size=(60, 3)), rng.integers(0, 2, 60)
    return X, y, rng.integers(0, 3, 60).astype(float)


def make():
    return fastbp.Network([3, 4, 2], loss="cross_entropy", dtype="float64", seed=1)


def given(kind, data):
    """The data in a form that is divided, as X, y and weights."""
    if kind == "arrays":
        return data
    if kind == "list":
        return cut(*data, at=[1, 1, 40])
    dask, da = pytest.importorskip("dask"), pytest.importorskip("dask.array")
    if kind == "delayed":
        return [[dask.delayed(part) for part in parts] for parts in cut(*data, at=[1, 1, 40])]
    X, y, w = (da.from_array(array, chunks=(17, 2)[: array.ndim]) for array in data)
    if kind == "chunks":
        return X, y, w
    if kind == "persisted":
        return X.persist(), y.persist(), w
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.concat(
        [dd.from_dask_array(a, columns=c) for a, c in ((X, list("abc")), (y, "y"), (w, "w"))], axis=1
    )
    frame = frame[frame["a"] > 100.5]
    return frame[["a", "b", "c"]], frame["y"], frame["w"]


@pytest.mark.parametrize("kind", ["arrays", "list", "chunks", "persisted", "partitions", "delayed"])
def test_the_bits_are_those_of_this_process(client, data, kind):
    nets, found = [make(), make()], []
    for net, where in zip(nets, (None, client), strict=True):
        X, y, w = given("chunks" if kind == "persisted" and where is None else kind, data)
        adapt(where, net, X)
        found.append(evaluate(where, net, X, y, ["accuracy", "f1"], sample_weight=w))
    assert found[0] == found[1]
    assert nets[0].input_mean.tobytes() == nets[1].input_mean.tobytes()
    assert nets[0].input_scale.tobytes() == nets[1].input_scale.tobytes()


def test_class_weights_files_and_loaders(client, data, tmp_path):
    X, y, w = data
    np.savez(tmp_path / "part.npz", X=X[:20], y=y[:20], sample_weight=w[:20])
    for name, array in {"X": X[20:], "y": y[20:]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    shards = [tmp_path / "part.npz", (tmp_path / "X.npy", tmp_path / "y.npy"), Loader(X, y, w)]
    counts = []
    for where in (None, client):
        executor = executor_of(where, None)
        loads = loads_of(executor, make()._model.checks, shards=shards, class_weight="balanced")
        counts.append(census(executor, executor.place(loads))._replace(digests=()))
        executor.close()
    assert counts[0] == counts[1]
    assert sum(counts[0].rows) == 2 * np.count_nonzero(w) - np.count_nonzero(w[20:]) + 40


def test_validation(client, data):
    net = make()
    executor = executor_of(client, net._model.engine.isa)
    listed = tuple(cut(*data, at=[9, 30]))
    validation = validation_of(executor, net._model, listed, None, None, every=1, epochs=1)
    expected = evaluate(None, net, *listed[:2], sample_weight=listed[2])
    assert [*validation.measure().values()] == [*expected.values()]
    executor.close()


def test_errors_name_the_shard(client, data):
    X, y, _ = data
    with pytest.raises(ShapeError, match="shard 2 of 2: X has 2 columns, expected 3"):
        evaluate(client, make(), [X[:9], X[9:, :2]], [y[:9], y[9:]])
    with pytest.raises(OSError, match="the disk is gone") as caught:
        evaluate(client, make(), shards=[Loader(X, y), Failing()])
    assert any("shard 2 of 2" in note for note in caught.value.__notes__)
