"""The fit loop: slices of work and, between them, validation, callbacks, snapshots and the progress bar."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastbp import _core, callbacks
from fastbp.callbacks import Callbacks, Columns, EarlyStopping, EpochState, Function
from fastbp.evaluation import Validation
from fastbp.exceptions import DataError, DivergenceError, ParameterError, flag, integer, number, verbosity
from fastbp.history import History
from fastbp.optimizers import Optimizer
from fastbp.progress import Progress
from fastbp.schedules import Constant
from fastbp.weights import Weights

if TYPE_CHECKING:
    from fastbp.network import Network

SLICE = 0.02  # seconds of native work between two chances for signals and the progress bar
SNAPSHOT_INTERVAL = 0.05  # seconds between two snapshots, at least
SNAPSHOT_SHARE = 0.02  # of a fit's time that goes into snapshots, at most

UNSCALED = "inputs or targets that are not scaled (mean 0 and variance 1 serve well)"
USUAL_CAUSES = (
    f"Usual causes: a learning rate that is too high, {UNSCALED}, a loss that is a sum over many rows"
)


class Options(NamedTuple):
    """The arguments of `Network.fit`, for so many rows to train on."""

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
        verbosity(self.verbose)

    def begin_callbacks(self, given: Callbacks, columns: Columns, optimizer: Optimizer) -> list[Function]:
        """Return what is called after each epoch: for these options, then for the callbacks of the user's."""
        own = []
        if self.gradient_tol is not None:
            own.append(callbacks.at_minimum(self.gradient_tol))
        if self.tol is not None:
            own.append(EarlyStopping("loss", self.patience, self.tol, relative=True).begin(columns, "tol"))
        return own + callbacks.begin(given, columns, optimizer)

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


class Fit:
    """One fit under way.

    Parameters
    ----------
    begin : callable
        The optimizer's, which returns the `Run`.
    X : array, shape (n, n_in)
    y : array, shape (n, n_out), or class labels (n,)
    validation : Validation, optional
        What is measured after each epoch.
    functions : list of callables
        What is then called, with the `EpochState`.
    seed : int
        With the number of the epoch, counted over all fits, it decides the order of the rows.
    past : History
        Of the network; this fit is appended to it.
    """

    def __init__(
        self,
        network: Network,
        engine: _core.Engine,
        begin: Callable[..., _core.Run],
        X: NDArray[Any],
        y: NDArray[Any],
        weights: Weights | None,
        options: Options,
        validation: Validation | None,
        functions: list[Function],
        seed: int,
        past: History,
    ) -> None:
        self._noted = perf_counter()
        self._snapshot = Snapshot(engine)
        if not self._snapshot.take(epoch=0):
            raise DataError(
                "parameters or optimizer state hold NaN or infinity, expected finite numbers to start from: "
                "reset() draws fresh ones"
            )
        self._network, self._engine, self._options = network, engine, options
        self._validation, self._functions = validation, functions
        self._past, self._first_epoch = past, len(past)
        self._run = begin(
            X,
            y,
            weights=weights,
            batch_size=options.batch_rows,
            shuffle=options.shuffle and options.batch_size is not None,  # the order of one sum tells nothing
            seed=seed,
            first_epoch=self._first_epoch,
            epochs=options.epochs,
            stored=options.gradient_tol is not None,
        )
        measured = validation.columns if validation else ()
        columns = ("loss", *measured, *self._run.columns, "learning_rate", "seconds")
        self._history = History({name: [] for name in columns})
        self._state = EpochState(network, engine, self._history, options.epochs, self._keep)
        self._kept: Snapshot | None = None
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
            if self._kept is not None:
                self._kept.restore()
            self._report()
        except BaseException as error:
            self._recover(diverged=isinstance(error, DivergenceError))
            self._report()
            raise
        finally:
            self._state.close()
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

    def _note(self, measured: dict[str, list[float]]) -> None:
        """Put the epochs done since into the history, with what was measured; they share the time since."""
        new = slice(len(self._history), self._run.epoch)
        done = self._run.losses[new]
        n = len(done)
        if n:
            before, self._noted = self._noted, perf_counter()
            seconds = array("d", [(self._noted - before) / n]) * n
            own = {name: column[new].tolist() for name, column in self._run.columns.items()}
            entries = {
                "learning_rate": self._rates(n),
                "seconds": seconds,
                "loss": array("d", done.tobytes()),
            }
            self._history.append(measured | own | entries)

    def _rates(self, n: int) -> Iterable[float]:
        """Return the learning rates of the last steps of the last n complete epochs."""
        engine, run = self._engine, self._run
        if isinstance(engine.schedule, Constant):
            return array("d", [engine.schedule.learning_rate]) * n
        last = engine.t - run.step - 1
        return [engine.schedule(last - i * run.steps_per_epoch) for i in reversed(range(n))]

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

    def _keep(self) -> None:
        """Let the fit end with the present state."""
        self._kept = self._kept or Snapshot(self._engine)
        if not self._kept.take(self._run.epoch):
            raise self._divergence("network's state")

    def _recover(self, diverged: bool) -> None:
        """Leave a finite network, and the history that belongs to it."""
        self._note({})
        epochs = self._run.epoch
        if self._history.stopped and self._kept is not None:  # what broke off may have been its restoration
            self._kept.restore()
        elif diverged or not is_finite(self._engine):
            self._snapshot.restore()
            epochs = self._snapshot.epoch
        self._history.truncate(epochs)
        self._history.stopped = "diverged" if diverged else "interrupted"

    def _report(self) -> None:
        """Append the fit to the past; once, even where Ctrl-C breaks off a first attempt."""
        self._past.truncate(self._first_epoch)
        self._past.extend(self._history)

    def _divergence(self, what: str) -> DivergenceError:
        run = self._run
        steps = run.epoch * run.steps_per_epoch + run.step  # done, the bad one included
        epoch, step = divmod(steps - 1, run.steps_per_epoch)
        return DivergenceError(
            f"the {what} became NaN or infinite in epoch {epoch + 1} of this fit, step {step + 1} of "
            f"{run.steps_per_epoch}; the network is back where it was after epoch {self._snapshot.epoch}. "
            + (USUAL_CAUSES if self._engine.optimizer.has_learning_rate else f"Usual cause: {UNSCALED}")
        )


def is_finite(engine: _core.Engine) -> bool:
    """Tell whether parameters and optimizer state are all finite."""
    return all(_core.first_nonfinite(a, a.dtype) < 0 for a in (engine.parameters, engine.state))
