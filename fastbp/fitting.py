"""The fit loop: slices of work and, between them, validation, callbacks, snapshots and the progress bar."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

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

    def checked(self) -> Self:
        """Return the options as Python's own numbers; refuse what makes no sense."""
        checked = self._replace(
            epochs=integer("epochs", self.epochs, at_least=1, below=2**32),
            batch_size=None
            if self.batch_size is None
            else integer("batch_size", self.batch_size, at_least=1),
            shuffle=flag("shuffle", self.shuffle),
            tol=None if self.tol is None else number("tol", self.tol, at_least=0),
            patience=integer("patience", self.patience, at_least=1),
            gradient_tol=None
            if self.gradient_tol is None
            else number("gradient_tol", self.gradient_tol, above=0),
            verbose=verbosity(self.verbose),
        )
        if checked.gradient_tol is not None and checked.batch_rows < checked.rows:
            raise ParameterError(
                f"gradient_tol is {checked.gradient_tol} with batch_size={checked.batch_size} for "
                f"{checked.rows} rows, expected batch_size=None: at the minimum only the gradient of all "
                "rows vanishes"
            )
        return checked

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


class Snapshot(_core.Snapshot):
    """The last state known to be finite, at the end of an epoch: where a fit that diverges goes back to."""

    def take(self, epoch: int) -> bool:
        """Copy the state after so many epochs of the fit; return False, and do not, unless it is finite."""
        start = perf_counter()
        if not is_finite(self.engine):
            return False
        super().take(epoch)
        now = perf_counter()
        self._due = now + max(SNAPSHOT_INTERVAL, (now - start) / SNAPSHOT_SHARE)
        return True

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        return perf_counter() >= self._due


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
            + (USUAL_CAUSES if self._engine.optimizer.has_learning_rate else f"Usual cause: {UNSCALED}")
        )


def is_finite(engine: _core.Engine) -> bool:
    """Tell whether parameters and optimizer state are all finite."""
    return all(_core.first_nonfinite(a, a.dtype) < 0 for a in (engine.parameters, engine.state))
