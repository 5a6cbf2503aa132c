"""The fit loop: slices of work and, between them, validation, callbacks, snapshots and the progress bar."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from fastbp import _core
from fastbp._model import Model
from fastbp._training import divergence
from fastbp._training.averaging import Averaging
from fastbp._training.data import Data
from fastbp._training.options import Options
from fastbp._training.progress import shown_by
from fastbp._training.record import Record
from fastbp._training.snapshot import Snapshot, is_finite, restore_all, take_all
from fastbp._training.validation import Validation
from fastbp.callbacks import EpochState, FittedNetwork
from fastbp.callbacks._hooks import Hooks
from fastbp.exceptions import DataError, DivergenceError
from fastbp.history import History

if TYPE_CHECKING:
    from fastbp._training.checkpoints import Checkpoints

Work: TypeAlias = Callable[[], None]

NOTHING_MEASURED: dict[str, float] = {}
SLICE = 0.02  # seconds of native work between two chances for signals and the progress bar


class Fit:
    """One fit: `run` trains, and `recover` puts the network in order after an error.

    Parameters
    ----------
    model : Model
        The model, to whose history this fit appends its epochs.
    network : Network
        The network that callbacks get.
    data : Data
        What to train on.
    options : Options
    validation : Validation, optional
        Data and metrics to evaluate after epochs.
    hooks : Hooks
        Functions to call with the `EpochState`.
    files : Checkpoints, optional
        The checkpoints to write, and the one to continue from.
    names : tuple of str, optional
        Names of the inputs, for a network that has none.
    """

    def __init__(
        self,
        model: Model,
        *,
        network: FittedNetwork,
        data: Data,
        options: Options,
        validation: Validation | None,
        hooks: Hooks,
        files: Checkpoints | None,
        names: tuple[str, ...] | None = None,
    ) -> None:
        self._model, self._network, self._data, self._options = model, network, data, options
        self._validation, self._hooks, self._files, self._names = validation, hooks, files, names
        self._snapshot, self._kept = Snapshot(model.engine), Snapshot(model.engine)
        self._averaging = None if hooks.averaging is None else Averaging(model.engine, hooks.averaging)
        self._is_begun = self._is_done = self._is_over = self._is_told = self._is_measured = False
        self._measures = validation is not None or hooks.averaging is not None  # after epochs
        self._latest, self._by_step = inf, bool(hooks.on_batch_end)

    def stop_by(self, time: float) -> None:
        """End with the epoch under way at this time of `perf_counter`, or earlier by `max_seconds`."""
        self._latest = time

    def run(self) -> History:
        """Train until there is a reason to stop.

        Raises
        ------
        DivergenceError
            The loss, the parameters or the optimizer state became NaN or infinite.
        """
        slices = self.slices()
        try:
            for work in slices:
                work()
        finally:
            slices.close()
        return self._history

    def slices(self) -> Generator[Work, None, History]:
        """Yield the fit as slices of work, each to be called before the next is asked for.

        A slice may be called in any thread, unless the fit `calls_user`; all between them, such as callbacks,
        runs where they are asked for. An error in a slice is to be thrown into the generator.
        """
        self._start()
        run, state, history, files, work = self._run, self._state, self._history, self._files, self._work
        progress = None
        if self._options.verbose:
            progress = shown_by(self._options.verbose, self._options.epochs, self.done, len(history))
        try:
            if self._hooks.on_fit_begin:
                self._call("on_fit_begin")
            while not history.stopped:
                if not state.is_under_way:
                    self._begin_epoch()
                    if history.stopped:
                        break
                yield work
                if not self._is_finite:
                    raise self._divergence("loss")
                if self._by_step:
                    self._end_batch()
                    if self._measures and run.step == 0:
                        self._measure()
                self._note(self._measured)
                if run.step == 0:
                    self._end_epoch()
                if files is not None:
                    self._write(files)
                if progress is not None:
                    progress.update(self.done, history, 0 if run.steps_per_epoch else run.step)
            if files is not None:
                self._write(files)
        finally:
            state.close()
            self._data.close()
            if progress is not None:
                progress.close()
        self._is_done = True
        self._finish()
        self._record.end(history.stopped)
        self._is_over = True
        self._hooks.end(state, history.stopped, None)
        return history

    @property
    def calls_user(self) -> bool:
        """Whether slices of work call functions of the user, besides callbacks."""
        model, validation = self._model, self._validation
        is_native = model.trainer is model.engine and isinstance(model.engine, _core.Engine)
        return not is_native or self._data.calls_user or (validation is not None and validation.calls_user)

    @property
    def done(self) -> float:
        """Number of epochs done, with fractions."""
        if not self._is_begun:
            return 0.0
        run = self._run
        return run.epoch + (run.step / max(run.steps_per_epoch, run.step) if run.steps_per_epoch else 0.0)

    def _finish(self) -> None:
        """Leave the mean of the parameters or the epoch that was kept, if there is one; may be repeated."""
        if self._averaging is not None:
            self._averaging.end()
        if self._kept.epoch is not None:
            self._kept.restore()

    def recover(self, error: BaseException) -> None:
        """Leave finite numbers, those after some step, and the history of the epochs up to there.

        May be interrupted and called again.
        """
        if not self._is_begun:
            if self._averaging is not None:
                self._averaging.cancel()
            return
        if not self._is_over:
            self._go_back(error)
        self._hooks.end(self._state, self._history.stopped, error)

    def _go_back(self, error: BaseException) -> None:
        """Choose what the network ends with after an error: what a callback kept, before all."""
        self._record.repair()
        diverged = isinstance(error, DivergenceError)
        epochs = self._run.epoch
        has_steps = epochs > 0 or self._run.step > 0
        if self._is_done:  # perhaps interrupted before the best epoch was put back
            self._finish()
        elif self._kept.epoch is not None:
            self._note({})
            self._return_to(self._kept)
            if not self._is_told:
                error.add_note(
                    f"the network is back where it was after epoch {self._kept.epoch}, which a callback kept"
                )
                self._is_told = True
        elif diverged or not has_steps or not self._is_sound():
            self._return_to(self._snapshot)
            epochs = self._snapshot.epoch or 0
        else:
            self._note({})
        self._record.truncate(epochs)
        self._history.stopped = "diverged" if diverged else "interrupted"
        if has_steps:
            self._record.end(self._history.stopped)

    def _is_sound(self) -> bool:
        """Put the mean of the parameters in place, if there is one; tell whether all is finite."""
        if self._averaging is not None:
            self._averaging.end()
        return is_finite(self._model.engine)

    def _return_to(self, snapshot: Snapshot) -> None:
        """Put back the numbers, the learning rate and what callbacks remember; may be repeated."""
        if self._averaging is not None:
            self._averaging.cancel()
        restore_all(snapshot, self._model)

    def _start(self) -> None:
        """Begin the run, or the rest of one; nothing is computed yet."""
        options, model, started = self._options, self._model, perf_counter()
        self._deadline = min(started + options.max_seconds, self._latest)
        point = None if self._files is None else self._files.point
        if point is not None:
            _core.to_the_end(model.take_over, (point.model,))
        done = 0 if point is None else point.progress[0]
        self._first_epoch = len(model.history) - done
        self._schedule = model.schedule
        self._by_epoch = model.optimizer.goes_by_epoch  # a callback that sets the rate can end this
        # every epoch is watched; a number of steps that is not known may differ from epoch to epoch
        self._watched = bool(self._hooks or self._by_epoch) or not self._data.steps_per_epoch
        if not take_all(self._snapshot, model, done):
            raise DataError(
                "parameters or optimizer state hold NaN or infinity, expected finite numbers to start from: "
                "reset() draws fresh ones"
            )
        if self._averaging is not None:  # before plans are made for the run
            average = None if point is None else point.average
            self._averaging.start(*average or ())
        self._run = self._data.begin(model, options, self._first_epoch)
        self._record = Record(
            model.history, self._first_epoch, model.engine, self._run, self._validation, started
        )
        self._history = self._record.history
        keep = partial(take_all, self._kept, model)
        self._state = EpochState(
            self._network,
            model,
            self._history,
            options.epochs,
            keep,
            self._run.steps_per_epoch,
            partial(self._data.sample, model.seed),
        )
        if self._files is not None:
            self._files.begin(self._run, self._averaging, self._kept, self._first_epoch)
        if point is not None:
            self._record.resume()
            self._state.resume(self._run.step, point.is_under_way, point.stopped)
            self._history.stopped = point.stopped
            if self._averaging is not None and self._run.step == 0:
                self._averaging.show()  # as after the epoch before the stop
        if self._hooks.states:
            model.remembered = model.remembered | self._hooks.states
        if self._names is not None:
            model.adopt(self._names)
        self._is_begun = True

    def _write(self, files: Checkpoints) -> None:
        """Write the checkpoints that are due."""
        reason = self._state.final_reason if self._state.reason else self._history.stopped
        due = files.due(reason, has_ended=bool(self._history.stopped))
        if due:
            if not is_finite(self._model.engine):
                raise self._divergence("network's state")
            files.write(due, reason, self._state.is_under_way)

    def _call(self, hook: str) -> None:
        """Call the callbacks; stop the fit if one asks for it."""
        for function in getattr(self._hooks, hook):
            function(self._state)
        if self._state.reason and not self._history.stopped:
            self._stop(self._state.reason)

    def _begin_epoch(self) -> None:
        self._state.begin_epoch()
        if self._by_epoch:
            self._model.begin_epoch(self._first_epoch + self._run.epoch)
        if self._hooks.on_epoch_begin:
            self._call("on_epoch_begin")

    def _work(self) -> None:
        """Do a slice: many epochs if they are short, or up to one after which to act, or to measure."""
        run, left = self._run, self._deadline - perf_counter()
        if self._averaging is not None:
            self._averaging.go_on()
        seconds = min(SLICE, left) if left > 0 else SLICE
        self._schedule = self._model.schedule  # of these steps; callbacks may change it
        self._is_measured, self._measured = False, NOTHING_MEASURED
        self._is_finite = run.advance(self._until(is_over=left <= 0), 0.0 if self._by_step else seconds)
        if self._measures and self._is_finite and run.step == 0 and not self._by_step:
            self._measure()

    def _measure(self) -> None:
        """After an epoch, put the mean of the parameters in place, and validate if that is due."""
        validation = self._validation
        if self._averaging is not None:
            self._averaging.end_epoch(self._run.epoch - 1)
        if validation is not None and self._is_due(validation):
            self._is_measured, self._measured = True, validation.measure()

    def _until(self, is_over: bool) -> int:
        """Return the number of epochs at which the next slice ends at the latest; `is_over`: out of time."""
        epoch = self._run.epoch
        if self._watched or is_over or self._snapshot.is_due:
            return epoch + 1
        until = self._validation.next_after(epoch) if self._validation else self._options.epochs
        return until if self._files is None else self._files.next_after(epoch, until)

    def _is_due(self, validation: Validation) -> bool:
        """Tell whether to validate at the end of this epoch, unless a callback makes it the last one."""
        run = self._run
        is_last = run.converged or bool(self._state.reason) or perf_counter() >= self._deadline
        return is_last or validation.is_due(run.epoch)

    def _end_batch(self) -> None:
        """Call the callbacks after a step; stop in the middle of an epoch if one asks for it."""
        run, state = self._run, self._state
        state.step, state.batch_loss = run.step or run.steps_per_epoch, run.batch_loss
        state.steps_per_epoch = run.steps_per_epoch
        for function in self._hooks.on_batch_end:
            function(state)
        if run.step and state.reason:
            self._stop(state.reason)

    def _note(self, measured: dict[str, float]) -> None:
        """Record the epochs done since the last call, and what was measured after the last one."""
        columns = self._record.note(self._schedule, measured)
        if columns:
            self._state.measured = columns

    def _end_epoch(self) -> None:
        """Call the callbacks, decide whether to stop, and make sure that what is kept is finite."""
        self._state.end_epoch(self._run.steps_per_epoch)
        for function in self._hooks.on_epoch_end:
            function(self._state)
        if self._run.converged:
            self._state.stop("converged")
        reason = self._state.reason or ("epochs" if self._run.epoch == self._options.epochs else "")
        if not reason and perf_counter() >= self._deadline:
            reason = "max_seconds"
        if reason:
            self._stop(reason)
        elif self._snapshot.is_due:
            if self._averaging is not None:
                self._averaging.go_on()
            if not take_all(self._snapshot, self._model, self._run.epoch):
                raise self._divergence("network's state")
            if self._averaging is not None:
                self._averaging.show()  # for on_epoch_begin, whether a snapshot was due or not

    def _stop(self, reason: str) -> None:
        """End the fit here, unless numbers are not finite; validate, if an epoch has just ended."""
        if not is_finite(self._model.engine):
            raise self._divergence("network's state")
        if self._validation and self._run.step == 0 and len(self._history) and not self._is_measured:
            self._record.note_again(self._validation.measure())
        self._history.stopped = reason

    def _divergence(self, what: str) -> DivergenceError:
        kept, self._is_told = self._kept.epoch, True
        back = f"{self._snapshot.epoch}" if kept is None else f"{kept}, which a callback kept"
        return divergence.error(what, self._run, back, self._model.optimizer)
