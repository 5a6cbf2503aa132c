"""Times fastbp and a rival in alternating rounds of the same work, each in its own pinned process.

No time is taken before both have the same result. Each round also measures the machine's limit for the work,
because clock speeds change, and notes whether others used the processor (contention.py).
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

import fastbp
from contention import KINDS, Contention, Times, counted
from fastbp.cli.bench import Workload, timed
from fastbp.cli.rivals import process
from machine import quartiles
from workloads import inference_flops, one_sample_bytes, training_flops

SECONDS = 0.1  # per timing
LEAST_STEPS = 8  # per timing, so that the cost of the call of fit does not count
MOST_SECONDS, LEAST_LONG_STEPS = 0.4, 3  # fewer of the steps that are long beside the call
LEAST_ROUNDS, ROUNDS = 7, 11
ROUNDS_SECONDS = 9  # for all rounds, unless LEAST_ROUNDS take longer


class Process(process.Process):
    """A process that runs worker.py, seen from the parent."""

    worker = (str(Path(__file__).with_name("worker.py")),)


@contextmanager
def alone(process: Process, contestants: Iterable[Process]) -> Iterator[None]:
    """Stop the other contestants during the block."""
    with ExitStack() as stopped:
        for other in contestants:
            if other is not process:
                stopped.enter_context(other.stopped())
        yield


class Race:
    """One workload, done by fastbp and optionally by a rival."""

    def __init__(
        self,
        fastbp_process: Process,
        rival: Process | None,
        task: str,
        workload: Workload,
        limit: str = "peak",
    ) -> None:
        self._contestants = [fastbp_process] if rival is None else [fastbp_process, rival]
        self._workload = workload
        self._loaded = [each.ask("load", task, workload) for each in self._contestants]
        self._results = [each.ask("result") for each in self._contestants]
        rtol = max(workload.rtol, self._loaded[-1]["rtol"])
        np.testing.assert_allclose(self._results[-1], self._results[0], rtol=rtol, atol=1e-2 * rtol)
        self._units = workload.batches if task == "Training" else 1  # steps per epoch
        self._counts = {each: self._count(each, task) for each in self._contestants}
        self._times: list[list[Times]] = []  # of each round, per contestant
        self._isa = fastbp_process.environment.get("FASTBP_ISA", fastbp._core.isa())
        self._contention = Contention(self._isa, fastbp_process.threads)
        self._limit = self._limit_of(limit, task)
        self._limits: list[float] = []

    def _count(self, process: Process, task: str) -> int:
        """Return how many epochs or predictions to do per timing."""
        count = process.ask("count_for", SECONDS)
        if task == "Training" and count * self._units < LEAST_STEPS:
            steps = self._units * process.ask("count_for", MOST_SECONDS)
            count = ceil(max(LEAST_LONG_STEPS, min(LEAST_STEPS, steps)) / self._units)
        return count

    def rounds(self, most: int) -> int:
        """Do one round to warm up; return how many more to do: `most`, or fewer if they take long."""
        seconds = timed(lambda _: self.round(), 1)
        return min(most, max(LEAST_ROUNDS, int(ROUNDS_SECONDS / seconds)))

    def _limit_of(self, limit: str, task: str) -> tuple[str, int, tuple[str, ...]]:
        """Return the limit's unit, the work of a step in it, and the arguments that measure it."""
        workload = self._workload
        if limit == "L2":
            return "GB/s of L2", one_sample_bytes(workload), ("l2_bandwidth",)
        flops = training_flops(workload) if task == "Training" else inference_flops(workload)
        return "GFLOP/s", flops, ("peak", self._isa, workload.dtype)

    def round(self) -> None:
        """Time each contestant once, and the machine."""
        ours, times, speeds = self._contestants[0], [], []
        for each in self._contestants:
            with alone(each, self._contestants):
                times.append(each.ask("times", self._counts[each]))
            with alone(ours, self._contestants):
                speeds.append(ours.ask("machine", "two_loops", self._isa))
        self._times.append(times)
        self._contention.add(times, speeds)
        self._limits.append(ours.ask("machine", *self._limit[2]))

    def record(self) -> dict[str, Any]:
        """Return the record of all rounds except the first; times and rates are given by `quartiles`."""
        unit, work, _ = self._limit
        marks = self._contention.marks()
        counts = counted(marks.any(axis=1))
        steps = np.array([[count * self._units] for count in self._counts.values()])
        times = np.array(self._times[1:])[counts]  # (rounds, contestants, wall-clock and CPU)
        microseconds = 1e6 * times / steps
        limits = np.array(self._limits[1:])[counts] * self._contestants[0].threads
        ours = microseconds[:, 0, 0]
        record = {
            "rounds": len(marks),
            "contended": int(marks.any(axis=1).sum()),
            "contended_by": dict(zip(KINDS, marks.sum(axis=0).tolist(), strict=True)),
            "counted": int(counts.sum()),  # the rounds of which the figures are quartiles
            "fastbp_us": quartiles(ours),
            "fastbp_cpu_us": quartiles(microseconds[:, 0, 1]),
            "limit": quartiles(limits),
            "limit_unit": unit,
            "work": work,  # per step, in floating-point operations or bytes
            "share_of_limit": quartiles(work / ours / (1e3 * limits)),
        }
        if len(self._contestants) == 2:
            record |= {
                "results": [float(np.mean(result)) for result in self._results],
                "rival_us": quartiles(microseconds[:, 1, 0]),
                "rival_cpu_us": quartiles(microseconds[:, 1, 1]),
                "times_faster": quartiles(microseconds[:, 1, 0] / ours),
                "compile_seconds": self._loaded[1]["compile_seconds"],
                "version": self._contestants[1].version,
                "environment": self._contestants[1].environment,
            }
        return record
