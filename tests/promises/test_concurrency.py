"""Ctrl-C, threads, and calls from within a fit."""

import gc
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastbp
from fastbp import BusyError, _core
from fastbp._data import scaling
from helpers.inside import after_each_slice, engine_of, take_snapshots


@pytest.fixture
def data(rng):
    return rng.normal(size=(60, 4)), rng.normal(size=(60, 2))


CHANGES = {
    "fit": lambda net, X, y: net.fit(X, y),
    "train_on_batch": lambda net, X, y: net.train_on_batch(X, y),
    "loss_and_gradients": lambda net, X, y: net.loss_and_gradients(X, y),
    "forward": lambda net, X, y: net.forward(X),
    "adapt": lambda net, X, y: net.adapt(X, None),
    "reset": lambda net, X, y: net.reset(),
    "setting the optimizer": lambda net, X, y: setattr(net, "optimizer", "sgd"),
    "setting the learning rate": lambda net, X, y: setattr(net, "learning_rate", 0.1),
}
READS = {
    "predict": lambda net, X, y: net.predict(X),
    "predict one row": lambda net, X, y: net.predict(X[0]),
    "predict_classes": lambda net, X, y: net.predict_classes(X),
    "evaluate": lambda net, X, y: net.evaluate(X, y),
    "clone": lambda net, X, y: net.clone(),
}


@pytest.fixture
def net(network_class):
    return network_class([4, 8, 2], loss="binary_cross_entropy", seed=0)


@pytest.fixture
def targets(data):
    return (data[1] > 0).astype(int)


@pytest.fixture
def between_slices(monkeypatch):
    """Let a function of yours run once, in the middle of the next fit, after its first epoch."""

    def between_slices(call):
        pending = [call]
        after_each_slice(monkeypatch, lambda epoch, step: pending and pending.pop()())
        take_snapshots(monkeypatch, interval=0.0, share=1e9)  # after each the fit is back in Python

    return between_slices


