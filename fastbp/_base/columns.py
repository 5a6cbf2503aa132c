"""Columns of numbers that grow at the end, by one number or by many at a time."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

LONG = 1000  # numbers; from so many on, not to copy or compute them is worth a part of its own


class Computed:
    """Numbers that are computed when they are first read: one of them, or all.

    Parameters
    ----------
    compute : callable
        compute(argument, steps) returns an array with one number per step.
    argument
        Anything immutable.
    steps : range
    """

    __slots__ = ("_argument", "_compute", "_numbers", "_steps")

    def __init__(self, compute: Compute, argument: Any, steps: range) -> None:
        self._compute, self._argument, self._steps = compute, argument, steps
        self._numbers: array[float] | None = None

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, at: int) -> float:
        """Return the number with this index >= 0."""
        return self._compute(self._argument, self._steps[at : at + 1])[0]

    @property
    def numbers(self) -> array[float]:
        """All numbers. If two threads compute them at a time, they find the same."""
        numbers = self._numbers
        if numbers is None:
            numbers = self._numbers = self._compute(self._argument, self._steps)
        return numbers


Compute: TypeAlias = "Callable[[Any, range], array[float]]"

#: Numbers to append to columns. An array is copied, the others are kept, so they must not change later.
Entries: TypeAlias = "array[float] | NDArray[np.float64] | Computed"


def entries(numbers: NDArray[np.float64]) -> Entries:
    """Return numbers that do not change as entries."""
    return numbers if len(numbers) >= LONG else array("d", numbers.tobytes())


def computed(compute: Compute, argument: Any, steps: range) -> Entries:
    """Return the numbers that `Computed` describes as entries."""
    return Computed(compute, argument, steps) if len(steps) >= LONG else compute(argument, steps)


def constant(value: float, n: int) -> Entries:
    """Return n times the same number as entries."""
    return Computed(_repeated, value, range(n)) if n >= LONG else array("d", (value,)) * n


def _repeated(value: float, steps: range) -> array[float]:
    return array("d", (value,)) * len(steps)


class Column:
    """Numbers in parts: arrays of its own, which grow, and long parts that it may share with other columns.

    While one thread appends, others may read what was there before.

    Parameters
    ----------
    numbers : iterable of floats
    """

    __slots__ = ("_parts",)

    def __init__(self, numbers: Iterable[float] = ()) -> None:
        # Each part with the index of its first number. The first part is an array, which may be empty.
        self._parts: list[tuple[int, Entries]] = [(0, array("d", numbers))]

    def __len__(self) -> int:
        first, last = self._parts[-1]
        return first + len(last)

    def write(self, start: int, new: Entries) -> None:
        """Put new numbers after the first `start` ones, in place of what followed these before."""
        first, last = self._parts[-1]
        if first + len(last) != start:
            first, last = self._cut(start)
        if not isinstance(new, array):
            self._parts.append((start, new))
        elif isinstance(last, array):
            last.extend(new)
        else:
            self._parts.append((start, new[:]))

    def _cut(self, end: int) -> tuple[int, Entries]:
        """Drop all numbers from `end` on; return the last part."""
        while self._parts[-1][0] > end:
            del self._parts[-1]
        first, last = self._parts[-1]
        self._parts[-1] = first, array("d", _numbers(last)[: end - first])
        return self._parts[-1]

    def __getitem__(self, at: int) -> float:
        """Return the number with this index >= 0."""
        first, part = self._parts[self._part_of(at)]
        return float(part[at - first])

    def numbers(self, start: int, end: int) -> array[float]:
        """Return a new array of the numbers from `start` up to `end`."""
        found = array("d")
        for first, part in self._parts[self._part_of(start) :]:
            if first < end:
                within: Any = _numbers(part)[max(start - first, 0) : end - first]
                found.frombytes(memoryview(within).cast("B"))
        return found

    def _part_of(self, at: int) -> int:
        return bisect_right(self._parts, at, key=itemgetter(0)) - 1


def _numbers(part: Entries) -> array[float] | NDArray[np.float64]:
    return part.numbers if isinstance(part, Computed) else part
