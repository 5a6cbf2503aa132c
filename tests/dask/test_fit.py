"""`fastbp.dask.fit` in this process: the fit loop around shards, what it refuses, and what it leaves."""

import threading

import numpy as np
import pytest

import fastbp
import fastbp.dask
import fastbp.reference
from fastbp import Dense
from fastbp.callbacks import (
    Checkpoint,
    Diagnose,
    EarlyStopping,
    ExponentialMovingAverage,
    RecordPath,
    ReduceLROnPlateau,
    StochasticWeightAveraging,
)
from fastbp.dask import _fit, _rounds
from fastbp.dask._executor import SerialExecutor
from fastbp.dask._setting import models
from fastbp.exceptions import BusyError, DataError, DivergenceError, ParameterError
from helpers.callbacks import Kill, KillError
from helpers.hashes import hash_of
from helpers.inside import engine_of, state_of
from helpers.isas import ISAS, using

ROWS = 60
MODES = {
    "synchronous": {"mode": "synchronous", "batch_size": 9},
    "full batches": {"mode": "synchronous", "batch_size": None},
    "local": {"mode": "local", "batch_size": 5, "local_steps": 2},
}


def make(**options):
    layers = [3, Dense(10, dropout=0.2), Dense(6, l2=0.01), 2]
    return fastbp.Network(layers, **{"activation": "tanh", "seed": 4} | options)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(ROWS, 3)).astype(np.float32)
    return X, np.tanh(X @ rng.normal(size=(3, 2)))


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param] | {"shards": 4}


def fit(net, data, **options):
    return fastbp.dask.fit(None, net, *data, **{"epochs": 4} | options)


# ---- the fit loop ------------------------------------------------------------------------------------------


def test_it_learns_and_appends_to_the_history(data, mode):
    net = make()
    first = fit(net, data, **mode, epochs=20)
    assert first.stopped == "epochs"
    assert first.loss[-1] < first.loss[0]
    second = fit(net, data, **mode, epochs=2)
    assert len(second) == 2
    assert net.history.loss == first.loss + second.loss


def test_two_fits_are_one(data, mode):
    """Seeds, orders and rates go on where the fit before has ended."""
    one, two = make(), make()
    fit(one, data, **mode, epochs=5)
    fit(two, data, **mode, epochs=2)
    fit(two, data, **mode, epochs=3)
    assert two.parameters.tobytes() == one.parameters.tobytes()


def test_early_stopping_with_validation_data(data, mode):
    X, y = data
    net, other = (make(optimizer=fastbp.Adam(0.05)) for _ in range(2))
    callback = EarlyStopping("validation_loss", patience=2, restore_best=True)
    options = {"epochs": 500, "validation_data": (X[:9], y[:9]), "metrics": "mae", "callbacks": callback}
    history = fit(net, data, **mode, **options)
    assert history.stopped == "early_stopping"
    best = int(np.argmin(history.validation_loss))
    fit(other, data, **mode, epochs=best + 1)
    assert net.parameters.tobytes() == other.parameters.tobytes()
    assert net.evaluate(X[:9], y[:9], "mae")["mae"] == history.validation_mae[best]


def test_tol_max_seconds_and_gradient_tol(data):
    assert fit(make(), data, epochs=500, tol=0.5, patience=1).stopped == "tol"
    assert fit(make(), data, epochs=500, max_seconds=1e-9).stopped == "max_seconds"
    history = fit(make(), data, epochs=500, batch_size=None, gradient_tol=1e3)
    assert (history.stopped, len(history)) == ("gradient_tol", 1)


def test_progress_is_shown(data, capsys):
    fit(make(), data, verbose=2)
    assert "loss" in "".join(capsys.readouterr())


def test_rows_for_callbacks_are_those_of_network_fit(data, rng):
    """Diagnose and others look at a sample of the rows of all shards; rows of weight 0 are left out."""
    weights = rng.uniform(0.1, 1, ROWS)
    weights[10:35] = 0
    found = {}
    for shards in (None, 1, 4):
        samples = found[shards] = []

        def look(state, samples=samples):
            samples.append([state.sample(20), state.sample(1000)])

        if shards is None:
            make().fit(*data, sample_weight=weights, callbacks=look)
        else:
            fastbp.dask.fit(None, make(), *data, sample_weight=weights, callbacks=look, shards=shards)
    for shards in (1, 4):
        for one, other in zip(found[None][0], found[shards][0], strict=True):
            for array, expected in zip(other, one, strict=True):
                np.testing.assert_array_equal(array, expected)


def test_sparse_rows_for_callbacks(data):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = data
    samples = []
    fastbp.dask.fit(
        None, make(), sparse.csr_array(X), y, callbacks=lambda state: samples.append(state.sample(1000))
    )
    np.testing.assert_array_equal(samples[0][0].toarray(), X)
    assert samples[0][2] is None


