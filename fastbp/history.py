"""What a fit did, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

COLUMNS = ("loss", "validation_loss", "validation_accuracy", "validation_r2")


@dataclass(repr=False, eq=False)
class History:
    """The course of one fit, or of all fits of a network so far.

    Attributes
    ----------
    loss : list of float
        One number an epoch: the mean of the batch losses, each taken before its update and weighted by its
        rows; for losses that are sums, their sum.
    validation_loss, validation_accuracy, validation_r2 : list of float
        What `Network.evaluate` found on the validation data after each epoch: NaN in epochs without, and an
        empty list where nothing was ever measured.
    seconds : float
        Wall-clock time spent in `fit`, validation included.
    stopped : str
        Why the last fit ended: "epochs" (all are done), "tol" or "gradient_tol" (converged), "interrupted" or
        "diverged" (it raised); "" before the first fit.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    validation_r2: list[float] = field(default_factory=list)
    seconds: float = 0.0
    stopped: str = ""

    def __len__(self) -> int:
        """Return the number of complete epochs."""
        return len(self.loss)

    def to_dict(self) -> dict[str, list[float]]:
        """Return a copy of the columns that were measured, by name; all have one length."""
        columns = zip(COLUMNS, self._columns(), strict=True)
        return {name: list(column) for name, column in columns if column or name == "loss"}

    def describe(self, epoch: int) -> str:
        """Return the numbers of the epoch with this index as text."""
        columns = zip(COLUMNS, self._columns(), strict=True)
        return "  ".join(f"{name.replace('_', ' ')} {v[epoch]:.5g}" for name, v in columns if v)

    def validate(self, measures: dict[str, float]) -> None:
        """Append what was measured on the validation data after the last epoch."""
        for name, value in measures.items():
            getattr(self, f"validation_{name}").append(value)

    def truncate(self, epochs: int) -> None:
        """Keep the first `epochs` epochs."""
        for column in self._columns():
            del column[epochs:]
            if column:  # one entry short where the last validation was interrupted
                column += [nan] * (len(self) - len(column))

    def extend(self, later: History) -> None:
        """Append the fit that came after."""
        before, after = len(self), len(later)
        for column, more in zip(self._columns(), later._columns(), strict=True):
            if column or more:
                column += [nan] * (before - len(column))
                column += more or [nan] * after
        self.seconds += later.seconds
        self.stopped = later.stopped

    def _columns(self) -> list[list[float]]:
        return [getattr(self, name) for name in COLUMNS]

    def __repr__(self) -> str:
        if not self.loss:
            return "History(0 epochs)"
        return (
            f"History({len(self)} epochs in {self.seconds:.3g} s, first: {self.describe(0)}, "
            f"last: {self.describe(-1)}, stopped: {self.stopped})"
        )
