"""`Job`: the fit of one network among many, a slice of work at a time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from time import perf_counter, sleep, thread_time

from fastbp._many._calls import Call
from fastbp._model import NOTHING
from fastbp._training import train
from fastbp._training.data import DataOptions
from fastbp._training.fit import Fit, Work
from fastbp.history import History
from fastbp.network import Network

DATA_OPTIONS = (*DataOptions.__annotations__,)
SHORT = 1e-4  # seconds; to hand a shorter slice to another thread takes longer than to do it
WAIT = 0.001  # seconds between two looks at a slice that is under way when all is broken off


class Job:
    """The fit of one network: call `go_on` between slices, and `do` for each slice, until `result` is set.

    All methods but `do` and `do_elsewhere` belong to the thread that calls `fit_many`. The first call of
    `go_on` locks the network, the second one checks the arguments, and each later one runs what is between
    two slices.

    Parameters
    ----------
    index : int
        Number of the network.
    network : Network
    call : Call
    deadline : float
        When to stop, as `perf_counter` tells it.

    Attributes
    ----------
    result : History, Exception or None
        None until the fit is over.
    done : float
        Number of epochs done, with fractions.
    is_in_python : bool
        Whether its steps are certain to call functions of the user. `calls_user` knows of metrics, too.
    is_short : bool
        Whether the last slice took so little time that it was not worth handing to another thread.
    """

    def __init__(self, index: int, network: Network, call: Call, deadline: float) -> None:
        self.index, self._network, self._deadline = index, network, deadline
        self.is_in_python = call.y is None or network._model.trainer is not network._model.engine
        self.result: History | Exception | None = None
        self.is_short = False
        self._fit: Fit | None = None
        self._ended_with = 0.0
        self._slices: list[Work] = []  # the next one, if any: whoever removes it, does it
        self._is_busy = False
        self._error: BaseException | None = None
        self._steps: Generator[Work, None, History] | None = network._model.guard.stepping(
            "fit_many", NOTHING, self._course(call), undo=self._undo
        )

    @property
    def calls_user(self) -> bool:
        """Whether slices call functions of the user; known once the arguments are checked."""
        return self._fit is not None and self._fit.calls_user

    @property
    def done(self) -> float:
        """Number of epochs done, with fractions."""
        return self._ended_with if self._fit is None else self._fit.done

    def go_on(self) -> bool:
        """Run the fit to its next slice; return False if it is over.

        Raises
        ------
        BaseException
            Ctrl-C or the like; errors are the `result`.
        """
        steps, error, self._error = self._steps, self._error, None
        assert steps is not None
        try:
            self._slices = [next(steps) if error is None else steps.throw(error)]
            return True
        except StopIteration as end:
            self.result = end.value
        except Exception as raised:
            self.result = without_arrays(raised)
        self._ended_with = self.done
        self._steps = self._fit = None
        return False

    def do(self) -> bool:
        """Do the next slice; return False if it was withdrawn or done. An error waits for `go_on`."""
        try:
            work = self._slices.pop()
        except IndexError:
            return False
        try:
            started = thread_time()  # without the time that the thread waits for Python's lock
            work()
            self.is_short = thread_time() - started < SHORT
        except BaseException as error:
            self._error = error
        return True

    def do_elsewhere(self) -> bool:
        """Like `do`, in a thread that does not call the other methods, for which they can `wait`."""
        self._is_busy = True  # before a slice is taken: `wait`, after `withdraw`, sees either of the two
        try:
            return self.do()
        finally:
            self._is_busy = False

    def withdraw(self) -> None:
        """Let nobody begin the next slice."""
        self._slices.clear()

    def wait(self) -> None:
        """Wait until no other thread is doing a slice, which is withdrawn if none has begun it."""
        while self._is_busy:  # not for a lock, which an interruption could leave locked
            sleep(WAIT)

    def break_off(self) -> None:
        """End the fit as Ctrl-C ends one; the slice is withdrawn and nobody is doing it. May be repeated."""
        steps = self._steps
        if steps is not None:
            with suppress(BaseException):  # the very error, and that of a second Ctrl-C, which is too late
                steps.throw(KeyboardInterrupt())
            self._steps = self._fit = None

    def _course(self, call: Call) -> Generator[Work, None, History]:
        """Yield slices of work; the first two do nothing."""
        yield _nothing
        if perf_counter() >= self._deadline:
            return History(stopped="max_seconds")
        arguments = call.arguments(self._network._model.architecture.n_in)
        del call  # so that a copy of rows is freed as soon as the fit lets go of it
        arguments["data_options"] = {name: arguments.pop(name) for name in DATA_OPTIONS}
        fit = train.prepared(self._network._model, self._network, **arguments, max_seconds=None, verbose=0)
        del arguments
        self._fit = fit
        yield _nothing
        if perf_counter() >= self._deadline:
            return History(stopped="max_seconds")
        fit.stop_by(self._deadline)
        return (yield from fit.slices())

    def _undo(self, error: BaseException) -> None:
        if self._fit is not None:
            self._fit.recover(error)


def _nothing() -> None:
    """Do nothing."""


def without_arrays(error: Exception) -> Exception:
    """Return an error whose traceback has the lines of code alone: the frames let go of their variables.

    They would keep the rows of each network that failed.
    """
    from traceback import clear_frames

    chain: list[BaseException] = [error]
    for each in chain:
        clear_frames(each.__traceback__)
        parts = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        chain += [
            other
            for other in (each.__cause__, each.__context__, *parts)
            if other is not None and not any(other is known for known in chain)
        ]
    trace = error.__traceback__
    return error.with_traceback(None if trace is None else trace.tb_next)  # without the caller's frame