def test_callbacks_that_look(data, mode):
    """They do not change the results."""
    plain, watched = make(), make()
    fit(plain, data, **mode)
    path, diagnose = RecordPath(), Diagnose(on_finding="print")
    fit(watched, data, **mode, callbacks=[path, diagnose])
    assert hash_of(watched) == hash_of(plain)
    assert path.path.shape == (5, plain.n_parameters)
    assert diagnose.epochs.tolist() == [0, 1, 2, 3, 4]


def test_the_reference_engine(data, mode):
    """It agrees with the native one, and its own one shard is its own fit."""
    native, numpy = make(dtype="float64"), None
    options = {"activation": "tanh", "seed": 4, "dtype": "float64"}
    numpy = fastbp.reference.Network([3, Dense(10, dropout=0.2), Dense(6, l2=0.01), 2], **options)
    for net in (native, numpy):
        fit(net, data, **mode)
    np.testing.assert_allclose(native.parameters, numpy.parameters, rtol=1e-9, atol=1e-11)


def test_names_of_columns(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    net = make()
    fit(net, (pandas.DataFrame(X, columns=["a", "b", "c"]), y))
    assert net.feature_names == ("a", "b", "c")
    plain = make()
    fit(plain, data)
    assert net.parameters.tobytes() == plain.parameters.tobytes()


def test_names_in_a_file_put_columns_in_order(data, tmp_path):
    """A network without names that continues takes them from the file."""
    pandas = pytest.importorskip("pandas")
    X, y = data
    path = str(tmp_path / "fit.safetensors")
    options = {"callbacks": Checkpoint(path), "shards": 4}
    net = make()
    fit(net, (pandas.DataFrame(X, columns=["a", "b", "c"]), y), **options, epochs=2)
    resumed, plain = make(), make()
    other_order = pandas.DataFrame(X[:, ::-1], columns=["c", "b", "a"])
    fit(resumed, (other_order, y), **options, resume=path)
    fit(plain, (pandas.DataFrame(X, columns=["a", "b", "c"]), y), shards=4)
    assert hash_of(resumed) == hash_of(plain)


# ---- checkpoints -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [2, 4, 6])
def test_a_fit_that_continues_has_the_same_bits(data, mode, stop, tmp_path):
    """It is killed after some rounds, and written after each."""
    path = str(tmp_path / "fit.safetensors")
    X, y = data

    def callbacks(name=path):
        found = [ReduceLROnPlateau(patience=1, min_delta=0.5), EarlyStopping(patience=3, restore_best=True)]
        found.append(StochasticWeightAveraging(1) if mode["mode"] == "local" else ExponentialMovingAverage())
        return [*found, Checkpoint(name, every="0.000001s")]

    options = mode | {"validation_data": (X[:7], y[:7]), "epochs": 7}
    plain = make()
    fit(plain, data, **options, callbacks=callbacks(str(tmp_path / "other")))
    with pytest.raises(KillError):
        fit(make(), data, **options, callbacks=[*callbacks(), Kill(stop)])
    net = make(seed=99)
    history = fit(net, data, **options, callbacks=callbacks(), resume=path)
    assert hash_of(net) == hash_of(plain)
    assert history.loss == plain.history.loss


def test_a_fit_that_continues_validates_with_the_scaling_of_the_file(data, tmp_path):
    """The network that continues has none of its own."""
    path = str(tmp_path / "fit.safetensors")
    X, y = data
    options = {"shards": 4, "validation_shards": [lambda: (X[:9], y[:9]), lambda: (X[9:12], y[9:12])]}
    plain, net = make(), make()
    plain.adapt(X + 3, 5 * y)
    fit(plain, data, **options, callbacks=Checkpoint(str(tmp_path / "other")))
    net.adapt(X + 3, 5 * y)
    fit(net, data, **options, epochs=2, callbacks=Checkpoint(path))
    resumed = make()
    fit(resumed, data, **options, callbacks=Checkpoint(path), resume=path)
    assert hash_of(resumed) == hash_of(plain)


def test_only_the_same_fit_continues(data, tmp_path):
    path = str(tmp_path / "fit.safetensors")
    X, y = data
    fit(make(), data, epochs=1, callbacks=Checkpoint(path), resume=path, shards=4)
    for options, error, message in (
        ({"shards": 3}, ParameterError, "rows of the shards"),
        ({"mode": "local"}, ParameterError, "mode is 'local'"),
        ({"batch_size": 7}, ParameterError, "batch_size is 7"),
        ({"shuffle": False}, ParameterError, "shuffle is False"),
    ):
        with pytest.raises(error, match=message):
            fit(make(), data, **{"callbacks": Checkpoint(path), "resume": path, "shards": 4} | options)
    other = X.copy()
    other[-1, 0] += 1
    with pytest.raises(DataError, match="X is not that of the fit"):
        fit(make(), (other, y), callbacks=Checkpoint(path), resume=path, shards=4)
    with pytest.raises(DataError, match="X is not that of the fit"):
        make().fit(X, y, resume=path)
    make().fit(X, y, callbacks=Checkpoint(path))
    with pytest.raises(ParameterError, match="mode is 'synchronous', expected None"):
        fit(make(), data, resume=path)


# ---- instruction sets --------------------------------------------------------------------------------------


@pytest.mark.skipif(len(ISAS) < 2, reason="this machine has one instruction set")  # others have other bits
def test_the_engine_computes_as_all_machines_can(data, monkeypatch, mode, tmp_path):
    """For the time of the fit, whatever ends it; a fit that continues does not warn."""
    slow = "baseline"
    monkeypatch.setattr(_fit, "executor_of", lambda *_: SerialExecutor(slow))
    X, y = data
    path = str(tmp_path / "fit.safetensors")
    options = mode | {"validation_data": (X[:9], y[:9]), "callbacks": [Checkpoint(path)]}
    net = make()
    own, seen = engine_of(net).isa, []
    fit(net, data, **options | {"callbacks": [Checkpoint(path), lambda _: seen.append(engine_of(net).isa)]})
    assert set(seen) == {slow}
    assert engine_of(net).isa == own
    with pytest.raises(KillError):
        fit(net, data, **mode, callbacks=Kill(2))
    assert engine_of(net).isa == own
    resumed = make()
    fit(resumed, data, **options, resume=path)
    monkeypatch.undo()
    with using(slow):  # of all engines, also those that tasks make
        alone = make()
        fit(alone, data, **mode, validation_data=(X[:9], y[:9]))
    assert hash_of(resumed) == hash_of(alone)


# ---- errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mode": "async"}, ParameterError, "mode is 'async', expected 'synchronous' or 'local'"),
        ({"batch_size": 0}, ParameterError, "batch_size is 0"),
        ({"shuffle": "blocks"}, ParameterError, "shuffle is 'blocks'"),
        ({"local_steps": 3}, ParameterError, "local_steps is 3 with mode='synchronous'"),
        ({"epochs": 0}, ParameterError, "epochs is 0"),
        ({"gradient_tol": 0.1}, ParameterError, "expected batch_size=None"),
        ({"metrics": "mae"}, ParameterError, "metrics is 'mae' without validation_data"),
        ({"callbacks": 5}, ParameterError, "callbacks.0. is 5"),
        ({"sample_weight": np.zeros(ROWS)}, DataError, "sample_weight sums to 0"),
    ],
)
def test_wrong_arguments_change_nothing(data, options, error, message):
    net = make()
    before = state_of(net)
    with pytest.raises(error, match=message):
        fit(net, data, **options)
    assert state_of(net) == before


