"""Marks the rounds of a timing in which something else took part of the processor.

After each timing of a round, machine.py runs a loop in registers and a loop in a cache. A round is marked if

- the loop in registers was more than a tenth slower than the fastest of its kind in this session: the clock
  was lower, or time was taken away;
- the loop in a cache was: others use the cache, or the same;
- a timing took more than a tenth longer than its CPU time accounts for: another program ran instead. One
  thread of fastbp never waits. Others may: for them, the round that waited least is the measure.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

MOST_LOST = 0.1
KINDS = ("registers", "cache", "waiting")  # the columns of the marks

Speeds = tuple[float, float]  # of the loop in registers and of the loop in a cache
Times = tuple[float, float]  # wall-clock time and CPU time


class Contention:
    """What the rounds of one comparison showed, all on one instruction set; fastbp's timing is the first."""

    _fastest: ClassVar[dict[str, NDArray[np.float64]]] = {}  # the loops in this session, by instruction set

    def __init__(self, isa: str, threads: int) -> None:
        self._isa, self._threads = isa, threads
        self._speeds: list[Sequence[Speeds]] = []
        self._times: list[Sequence[Times]] = []

    def add(self, times: Sequence[Times], speeds: Sequence[Speeds]) -> None:
        """Add a round: the times of each contestant, and the speeds of the loops after each of them."""
        self._times.append(times)
        self._speeds.append(speeds)
        fastest = self._fastest.get(self._isa, np.zeros(2))
        self._fastest[self._isa] = np.maximum(fastest, np.max(speeds, axis=0))

    def marks(self) -> NDArray[np.bool_]:
        """Return what each round but the first is marked for, (rounds, KINDS)."""
        slow = np.min(self._speeds, axis=1)[1:] < (1 - MOST_LOST) * self._fastest[self._isa]
        wall, cpu = np.moveaxis(np.array(self._times[1:]), -1, 0)  # each (rounds, contestants)
        share = cpu / wall
        most = share.max(axis=0)
        if self._threads == 1:
            most[0] = 1.0
        waiting = (share < (1 - MOST_LOST) * most).any(axis=1)
        return np.column_stack([slow, waiting])


def counted(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rounds count: those without a mark if they are at least half, else all."""
    return ~marked if 2 * np.sum(~marked) >= len(marked) else np.ones_like(marked)
