"""Ctrl-C during `fit_many`: every network is finite, whole, free, and where a step ended."""

import _thread
import os
import signal
import sys
import threading
from pathlib import Path
from time import sleep

import numpy as np
import pytest

import fastbp
from fastbp._many._job import Job
from fastbp._training.fit import Fit
from helpers.changes import CHANGES, Course, Data
from helpers.interruptions import interrupt

NAMES = ["fit", "fit, restore_best", "fit, averaging", "fit, custom loss", "fit, hooks"]


class Arguments:
    """Stands for a network, and keeps the arguments of its fit."""

    def fit(self, X, y, **options):
        self.X, self.y, self.options = X, y, options


def of_all(name):
    """Return the arguments of each course's fit under this name, or the default of `fit_many`."""
    found = []
    for change in (CHANGES[each] for each in NAMES):
        arguments = Arguments()
        change.call(arguments, Data())
        found.append(arguments.options.get(name, fastbp.fit_many.__kwdefaults__[name]))
    return found


OPTIONS = {name: of_all(name) for name in ("epochs", "batch_size", "callbacks", "validation_data")}


@pytest.fixture(scope="module")
def courses():
    """What holds for the network of each row."""
    return [Course(CHANGES[name]) for name in NAMES]


def fit_all(networks):
    data = Data()
    for result in fastbp.fit_many(networks, data.X, data.y, **OPTIONS):
        assert isinstance(result, fastbp.History), result


def faults(courses, lines):
    """Interrupt the call at each of these lines; return what went wrong, and where."""
    found = []
    for n in lines:
        networks = [course.network() for course in courses]
        interruption, raised = interrupt(lambda networks=networks: fit_all(networks), n)
        wrong = [
            f"{name}: {fault}"
            for name, course, net in zip(NAMES, courses, networks, strict=True)
            for fault in course.wrong(net)
        ]
        if interruption.place and raised is not KeyboardInterrupt:
            wrong.append(f"KeyboardInterrupt became {raised}")
        if threads_left():
            wrong.append("a thread is left")
        if wrong:
            found.append(f"line {n}, {interruption.place}: {', '.join(wrong)}")
    return found


def threads_left():
    """Whether threads of `fit_many` are left, also of those that `threading` does not know."""
    for _ in range(1000):  # an ending thread is counted until the very end
        if _thread._count() <= threading.active_count() - 1:
            return False
        sleep(0.001)
    return True


def count_lines(courses):
    interruption, _ = interrupt(lambda: fit_all([course.network() for course in courses]), 0)
    return interruption.lines


@pytest.mark.parametrize("threads", [1, 2])
def test_some_lines(courses, threads):
    with fastbp.threads(threads):
        found = faults(courses, range(1, count_lines(courses) + 20, 293))
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_many_lines(courses, threads):
    with fastbp.threads(threads):
        found = faults(courses, range(2, count_lines(courses) + 20, 13))
    assert not found, "\n".join(found)


