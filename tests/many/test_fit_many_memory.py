"""What `fit_many` keeps alive: no rows of splits, and no variables of errors."""

import gc
import weakref
from time import sleep

import numpy as np
import pytest

import fastbp
from fastbp._many import _calls

RNG = np.random.default_rng(7)
X = RNG.normal(size=(46, 4))
Y = np.tanh(X @ RNG.normal(size=(4, 2)))


@pytest.mark.parametrize("fails", [False, True])
def test_rows_of_a_split_are_freed_when_the_fit_ends(monkeypatch, fails):
    """Also if it fails, as long as its error is kept; without the garbage collector."""
    copies, most = [], 0

    def note(call, n_in):
        nonlocal most
        found = arguments(call, n_in)
        copies.append(weakref.ref(found["X"]))
        most = max(most, sum(copy() is not None for copy in copies))
        return found

    def fail(state):
        raise ValueError("no")

    arguments = _calls.Call.arguments
    monkeypatch.setattr(_calls.Call, "arguments", note)
    networks = [fastbp.Network([4, 3, 2], seed=seed) for seed in range(12)]
    gc.collect()
    gc.disable()
    try:
        with fastbp.threads(2):
            results = fastbp.fit_many(
                networks, X, Y, splits=(range(30), range(30, 46)), callbacks=fail if fails else ()
            )
    finally:
        gc.enable()
    assert len(copies) == 12
    assert all(isinstance(result, ValueError if fails else fastbp.History) for result in results)
    assert [copy() for copy in copies] == [None] * 12
    assert most <= 4


def test_errors_in_a_group_keep_no_variables():
    kept = []

    def part():
        rows = np.zeros(1)
        kept.append(weakref.ref(rows))
        raise ValueError("no")

    def fail(state):
        found = []
        try:
            part()
        except ValueError as error:
            found.append(error)
        raise ExceptionGroup("both", found)

    result = fastbp.fit_many([fastbp.Network([4, 3, 2], seed=0)], X, Y, callbacks=fail)[0]
    assert isinstance(result, ExceptionGroup)
    assert kept[0]() is None


def test_a_traceback_shows_the_line_of_the_error():
    def fail(state):
        sleep(0)
        raise ValueError("no")

    result = fastbp.fit_many([fastbp.Network([4, 3, 2], seed=0)], X, Y, callbacks=fail)[0]
    trace, names = result.__traceback__, []
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert names[-1] == "fail"
    assert "slices" in names
    assert "fit_many" not in names
