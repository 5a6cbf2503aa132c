"""What a fit did, epoch by epoch."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from math import nan


class History:
    """The course of one fit, or of all fits of a network so far: columns of one entry an epoch.

    A column is `history.loss` or `history["loss"]`, a list of float to read; as with a DataFrame, iterating
    gives the names and `len` the epochs. ``pandas.DataFrame(history.to_dict())`` is a table of all.

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
    """

    def __init__(self, columns: Mapping[str, Iterable[float]] | None = None, stopped: str = "") -> None:
        if columns is None:
            columns = {"loss": (), "learning_rate": (), "seconds": ()}
        # arrays, for an epoch may take less time than it takes to write three floats into lists
        self._columns = {name: array("d", column) for name, column in columns.items()}
        self._lists: dict[str, list[float]] = {}  # of the columns that were looked at
        self.stopped = stopped

    def __len__(self) -> int:
        """Return the number of complete epochs."""
        return len(self._columns["loss"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __getitem__(self, column: str) -> list[float]:
        if column not in self._columns:
            raise KeyError(f"no column {column!r}, expected one of: {', '.join(self)}")
        shown = self._lists.setdefault(column, [])
        shown += self._columns[column][len(shown) :]
        return shown

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
        """The sum of the column `seconds`."""
        return sum(self._columns["seconds"])

    def to_dict(self) -> dict[str, list[float]]:
        """Return a copy of the columns by name; all have one length."""
        return {name: list(column) for name, column in self._columns.items()}

    def row(self, epoch: int) -> dict[str, float]:
        """Return the entries of the epoch with this index, by column."""
        return {name: column[epoch] for name, column in self._columns.items()}

    def describe(self, epoch: int) -> str:
        """Return the losses and metrics of the epoch with this index as text."""
        measured = {
            name: v for name, v in self.row(epoch).items() if name not in ("learning_rate", "seconds")
        }
        return "  ".join(f"{name.replace('_', ' ')} {value:.5g}" for name, value in measured.items())

    def append(self, entries: Mapping[str, Iterable[float]]) -> None:
        """Append the entries of later epochs to some columns; the epochs count once they have a loss."""
        for name, more in entries.items():
            self._columns[name].extend(more)

    def truncate(self, epochs: int) -> None:
        """Keep the first `epochs` epochs; NaN stands for what had not been measured yet."""
        epochs = min(epochs, len(self))
        self._lists.clear()
        for column in self._columns.values():
            del column[epochs:]
            column.extend(nans(epochs - len(column)))

    def extend(self, later: History) -> None:
        """Append the fit that came after."""
        before, after = len(self), len(later)
        if before == 0:
            self._columns = {name: array("d") for name in later}  # in their order
        for name in later:
            if name not in self._columns:
                self._columns[name] = nans(before)
        for name, column in self._columns.items():
            column.extend(later._columns.get(name) or nans(after))
        self.stopped = later.stopped

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
