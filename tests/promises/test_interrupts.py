"""Ctrl-C at every line of Python: the network is finite, whole, and where a step ended."""

import sys

import pytest

import fastbp
from helpers.changes import CHANGES, Course, Data
from helpers.interruptions import Interruption, interrupt


def count_lines(course):
    """Return how many lines the call runs through."""
    net, data = course.network(), Data()
    interruption, _ = interrupt(lambda: course.change.call(net, data), 0)
    return interruption.lines


def faults(course, lines, atomic=True):
    """Interrupt the call at each of these lines; return what went wrong, and where."""
    found = []
    for n in lines:
        net, data = course.network(), Data()
        interruption, raised = interrupt(lambda net=net, data=data: course.change.call(net, data), n)
        wrong = course.wrong(net, atomic)
        if interruption.place and raised is not KeyboardInterrupt:
            wrong.append(f"KeyboardInterrupt became {raised}")
        if wrong:
            found.append(f"line {n}, {interruption.place}: {', '.join(wrong)}")
    return found


# Fits whose options only change what the engine computes, or what is shown: `make promises` interrupts them.
SLOW = {
    "fit, frozen",
    "fit, gradient_tol",
    "fit, rate of the epoch",
    "fit, regularized",
    "fit, schedule",
    "fit, split",
    "fit, tol",
    "fit, verbose",
    "fit, weighted",
}
ROWS = [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in CHANGES]


def test_the_slow_rows_exist():
    assert CHANGES.keys() >= SLOW


@pytest.mark.parametrize("name", ROWS)
def test_every_tenth_line(name):
    course = Course(CHANGES[name])
    found = faults(course, range(1, count_lines(course) + 1, 10))
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_the_lines_between(name):
    course = Course(CHANGES[name])
    found = faults(course, (n for n in range(1, count_lines(course) + 1) if n % 10 != 1))
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_every_line_of_the_reference(name):
    """Its steps are Python code, which can be left in the middle; everything else holds."""
    course = Course(CHANGES[name], fastbp.reference.Network)
    found = faults(course, range(1, count_lines(course) + 1), atomic=False)
    assert not found, "\n".join(found)


def test_every_line_before_a_context_of_threads():
    """An interrupt while the context is entered leaves the number of threads as before."""
    before = fastbp.get_num_threads()
    entered, n = [], 0
    while not entered:
        n += 1
        try:
            with Interruption(n), fastbp.threads(before + 1):
                sys.settrace(None)
                entered.append(fastbp.get_num_threads())
        except KeyboardInterrupt:
            pass
        assert fastbp.get_num_threads() == before, n
    assert entered == [before + 1]
    assert n > 3