def large(n):
    """Networks whose fits take longer than any test; each step takes some milliseconds."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(512, 64)).astype(np.float32)
    nets = [fastbp.Network([64, 128, 2], seed=seed) for seed in range(n)]
    return nets, X, X[:, :2]


def once(call):
    """A callback that calls something after the first epoch."""

    def callback(state):
        if state.epoch == 0:
            call()

    return callback


@pytest.fixture
def ctrl_c():
    """Press Ctrl-C after so many seconds."""
    timers = []

    def press(seconds):
        timers.append(threading.Timer(seconds, _thread.interrupt_main))
        timers[-1].start()

    yield press
    for timer in timers:
        timer.cancel()
        timer.join()


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_all_that_is_under_way(ctrl_c, threads):
    nets, X, y = large(8)
    with fastbp.threads(threads), pytest.raises(KeyboardInterrupt):
        fastbp.fit_many(nets, X, y, epochs=10**6, callbacks=[once(lambda: ctrl_c(0.1)), *[()] * 7])
    assert not threads_left()
    before = [net.parameters.tobytes() for net in nets]
    sleep(0.05)
    assert [net.parameters.tobytes() for net in nets] == before  # no engine is in use any more
    begun = [net for net in nets if net.history.stopped]
    assert 1 <= len(begun) <= 2 * threads
    assert {net.history.stopped for net in begun} == {"interrupted"}
    for net in nets:
        assert np.isfinite(net.parameters).all()
        net.fit(X, y)


def test_the_calling_thread_takes_no_locks_in_python_code():
    """Ctrl-C after such a lock is taken and before its block begins leaves it locked, and all wait for it."""
    files = set()
    nets, X, y = large(3)
    with fastbp.threads(2):
        sys.settrace(lambda frame, event, argument: files.add(Path(frame.f_code.co_filename)))
        try:
            fastbp.fit_many(nets, X, y, epochs=3)
        finally:
            sys.settrace(None)
    assert "_pool.py" in {path.name for path in files}
    assert not [path for path in files if path.name == "threading.py" or "concurrent" in path.parts]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("leaves", [True, False])
def test_a_process_that_a_callback_forks_does_not_wait_for_threads(leaves):
    """They are in the other process; whether the child leaves the callback by an exception or goes on."""

    def fork(state):
        if state.epoch == 0:
            children.append(os.fork())
            if children == [0]:
                signal.alarm(20)
                if leaves:
                    raise SystemExit

    nets, X, y = large(4)
    children = []
    try:
        with fastbp.threads(2):
            fastbp.fit_many(nets, X, y, epochs=[2, 30, 30, 30], callbacks=[fork, (), (), ()])
    except BaseException as error:
        if children == [0]:
            os._exit(7 if type(error) is (SystemExit if leaves else fastbp.Error) else 8)
        raise
    if children == [0]:
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 7


PLACES = {
    "before a fit is recovered": (Fit, "recover", "before"),
    "after a fit is recovered": (Fit, "recover", "after"),
    "before a slice is waited for": (Job, "wait", "before"),
    "after a slice was waited for": (Job, "wait", "after"),
    "before a fit is broken off": (Job, "break_off", "before"),
    "after a fit was broken off": (Job, "break_off", "after"),
}


@pytest.mark.parametrize("place", PLACES)
def test_ctrl_c_again_while_networks_are_put_in_order(monkeypatch, ctrl_c, place):
    owner, name, when = PLACES[place]
    function, calls = getattr(owner, name), []

    def interrupted(self, *arguments):
        calls.append(self)
        if when == "before" and len(calls) in (1, 3):
            raise KeyboardInterrupt
        function(self, *arguments)
        if when == "after" and len(calls) in (1, 3):
            raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, interrupted)
    nets, X, y = large(4)
    with fastbp.threads(2), pytest.raises(KeyboardInterrupt):  # when the last one has begun
        fastbp.fit_many(nets, X, y, epochs=10**6, callbacks=[(), (), (), once(lambda: ctrl_c(0.03))])
    monkeypatch.undo()
    assert len(calls) > 3
    assert not threads_left()
    assert {net.history.stopped for net in nets} == {"interrupted"}
    for net in nets:
        net.fit(X, y)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("threads", [1, 2])
def test_what_ends_the_program_ends_the_call(threads, error):
    """Even if a callback raises it."""

    def leave(state):
        if state.epoch == 3:
            raise error

    nets, X, y = large(4)
    with fastbp.threads(threads), pytest.raises(error):
        fastbp.fit_many(nets, X, y, epochs=10**6, callbacks=[leave, (), (), ()])
    assert (nets[0].history.stopped, len(nets[0].history)) == ("interrupted", 4)
    for net in nets:
        net.fit(X, y)


def test_a_python_loss_that_is_interrupted():
    def loss(output, target):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        error = output - target
        return 0.5 * float((error * error).sum()), error

    calls = []
    nets, X, y = large(3)
    nets[1] = fastbp.Network([64, 4, 2], loss=loss, seed=0)
    with fastbp.threads(2), pytest.raises(KeyboardInterrupt):
        fastbp.fit_many(nets, X, y, epochs=10**6)
    assert nets[1].history.stopped == "interrupted"
    for net in nets:
        net.fit(X, y)
