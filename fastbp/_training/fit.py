"""The fit loop: slices of work and, between them, validation, callbacks, snapshots and the progress bar."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, NDArray

from fastbp._base.columns import Entries, computed, constant, entries
from fastbp._base.shown import shown
from fastbp._data.sample_weights import ClassWeight, Weights, resolve_weights
from fastbp._model import NOTHING, Model
from fastbp._training.options import Options
from fastbp._training.progress import shown_by
from fastbp._training.snapshot import Snapshot, is_finite
from fastbp._training.validation import Validation, ValidationData, held_out, split
from fastbp.callbacks import Callbacks, EpochState, FittedNetwork, Function
from fastbp.exceptions import DataError, DivergenceError, ParameterError
from fastbp.history import History
from fastbp.metrics import Metrics
from fastbp.optimizers import LevenbergMarquardt
from fastbp.schedules import Constant, Schedule
from fastbp.splits import Split

if TYPE_CHECKING:
    from fastbp._engine.protocol import Run

SLICE = 0.02  # seconds of native work between two chances for signals and the progress bar

UNSCALED = "inputs or targets that are not scaled (mean 0 and variance 1 serve well)"
USUAL_CAUSES = (
    f"Usual causes: a learning rate that is too high, {UNSCALED}, a loss that is a sum over many rows"
)


def train(
    model: Model,
    network: FittedNetwork,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None,
    class_weight: ClassWeight | None,
    validation_data: ValidationData | None,
    validation_split: float | Split | None,
    validation_every: int,
    metrics: Metrics | None,
    callbacks: Callbacks,
    **options: Any,
) -> History:
    """Check the arguments of `Network.fit` and train the model; callbacks get `network`.

    Parameters
    ----------
    options
        The arguments of `Options` except `rows`.
    """
    model.check_trainable()
    X, y = model.checks.examples(X, y)
    split_off = None
    if validation_split is not None:
        if validation_data is not None:
            raise ParameterError(
                f"validation_split is {shown(validation_split)} beside validation_data, expected one of them"
            )
        (X, y, sample_weight), split_off = split(model, X, y, sample_weight, validation_split)
    weights = resolve_weights(model.checks, y, sample_weight, class_weight)
    checked = Options(rows=len(X) if weights is None else weights.n_rows, **options)
    model.optimizer.check(model.architecture, checked.batch_rows, checked.rows)
    begin = begin_of(model, weights)
    validation = held_out(
        model, validation_data, split_off, metrics, every=validation_every, epochs=checked.epochs
    )
    columns = {"loss": False} | (validation.columns if validation else {})
    functions = checked.begin_callbacks(callbacks, columns, model)
    fit = Fit(
        model,
        network=network,
        begin=begin,
        options=checked,
        validation=validation,
        functions=functions,
    )
    trained: History = model.guard.writing("fit", NOTHING, fit.run, X, y, weights, undo=fit.recover)
    return trained


def begin_of(model: Model, weights: Weights | None) -> Callable[..., Run]:
    """Return what begins a run: the trainer's `begin`, or that of Levenberg-Marquardt."""
    if isinstance(model.optimizer, LevenbergMarquardt):
        from fastbp._training import levenberg_marquardt  # few need it

        levenberg_marquardt.check_weights(model.optimizer, weights)
        return partial(levenberg_marquardt.LevenbergMarquardtRun, model)
    return model.trainer.begin


