"""What a fit did, epoch by epoch."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from math import nan
from typing import Any

from fastbp._base.arguments import text
from fastbp._base.shown import shown
from fastbp.exceptions import ParameterError


class History:
    """What one fit, or all fits of a network so far, recorded: columns with one entry per epoch.

    A column is `history.loss` or `history["loss"]`, a new list of float each time; `row` gives one epoch
    without going through the others. As with a DataFrame, iterating gives the names and `len` the epochs.
    ``pandas.DataFrame(history.to_dict())`` is a table of all.

    Attributes
    ----------
    loss
        The mean of the batch losses, each taken before its update and weighted by its rows, or by the sum of
        their weights where they have some; for losses that are sums, their sum.
    validation_loss, validation_accuracy, ...
        What `Network.evaluate` found on the validation data after the epoch, a column a metric. NaN in epochs
        without; where there never were any, there is no column.
    learning_rate
        Of the last step of the epoch; NaN where `minimize` made it.
    seconds
        Wall-clock time since the epoch before: its steps, its validation, and the callbacks in between. Where
        nothing is done between epochs, those of one slice of work (about 20 ms) share its time equally.
    stopped : str
        Why the last fit ended: "epochs" (all are done), "tol" or "gradient_tol" (those of `fit`),
        "early_stopping", the reason that a callback gave ("callback" by default), "converged"
        (`LevenbergMarquardt` or `minimize` had nothing left to gain), "stalled" (`minimize` could not go on),
        "interrupted" or "diverged" (it raised); "" before the first fit.

    Parameters
    ----------
    columns : mapping of str to floats, optional
        All of one length, "loss" among them.

    Raises
    ------
    ParameterError
        The columns are of different lengths, without "loss", or hold something else than numbers.
    """

    def __init__(self, columns: Mapping[str, Iterable[float]] | None = None, stopped: str = "") -> None:
        if columns is None:
            columns = {"loss": (), "learning_rate": (), "seconds": ()}
        if not isinstance(columns, Mapping):
            raise ParameterError(
                f"columns is a {type(columns).__name__}, expected a mapping of names to numbers"
            )
        # arrays, for an epoch may take less time than it takes to write three floats into lists
        self._columns = {text("a column", name): _column(name, column) for name, column in columns.items()}
        lengths = {name: len(column) for name, column in self._columns.items()}
        if "loss" not in lengths or len(set(lengths.values())) > 1:
            raise ParameterError(f"columns have the lengths {lengths}, expected one length, with 'loss'")
        # Entries beyond this count do not exist yet: it is set last, so an interruption does no harm
        self._epochs = lengths["loss"]
        self.stopped = str(stopped)

    def __reduce__(self) -> Any:
        columns = {name: column[: self._epochs] for name, column in self._columns.items()}
        return type(self), (columns, self.stopped)

    def __len__(self) -> int:
        """Return the number of complete epochs."""
        return self._epochs

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __getitem__(self, column: str) -> list[float]:
        if column not in self._columns:
            raise KeyError(f"no column {shown(column)}, expected one of: {', '.join(self)}")
        return self._columns[column][: self._epochs].tolist()

    def __getattr__(self, column: str) -> list[float]:
        if column.startswith("_"):
            raise AttributeError(f"no attribute {column!r}")
        try:
            return self[column]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    @property
    def total_seconds(self) -> float:
        """The sum of the column `seconds`; NaN without one."""
        return sum(self["seconds"]) if "seconds" in self._columns else nan

    def to_dict(self) -> dict[str, list[float]]:
        """Return a copy of the columns by name; all have one length."""
        epochs = self._epochs  # once, for other threads may read while a fit goes on
        return {name: column[:epochs].tolist() for name, column in self._columns.items()}

    def row(self, epoch: int) -> dict[str, float]:
        """Return the entries of the epoch with this index, by column; -1 is the last epoch."""
        at = range(self._epochs)[epoch]
        return {name: column[at] for name, column in self._columns.items()}

    def describe(self, epoch: int) -> str:
        """Return the losses and metrics of the epoch with this index as text."""
        measured = {
            name: v for name, v in self.row(epoch).items() if name not in ("learning_rate", "seconds")
        }
        return "  ".join(f"{name.replace('_', ' ')} {value:.5g}" for name, value in measured.items())

    def _append(self, entries: Mapping[str, Any], epochs: int) -> None:
        """Append epochs, given as a buffer of float64 for each column, which costs no conversion.

        Columns that are not given get NaN, and so do the earlier epochs in columns that are new.
        """
        before = self._epochs
        if before == 0:
            self._columns = {name: array("d") for name in (*entries, *self._columns)}  # in their order
        if new := entries.keys() - self._columns.keys():  # another dict: other threads may go over this one
            self._columns = self._columns | {name: nans(before) for name in entries if name in new}
        for name, column in self._columns.items():
            del column[before:]
            column.frombytes(memoryview(entries[name] if name in entries else nans(epochs)).cast("B"))
        self._epochs = before + epochs

    def _follow(self, fit: History, first: int) -> None:
        """Append those epochs of a fit that are not here yet; it began after `first` epochs."""
        new = slice(self._epochs - first, len(fit))
        entries = {name: memoryview(column)[new] for name, column in fit._columns.items()}
        self._append(entries, new.stop - new.start)

    def _truncate(self, epochs: int) -> None:
        """Keep the first `epochs` epochs."""
        self._epochs = min(epochs, self._epochs)

    def __repr__(self) -> str:
        if not len(self):
            return "History(0 epochs)"
        return (
            f"History({len(self)} epochs in {self.total_seconds:.3g} s, first: {self.describe(0)}, "
            f"last: {self.describe(-1)}, stopped: {self.stopped})"
        )


def nans(n: int) -> array[float]:
    """Return so many NaN."""
    return array("d", [nan]) * n


def _column(name: str, values: Iterable[float]) -> array[float]:
    """Return the values as an array of float64."""
    try:
        return array("d", values)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParameterError(f"the column {name!r} does not hold numbers alone: {error}") from None
