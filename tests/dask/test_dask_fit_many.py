"""Independent networks over a cluster: each has the bits of its own fit; an error of one ends no other."""

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed", reason="distributed is not installed: pip install fastbp[dask]")

import dask

import fastbp
import fastbp.reference
from fastbp import Dense
from fastbp.callbacks import Checkpoint, EarlyStopping
from fastbp.dask import fit_many
from fastbp.exceptions import ShardError
from helpers import fits_away

RNG = np.random.default_rng(7)
X = RNG.normal(size=(46, 4))
Y = np.tanh(X @ RNG.normal(size=(4, 2)))
HELD_OUT = RNG.normal(size=(9, 4)), RNG.normal(size=(9, 2))
BEST = EarlyStopping("validation_loss", 2, restore_best=True)

#: Layers and options of networks, and the arguments of their fits.
CASES = {
    "adam": ((4, 5, 2), {}, {}),
    "float64": (
        (4, 3, 2),
        {"dtype": "float64", "optimizer": fastbp.SGD(0.1, momentum=0.9)},
        {"batch_size": 7},
    ),
    "dropout": ((4, Dense(6, dropout=0.3), 2), {"input_noise": 0.1}, {"shuffle": False}),
    "irprop": ((4, 5, 2), {"optimizer": fastbp.IRprop()}, {"batch_size": None}),
    "levenberg-marquardt": (
        (4, 3, 2),
        {"optimizer": fastbp.LevenbergMarquardt(), "dtype": "float64"},
        {"batch_size": None},
    ),
    "rate of the epoch": ((4, 5, 2), {"optimizer": fastbp.SGD(lambda epoch: 0.1 / (1 + epoch))}, {}),
    "best epoch": (
        (4, 5, 2),
        {"optimizer": fastbp.SGD(0.5)},
        {"callbacks": BEST, "validation_data": HELD_OUT, "metrics": fits_away.largest_error, "epochs": 30},
    ),
    "custom loss": ((4, 5, 2), {"loss": fits_away.custom_loss, "optimizer": fastbp.SGD(0.01)}, {}),
    "diverges": ((4, 5, 2), {"optimizer": fastbp.SGD(1e6)}, {"epochs": 50}),
    "weights": ((4, 5, 2), {}, {"sample_weight": np.linspace(0, 1, 46)}),
    "reference": ((4, 5, 2), {"class": fastbp.reference.Network}, {}),
}


def network_of(layers, options):
    kind = options.get("class", fastbp.Network)
    options = {name: value for name, value in options.items() if name != "class"}
    return kind(layers, **{"activation": "tanh", "seed": 3} | options)


def networks(n=4):
    return [fastbp.Network([4, 3 + i, 2], seed=i) for i in range(n)]


def columns_of(history):
    return {name: history[name] for name in history if name != "seconds"}, history.stopped


def test_bits_are_those_of_the_network_alone(cluster_of, state_of):
    client = cluster_of(2)
    away = [network_of(layers, options) for layers, options, _ in CASES.values()]
    defaults = {"callbacks": (), "metrics": None, "validation_data": None, "sample_weight": None, "epochs": 5}
    defaults |= {"batch_size": ..., "shuffle": ...}
    each = {name: [fit.get(name, value) for _, _, fit in CASES.values()] for name, value in defaults.items()}
    results = fit_many(client, away, X, Y, **each)
    for (name, (layers, options, fit)), net, result in zip(CASES.items(), away, results, strict=True):
        alone = network_of(layers, options)
        if name == "diverges":
            with pytest.raises(type(result), match=f"^{re.escape(str(result))}$"):
                alone.fit(X, Y, **fit)
        else:
            expected = alone.fit(X, Y, **{"epochs": 5} | fit)
            assert repr(columns_of(result)) == repr(columns_of(expected)), name
        assert state_of(net) == state_of(alone), name


def test_without_a_client_this_process_trains(state_of):
    here, away = networks(), networks()
    fastbp.fit_many(here, X, Y, epochs=3)
    assert all(isinstance(one, fastbp.History) for one in fit_many(None, away, X, Y, epochs=3))
    assert [*map(state_of, away)] == [*map(state_of, here)]


def test_splits_and_delayed_data(cluster_of, state_of):
    client = cluster_of(2)
    rows = np.arange(46)
    splits = [(rows[rows % 4 != i], rows[rows % 4 == i]) for i in range(4)]
    here, away = networks(), networks()
    fastbp.fit_many(here, X, Y, splits=splits, epochs=3)
    fit_many(client, away, dask.delayed(X), dask.delayed(Y), splits=splits, epochs=3)
    assert [*map(state_of, away)] == [*map(state_of, here)]


def test_frames_name_the_inputs(cluster_of):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    (net,) = networks(1)
    fit_many(cluster_of(2), [net], pd.DataFrame(X, columns=[*"abcd"]), Y)
    assert net.feature_names == ("a", "b", "c", "d")


def test_an_error_is_the_result_of_its_network(cluster_of, state_of):
    client = cluster_of(2)
    nets = networks(6)
    callbacks = [(), fits_away.fail, fits_away.fail_oddly, fits_away.Locked(), (), lambda state: None]
    targets = [Y, Y, Y, Y, Y[:7], Y]
    before = [*map(state_of, nets)]
    results = fit_many(client, nets, X, targets, callbacks=callbacks, epochs=3)
    kinds = [type(one).__name__ for one in results]
    assert kinds == ["History", "ArithmeticError", "Error", "ParameterError", "ShapeError", "History"]
    assert str(results[1]) == "after epoch 0"
    assert "in fail" in results[1].__notes__[0]  # the traceback on the worker
    assert str(results[2]) == "OddError: odd error"
    assert "network 3, or an option of its fit, cannot be sent to a worker" in str(results[3])
    after = [*map(state_of, nets)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, False, False, True, True, False]
    alone = networks(2)[1]
    with pytest.raises(ArithmeticError):
        alone.fit(X, Y, callbacks=fits_away.fail, epochs=3)
    assert state_of(alone) == after[1]


