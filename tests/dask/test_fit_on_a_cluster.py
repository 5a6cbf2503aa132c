"""`fastbp.dask.fit` on worker processes and threads: the bits of ``client=None``."""

import warnings

import numpy as np
import pytest

import fastbp
import fastbp.dask
from fastbp import CustomActivation, Dense
from fastbp.callbacks import Checkpoint, EarlyStopping
from helpers.callbacks import Kill, KillError
from helpers.hashes import hash_of

pytest.importorskip("dask", reason="dask is not installed")
distributed = pytest.importorskip("distributed", reason="distributed is not installed")


@pytest.fixture
def client(cluster_of):
    """A client of two processes of two threads."""
    return cluster_of(2, threads=2)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(70, 3))
    y = X @ rng.normal(size=(3, 2))
    weights = rng.uniform(0, 2, 70)
    weights[20:45] = 0
    return X, y, weights


MODES = {
    "synchronous": {"mode": "synchronous", "batch_size": 9},
    "full batches": {"mode": "synchronous", "batch_size": None},
    "local": {"mode": "local", "batch_size": 5, "local_steps": 2},
}


def squares(output, target):
    """A loss of the user's."""
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


NETWORKS = {
    "dropout and penalties": lambda: fastbp.Network(
        [3, Dense(12, dropout=0.2, l1=0.01, divide_penalty=True), Dense(5, max_norm=1.0), 2], seed=3
    ),
    "a loss of this module": lambda: fastbp.Network([3, 8, 2], loss=squares, seed=3),
    "functions without a name": lambda: fastbp.Network(
        [3, Dense(8, CustomActivation(lambda x: x**3 / 9, lambda x: x**2 / 3)), 2],
        optimizer=fastbp.Adam(lambda epoch: 0.01 / (1 + epoch)),
        seed=3,
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_bits_are_those_of_this_process(client, data, name, mode):
    X, y, weights = data
    options = MODES[mode] | {"epochs": 3, "shards": 5, "validation_data": (X[:9], y[:9])}
    if name != "a loss of this module":
        options["sample_weight"] = weights
    here, there = NETWORKS[name](), NETWORKS[name]()
    here.adapt(X, y)
    there.adapt(X, y)
    fastbp.dask.fit(None, here, X, y, **options)
    fastbp.dask.fit(client, there, X, y, **options)
    assert hash_of(there) == hash_of(here)


def test_threads_have_the_same_bits(data):
    X, y, weights = data
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=4, dashboard_address=":0", processes=False
        ) as cluster,
        distributed.Client(cluster) as threads,
    ):
        for mode in MODES.values():
            options = mode | {"epochs": 3, "shards": 5, "sample_weight": weights}
            here, there = (NETWORKS["dropout and penalties"]() for _ in range(2))
            fastbp.dask.fit(None, here, X, y, **options)
            fastbp.dask.fit(threads, there, X, y, **options)
            assert hash_of(there) == hash_of(here)


def test_a_fit_continues_elsewhere(client, data, tmp_path):
    """It was killed in this process, and goes on on a cluster, without a warning."""
    X, y, _ = data
    path = str(tmp_path / "fit.safetensors")
    options = {"epochs": 5, "shards": 3, "batch_size": 16, "validation_data": (X[:9], y[:9])}
    callbacks = [EarlyStopping(patience=3), Checkpoint(path, every="0.000001s")]
    plain, net = (NETWORKS["dropout and penalties"]() for _ in range(2))
    fastbp.dask.fit(None, plain, X, y, **options, callbacks=callbacks[0])
    with pytest.raises(KillError):
        fastbp.dask.fit(None, net, X, y, **options, callbacks=[*callbacks, Kill(8)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fastbp.dask.fit(client, net, X, y, **options, callbacks=callbacks, resume=path)
    assert hash_of(net) == hash_of(plain)


def test_an_error_in_a_shard_names_it(client, data):
    """A Python loss that raises; the network is as before, and the next fit works."""
    X, y, _ = data

    def fails(output, target):
        if (target == y[-1]).all(axis=1).any():
            raise ValueError("the last row")
        return squares(output, target)

    net = fastbp.Network([3, 4, 2], loss=fails, dtype="float64", seed=1)
    before = net.parameters.copy()
    for place in (None, client):
        with pytest.raises(ValueError, match="the last row") as caught:
            fastbp.dask.fit(place, net, X, y, shards=3, batch_size=None)
        assert "shard 3 of 3" in " ".join(caught.value.__notes__)
        assert net.parameters.tobytes() == before.tobytes()
    fastbp.dask.fit(client, net, X[:-1], y[:-1], shards=3)
    assert np.isfinite(net.history.loss).all()
