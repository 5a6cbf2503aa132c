"""History: the record of a fit, epoch by epoch."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from math import isnan, nan
from typing import TYPE_CHECKING, Any

from fastbp._base.arguments import choice, text
from fastbp._base.columns import Column, Entries, constant
from fastbp._base.shown import counted, shown
from fastbp.exceptions import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastbp.plot import LearningCurveDisplay

FRAMES = {"pandas": ("pandas", "pandas"), "polars": ("polars", "Polars")}  # module and name of each library
EDGE = 4  # epochs that a notebook shows at either end of a long history


class History:
    """Record of a fit, or of all fits of a network so far: columns with one entry per epoch.

    A column is `history.loss` or `history["loss"]`, a new list of floats at each access; `row` returns a
    single epoch without copying whole columns. Iterating yields the names of the columns; `len` is the number
    of epochs. `to_frame` returns a data frame of pandas or Polars, and `plot` draws the losses and metrics.
    Notebooks show a table and a picture.

    Attributes
    ----------
    loss
        Mean of the batch losses, each computed before the update of its batch. Batches are weighted by their
        number of rows, or by the sum of the sample weights. For losses that are sums: the sum of the batch
        losses.
    validation_loss, validation_accuracy, ...
        Results of `Network.evaluate` on the validation data after each epoch, one column per metric. NaN in
        epochs without validation data or that `validation_every` passes over; if there never were any
        validation data, the column is missing.
    learning_rate
        Learning rate of the last step of the epoch; NaN for epochs of `minimize`.
    seconds
        Wall-clock time since the previous epoch: steps, validation, and the callbacks in between. If there is
        nothing to do between epochs, the epochs of one slice of work (about 20 ms) share its time equally.
    stopped : str
        Reason why the last fit ended: "epochs" (all are done), "tol", "gradient_tol" or "max_seconds" (the
        arguments of `fit`), "early_stopping" (the callback, or `max_fail` of `LevenbergMarquardt`), the
        reason that a callback gave ("callback" by default), "converged" (no further gain for
        `LevenbergMarquardt` or `minimize`), "stalled" (`minimize` could not continue), "interrupted" or
        "diverged" (an error was raised); "" before the first fit.

    Parameters
    ----------
    columns : mapping of str to floats, optional
        Columns of equal length; one must be "loss".

    Raises
    ------
    ParameterError
        The columns have different lengths, "loss" is missing, or a column does not hold numbers only.
    """

    def __init__(self, columns: Mapping[str, Iterable[float]] | None = None, stopped: str = "") -> None:
        if columns is None:
            columns = {"loss": (), "learning_rate": (), "seconds": ()}
        if not isinstance(columns, Mapping):
            raise ParameterError(
                f"columns is a {type(columns).__name__}, expected a mapping of names to numbers"
            )
        self._columns = {text("a column", name): _column(name, column) for name, column in columns.items()}
        lengths = {name: len(column) for name, column in self._columns.items()}
        if "loss" not in lengths or len(set(lengths.values())) > 1:
            raise ParameterError(f"columns have the lengths {lengths}, expected one length, with 'loss'")
        # Number of complete epochs. Set last, so entries of an interrupted append stay invisible.
        self._epochs = lengths["loss"]
        self.stopped = str(stopped)

    def __reduce__(self) -> Any:
        columns = {name: column.numbers(0, self._epochs) for name, column in self._columns.items()}
        return type(self), (columns, self.stopped)

    def __len__(self) -> int:
        """Return the number of complete epochs."""
        return self._epochs

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __getitem__(self, column: str) -> list[float]:
        if column not in self._columns:
            raise KeyError(f"no column {shown(column)}, expected one of: {', '.join(self)}")
        return self._columns[column].numbers(0, self._epochs).tolist()

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
        epochs = self._epochs  # read once: another thread may be training
        return {name: column.numbers(0, epochs).tolist() for name, column in self._columns.items()}

    def to_frame(self, library: str = "pandas") -> Any:
        """Return the columns as a data frame with one row per epoch.

        Parameters
        ----------
        library : "pandas" or "polars"
            The library whose `DataFrame` is made.

        Raises
        ------
        ParameterError
            `library` is another one.
        ImportError
            The library is not installed.
        """
        from fastbp._base.optional import load  # few need it

        module, name = choice("library", library, FRAMES)
        return load(module, name, "History.to_frame").DataFrame(self.to_dict())

    def plot(self, ax: Axes | None = None) -> LearningCurveDisplay:
        """Draw the losses and metrics over the epochs; `fastbp.plot.LearningCurveDisplay` tells more.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; panels take their place. Default: on a new figure.

        Returns
        -------
        fastbp.plot.LearningCurveDisplay

        Raises
        ------
        ParameterError
            There are no epochs.
        ImportError
            matplotlib is not installed.
        """
        from fastbp._base.optional import load

        load("matplotlib", "matplotlib", "History.plot")
        from fastbp.plot import LearningCurveDisplay

        return LearningCurveDisplay.from_history(self, ax=ax)

    def row(self, epoch: int) -> dict[str, float]:
        """Return the entries of the epoch with this index, by column; -1 is the last epoch."""
        at = range(self._epochs)[epoch]
        return {name: column[at] for name, column in self._columns.items()}

    def describe(self, epoch: int) -> str:
        """Return the losses and metrics of the epoch with this index as text, those that were measured."""
        measured = {
            name: v
            for name, v in self.row(epoch).items()
            if name not in ("learning_rate", "seconds") and (name == "loss" or not isnan(v))
        }
        return "  ".join(f"{name.replace('_', ' ')} {value:.5g}" for name, value in measured.items())

    def _append(self, entries: Mapping[str, Entries], epochs: int) -> None:
        """Append epochs, given as one sequence of numbers per column.

        Columns that are not given get NaN, and so do the earlier epochs of new columns.
        """
        before = self._epochs
        if not entries.keys() <= self._columns.keys():
            self._add_columns(entries)
        for name, column in self._columns.items():
            column.write(before, entries[name] if name in entries else constant(nan, epochs))
        self._epochs = before + epochs

    def _add_columns(self, names: Iterable[str]) -> None:
        """Add those of these columns that are missing; if there are no epochs yet, in their order."""
        if self._epochs == 0:
            self._columns = {name: Column() for name in (*names, *self._columns)}
        else:  # a new dict: other threads may iterate over this one
            epochs = array("d", (nan,)) * self._epochs
            self._columns = self._columns | {
                name: Column(epochs) for name in names if name not in self._columns
            }

    def _follow(self, fit: History, first: int) -> None:
        """Append the epochs of a fit that are still missing here; the fit began after `first` epochs."""
        done, epochs = self._epochs - first, len(fit)
        if done < epochs:
            entries = {name: column.numbers(done, epochs) for name, column in fit._columns.items()}
            self._append(entries, epochs - done)

    def _continue(self, past: History, first: int) -> None:
        """Append the epochs of a longer history from `first` on, in the columns that are here."""
        epochs = len(past)
        columns = self._columns.keys() & past._columns.keys()
        self._append({name: past._columns[name].numbers(first, epochs) for name in columns}, epochs - first)

    def _truncate(self, epochs: int) -> None:
        """Keep the first `epochs` epochs."""
        self._epochs = min(epochs, self._epochs)

    def __repr__(self) -> str:
        if not len(self):
            return "History(0 epochs)"
        return (
            f"History({counted(len(self), 'epoch')} in {self.total_seconds:.3g} s, "
            f"first: {self.describe(0)}, last: {self.describe(-1)}, stopped: {self.stopped})"
        )

    def _repr_html_(self) -> str:
        """Return the first and last epochs as a table, and the losses as a picture, for notebooks."""
        from fastbp._base import markup  # which only notebooks need

        epochs, columns = self._epochs, self._columns  # read once: another thread may be training
        if epochs == 0:
            return markup.paragraph("History: 0 epochs")
        skipped = epochs > 2 * EDGE
        shown = [*range(EDGE), *range(epochs - EDGE, epochs)] if skipped else [*range(epochs)]
        rows = [[f"{i + 1:,}", *(f"{column[i]:.5g}" for column in columns.values())] for i in shown]
        if skipped:
            rows.insert(EDGE, ["..."] * (len(columns) + 1))
        losses = [name for name in columns if name in ("loss", "validation_loss")]
        drawn = {name: columns[name].numbers(0, epochs).tolist() for name in losses}
        seconds = f" in {self.total_seconds:.3g} s" if "seconds" in columns else ""
        title = f"History: {counted(epochs, 'epoch')}{seconds}, stopped: {self.stopped or 'not yet'}"
        return markup.paragraph(title) + markup.table(["epoch", *columns], rows) + markup.curves(drawn)


def _column(name: str, values: Iterable[float]) -> Column:
    try:
        return Column(values)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParameterError(f"the column {name!r} does not hold numbers alone: {error}") from None
