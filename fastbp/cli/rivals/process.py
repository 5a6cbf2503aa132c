"""A library in a process of its own, seen from the parent; `fastbp.cli.rivals.worker` is the other end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import Pipe
from typing import Any, Self

from fastbp.cli.bench import THREADS
from fastbp.cli.rivals import Rival, UnsupportedError, blas


def processors() -> list[int]:
    """Return the CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


CPUS = processors()


class Process:
    """A pinned process that trains and predicts with one library on request."""

    #: how Python starts the worker
    worker: Sequence[str] = ("-P", "-m", "fastbp.cli.rivals.worker")

    def __init__(self, rival: Rival, threads: int = 1, isa: str | None = None) -> None:
        if threads > len(CPUS):
            raise UnsupportedError(f"{threads} threads, but {len(CPUS)} processors to run on")
        environment = dict.fromkeys(THREADS, str(threads)) | rival.environment
        if isa is not None:
            environment["FASTBP_ISA"] = isa
        if threads == 1:  # XLA has no such variable; its threads also stay within the affinity mask
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        self.environment = environment
        self.threads, self._rival = threads, rival

    def __enter__(self) -> Self:
        self._connection, far = Pipe()
        # the kernels of the user's choice are not those that are installed, and may not be the best
        others = {name: value for name, value in os.environ.items() if name != blas.VARIABLE}
        self._worker = subprocess.Popen(
            [sys.executable, *self.worker, self._rival.module, str(far.fileno())],
            env=others | self.environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[far.fileno()],
            preexec_fn=self._prepare,
        )
        far.close()
        try:
            self.version = self._answer()
        except BaseException as error:
            self.__exit__(error)
            raise
        return self

    def __exit__(self, error: object, *_: Any) -> None:
        self._connection.close()
        if error is not None:  # the worker may be in the middle of something long
            self._worker.kill()
        self._worker.wait()

    def _prepare(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that the worker
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, CPUS[-self.threads :])  # the first CPU serves most interrupts

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the process during the block: threads that wait for work would take time from another one."""
        self._worker.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._worker.send_signal(signal.SIGCONT)

    def ask(self, request: str, *arguments: Any) -> Any:
        """Call the method `request` of the worker's `Contestant` and return its result."""
        self._connection.send((request, *arguments))
        return self._answer()

    def _answer(self) -> Any:
        try:
            outcome, value = self._connection.recv()
        except (EOFError, ConnectionError):
            raise RuntimeError(f"the process of {self._rival.name} ended; its errors are above") from None
        if outcome == "unsupported":
            raise UnsupportedError(f"{self._rival.name}: {value}")
        if outcome == "failed":
            raise RuntimeError(f"{self._rival.name}:\n{value}")
        return value
