"""The process of one contestant, which answers requests over a pipe. race.py is the other end.

python worker.py MODULE FD
"""

import importlib
import sys
import traceback
from functools import cache
from multiprocessing.connection import Connection
from time import process_time

import rivals
from fastbp.cli.bench import Workload, count_for, timed


class Contestant:
    """The requests that a worker answers."""

    def __init__(self, module) -> None:
        self._module, self.version = module, module.VERSION
        self._loaded = None

    def load(self, task: str, workload: Workload) -> dict:
        """Prepare the work; return its compile time and tolerance, 0 if it has none."""
        if (task, workload) != self._loaded:
            self._job = self._loaded = self._result = None  # free the previous one first
            kind = getattr(self._module, task, None)
            if kind is None:
                raise rivals.UnsupportedError(f"{self.version}: no {task.lower()}")
            self._job, self._loaded = kind(workload), (task, workload)
        return {name: getattr(self._job, name, 0.0) for name in ("compile_seconds", "rtol")}

    def result(self):
        """Return what all contestants must agree on: the loss after some epochs, or the outputs."""
        task, workload = self._loaded
        if self._result is None:
            if task == "Training":
                self._job.reset()
                self._result = self._job.train(workload.epochs)
            else:
                self._result = self._job.predict().copy()
        return self._result

    def count_for(self, seconds: float) -> int:
        """Return how many epochs or predictions take about `seconds`."""
        return count_for(seconds, self._run)

    def seconds(self, count: int) -> float:
        """Return the time of `count` epochs from the initial weights, or of `count` predictions."""
        if self._loaded[0] == "Training":
            self._job.reset()
        return timed(self._run, count)

    def _run(self, count: int) -> None:
        if self._loaded[0] == "Training":
            self._job.train(count)
        else:
            predict = self._job.predict
            for _ in range(count):
                predict()

    def times(self, count: int) -> tuple[float, float]:
        """Return what `seconds` does, and the CPU time of all threads of the process."""
        if self._loaded[0] == "Training":
            self._job.reset()
        before = process_time()
        wall = timed(self._run, count)
        return wall, process_time() - before

    def machine(self, figure: str, *arguments: str) -> float:
        """Measure a limit of bench/machine.py in this process."""
        return getattr(machine(), figure)(*arguments)

    def product(self, *arguments):
        """Time a product of bench/products.py by fastbp and by NumPy in this process."""
        return importlib.import_module("products").measure(*arguments)


@cache
def machine():
    return importlib.import_module("machine")


def main(module: str, fd: str) -> None:
    connection = Connection(int(fd))
    try:
        contestant = Contestant(importlib.import_module(f"rivals.{module}"))
        connection.send(("ready", contestant.version))
    except (ImportError, rivals.UnsupportedError) as error:
        connection.send(("unsupported", str(error)))
        return
    while True:
        try:
            request, *arguments = connection.recv()
        except EOFError:
            return
        try:
            connection.send(("done", getattr(contestant, request)(*arguments)))
        except rivals.UnsupportedError as error:
            connection.send(("unsupported", str(error)))
        except Exception:
            connection.send(("failed", traceback.format_exc()))


if __name__ == "__main__":
    main(*sys.argv[1:])
