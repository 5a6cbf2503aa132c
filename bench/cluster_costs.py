"""A model of how long a round of tasks takes on a cluster: latency, bandwidth, and the work of the tasks.

A round sends arguments to every worker, runs one task per shard, and returns an answer per task::

    seconds = round + task * tasks + down * (bytes to a worker * workers) + up * (bytes of an answer * tasks)
              + longest queue of a worker * seconds of work of a task + seconds of the caller

`round` is the latency of a round, `task` what scheduling one task costs, and 1 / down and 1 / up are the
bandwidths. All arguments and answers go through the link of the caller, so their bytes add up. `fitted` finds
the four numbers from rounds that were timed. `bench_dask.py` compares what the model then says about fits
with fits that are timed, and asks it about more workers than there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Round:
    """What the tasks of a round send, answer and compute."""

    tasks: int
    bytes_down: int  # to each worker
    bytes_up: int  # from each task
    work: float = 0.0  # seconds of each task
    caller: float = 0.0  # seconds that the caller needs between two rounds


@dataclass(frozen=True)
class Costs:
    """What a cluster costs: seconds per round, per task, per byte to a worker, and per byte of an answer."""

    round: float
    task: float
    down: float
    up: float

    def seconds(self, one: Round, workers: int) -> float:
        """Return how long a round takes on so many workers of one thread."""
        return float(terms(one, workers) @ (self.round, self.task, self.down, self.up)) + computing(
            one, workers
        )

    def over(self, bandwidth: float, latency: float) -> "Costs":
        """Return the costs over a network with this bandwidth in bytes per second and latency in seconds.

        A byte takes at least the time of the link, and a round goes there and back.
        """
        down, up = (max(cost, 1 / bandwidth) for cost in (self.down, self.up))
        return replace(self, round=self.round + 2 * latency, down=down, up=up)


def terms(one: Round, workers: int) -> np.ndarray:
    """Return what the four costs are multiplied by, (4,)."""
    used = min(workers, one.tasks)
    return np.array([1, one.tasks, used * one.bytes_down, one.tasks * one.bytes_up], float)


def computing(one: Round, workers: int) -> float:
    """Return the seconds of computation of a round: the longest queue of a worker, and the caller."""
    return -(-one.tasks // workers) * one.work + one.caller


def fitted(timed: Sequence[tuple[Round, int, float]]) -> Costs:
    """Return the costs that explain rounds, each with its number of workers and its seconds.

    The sum of squared relative errors is least, without negative costs: while there are some, the most
    negative one is set to 0.
    """
    seconds = np.array([each for *_, each in timed])
    rows = np.array([terms(one, workers) for one, workers, _ in timed]) / seconds[:, None]  # (rounds, 4)
    target = 1 - np.array([computing(one, workers) for one, workers, _ in timed]) / seconds  # (rounds,)
    found, used = np.zeros(4), np.ones(4, bool)
    while used.any():
        scale = np.abs(rows[:, used]).max(axis=0)  # bytes and ones differ by a factor of a million
        found[:] = 0
        found[used] = np.linalg.lstsq(rows[:, used] / scale, target, rcond=None)[0] / scale
        if found.min() >= 0:
            break
        used[(found * rows.max(axis=0)).argmin()] = False
    return Costs(*map(float, found))


def break_even(gain: Callable[[float], float], low: float = 1e-6, high: float = 1e4) -> float:
    """Return the seconds of work from which `gain(seconds)`, which increases, is above 1; inf if never.

    The answer is within a percent.
    """
    if gain(high) <= 1:
        return float("inf")
    while high > 1.01 * low:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if gain(middle) > 1 else (middle, high)
    return high
