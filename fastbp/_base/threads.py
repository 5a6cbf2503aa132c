"""How many threads a call may use."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import local

from fastbp import _core
from fastbp._base.arguments import integer
from fastbp._base.cpus import available_cpus, cgroup_cpus
from fastbp.exceptions import ParameterError


class _Thread(local):
    """Data of each thread."""

    def __init__(self) -> None:
        self.numbers = _core.OwnThreads()


_thread = _Thread()


def _number(argument: str, n: object) -> int:
    return integer(argument, n, at_least=1, below=_core.MAX_THREADS + 1)


def set_num_threads(n: int) -> None:
    """Let calls use up to `n` threads from now on, in all of the process but inside ``with threads(...)``.

    Networks too small to gain from it use one. The weights that come out are the same for any number.

    fastbp has one pool of threads. While a thread of yours uses it, others that call fastbp work alone, and
    each of them leaves the pool one thread fewer: `n` is about what runs at once, however many threads of
    yours train or predict. A process begins with FASTBP_NUM_THREADS, else OMP_NUM_THREADS (which joblib sets
    in its workers), else the CPUs that its affinity mask and its container grant it; a fork inherits.

    Parameters
    ----------
    n : int, 1 to 1024

    Raises
    ------
    ParameterError
        n is something else.
    """
    n = _number("n", n)
    if n > 1:
        _core.apply_cpu_limit()
    _core.set_threads(n)


def get_num_threads() -> int:
    """Return how many threads a call by this thread may use."""
    return _core.threads()


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let what this thread calls in the context use up to `n` threads: ``with fastbp.threads(1): ...``.

    Other threads, also those that are started meanwhile, keep their numbers. The context belongs to the
    thread that enters it, even if another one leaves it (by closing a generator, say), and it covers all
    coroutines that this thread runs meanwhile. Of several open contexts the last one entered counts.
    Arguments and errors as for `set_num_threads`.
    """
    n = _number("n", n)
    if n > 1:
        _core.apply_cpu_limit()
    numbers = _thread.numbers
    entry = [n]  # made before: an interruption right after `enter` takes it away, too
    try:
        numbers.enter(entry)
        yield
    finally:
        numbers.leave(entry)


def default(environment: Mapping[str, str]) -> int:
    """Return the number of threads to begin with; ParameterError for a wrong FASTBP_NUM_THREADS."""
    if own := environment.get("FASTBP_NUM_THREADS"):
        is_number = own.isdecimal() and len(own) < 100  # Python reads no number of some thousand digits
        return _number("FASTBP_NUM_THREADS", int(own) if is_number else own)
    try:
        return _number("OMP_NUM_THREADS", int(environment.get("OMP_NUM_THREADS", "").split(",")[0]))
    except (ValueError, ParameterError):  # it is not ours to complain about
        return min(available_cpus(), _core.MAX_THREADS)


_core.set_threads(default(os.environ))
_core.set_cpu_limit(
    cgroup_cpus
)  # which the core calls later: with a number in the environment, importing reads no file
