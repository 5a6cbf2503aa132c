"""The n-th allocation fails: MemoryError, or the call did without; the network is as before, or after."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from changes import CHANGES, Course, Data

import fastbp
from fastbp import _core

MOST = 2000  # allocations of one call


def faults(course, fail, stop):
    """Let each allocation fail in turn, until none is left; return what went wrong, and how many failed."""
    found, failed = [], 0
    for n in range(1, MOST):
        net, data = course.network(), Data()
        fail(n)
        try:
            course.change.call(net, data)
        except MemoryError:
            failed += 1
            stop()
            wrong = course.wrong(net)
        except fastbp.DivergenceError:
            return found, failed
        else:
            return found, failed
        finally:
            stop()
        if wrong:
            found.append(f"allocation {n}: {', '.join(wrong)}")
    raise AssertionError("there is no end of it")


@pytest.mark.parametrize("name", CHANGES)
def test_of_the_core(name):
    found, failed = faults(Course(CHANGES[name]), _core.fail_allocation, lambda: _core.fail_allocation(0))
    assert not found, "\n".join(found)


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
