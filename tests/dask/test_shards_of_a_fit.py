"""A fit has the same bits whatever its shards come from; validation and scaling are over shards, too."""

import math

import numpy as np
import pytest

import fastbp
from fastbp import DataError, ShapeError, losses
from fastbp.callbacks import Checkpoint
from fastbp.dask import adapt, fit
from helpers.errors import refuses
from helpers.hashes import hash_of
from helpers.shards import Loader, cut

AT = [9, 9, 40]  # a shard has no rows
NAMES = ["a", "b", "c"]
SETTINGS = {"epochs": 3, "batch_size": 16}


@pytest.fixture
def data(rng):
    X = rng.normal([100, 0, -3], [1, 1e-3, 20], size=(60, 3))
    return X, np.tanh(X[:, 1:] @ rng.normal(size=(2, 2))), rng.integers(0, 3, 60).astype(float)


def make():
    return fastbp.Network([3, 8, 2], loss="mse", dtype="float64", seed=1)


def of_lists(X, y, w, tmp_path):
    Xs, ys, ws = cut(X, y, w, at=AT)
    return {"X": Xs, "y": ys, "sample_weight": ws}


def of_loaders(X, y, w, tmp_path):
    return {"shards": [Loader(*shard) for shard in zip(*cut(X, y, w, at=AT), strict=True)]}


def of_npy(X, y, w, tmp_path):
    shards = []
    for i, shard in enumerate(zip(*cut(X, y, w, at=AT), strict=True)):
        names = [tmp_path / f"{name}{i}.npy" for name in "Xyw"]
        for name, array in zip(names, shard, strict=True):
            np.save(name, array)
        shards.append(names)
    return {"shards": shards}


def frame_of(X, y, w):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(X, columns=NAMES).assign(s=y[:, 0], t=y[:, 1], w=w)


def of_parquet(X, y, w, tmp_path):
    pytest.importorskip("pyarrow")
    shards = []
    for i, part in enumerate(np.split(np.arange(60), AT)):
        shards.append(tmp_path / f"{i}.parquet")
        frame_of(X, y, w).iloc[part].to_parquet(shards[-1])
    return {"shards": shards, "target": ["s", "t"], "weight": "w"}


def of_chunks(X, y, w, tmp_path):
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    sizes = tuple(np.diff([0, *AT, 60]).tolist())
    return {"X": da.from_array(X, chunks=(sizes, 2)), "y": da.from_array(y, chunks=7), "sample_weight": w}


def of_partitions(X, y, w, tmp_path):
    dd = pytest.importorskip("dask.dataframe", reason="dask is not installed")
    delayed = pytest.importorskip("dask").delayed
    frame = frame_of(X, y, w)
    parts = [delayed(frame.iloc[part]) for part in np.split(np.arange(60), AT)]
    whole = dd.from_delayed(parts, meta=frame, verify_meta=False)
    return {"X": whole[NAMES], "y": whole[["s", "t"]], "sample_weight": whole["w"]}


KINDS = [of_lists, of_loaders, of_npy, of_parquet, of_chunks, of_partitions]


@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda kind: kind.__name__)
def test_the_bits_do_not_depend_on_where_shards_come_from(data, tmp_path, kind):
    hashes = []
    for each in (of_lists, kind):
        net, given = make(), each(*data, tmp_path)
        inputs = {name: value for name, value in given.items() if name != "sample_weight"}
        adapt(None, net, **inputs | ({} if "X" in given else {"targets": True}))
        fit(None, net, **given, **SETTINGS)
        net.feature_names = None
        hashes.append(hash_of(net))
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("mode", ["synchronous", "local"])
def test_the_bits_do_not_depend_on_the_version_of_python(data, tmp_path, monkeypatch, mode):
    """`sum` corrects its rounding errors since Python 3.12."""
    X, y, w = data
    given = of_lists(X, y, w * 1.1 + 0.3, tmp_path)
    options = SETTINGS | {"mode": mode, "local_steps": 2 if mode == "local" else None}
    plain, other = make(), make()
    fit(None, plain, **given, **options)

    plain_sum = sum

    def other_sum(numbers, start=0):
        """Return a sum of floats with another last bit."""
        found = plain_sum(numbers, start)
        return math.nextafter(found, math.inf) if isinstance(found, float) else found

    monkeypatch.setattr("builtins.sum", other_sum)
    fit(None, other, **given, **options)
    assert hash_of(other) == hash_of(plain)


@pytest.mark.parametrize("mode", ["synchronous", "local"])
def test_validation_shards(data, tmp_path, mode):
    net, other = make(), make()
    X, y, w = data
    given = of_lists(X, y, w, tmp_path)
    fit(None, net, **given, **SETTINGS, mode=mode, validation_shards=[Loader(X, y, w)], metrics="mae")
    fit(None, other, **given, **SETTINGS, mode=mode, validation_data=data, metrics="mae")
    assert net.history.validation_loss == other.history.validation_loss
    assert net.history.validation_mae == other.history.validation_mae
    assert np.array_equal(net.parameters, other.parameters)


def test_a_checkpoint_knows_its_validation_shards(data, tmp_path):
    X, y, w = data
    given = of_lists(X, y, w, tmp_path)
    whole, net = make(), make()
    options = SETTINGS | {"validation_shards": [Loader(X, y)]}
    fit(None, whole, **given, **options)
    path = tmp_path / "net.fastbp"
    fit(None, net, **given, **options | {"epochs": 2}, callbacks=[Checkpoint(path)])
    other = options | {"validation_shards": [Loader(X + 1, y)]}
    refuses(lambda: fit(None, make(), **given, **other, resume=path), DataError, "validation_data")
    resumed = make()
    fit(None, resumed, **given, **options, resume=path)
    assert np.array_equal(resumed.parameters, whole.parameters)


def test_names_of_columns_are_adopted(data, tmp_path):
    net = make()
    fit(None, net, **of_parquet(*data, tmp_path))
    assert net.feature_names == tuple(NAMES)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0}])
def test_class_weights_over_shards(rng, data, class_weight):
    """A full batch, so that the order of the rows does not count."""
    X, y = data[0], rng.integers(0, 3, 60)
    options = {"epochs": 5, "batch_size": None, "shuffle": False, "class_weight": class_weight}
    nets = [fastbp.Network([3, 8, 3], loss=losses.CrossEntropy(), dtype="float64", seed=1) for _ in range(2)]
    for net in nets:
        net.adapt(X)
    fit(None, nets[0], *cut(X, y, at=AT), **options)
    nets[1].fit(X, y, **options)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=0, atol=1e-12)


def test_errors_of_shards_change_nothing(data):
    X, y, _ = data
    net = make()
    before = net.parameters.copy()
    bad = y.copy()
    bad[50, 1] = np.nan
    refuses(lambda: fit(None, net, *cut(X, bad, at=AT)), DataError, "shard 4 of 4: y[10, 1] is nan")
    options = {"validation_shards": [Loader(X[:, 1:], y)]}
    refuses(lambda: fit(None, net, X, y, **options), ShapeError, "validation shard 1 of 1: X has 2 columns")
    assert np.array_equal(net.parameters, before)
    assert len(net.history) == 0