class Fit:
    """One fit: `run` trains, and `recover` puts the network in order after an error.

    Parameters
    ----------
    model : Model
        The model, to whose history this fit appends its epochs.
    network : Network
        The network that callbacks get.
    begin : callable
        `Trainer.begin`, or another function with its arguments that returns a `Run`.
    options : Options
    validation : Validation, optional
        Data and metrics to evaluate after epochs.
    functions : list of callables
        Functions that are then called with the `EpochState`.
    """

    def __init__(
        self,
        model: Model,
        *,
        network: FittedNetwork,
        begin: Callable[..., Run],
        options: Options,
        validation: Validation | None,
        functions: list[Function],
    ) -> None:
        self._model, self._network, self._begin, self._options = model, network, begin, options
        self._validation, self._functions, self._past = validation, functions, model.history
        self._snapshot, self._kept = Snapshot(model.engine), Snapshot(model.engine)
        self._by_epoch = model.optimizer.goes_by_epoch  # a callback that sets the rate can end this
        self._watched = bool(functions or self._by_epoch)  # every epoch is
        self._is_begun = self._is_done = self._is_measured = False

    def run(self, X: NDArray[Any], y: NDArray[Any], weights: Weights | None) -> History:
        """Train on X (n, n_in) and y, (n, n_out) or class labels (n,), until there is a reason to stop.

        Raises
        ------
        DivergenceError
            The loss, the parameters or the optimizer state became NaN or infinite.
        """
        self._start(X, y, weights)
        progress = shown_by(self._options.verbose, self._options.epochs)
        try:
            while not self._history.stopped:
                if self._by_epoch and self._run.step == 0:
                    self._model.begin_epoch(self._first_epoch + self._run.epoch)
                self._advance()
                if self._run.step == 0:
                    self._end_epoch()
                if progress is not None:
                    run = self._run
                    progress.update(run.epoch + run.step / run.steps_per_epoch, self._history)
        finally:
            self._state.close()
            if progress is not None:
                progress.close()
        self._is_done = True
        if self._kept.epoch is not None:
            self._kept.restore()
        self._past.stopped = self._history.stopped
        return self._history

    def recover(self, error: BaseException) -> None:
        """Leave finite numbers, those after some step, and the history of the epochs up to there.

        May be interrupted and called again.
        """
        if not self._is_begun:
            return
        self._past._follow(self._history, self._first_epoch)  # it misses epochs after an interrupted `_note`
        diverged = isinstance(error, DivergenceError)
        epochs = self._run.epoch
        if self._is_done:  # perhaps interrupted before the best epoch was put back
            if self._kept.epoch is not None:
                self._kept.restore()
        elif diverged or not is_finite(self._model.engine):
            self._snapshot.restore()
            epochs = self._snapshot.epoch or 0
        else:
            self._note({})
        self._history._truncate(epochs)
        self._past._truncate(self._first_epoch + epochs)
        self._history.stopped = self._past.stopped = "diverged" if diverged else "interrupted"

    def _start(self, X: NDArray[Any], y: NDArray[Any], weights: Weights | None) -> None:
        """Begin the run; nothing is computed yet."""
        options = self._options
        self._noted = perf_counter()
        self._deadline = self._noted + options.max_seconds
        self._first_epoch = len(self._past)
        if not self._snapshot.take(epoch=0):
            raise DataError(
                "parameters or optimizer state hold NaN or infinity, expected finite numbers to start from: "
                "reset() draws fresh ones"
            )
        self._run = self._begin(
            X,
            y,
            weights=weights,
            batch_size=options.batch_rows,
            shuffle=options.shuffle and options.batch_size is not None,  # one batch needs no random order
            seed=self._model.seed,
            first_epoch=self._first_epoch,
            epochs=options.epochs,
            stored=options.gradient_tol is not None,
        )
        measured = self._validation.columns if self._validation else ()
        columns = ("loss", *measured, *self._run.columns, "learning_rate", "seconds")
        self._history = History({name: [] for name in columns})
        self._state = EpochState(self._network, self._model, self._history, options.epochs, self._kept.take)
        self._is_begun = True

    def _advance(self) -> None:
        """Do a slice of work: many epochs if they are short, or up to the end of one after which to act."""
        left = self._deadline - perf_counter()
        seconds = min(SLICE, left) if left > 0 else SLICE
        if not self._run.advance(self._until(is_over=left <= 0), seconds):
            raise self._divergence("loss")
        validation = self._validation
        self._is_measured = validation is not None and not self._run.step and self._is_due(validation)
        self._note(validation.measure() if validation and self._is_measured else {})

    def _until(self, is_over: bool) -> int:
        """Return the number of epochs at which the next slice ends at the latest; `is_over`: out of time."""
        epoch = self._run.epoch
        if self._watched or is_over or self._snapshot.is_due:
            return epoch + 1
        return self._validation.next_after(epoch) if self._validation else self._options.epochs

    def _is_due(self, validation: Validation) -> bool:
        """Tell whether to validate at the end of this epoch, unless a callback makes it the last."""
        run = self._run
        return validation.is_due(run.epoch) or run.converged or perf_counter() >= self._deadline

    def _note(self, measured: dict[str, float]) -> None:
        """Append the epochs done since the last call to both histories; they share the time equally."""
        run, history = self._run, self._history
        new = slice(len(history), run.epoch)
        n = new.stop - new.start
        if n:
            before, self._noted = self._noted, perf_counter()
            found = {
                "loss": entries(run.losses[new]),
                **(self._validation.entries(n, measured) if self._validation else {}),
                **{name: entries(column[new]) for name, column in run.columns.items()},
                "learning_rate": self._rates(n),
                "seconds": constant((self._noted - before) / n, n),
            }
            history._append(found, n)
            self._past._append(found, n)

    def _note_again(self, measured: dict[str, float]) -> None:
        """Write the entry of the last epoch again, with what was measured after it had been written."""
        last = len(self._history) - 1
        row = self._history.row(last) | measured
        for history, epoch in ((self._history, last), (self._past, self._first_epoch + last)):
            history._truncate(epoch)
            history._append({name: constant(value, 1) for name, value in row.items()}, 1)

    def _rates(self, n: int) -> Entries:
        """Return the learning rates of the last steps of the last n complete epochs."""
        schedule, run = self._model.schedule, self._run
        if isinstance(schedule, Constant):
            return constant(schedule.learning_rate, n)
        every, end = run.steps_per_epoch, self._model.engine.t - run.step
        return computed(rates_at, schedule, range(end - 1 - (n - 1) * every, end, every))

    def _end_epoch(self) -> None:
        """Call the callbacks, decide whether to stop, and make sure that what is kept is finite."""
        for function in self._functions:
            function(self._state)
        if self._run.converged:
            self._state.stop("converged")
        reason = self._state.reason or ("epochs" if self._run.epoch == self._options.epochs else "")
        if not reason and perf_counter() >= self._deadline:
            reason = "max_seconds"
        if reason and not is_finite(self._model.engine):
            raise self._divergence("network's state")
        if reason and self._validation and not self._is_measured:
            self._note_again(self._validation.measure())
        if not reason and self._snapshot.is_due and not self._snapshot.take(self._run.epoch):
            raise self._divergence("network's state")
        self._history.stopped = reason

    def _divergence(self, what: str) -> DivergenceError:
        run = self._run
        steps = run.epoch * run.steps_per_epoch + run.step  # done, the bad one included
        epoch, step = divmod(steps - 1, run.steps_per_epoch)
        return DivergenceError(
            f"the {what} became NaN or infinite in epoch {epoch + 1} of this fit, step {step + 1} of "
            f"{run.steps_per_epoch}; the network is back where it was after epoch {self._snapshot.epoch}. "
            + (
                f"Usual cause: {UNSCALED}"
                if isinstance(self._model.optimizer, LevenbergMarquardt)
                else USUAL_CAUSES
            )
        )


def rates_at(schedule: Schedule, steps: range) -> array[float]:
    """Return the learning rates of these steps."""
    formula, numbers = schedule.formula, (schedule.learning_rate, *schedule.parameters)
    return array("d", [formula(step, *numbers) for step in steps])
