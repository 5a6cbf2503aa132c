"""The process of one library, which answers requests over a pipe; the other end is `Process`.

python -m fastbp.cli.rivals.worker MODULE FD
"""

from __future__ import annotations

import importlib
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from fastbp.cli.bench import Workload, count_for, timed
from fastbp.cli.rivals import UnsupportedError


class Contestant:
    """The requests that a worker answers."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self.version: str = module.VERSION
        self._loaded: tuple[str, Workload] | None = None
        self._job: Any = None
        self._result: Any = None

    def load(self, task: str, workload: Workload) -> dict[str, float]:
        """Prepare the work; return its compile time and tolerance, 0 if it has none."""
        if (task, workload) != self._loaded:
            self._job = self._loaded = self._result = None  # free the previous one first
            kind = getattr(self._module, task, None)
            if kind is None:
                raise UnsupportedError(f"no {task.lower()}")
            self._job = kind(workload)
            self._task, self._workload = self._loaded = task, workload
        return {name: getattr(self._job, name, 0.0) for name in ("compile_seconds", "rtol")}

    def result(self) -> Any:
        """Return what all contestants must agree on: the loss after some epochs, or the outputs."""
        if self._result is None:
            if self._task == "Training":
                self._job.reset()
                self._result = self._job.train(self._workload.epochs)
            else:
                self._result = self._job.predict().copy()
        return self._result

    def count_for(self, seconds: float) -> int:
        """Return how many epochs or predictions take about `seconds`."""
        return count_for(seconds, self._run)

    def seconds(self, count: int) -> float:
        """Return the time of `count` epochs from the initial weights, or of `count` predictions."""
        if self._task == "Training":
            self._job.reset()
        return timed(self._run, count)

    def _run(self, count: int) -> None:
        if self._task == "Training":
            self._job.train(count)
        else:
            predict = self._job.predict
            for _ in range(count):
                predict()


def main(module: str, fd: str, kind: type[Contestant] = Contestant) -> None:
    """Answer requests until the parent closes the pipe."""
    connection = Connection(int(fd))
    with suppress(EOFError, BrokenPipeError):
        try:
            contestant = kind(importlib.import_module(module))
        except ImportError as error:
            return connection.send(("unsupported", str(error)))
        except Exception as error:
            return connection.send(outcome(error))
        connection.send(("ready", contestant.version))
        while True:
            request, *arguments = connection.recv()
            try:
                answer = "done", getattr(contestant, request)(*arguments)
            except Exception as error:
                answer = outcome(error)
            connection.send(answer)


def outcome(error: Exception) -> tuple[str, str]:
    """Return what to send instead of a result."""
    if isinstance(error, UnsupportedError):
        return "unsupported", str(error)
    return "failed", "".join(traceback.format_exception(error))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
