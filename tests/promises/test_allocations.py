"""Failing allocations: MemoryError or no harm, and the network is as before or after the call."""

import pickle
from functools import partial

import numpy as np
import pytest

import fastbp
from fastbp import _core
from helpers import probes
from helpers.changes import CHANGES, Change, Course, Data

# NumPy returns without setting an error here and there, and pickle cannot import
OF_MEMORY = (MemoryError, SystemError, pickle.PicklingError)
NO_LOCK = "can't allocate lock"  # Python's RuntimeError in the constructor of NumPy's random generators
ENOUGH = 3  # calls in a row in which nothing fails: what fails may be done without
# calls that want no workspace
WITHOUT = (
    "adapt",
    "adapt(None)",
    "adapt(X, y)",
    "setting the optimizer",
    "setting the learning rate",
    "setting trainable",
    "setting learning_rate_factors",
    "setting class_names",
    "replace_output",
    "reset",
    "clone",
    "pickle",
)


def faults(course, fail, stop, step=lambda n: 1):
    """Let one allocation after another fail; return what went wrong, and how many calls failed."""
    found, failed, n, in_vain = [], 0, 1, 0
    while in_vain < ENOUGH:
        net, data, error = course.network().clone(), Data(), None  # a clone has no workspaces yet
        fail(n)
        try:
            course.change.call(net, data)
        except fastbp.DivergenceError:
            pass
        except Exception as raised:
            error = raised
        stop()
        in_vain = 0 if error else in_vain + 1
        wrong = course.wrong(net) if error else []
        no_lock = isinstance(error, RuntimeError) and str(error) == NO_LOCK
        if error and not isinstance(error, OF_MEMORY) and not no_lock:
            wrong.append(f"MemoryError became {error!r}")
        if wrong:
            found.append(f"allocation {n}: {', '.join(wrong)}")
        failed += bool(error)
        n += step(n)
    return found, failed


@pytest.mark.parametrize("name", CHANGES)
def test_of_the_core(name):
    found, failed = faults(Course(CHANGES[name]), _core.fail_allocation, lambda: _core.fail_allocation(0))
    assert not found, "\n".join(found)
    assert failed or name in WITHOUT


ALLOCATORS = ("empty", "empty_like", "zeros", "zeros_like", "ones", "array", "asarray", "ascontiguousarray")


class Scarcity:
    """NumPy's functions that make arrays, the n-th call of which finds no memory."""

    def __init__(self, monkeypatch):
        self._left = 0
        for name in ALLOCATORS:
            monkeypatch.setattr(np, name, self._scarce(getattr(np, name)))

    def _scarce(self, function):
        def scarce(*args, **options):
            self._left -= 1
            if self._left == 0:
                raise MemoryError
            return function(*args, **options)

        return scarce

    def fail(self, n):
        self._left = n

    def stop(self):
        self._left = 0


@pytest.mark.parametrize("name", CHANGES)
def test_of_numpy(name, monkeypatch):
    course = Course(CHANGES[name])
    scarcity = Scarcity(monkeypatch)
    found, _ = faults(course, scarcity.fail, scarcity.stop)
    assert not found, "\n".join(found)


class OnSparseRows(Change):
    """A call on sparse rows, after others on such rows."""

    def network(self, network_class=fastbp.Network):
        net = self.fresh(network_class)
        net.fit(*sparse_examples(), epochs=1, batch_size=None)
        return net


def sparse_examples():
    """Return 12 rows of 3 inputs, so few of them not 0 that plans work on entries, and their targets."""
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    entries = np.array([1.0, -2, 3]), (np.array([0, 3, 3]), np.array([2, 0, 1]))
    return sparse.csr_array(entries, shape=(12, 3)), Data().y


SPARSE = {
    "fit": lambda net, data: net.fit(*sparse_examples(), epochs=4, batch_size=None, callbacks=data.note),
    "train_on_batch": lambda net, data: net.train_on_batch(*sparse_examples()),
    "loss_and_gradients": lambda net, data: net.loss_and_gradients(*sparse_examples()),
    "forward, backward": lambda net, data: net.backward(net.forward(sparse_examples()[0])),
    "evaluate": lambda net, data: net.evaluate(*sparse_examples()),
    "predict": lambda net, data: net.predict(sparse_examples()[0]),
}


@pytest.mark.parametrize("optimizer", [fastbp.SGD(0.1), fastbp.Adam(0.01)], ids=["SGD", "Adam"])
def test_of_plans_for_sparse_rows(optimizer, monkeypatch):
    scarcity = Scarcity(monkeypatch)
    for name, call in SPARSE.items():
        course = Course(OnSparseRows(call, {"optimizer": optimizer}, [3, 20, 2]))
        for fail, stop in (
            (_core.fail_allocation, lambda: _core.fail_allocation(0)),
            (scarcity.fail, scarcity.stop),
        ):
            found, failed = faults(course, fail, stop)
            assert failed, name
            assert not found, "\n".join((name, *found))


def of_python(name):
    """Let Python's allocations fail: the first ones each, later ones further and further apart."""
    testcapi = pytest.importorskip("_testcapi")
    course = Course(CHANGES[name])
    found, _ = faults(
        course, lambda n: testcapi.set_nomemory(n, n + 1), testcapi.remove_mem_hooks, lambda n: 1 + n // 8
    )
    assert not found, "\n".join(found)


PROBES = {name: partial(of_python, name) for name in CHANGES}


def test_of_python():
    """The calls run in separate processes: a failing allocation may end a process."""
    pytest.importorskip("_testcapi")
    found = [f"{name}: {end}" for name, end in probes.outcomes(__file__).items() if end]
    assert not found, "\n".join(found)
