"""The fit loop: slices of work and, between them, validation, stopping, snapshots and the progress bar."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp.exceptions import DataError, DivergenceError, ParameterError, flag, integer, number
from fastbp.history import History
from fastbp.progress import Progress

SLICE = 0.02  # seconds of native work between two chances for signals and the progress bar
SNAPSHOT_INTERVAL = 0.05  # seconds between two snapshots, at least
SNAPSHOT_SHARE = 0.02  # of a fit's time that goes into snapshots, at most

USUAL_CAUSES = (
    "Usual causes: a learning rate that is too high, inputs or targets that are not scaled "
    "(mean 0 and variance 1 serve well), a loss that is a sum over many rows"
)


class Options(NamedTuple):
    """The arguments of `Network.fit`, for so many rows of data."""

    rows: int
    epochs: int
    batch_size: int | None
    shuffle: bool
    tol: float | None
    patience: int
    gradient_tol: float | None
    verbose: int

    def check(self) -> None:
        """Refuse what makes no sense."""
        integer("epochs", self.epochs, at_least=1, below=2**32)
        if self.batch_size is not None:
            integer("batch_size", self.batch_size, at_least=1)
        flag("shuffle", self.shuffle)
        if self.tol is not None:
            number("tol", self.tol, at_least=0)
        integer("patience", self.patience, at_least=1)
        if self.gradient_tol is not None:
            number("gradient_tol", self.gradient_tol, above=0)
            if self.batch_rows < self.rows:
                raise ParameterError(
                    f"gradient_tol is {self.gradient_tol} with batch_size={self.batch_size} for {self.rows} "
                    "rows, expected batch_size=None: at the minimum only the gradient of all rows vanishes"
                )
        integer("verbose", self.verbose, at_least=0, below=3)

    @property
    def batch_rows(self) -> int:
        """The rows of a full batch."""
        return self.rows if self.batch_size is None else min(self.batch_size, self.rows)


class Snapshot:
    """The last state known to be finite, at the end of an epoch: where a fit that diverges goes back to."""

    def __init__(self, engine: _core.Engine) -> None:
        self._engine = engine
        self._parameters, self._state = np.empty_like(engine.parameters), np.empty_like(engine.state)

    def take(self, epoch: int) -> bool:
        """Copy the state after so many epochs of the fit; return False, and do not, unless it is finite."""
        start = perf_counter()
        if not is_finite(self._engine):
            return False
        np.copyto(self._parameters, self._engine.parameters)
        np.copyto(self._state, self._engine.state)
        self._t, self.epoch = self._engine.t, epoch
        now = perf_counter()
        self._due = now + max(SNAPSHOT_INTERVAL, (now - start) / SNAPSHOT_SHARE)
        return True

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        return perf_counter() >= self._due

    def restore(self) -> None:
        """Put the state back."""
        np.copyto(self._engine.parameters, self._parameters)
        np.copyto(self._engine.state, self._state)
        self._engine.t = self._t


class Convergence:
    """No improvement of the loss above tol |best loss| over `patience` epochs."""

    def __init__(self, tol: float, patience: int) -> None:
        self._tol, self._patience = tol, patience
        self._best: float | None = None
        self._waited = 0

    def reached(self, loss: float) -> bool:
        """Tell whether the epoch with this loss is the last."""
        if self._best is None or self._best - loss > self._tol * abs(self._best):
            self._best, self._waited = loss, 0
        else:
            self._waited += 1
        return self._waited >= self._patience


class Fit:
    """One fit under way.

    Parameters
    ----------
    X : array, shape (n, n_in)
    y : array, shape (n, n_out), or class labels (n,)
    evaluate : callable, optional
        Measures the network on the validation data.
    seed : int
        With the number of the epoch, counted over all fits, it decides the order of the rows.
    past : History
        Of the network; this fit is appended to it.
    """

    def __init__(
        self,
        engine: _core.Engine,
        X: NDArray[Any],
        y: NDArray[Any],
        options: Options,
        evaluate: Callable[[], dict[str, float]] | None,
        seed: int,
        past: History,
    ) -> None:
        self._start = perf_counter()
        self._snapshot = Snapshot(engine)
        if not self._snapshot.take(epoch=0):
            raise DataError(
                "parameters or optimizer state hold NaN or infinity, expected finite numbers to start from: "
                "reset() draws fresh ones"
            )
        self._engine, self._options, self._evaluate = engine, options, evaluate
        self._past, self._first_epoch = past, len(past)
        self._run = engine.begin(
            X,
            y,
            batch_size=options.batch_rows,
            shuffle=options.shuffle and options.batch_size is not None,  # the order of one sum tells nothing
            seed=seed,
            first_epoch=self._first_epoch,
            epochs=options.epochs,
            stored=options.gradient_tol is not None,
        )
        self._history = History()
        self._convergence = None if options.tol is None else Convergence(options.tol, options.patience)
        self._progress = Progress(options.epochs, lines=options.verbose == 2) if options.verbose else None

    def run(self) -> History:
        """Train until the epochs are done or there is a reason to stop.

        Whatever is raised, parameters and optimizer state are finite and those of the end of a step, and the
        past has the complete epochs up to there.

        Raises
        ------
        DivergenceError
            NaN or infinity came up in loss, parameters or optimizer state. The last snapshot is restored.
        """
        try:
            while not self._history.stopped:
                if self._run.step == 0:
                    self._begin_epoch()
                self._advance()
                if self._run.step == 0:
                    self._end_epoch()
                if self._progress is not None:
                    self._progress.update(self._run, self._history)
            self._report()
        except BaseException as error:
            self._recover(diverged=isinstance(error, DivergenceError))
            self._report()
            raise
        finally:
            if self._progress is not None:
                self._progress.close()
        return self._history

    def _begin_epoch(self) -> None:
        """Ask for the learning rate, where that is a function of the epoch."""
        optimizer = self._engine.optimizer
        if optimizer.goes_by_epoch:
            self._engine.set_schedule(optimizer.schedule(self._first_epoch + self._run.epoch))

    def _advance(self) -> None:
        """Do a slice of work: through many epochs, unless there is something to do at the end of the next."""
        run, history, options = self._run, self._history, self._options
        watched = (
            self._evaluate
            or self._convergence
            or options.gradient_tol
            or self._engine.optimizer.goes_by_epoch
            or self._snapshot.is_due
        )
        if not run.advance(run.epoch + 1 if watched else options.epochs, SLICE):
            raise self._divergence("loss")
        history.loss += run.losses[len(history) : run.epoch].tolist()

    def _end_epoch(self) -> None:
        """Validate, decide whether to stop, and make sure that what is kept is finite."""
        if self._evaluate is not None:
            self._history.validate(self._evaluate())
        reason = self._reason_to_stop()
        if reason and not is_finite(self._engine):
            raise self._divergence("network's state")
        if not reason and self._snapshot.is_due and not self._snapshot.take(self._run.epoch):
            raise self._divergence("network's state")
        self._history.stopped = reason

    def _reason_to_stop(self) -> str:
        options = self._options
        if options.gradient_tol is not None and largest(self._engine.gradients) <= options.gradient_tol:
            return "gradient_tol"
        if self._convergence is not None and self._convergence.reached(self._history.loss[-1]):
            return "tol"
        return "epochs" if self._run.epoch == options.epochs else ""

    def _recover(self, diverged: bool) -> None:
        """Leave a finite network, and the history that belongs to it."""
        epochs = self._run.epoch
        if diverged or not is_finite(self._engine):
            self._snapshot.restore()
            epochs = self._snapshot.epoch
        self._history.loss = self._run.losses[:epochs].tolist()
        self._history.truncate(epochs)
        self._history.stopped = "diverged" if diverged else "interrupted"

    def _report(self) -> None:
        """Append the fit to the past; once, even where Ctrl-C breaks off a first attempt."""
        self._history.seconds = perf_counter() - self._start
        self._past.truncate(self._first_epoch)
        self._past.extend(self._history)

    def _divergence(self, what: str) -> DivergenceError:
        run = self._run
        steps = run.epoch * run.steps_per_epoch + run.step  # done, the bad one included
        epoch, step = divmod(steps - 1, run.steps_per_epoch)
        return DivergenceError(
            f"the {what} became NaN or infinite in epoch {epoch + 1} of this fit, step {step + 1} of "
            f"{run.steps_per_epoch}; the network is back where it was after epoch {self._snapshot.epoch}. "
            + USUAL_CAUSES
        )


def is_finite(engine: _core.Engine) -> bool:
    """Tell whether parameters and optimizer state are all finite."""
    return all(_core.first_nonfinite(a, a.dtype) < 0 for a in (engine.parameters, engine.state))


def largest(gradients: NDArray[Any]) -> float:
    """Return the largest magnitude in a vector, without a temporary one; NaN if there is NaN."""
    return float(max(gradients.max(), -gradients.min()))
