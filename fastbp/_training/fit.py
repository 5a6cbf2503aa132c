"""The fit loop: slices of work and, between them, validation, callbacks, snapshots and the progress bar."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fastbp import _core
from fastbp._data.sample_weights import Weights
from fastbp._training.options import Options
from fastbp._training.progress import Progress
from fastbp._training.snapshot import Snapshot, is_finite
from fastbp._training.validation import Validation
from fastbp.callbacks import EpochState, Function
from fastbp.exceptions import DataError, DivergenceError
from fastbp.history import History
from fastbp.optimizers import GradientOptimizer
from fastbp.schedules import Constant

if TYPE_CHECKING:
    from fastbp.network import Network

SLICE = 0.02  # seconds of native work between two chances for signals and the progress bar

UNSCALED = "inputs or targets that are not scaled (mean 0 and variance 1 serve well)"
USUAL_CAUSES = (
    f"Usual causes: a learning rate that is too high, {UNSCALED}, a loss that is a sum over many rows"
)


class Fit:
    """One fit: `run` trains, and `recover` puts the network in order after an error.

    Parameters
    ----------
    begin : callable
        Takes the data and returns the `Run`; from `Optimizer.begin`.
    validation : Validation, optional
        What is measured after each epoch.
    functions : list of callables
        Called after that with the `EpochState`.
    seed : int
        Decides the order of the rows, with the number of the epoch counted over all fits.
    past : History
        The network's history, to which this fit appends its epochs.
    """

    def __init__(
        self,
        network: Network,
        engine: _core.Engine,
        begin: Callable[..., _core.Run],
        options: Options,
        validation: Validation | None,
        functions: list[Function],
        seed: int,
        past: History,
    ) -> None:
        self._network, self._engine, self._begin, self._options = network, engine, begin, options
        self._validation, self._functions, self._seed, self._past = validation, functions, seed, past
        self._snapshot, self._kept = Snapshot(engine), Snapshot(engine)
        self._is_begun = self._is_done = False

    def run(self, X: NDArray[Any], y: NDArray[Any], weights: Weights | None) -> History:
        """Train on X (n, n_in) and y, (n, n_out) or class labels (n,), until there is a reason to stop.

        Raises
        ------
        DivergenceError
            NaN or infinity came up in loss, parameters or optimizer state.
        """
        self._start(X, y, weights)
        progress = (
            Progress(self._options.epochs, self._options.verbose == 2) if self._options.verbose else None
        )
        try:
            while not self._history.stopped:
                if self._run.step == 0:
                    self._begin_epoch()
                self._advance()
                if self._run.step == 0:
                    self._end_epoch()
                if progress is not None:
                    progress.update(self._run, self._history)
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
        """Leave finite numbers, those of the end of a step, and the history of the epochs up to there.

        It may be interrupted and called again.
        """
        if not self._is_begun:
            return
        diverged = isinstance(error, DivergenceError)
        epochs = self._run.epoch
        if self._is_done:  # perhaps broken off before the best epoch was put back
            if self._kept.epoch is not None:
                self._kept.restore()
        elif diverged or not is_finite(self._engine):
            self._snapshot.restore()
            epochs = self._snapshot.epoch or 0
        else:
            self._note({})
        self._history._truncate(epochs)
        self._past._truncate(self._first_epoch + epochs)
        self._past._follow(self._history, self._first_epoch)
        self._history.stopped = self._past.stopped = "diverged" if diverged else "interrupted"

    def _start(self, X: NDArray[Any], y: NDArray[Any], weights: Weights | None) -> None:
        """Begin the run; nothing is computed yet."""
        options = self._options
        self._noted = perf_counter()
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
            shuffle=options.shuffle and options.batch_size is not None,  # the order of one sum tells nothing
            seed=self._seed,
            first_epoch=self._first_epoch,
            epochs=options.epochs,
            stored=options.gradient_tol is not None,
        )
        measured = self._validation.columns if self._validation else ()
        columns = ("loss", *measured, *self._run.columns, "learning_rate", "seconds")
        self._history = History({name: [] for name in columns})
        self._state = EpochState(self._network, self._engine, self._history, options.epochs, self._kept.take)
        self._is_begun = True

    def _begin_epoch(self) -> None:
        """Ask for the learning rate, where that is a function of the epoch."""
        optimizer = self._engine.optimizer
        if optimizer.goes_by_epoch:
            self._engine.set_schedule(optimizer.schedule(self._first_epoch + self._run.epoch))

    def _advance(self) -> None:
        """Do a slice of work: through many epochs, unless there is something to do at the end of the next."""
        run = self._run
        watched = (
            self._validation
            or self._functions
            or self._engine.optimizer.goes_by_epoch
            or self._snapshot.is_due
        )
        if not run.advance(run.epoch + 1 if watched else self._options.epochs, SLICE):
            raise self._divergence("loss")
        self._note(self._validation.measure() if self._validation and run.step == 0 else {})

    def _note(self, measured: dict[str, array[float]]) -> None:
        """Put the epochs done since into the history, with what was measured; they share the time since."""
        new = slice(len(self._history), self._run.epoch)
        done = self._run.losses[new]
        n = len(done)
        if n:
            before, self._noted = self._noted, perf_counter()
            seconds = array("d", [(self._noted - before) / n]) * n
            own = {name: column[new] for name, column in self._run.columns.items()}
            entries = {"loss": done, **measured, **own, "learning_rate": self._rates(n), "seconds": seconds}
            self._history._append(entries, n)
            self._past._follow(self._history, self._first_epoch)

    def _rates(self, n: int) -> array[float]:
        """Return the learning rates of the last steps of the last n complete epochs."""
        engine, run = self._engine, self._run
        if isinstance(engine.schedule, Constant):
            return array("d", [engine.schedule.learning_rate]) * n
        last = engine.t - run.step - 1
        return array("d", [engine.schedule(last - i * run.steps_per_epoch) for i in reversed(range(n))])

    def _end_epoch(self) -> None:
        """Call the callbacks, decide whether to stop, and make sure that what is kept is finite."""
        for function in self._functions:
            function(self._state)
        if self._run.converged:
            self._state.stop("converged")
        reason = self._state.reason or ("epochs" if self._run.epoch == self._options.epochs else "")
        if reason and not is_finite(self._engine):
            raise self._divergence("network's state")
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
                USUAL_CAUSES
                if isinstance(self._engine.optimizer, GradientOptimizer)
                else f"Usual cause: {UNSCALED}"
            )
        )