def test_wrong_networks(data):
    with pytest.raises(ParameterError, match="net is a int"):
        fastbp.dask.fit(None, 3, *data)
    for optimizer, message in (
        (fastbp.LevenbergMarquardt(), "optimizer is LevenbergMarquardt.* expected one that makes steps"),
        (fastbp.IRprop(), "batch_size is 32 for 60 rows, expected batch_size=None: IRprop"),
    ):
        net = fastbp.Network([3, 4, 2], optimizer=optimizer, seed=1)
        with pytest.raises(ParameterError, match=message):
            fit(net, data)
    net = fastbp.Network([3, 4, 2], seed=1)
    net.trainable = False
    with pytest.raises(ParameterError, match="trainable is False for all layers"):
        fit(net, data)


def test_a_fit_that_diverges_goes_back(data, mode):
    net = make(optimizer=fastbp.SGD(1e30))
    before = net.parameters.copy()
    with pytest.raises(DivergenceError, match="the network is back where it was after epoch 0"):
        fit(net, data, **mode, epochs=50)
    assert net.parameters.tobytes() == before.tobytes()
    assert net.history.stopped == "diverged"


class FailingExecutor(SerialExecutor):
    """Fails in the round after so many."""

    left, is_closed = 0, False

    def close(self):
        self.is_closed = True

    def call(self, function, handles, own, common=(), names=()):
        if function is _rounds.on_same:  # in a round of training
            self.left -= 1
            if self.left < 0:
                raise OSError("lost")
        return super().call(function, handles, own, common, names)


def test_an_error_leaves_the_network_at_the_last_round(data, monkeypatch, mode):
    expected = make()
    with pytest.raises(KillError):
        fit(expected, data, **mode, epochs=9, callbacks=Kill(5))
    executor = FailingExecutor()
    executor.left = 5
    monkeypatch.setattr(_fit, "executor_of", lambda *_: executor)
    net = make()
    with pytest.raises(OSError, match="lost"):
        fit(net, data, **mode, epochs=9)
    assert hash_of(net) == hash_of(expected)
    assert executor.is_closed


def test_the_network_is_busy(data):
    """In another thread; callbacks may predict."""
    net, errors = make(), []

    def call_elsewhere(state):
        def change():
            try:
                net.reset()
            except BusyError as error:
                errors.append(error)

        thread = threading.Thread(target=change)
        thread.start()
        thread.join()
        state.network.predict(data[0])

    fit(net, data, epochs=2, callbacks=call_elsewhere)
    assert len(errors) == 2


def test_a_fit_leaves_nothing_in_this_process(data, mode):
    before = list(models._idle)
    fit(make(), data, **mode)
    assert list(models._idle) == before
