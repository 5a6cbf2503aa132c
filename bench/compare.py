"""Compares the speed of two builds of fastbp in alternation, and fails if the new one is slower.

    python bench/compare.py OLD NEW [--tasks rl tab ...] [--alternations 25] [--threads 1] [--dtype float32]

A task is a workload, also `large` or a square such as `2048x128` (units x rows of a batch), or a call.

OLD and NEW are folders with an importable fastbp. To make one from a commit::

    git worktree add /tmp/old HEAD~1
    .venv/bin/pip install --no-deps --target /tmp/old-build /tmp/old

A source tree that is built in place works, too.

In every alternation both builds get a new process, because the addresses of its memory can make a process
one percent faster or slower than the next. Both are pinned to one CPU and take turns of 20 ms, or of 4 long
steps, with the same work from the same weights. The best turn of each counts, and the alternation gives one
ratio, new over old.
Times are the thread's CPU time, which other programs disturb least; with several threads, the wall clock.

The output is the median of the ratios with its 95 % interval, from one order statistic to another, which
needs no assumption about their distribution. The exit status is 1 if an interval lies above 1.01.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from math import ceil, comb
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from types import TracebackType
from typing import Any, Self

from fastbp.cli.bench import THREADS
from workloads import SQUARES, WORKLOADS

ALTERNATIONS = 25
SECONDS, LEAST_STEPS = 0.02, 4  # per turn, whichever takes longer
LONG_SECONDS = 2 * SECONDS
TURNS, LEAST_TURNS = 8, 3  # per build and alternation; the least if they are long
MOST = 1.01
TRAININGS = {workload.name: workload for workload in (*WORKLOADS, *SQUARES)}
CALLS = {
    "predict": "predict one row",
    "train_on_batch": "train_on_batch",
    "step": "forward, custom loss, backward, step",
}
DEFAULT = ("seed", "rl", "tab", "mnist", "wide", *CALLS)


# ---- the process of a build --------------------------------------------------------------------------------


def task(name: str, dtype: str) -> Callable[[int], Callable[[], object]]:
    """Return a function that prepares the work of one turn: a number of epochs, or of rounds of calls."""
    from bench_calls import CALLS as FUNCTIONS
    from fastbp.cli.bench import Training
    from workloads import RL

    if name in TRAININGS:
        training = Training(replace(TRAININGS[name], dtype=dtype))

        def train(count: int) -> Callable[[], object]:
            training.reset()
            return lambda: training.train(count)

        return train
    workload = replace(RL, dtype=dtype)
    (X, y), size, function = workload.data(), workload.batch_size, FUNCTIONS[CALLS[name]][0]
    batches = [(X[i : i + size], y[i : i + size]) for i in range(0, len(X), size)]
    first = workload.network()

    def call(count: int) -> Callable[[], object]:
        net = first.clone()
        return lambda: function(net, batches * count)

    return call


def serve(connection: Connection, threads: int, dtype: str) -> None:
    """Send the folder of this fastbp, then time every task that is asked for until the pipe closes."""
    import fastbp

    connection.send(str(Path(fastbp.__file__).parent))
    clock = thread_time if threads == 1 else perf_counter
    tasks: dict[str, Callable[[int], Callable[[], object]]] = {}
    while True:
        try:
            name, count = connection.recv()
        except EOFError:
            return
        if name not in tasks:
            tasks[name] = task(name, dtype)
            tasks[name](1)()  # one-time work is not timed
        work = tasks[name](count)
        start = clock()
        work()
        connection.send(clock() - start)


class Build:
    """A process that runs one build, seen from the parent."""

    def __init__(self, folder: Path, threads: int, dtype: str) -> None:
        self._folder, self._threads, self._dtype = folder, threads, dtype

    def __enter__(self) -> Self:
        self._connection, far = Pipe()
        environment = os.environ | dict.fromkeys(THREADS, str(self._threads))
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(far.fileno()), str(self._threads), self._dtype],
            env=environment | {"PYTHONPATH": str(self._folder)},
            pass_fds=[far.fileno()],
            preexec_fn=self._pin,
        )
        far.close()
        found = Path(self._connection.recv())
        if found.parent != self._folder:
            raise SystemExit(
                f"{self._folder} has no fastbp that can be imported: {found} was imported instead"
            )
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._connection.close()
        self._process.wait()

    def _pin(self) -> None:
        if hasattr(os, "sched_setaffinity"):  # the first CPU serves most interrupts
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-self._threads :])

    def seconds(self, name: str, count: int) -> float:
        """Return the time of `count` units of the task."""
        self._connection.send((name, count))
        seconds: float = self._connection.recv()
        return seconds

    def count(self, name: str) -> int:
        """Return how many epochs or rounds of calls fill a turn."""
        count = 1
        while (took := self.seconds(name, count)) < SECONDS / 4:
            count *= 2
        least = ceil(LEAST_STEPS / TRAININGS[name].batches) if name in TRAININGS else 1
        return max(least, round(count * SECONDS / took))


# ---- the comparison ----------------------------------------------------------------------------------------


def ratio(old: Build, new: Build, name: str, count: int) -> tuple[float, float]:
    """Return the ratio of the best times, new over old, and the old build's time per unit."""
    best = {old: float("inf"), new: float("inf")}
    for turn in range(TURNS):
        if turn >= LEAST_TURNS and best[old] > LONG_SECONDS:
            break
        for build in (old, new) if turn % 2 else (new, old):
            best[build] = min(best[build], build.seconds(name, count))
    return best[new] / best[old], best[old] / count


def interval(values: list[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the order statistics of the confidence interval of the median, with the median between them."""
    n, values = len(values), sorted(values)
    outside, k = 0.0, 0  # probability that fewer than k + 1 values are below the true median
    while k < n // 2 and 2 * (outside + comb(n, k) / 2**n) <= 1 - confidence:
        outside += comb(n, k) / 2**n
        k += 1
    return values[max(k - 1, 0)], median(values), values[min(n - k, n - 1)]


def compare(options: argparse.Namespace) -> bool:
    """Print a table; return whether a task became slower."""
    counts: dict[str, int] = {}
    ratios: dict[str, list[float]] = {name: [] for name in options.tasks}
    times: dict[str, list[float]] = {name: [] for name in options.tasks}
    for alternation in range(options.alternations):
        with ExitStack() as running:
            folders = (options.old, options.new)
            started = [Build(folder.resolve(), options.threads, options.dtype) for folder in folders]
            old, new = (running.enter_context(build) for build in started)
            for name in options.tasks:
                if name not in counts:
                    counts[name] = old.count(name)
                found, seconds = ratio(old, new, name, counts[name])
                ratios[name].append(found)
                times[name].append(seconds)
        if sys.stderr.isatty():
            print(f"\r{alternation + 1} of {options.alternations}", end="", file=sys.stderr, flush=True)
    print(f"\r{'':16}{'old, us':>9}{'new / old':>11}   95 % interval, {options.alternations} alternations")
    slower = False
    for name in options.tasks:
        low, middle, high = interval(ratios[name])
        slower |= low > MOST
        verdict = "slower" if low > MOST else ""
        print(f"{name:16}{1e6 * median(times[name]):9.1f}{middle:11.4f}   {low:.4f} to {high:.4f}  {verdict}")
    return slower


def main(arguments: list[str]) -> Any:
    if arguments[:1] == ["--serve"]:
        return serve(Connection(int(arguments[1])), int(arguments[2]), arguments[3])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--tasks", nargs="+", choices=(*TRAININGS, *CALLS), default=DEFAULT)
    parser.add_argument("--alternations", type=int, default=ALTERNATIONS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    return compare(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
