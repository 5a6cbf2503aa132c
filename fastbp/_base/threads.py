"""Number of threads that a call may use: `set_num_threads`, `threads`, and the number at the start."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from fastbp import _core
from fastbp._base.arguments import integer
from fastbp._base.cpus import available_cpus, cgroup_cpus
from fastbp.exceptions import ParameterError


@cache
def _thread() -> Any:
    """Return the data that each Python thread has for itself; few need them, so the import is late."""
    from threading import local

    class Thread(local):
        def __init__(self) -> None:
            self.numbers = _core.OwnThreads()

    return Thread()


def _number(argument: str, n: object) -> int:
    return integer(argument, n, at_least=1, below=_core.MAX_THREADS + 1)


def set_num_threads(n: int) -> None:
    """Let calls use up to `n` threads from now on, in the whole process except inside ``with threads(...)``.

    Networks too small to gain from several threads use one. Results are the same for any number.

    fastbp has one pool of threads. While one of your threads uses it, your other threads compute without it,
    and each of them takes one thread away from the pool, so about `n` threads run at once in total (more only
    if more than `n` of your threads call fastbp).

    The initial number is FASTBP_NUM_THREADS, else OMP_NUM_THREADS (which joblib sets in its workers), else
    the number of CPUs that affinity mask and container allow. A forked process inherits the number.

    Parameters
    ----------
    n : int, 1 to 1024
        Largest number of threads.

    Raises
    ------
    ParameterError
        `n` is not an integer from 1 to 1024.
    """
    _core.set_threads(_number("n", n))


def get_num_threads() -> int:
    """Return the number of threads that calls by this thread may use."""
    return _core.threads()


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Limit calls by this thread inside the block to `n` threads: ``with fastbp.threads(1): ...``.

    Other threads, including ones started inside the block, keep their own limits. The context belongs to the
    thread that enters it, even if another thread leaves it, for example by closing a generator. It covers all
    coroutines that this thread runs in the meantime. If several contexts are open, the most recently entered
    one applies. Arguments and errors are those of `set_num_threads`.
    """
    n = _number("n", n)
    numbers = _thread().numbers
    entry = [n]  # made first, so that `leave` removes it even if an interruption follows `enter` at once
    try:
        numbers.enter(entry)
        yield
    finally:
        numbers.leave(entry)


def default(environment: Mapping[str, str]) -> int:
    """Return the initial number of threads; ParameterError if FASTBP_NUM_THREADS is invalid."""
    if own := environment.get("FASTBP_NUM_THREADS"):
        is_number = own.isdecimal() and len(own) < 100  # Python refuses to convert thousands of digits
        return _number("FASTBP_NUM_THREADS", int(own) if is_number else own)
    try:
        return _number("OMP_NUM_THREADS", int(environment.get("OMP_NUM_THREADS", "").split(",")[0]))
    except (ValueError, ParameterError):  # another library's variable: an invalid value is ignored
        return min(available_cpus(), _core.MAX_THREADS)


quota = cgroup_cpus()
if quota is not None:
    _core.limit_cpus(quota)
_core.set_threads(default(os.environ))
