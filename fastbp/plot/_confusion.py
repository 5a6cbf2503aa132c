"""`ConfusionMatrixDisplay`: which classes a network takes for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import as_doubles
from fastbp._base.sparse import Inputs
from fastbp.exceptions import DataError, ShapeError
from fastbp.network import Network
from fastbp.plot._answers import classified, names_of
from fastbp.plot._display import Display
from fastbp.plot._style import GREY, color_bar, ink, sequential
from fastbp.plot._text import plain

Array: TypeAlias = NDArray[np.float64]

MOST_NUMBERS = 30  # classes; with more of them, the cells have no numbers
FEW = 12  # classes; with more of them, cells of 0 are empty, so that the mistakes stand out
DARK = 0.85  # share from which white is easier to read on the cell than dark ink
MOST_LABELS = 40  # classes with names; of more, every second or third one is named


class ConfusionMatrixDisplay(Display):
    """How many rows of each class were taken for each class.

    The color of a cell is its share of the row, so that rare classes show as well as frequent ones.

    Parameters
    ----------
    counts : array_like, shape (classes, classes)
        ``counts[i, j]`` rows of class i were taken for class j; or the sums of their weights.
    names : sequence of str, optional
        Names of the classes. Default: "0", "1", ...

    Attributes
    ----------
    counts : array, shape (classes, classes)
    names : tuple of str

    Raises
    ------
    ParameterError, ShapeError, DataError
        The counts are no square matrix of numbers >= 0, at least one of which is not 0, or the names are not
        as many.
    """

    def __init__(self, counts: ArrayLike, names: Sequence[str] | None = None) -> None:
        array = as_doubles("counts", counts)
        if array.ndim != 2 or array.shape[0] != array.shape[1]:
            raise ShapeError(f"counts has shape {array.shape}, expected (classes, classes)")
        if not ((array >= 0).all() and 0 < array.sum() < np.inf):
            raise DataError("counts has a negative or infinite number or only 0, expected numbers >= 0")
        self.counts: Array = array
        self.names = names_of("class", range(len(array)) if names is None else names, len(array))

    @classmethod
    def from_network(
        cls,
        net: Network,
        X: Inputs,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Count the classes that a network predicts, and draw them.

        Parameters
        ----------
        net : Network
            With softmax outputs, or with one output that says yes or no: sigmoid, or the loss hinge.
        X, y : array_like, or sparse for X
            Inputs and targets as for `Network.evaluate`. Rows whose class is unknown are left out.
        sample_weight : array_like, shape (n,), optional
            Weights of the rows: the matrix has their sums instead of counts.
        ax : matplotlib Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        ConfusionMatrixDisplay

        Raises
        ------
        ParameterError
            The network is no classifier of this kind.
        DataError
            An output is NaN. Other errors as for `Network.evaluate`.
        """
        found = classified(net, X, y, sample_weight)
        k = len(found.names)
        sums = np.bincount(found.true * k + found.predicted, found.weights, minlength=k * k)
        return cls(sums.reshape(k, k), found.names).plot(ax)

    @property
    def accuracy(self) -> float:
        """The share of the rows that were taken for what they are."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def shares(self) -> Array:
        """The counts as shares of their true class, (classes, classes); 0 for a class without rows."""
        totals = self.counts.sum(axis=1, keepdims=True)
        return self.counts / np.where(totals > 0, totals, 1)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the matrix: true classes are rows, predicted classes are columns.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        ConfusionMatrixDisplay
        """
        side = min(4 + 0.25 * len(self.names), 9)
        ax = self._axes(ax, (side + 1, side))
        image = ax.imshow(self.shares, cmap=sequential(), vmin=0, vmax=1)
        color_bar([ax], image, "share of the true class", fraction=0.046, pad=0.03)
        self._name_classes(ax)
        if len(self.names) <= MOST_NUMBERS:
            self._write_numbers(ax)
        of_all = f" of {self.counts.sum():,.0f} rows" if (self.counts == self.counts.round()).all() else ""
        ax.set_title(f"accuracy {100 * self.accuracy:.1f} %{of_all}")
        return self

    def _name_classes(self, ax: Axes) -> None:
        """Label the axes, and every row and column, or some of them if they are many."""
        places = range(0, len(self.names), -(-len(self.names) // MOST_LABELS))
        labels = [plain(self.names[i], limit=16) for i in places]
        size = min(10.0, 0.8 * _cell(ax, len(labels)))
        ax.set_yticks(places, labels, fontsize=size)
        ax.set_xticks(places, labels, fontsize=size)
        if max(map(len, labels)) * 0.65 * size > 0.9 * _cell(ax, len(labels)):  # they would overlap
            ax.tick_params(axis="x", rotation=90)
        ax.set(xlabel="predicted class", ylabel="true class")

    def _write_numbers(self, ax: Axes) -> None:
        """Write the count into each cell, in a size that fits; 0 is grey."""
        k = len(self.names)
        longest = max(map(len, map(_number, self.counts.ravel().tolist())))
        size = min(11.0, 0.9 * _cell(ax, k) / max(0.65 * longest, 1))
        for (i, j), share in np.ndenumerate(self.shares):
            if self.counts[i, j] > 0 or k <= FEW:
                color: Any = GREY if share == 0 else "white" if share > DARK else ink()
                text = _number(float(self.counts[i, j]))
                ax.text(j, i, text, color=color, fontsize=size, ha="center", va="center")


def _cell(ax: Axes, cells: int) -> float:
    """Return about how many points a cell is wide, before the labels have taken their space."""
    return float(0.8 * min(ax.bbox.width, ax.bbox.height) * 72 / ax.figure.dpi / cells)


def _number(count: float) -> str:
    """Return a count, or a sum of weights to three digits."""
    return f"{count:,.0f}" if count == round(count) or count >= 1000 else f"{count:.3g}"