def test_wrong_arguments(cluster_of, capsys):
    client = cluster_of(2)
    nets = networks(2)
    for one in (client, None):
        with pytest.raises(fastbp.UnknownArgumentError, match=r"fit_many has no argument epoch.*mean epochs"):
            fit_many(one, nets, X, Y, epoch=3)
    with pytest.raises(fastbp.ParameterError, match=r"networks\[1\] is networks\[0\] again"):
        fit_many(client, [nets[0], nets[0]], X, Y)
    with pytest.raises(fastbp.ParameterError, match="epochs is a list of 3 for 2 networks"):
        fit_many(client, nets, X, Y, epochs=[1, 2, 3])
    with pytest.raises(fastbp.ParameterError, match="client is int, expected"):
        fit_many(3, nets, X, Y, verbose=1)
    assert capsys.readouterr().err == ""  # nor a bar that nobody closes
    assert fit_many(client, [], X, Y) == []
    assert nets[0].fit(X, Y).stopped == "epochs"  # they are free


def test_max_seconds(cluster_of):
    nets = networks()
    first, *others = fit_many(cluster_of(2), nets, X, Y, epochs=10**9, max_seconds=0.2)
    assert {one.stopped for one in (first, *others)} == {"max_seconds"}
    assert len(first) > 0
    none = fit_many(cluster_of(2), nets, X, Y, max_seconds=1e-9)
    assert [(len(one), one.stopped) for one in none] == [(0, "max_seconds")] * 4


def test_progress(cluster_of, capsys):
    fit_many(cluster_of(2), networks(3), X, Y, epochs=2, verbose=2)
    out = capsys.readouterr().out
    assert sorted(line.partition(":")[0] for line in out.splitlines() if line.startswith("network")) == [
        "network 0",
        "network 1",
        "network 2",
    ]


def test_networks_are_busy_meanwhile(cluster_of, tmp_path):
    """A network that is away can neither be changed nor read, and one that is busy cannot leave."""
    client = cluster_of(2)
    net, stop = fastbp.Network([4, 3, 2], seed=0), threading.Event()
    errors = []

    def elsewhere(state):
        if not stop.is_set():
            errors.extend(fit_many(client, [net], X, Y))
            stop.set()

    net.fit(X, Y, callbacks=elsewhere)
    assert [type(error) for error in errors] == [fastbp.BusyError]
    path = tmp_path / "begun"
    checkpoint = Checkpoint(str(path), every=1)
    thread = threading.Thread(
        target=fit_many,
        args=(client, [net], X, Y),
        kwargs={"epochs": 10**9, "max_seconds": 2.0, "callbacks": checkpoint},
    )
    thread.start()
    while not path.exists():
        assert thread.is_alive()
        stop.wait(0.01)
    with pytest.raises(fastbp.BusyError, match="while fit_many of this network is under way"):
        net.fit(X, Y)
    thread.join()
    assert net.fit(X, Y).stopped == "epochs"


@pytest.fixture
def impatient():
    """A scheduler that gives a task up as soon as it has killed a worker."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        yield


def test_a_network_that_kills_its_worker(impatient, mortal, state_of):
    """The others are not lost with it, although the scheduler blames each that waits for the same worker."""
    nets = networks(5)
    callbacks = [fits_away.die if i == 1 else () for i in range(5)]
    results = fit_many(mortal, nets, X, Y, callbacks=callbacks, epochs=3, max_retries=1)
    assert isinstance(results[1], ShardError)
    assert "network 1 was lost with its workers 2 times (max_retries=1)" in str(results[1])
    alone = networks(5)
    fastbp.fit_many([net for i, net in enumerate(alone) if i != 1], X, Y, epochs=3)
    assert [*map(state_of, nets)] == [*map(state_of, alone)]


INTERRUPTED = """
import sys, threading, _thread, time
import numpy as np, fastbp
from distributed import Client
from fastbp.dask import fit_many
from pathlib import Path

with Client(sys.argv[1]) as client:
    nets = [fastbp.Network([4, 3, 2], seed=i) for i in range(2)]
    before = [net.parameters.copy() for net in nets]
    print("begun", flush=True)
    try:
        fit_many(client, nets, np.ones((9, 4)), np.ones((9, 2)), epochs=10**9, max_seconds=60.0)
    except KeyboardInterrupt:
        assert all((a == net.parameters).all() for a, net in zip(before, nets))
        nets[0].fit(np.ones((9, 4)), np.ones((9, 2)))
        print("interrupted", flush=True)
"""


def test_ctrl_c_cancels_and_unlocks(cluster_of):
    client = cluster_of(2)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", INTERRUPTED, client.scheduler.address],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(fastbp.__file__).parents[1])},
    )
    assert process.stdout.readline() == "begun\n"
    stop = threading.Event()
    while not any(client.processing().values()):
        assert process.poll() is None
        stop.wait(0.02)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "interrupted\n"
    assert process.returncode == 0
    for worker in client.nthreads():  # is free: the fits have ended there, too
        assert client.submit(int, workers=worker, pure=False).result(timeout=10) == 0
