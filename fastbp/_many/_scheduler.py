"""`Scheduler`: many fits over a few threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue

from fastbp._base.threads import get_num_threads
from fastbp._many._job import Job
from fastbp._many._pool import Pool
from fastbp._many._shown import Shown
from fastbp.exceptions import Error
from fastbp.history import History

ACTIVE = 2  # fits under way per thread: while one of them is between slices, another has a slice ready


class Scheduler:
    """Runs jobs: `run` trains, and `recover` ends what is under way after an interruption.

    The calling thread goes on with each fit between its slices, and a pool of threads does the slices. The
    calling thread does slices itself if there is one thread, if they call functions of the user, or if they
    are short. Fits whose slices call functions of the user follow each other, in order.

    Parameters
    ----------
    jobs : sequence of Job
        They begin in this order.
    shown : Shown, optional
    """

    def __init__(self, jobs: Sequence[Job], shown: Shown | None) -> None:
        self._jobs, self._shown = jobs, shown
        n_threads = get_num_threads()
        self._workers = min(n_threads, len(jobs))
        self._unbegun: deque[Job] = deque()
        self._active: list[Job] = []
        self._alone: deque[Job] = deque()  # active ones that call functions of the user; the first is running
        self._done: SimpleQueue[Job] = SimpleQueue()  # whose slices are done
        self._pool = Pool(self._workers, n_threads, self._done.put) if self._workers > 1 else None

    def run(self) -> list[History | Exception]:
        """Train all networks; return the result of each."""
        for job in self._jobs:
            if job.go_on():
                self._unbegun.append(job)
            else:
                self._end(job)
        while True:
            self._begin()
            if not self._active:
                break
            if self._pool is not None and self._pool.is_lost:
                raise Error(
                    "a callback of fit_many forked this process and returned in it, expected os._exit there: "
                    "the threads of fit_many are in the other process"
                )
            self._go_on(self._done.get())
        self._close()
        return [job.result for job in self._jobs if job.result is not None]

    def recover(self, error: BaseException) -> None:
        """Wait for the slices that are under way, and end all fits as Ctrl-C does; may be repeated."""
        for job in self._jobs:
            job.withdraw()
        for job in self._jobs:
            if self._pool is not None and not self._pool.is_lost:
                job.wait()
            job.break_off()
        self._close()

    def _close(self) -> None:
        if self._pool is not None:
            self._pool.close()
        if self._shown is not None:
            self._shown.close()

    def _begin(self) -> None:
        """Begin the next fits, as many as may be under way."""
        most = ACTIVE * self._workers if self._workers > 1 else 1
        while len(self._active) < most and (job := self._next()) is not None:
            self._unbegun.remove(job)
            self._active.append(job)
            if not job.go_on():
                self._end(job)
            elif not job.calls_user:
                self._go_on(job)
            else:
                self._alone.append(job)
                if len(self._alone) == 1:
                    self._go_on(job)

    def _next(self) -> Job | None:
        """Return the next fit to begin; none that would have to wait for another one in Python."""
        for job in self._unbegun:
            if not (job.is_in_python and self._alone):
                return job
        return None

    def _go_on(self, job: Job) -> None:
        """Run a fit to its next slice, and have that done."""
        if not job.go_on():
            self._end(job)
            return
        self._show()
        if self._pool is None or job.is_short or job.calls_user or not self._pool.hand_over(job):
            if job.do():
                self._done.put(job)

    def _end(self, job: Job) -> None:
        """Note that a fit is over, and let the next one that has waited for it begin."""
        if job in self._active:
            self._active.remove(job)
        if self._shown is not None and job.result is not None:
            self._shown.end(job.index, job.result, job.done)
            self._show()
        if self._alone and self._alone[0] is job:
            self._alone.popleft()
            if self._alone:
                self._go_on(self._alone[0])

    def _show(self) -> None:
        if self._shown is not None:
            self._shown.update(sum(job.done for job in self._active))
