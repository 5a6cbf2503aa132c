"""`Pool`: threads that do slices of work."""

from __future__ import annotations

from _thread import start_new_thread
from collections.abc import Callable
from os import getpid
from queue import SimpleQueue
from time import sleep

from fastbp._base.threads import threads
from fastbp._many._job import Job

WAIT = 0.0005  # seconds between two looks at threads that are about to end


class Pool:
    """Threads that do the slices of jobs.

    They are not those of `threading` and `concurrent.futures`, which take locks in Python code: Ctrl-C there
    leaves a lock locked, for which all wait then. Here every step of the calling thread is one call of C.

    Parameters
    ----------
    size : int, >= 1
        Number of threads; each begins when there is work for it.
    limit : int, >= 1
        Number of threads that a slice may use.
    done : callable
        Called with a job whose slice is done, in the thread that has done it.
    """

    def __init__(self, size: int, limit: int, done: Callable[[Job], None]) -> None:
        self._size, self._limit, self._done = size, limit, done
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()  # None: there will be no more
        self._started, self._process = 0, getpid()
        self._running: list[None] = []  # one entry per thread

    @property
    def is_lost(self) -> bool:
        """Whether this process is a copy, which a callback has forked: the threads are in the other one."""
        return getpid() != self._process

    def hand_over(self, job: Job) -> bool:
        """Let a thread do the next slice of a job; return False if the system refuses to start one."""
        if self._started < self._size:
            try:
                start_new_thread(self._serve, ())
                self._started += 1
            except RuntimeError:
                if self._started == 0:
                    return False
        self._jobs.put(job)
        return True

    def close(self) -> None:
        """End the threads, which are doing nothing; may be repeated."""
        self._jobs.put(None)
        while self._running and not self.is_lost:
            sleep(WAIT)

    def _serve(self) -> None:
        """Do slices until the pool is closed."""
        self._running.append(None)
        try:
            with threads(self._limit):
                while (job := self._jobs.get()) is not None:
                    if job.do_elsewhere():
                        self._done(job)
                    del job  # which holds its network
            self._jobs.put(None)  # for the next thread
        finally:
            self._running.pop()
