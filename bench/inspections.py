"""The derivatives to time: of which networks, and how the module of a library offers them.

A module has functions that make a job, `MAKERS[what][way]`, for one or several ways to compute a derivative.
A job is a function without arguments that computes it for the whole batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from fastbp.cli.bench import Workload, count_for, timed
from workloads import MNIST, RL

SHAPES = (
    replace(RL, batch_size=64, batches=1),
    replace(MNIST, batch_size=128, batches=1),
)
WHATS = (
    "jacobian",
    "per-sample gradients",
    "per-sample gradients, out",  # into an existing array, which PyTorch does not offer
    "per-sample norms",
    "Hessian-vector product",
)

Job = Callable[[], Any]
Makers = Mapping[str, Mapping[str, Callable[[Workload], Job]]]


def direction(size: int) -> np.ndarray:
    """Return the vector (P,), float32, by which the Hessian is multiplied."""
    return np.random.default_rng(1).standard_normal(size).astype(np.float32)


class Jobs:
    """What a worker answers: see `Contestant.call` in worker.py."""

    def __init__(self, makers: Makers, as_array: Callable[[Any], np.ndarray]) -> None:
        self._makers, self._as_array = makers, as_array
        self._job = cache(self._make)

    def ways(self, what: str) -> list[str]:
        """Return the names of the ways to compute a derivative."""
        return list(self._makers[what])

    def result(self, what: str, way: str, shape: Workload) -> np.ndarray:
        """Return the derivative as one array."""
        return self._as_array(self._job(what, way, shape)())

    def count(self, what: str, way: str, shape: Workload, seconds: float) -> int:
        """Return how many derivatives take about `seconds`."""
        return count_for(seconds, lambda count: self.seconds(what, way, shape, count))

    def seconds(self, what: str, way: str, shape: Workload, count: int) -> float:
        """Return the time of `count` derivatives."""
        job = self._job(what, way, shape)

        def run(count: int) -> None:
            for _ in range(count):
                job()

        return timed(run, count)

    def _make(self, what: str, way: str, shape: Workload) -> Job:
        return self._makers[what][way](shape)
