"""What a fit records: its own history, which the history of the network repeats."""

from __future__ import annotations

from array import array
from collections.abc import Collection
from time import perf_counter
from typing import TYPE_CHECKING

from fastbp._base.columns import Entries, computed, constant, entries
from fastbp._training.validation import Validation
from fastbp.history import History
from fastbp.schedules import Constant, Schedule

if TYPE_CHECKING:
    from fastbp._engine.protocol import Engine, Run


class Record:
    """The history of one fit; each epoch is also appended to the history of the network.

    Parameters
    ----------
    past : History
        History of the network.
    first_epoch : int
        Number of its epochs before this fit.
    engine : Engine
    run : Run
    validation : Validation, optional
    since : float
        When the fit began, as `perf_counter` tells it.

    Attributes
    ----------
    history : History
        The epochs of this fit.
    """

    def __init__(
        self,
        past: History,
        first_epoch: int,
        engine: Engine,
        run: Run,
        validation: Validation | None,
        since: float,
    ) -> None:
        self._past, self._first_epoch = past, first_epoch
        self._engine, self._run = engine, run
        self._validated: Collection[str] = validation.columns if validation else ()
        self._validation = validation
        columns = ("loss", *self._validated, *run.columns, "learning_rate", "seconds")
        self.history = History({name: [] for name in columns})
        self._noted = since

    def resume(self) -> None:
        """Let the fit have the epochs that the network has since the fit began."""
        self.history._continue(self._past, self._first_epoch)

    def note(self, schedule: Schedule, measured: dict[str, float]) -> Collection[str]:
        """Append the epochs done since the last call to both histories; they share the time equally.

        Return the columns that were measured in them; none if there is no new epoch. `schedule` is that of
        the steps since then, and `measured` what the validation found after the last one.
        """
        run, history = self._run, self.history
        new = slice(len(history), run.epoch)
        n = new.stop - new.start
        if not n:
            return ()
        before, self._noted = self._noted, perf_counter()
        found = {
            "loss": entries(run.losses[new]),
            **(self._validation.entries(n, measured) if self._validation else {}),
            **{name: entries(column[new]) for name, column in run.columns.items()},
            "learning_rate": self._rates(schedule, n),
            "seconds": constant((self._noted - before) / n, n),
        }
        history._append(found, n)
        self._past._append(found, n)
        if self._validation is None:
            return [*found]
        return found.keys() - (set(self._validated) - measured.keys())

    def note_again(self, measured: dict[str, float]) -> None:
        """Write the entry of the last epoch again, with what was measured after it had been written."""
        last = len(self.history) - 1
        row = self.history.row(last) | measured
        for history, epoch in ((self.history, last), (self._past, self._first_epoch + last)):
            history._truncate(epoch)
            history._append({name: constant(value, 1) for name, value in row.items()}, 1)

    def truncate(self, epochs: int) -> None:
        """Keep the first epochs of the fit alone."""
        self.history._truncate(epochs)
        self._past._truncate(self._first_epoch + epochs)

    def repair(self) -> None:
        """Append to the network's history what it misses after an interrupted `note`."""
        self._past._follow(self.history, self._first_epoch)

    def end(self, stopped: str) -> None:
        """Note in the network's history why the fit ended."""
        self._past.stopped = stopped

    def _rates(self, schedule: Schedule, n: int) -> Entries:
        """Return the learning rates of the last steps of the last n complete epochs."""
        run = self._run
        if isinstance(schedule, Constant):
            return constant(schedule.learning_rate, n)
        every, end = run.steps_per_epoch, self._engine.t - run.step
        return computed(_rates_at, schedule, range(end - 1 - (n - 1) * every, end, every))


def _rates_at(schedule: Schedule, steps: range) -> array[float]:
    """Return the learning rates of these steps."""
    return array("d", schedule.rates(steps))