def in_thread(call):
    """Return what the call returns, or raise what it raises, in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


# ---- calls during a fit ------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", (CHANGES | READS).values(), ids=(CHANGES | READS).keys())
def test_other_threads_are_refused_during_a_fit(net, data, targets, between_slices, call):
    refused = []

    def from_another_thread():
        for _ in range(2):  # the first refusal has not unlocked anything
            with pytest.raises(BusyError, match="fit") as caught:
                in_thread(lambda: call(net, data[0], targets))
            refused.append(caught.value)

    between_slices(from_another_thread)
    twin = net.clone()
    net.fit(data[0], targets, epochs=3)
    assert isinstance(refused[0], RuntimeError)
    twin.fit(data[0], targets, epochs=3)
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    in_thread(lambda: call(net, data[0], targets))  # and let in afterwards


def test_plain_rows_are_refused_and_let_in_like_others(net, data, targets, between_slices):
    """predict has a short cut for them."""
    X = data[0].astype(np.float32)
    net.predict(X)

    def predict():
        for rows in (X, X[0]):
            with pytest.raises(BusyError, match="another thread is in fit of this network"):
                in_thread(lambda rows=rows: net.predict(rows))
            assert net.predict(rows).shape == (*rows.shape[:-1], 2)

    between_slices(predict)
    net.fit(data[0], targets, epochs=3)
    in_thread(lambda: net.predict(X))


@pytest.mark.parametrize("call", CHANGES.values(), ids=CHANGES.keys())
def test_changes_by_the_same_thread_are_refused_during_a_fit(net, data, targets, between_slices, call):
    between_slices(lambda: call(net, data[0], targets))
    with pytest.raises(BusyError, match="while fit of this network"):
        net.fit(data[0], targets, epochs=3)
    net.fit(data[0], targets)


@pytest.mark.parametrize("call", READS.values(), ids=READS.keys())
def test_the_same_thread_may_read_during_a_fit(net, data, targets, between_slices, call):
    twin, results = net.clone(), []
    between_slices(lambda: results.append(call(net, data[0], targets)))
    net.fit(data[0], targets, epochs=3)
    twin.fit(data[0], targets, epochs=3)
    assert len(results) == 1
    np.testing.assert_array_equal(net.parameters, twin.parameters)


@pytest.mark.parametrize("call", CHANGES.values(), ids=CHANGES.keys())
def test_changes_are_refused_while_another_thread_predicts(net, data, targets, monkeypatch, call):
    inside, go_on = threading.Event(), threading.Event()
    predict = fastbp._engine.inference.predict

    def slow_predict(*args):
        inside.set()
        assert go_on.wait(10)
        predict(*args)

    monkeypatch.setattr(fastbp._engine.inference, "predict", slow_predict)
    with ThreadPoolExecutor(1) as pool:
        prediction = pool.submit(net.predict, data[0])
        assert inside.wait(10)
        try:
            with pytest.raises(BusyError, match="reads this network"):
                call(net, data[0], targets)
        finally:
            go_on.set()
        assert prediction.result().shape == (60, 2)
    monkeypatch.undo()
    call(net, data[0], targets)


FAILURES = {"KeyboardInterrupt": KeyboardInterrupt, "ValueError": ValueError, "SystemExit": SystemExit}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_lets_everybody_in_again(net, data, targets, between_slices, failure):
    def fail():
        raise failure

    between_slices(fail)
    with pytest.raises(failure):
        net.fit(data[0], targets, epochs=3)
    in_thread(lambda: net.predict(data[0]))
    in_thread(lambda: net.fit(data[0], targets))


@pytest.mark.parametrize("call", [*CHANGES, *READS])
def test_wrong_arguments_leave_nobody_locked_out(net, data, call):
    if call in ("reset", "setting the optimizer", "setting the learning rate", "clone"):
        return
    with pytest.raises(ValueError, match="X"):
        (CHANGES | READS)[call](net, data[0][:, :3], data[1])
    in_thread(net.reset)


# ---- work side by side -------------------------------------------------------------------------------------


def test_concurrent_predictions(net, rng):
    parts = [rng.normal(size=(n, 4)) for n in (1, 50, 3000, 7, 20_000, 300)] * 5
    serial = [net.predict(X) for X in parts]
    with ThreadPoolExecutor(4) as pool:
        for expected, got in zip(serial, pool.map(net.predict, parts), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_concurrent_predictions_of_plain_rows(rng):
    """Few and many rows in turn: with the GIL and without it, from workspaces that the threads share."""
    net = fastbp.Network([4, 64, 64, 2], seed=0)
    parts = [rng.normal(size=(n, 4)).astype(np.float32) for n in (1, 5, 300, 2, 3000, 7)] * 50
    serial = [net.predict(X) for X in parts]
    with ThreadPoolExecutor(4) as pool:
        for expected, got in zip(serial, pool.map(net.predict, parts), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_two_networks_train_side_by_side(network_class, data):
    def train(seed):
        return network_class([4, 8, 2], seed=seed).fit(*data, epochs=30).loss

    serial = [train(seed) for seed in range(4)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(train, range(4))) == serial


def test_a_clone_may_predict_during_the_fit(net, data, targets, between_slices):
    twin = net.clone()
    between_slices(lambda: in_thread(lambda: twin.predict(data[0])))
    net.fit(data[0], targets)


# ---- Ctrl-C ------------------------------------------------------------------------------------------------


def interrupt(call, after):
    """Press Ctrl-C some seconds into the call; return the seconds until it raised."""
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(after, press)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            call()
        return time.perf_counter() - pressed[0]
    finally:
        timer.cancel()
        timer.join()


FOREVER = 10**7


def test_ctrl_c_raises_within_a_tenth_of_a_second(data):
    net = fastbp.Network([4, 8, 2], seed=0)
    delays = [interrupt(lambda: net.fit(*data, epochs=FOREVER), after=0.1) for _ in range(3)]
    assert sorted(delays)[1] < 0.1


LONG_CALLS = {
    "looking for NaN": (10**9, lambda net, X: net.evaluate(X, X[:, :1])),
    "predicting": (10**7, lambda net, X: net.predict(X)),
    "adapting": (10**9, lambda net, X: net.adapt(X)),
    "adapting, found finite": (10**9, lambda net, X: scaling.measure(X)),
}


@pytest.mark.parametrize(("rows", "call"), LONG_CALLS.values(), ids=LONG_CALLS.keys())
def test_ctrl_c_in_calls_that_take_seconds(network_class, rows, call):
    net = network_class([64, 64, 1], seed=0)
    X = np.lib.stride_tricks.as_strided(
        np.ones(64, np.float32), (rows, 64), (0, 4)
    )  # one row, again and again
    assert interrupt(lambda: call(net, X), after=0.05) < 0.3
    net.reset()


def test_ctrl_c_leaves_the_network_at_the_end_of_a_step(data):
    """Replaying as many steps gives the same bits."""
    X, y = data
    net, twin = (fastbp.Network([4, 8, 2], seed=0) for _ in range(2))
    interrupt(lambda: net.fit(X, y, epochs=FOREVER, batch_size=25, shuffle=False), after=0.1)
    epochs, steps = divmod(engine_of(net).t, 3)
    assert len(net.history) == epochs > 0
    assert net.history.stopped == "interrupted"
    losses = twin.fit(X, y, epochs=epochs, batch_size=25, shuffle=False).loss
    assert losses == net.history.loss
    for rows in (slice(0, 25), slice(25, 50))[:steps]:
        twin.train_on_batch(X[rows], y[rows])
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    np.testing.assert_array_equal(engine_of(net).state, engine_of(twin).state)
    net.fit(X, y, epochs=2)
    assert len(net.history) == epochs + 2


SHORT_CALLS = {
    "fit": lambda net, X, y: net.fit(X, y),
    "train_on_batch": lambda net, X, y: net.train_on_batch(X, y),
    "predict": lambda net, X, y: net.predict(X),
}


@pytest.fixture
def alarm():
    """Make `signal.setitimer` press Ctrl-C.

    Meanwhile no garbage is collected: what is raised in a callback of the collector, or of a weak reference
    to what earlier tests have left, gets lost, and the test would wait for ever.
    """
    gc.collect()
    gc.disable()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    gc.enable()


@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("call", SHORT_CALLS.values(), ids=SHORT_CALLS.keys())
def test_ctrl_c_at_any_moment_locks_nobody_out(data, rng, call):
    """The calls are so short that it often meets the instructions around the work."""
    X, y = (part[:8].astype(np.float32) for part in data)
    net = fastbp.Network([4, 8, 2], seed=0)
    for delay in rng.uniform(1e-5, 1e-3, size=200):
        try:
            signal.setitimer(signal.ITIMER_REAL, delay)
            while True:
                call(net, X, y)
        except KeyboardInterrupt:
            pass
        net.forward(X)  # BusyError, if a lock were left
        if call is SHORT_CALLS["fit"]:
            assert engine_of(net).t == len(net.history)


def test_ctrl_c_in_the_reference_leaves_a_usable_network(data):
    """A step in NumPy can be broken off anywhere, but what is left is finite."""
    net = fastbp.reference.Network([4, 8, 2], seed=0)
    interrupt(lambda: net.fit(*data, epochs=FOREVER), after=0.1)
    assert np.isfinite(net.parameters).all()
    net.fit(*data)


# ---- calls that are generators -----------------------------------------------------------------------------


class Steps:
    """A call in two steps through a guard, and what its `undo` was told."""

    def __init__(self, guard):
        self.undone = []
        self.steps = guard.stepping("work", "left", self._work(), self.undone.append)

    def _work(self):
        yield 1
        yield 2
        return 3


def is_locked(guard):
    """Tell whether a change is under way."""
    try:
        guard.writing("probe", None, int)
    except BusyError:
        return True
    return False


def test_a_generator_locks_from_its_first_item_to_its_end():
    guard = _core.Guard()
    call = Steps(guard)
    assert not is_locked(guard)
    assert next(call.steps) == 1
    assert is_locked(guard)
    assert guard.reading(int) == 0  # in the same thread
    with ThreadPoolExecutor() as pool, pytest.raises(BusyError, match="another thread is in work"):
        pool.submit(guard.reading, int).result()
    assert next(call.steps) == 2
    with pytest.raises(StopIteration) as end:
        next(call.steps)
    assert end.value.value == 3
    assert not is_locked(guard)
    assert call.undone == []
    assert guard.left == "left"


@pytest.mark.parametrize("how", ["close", "throw", "drop"])
def test_a_generator_that_does_not_end_is_undone(how):
    guard = _core.Guard()
    call = Steps(guard)
    next(call.steps)
    if how == "throw":
        with pytest.raises(KeyboardInterrupt):
            call.steps.throw(KeyboardInterrupt())
    elif how == "close":
        call.steps.close()
    else:
        call.steps = None
        gc.collect()
    assert not is_locked(guard)
    assert [type(error) for error in call.undone] == [KeyboardInterrupt if how == "throw" else GeneratorExit]
    assert guard.left is None


def test_a_generator_waits_for_nobody():
    guard = _core.Guard()
    first, second = Steps(guard), Steps(guard)
    next(first.steps)
    with pytest.raises(BusyError, match="work while work of this network is under way"):
        next(second.steps)
    assert second.undone == []
    assert next(first.steps) == 2
