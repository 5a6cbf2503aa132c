"""`GradientNormsDisplay`: which examples teach a network most."""

from __future__ import annotations

from math import ceil
from typing import Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.arrays import as_doubles
from fastbp._base.sparse import Inputs
from fastbp.exceptions import DataError, ShapeError
from fastbp.inspect import per_sample_gradient_norms
from fastbp.network import Network
from fastbp.plot._display import Display
from fastbp.plot._style import BLUE, GREY, VERMILION, dress, logarithmic

Array: TypeAlias = NDArray[np.float64]

SPREAD = 20  # norms above 0 whose largest ratio is more than this are drawn on a logarithmic axis
TOP = 0.1  # share of the rows that is marked
NAMED = 5  # rows in the text
LEAST_POINTS = 60  # rows; fewer are drawn as points


class GradientNormsDisplay(Display):
    """The norm of the gradient of each row's own loss, the largest first.

    A row moves the weights by its gradient. Rows with large norms teach most: they are hard, unusual or
    wrongly labeled. Rows whose norm is 0 teach nothing.

    Parameters
    ----------
    norms : array_like, shape (n,)
        Norms >= 0, from `fastbp.inspect.per_sample_gradient_norms`.

    Attributes
    ----------
    norms : array, shape (n,)

    Raises
    ------
    ShapeError, DataError
        The norms have another shape, or are negative, infinite or NaN.
    """

    def __init__(self, norms: ArrayLike) -> None:
        array = as_doubles("norms", norms)
        if array.ndim != 1 or len(array) == 0:
            raise ShapeError(f"norms has shape {array.shape}, expected (n,), at least one")
        wrong = ~(np.isfinite(array) & (array >= 0))
        if wrong.any():
            i = wrong.argmax()
            raise DataError(f"norms[{i}] is {array[i]:g}, expected a finite number >= 0")
        self.norms: Array = array

    @classmethod
    def from_network(cls, net: Network, X: Inputs, y: ArrayLike, *, ax: Axes | None = None) -> Self:
        """Compute the norms of all rows, and draw them.

        Parameters
        ----------
        net : Network
        X, y : array_like, or sparse for X
            Inputs and targets as for `Network.evaluate`.
        ax : matplotlib Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        GradientNormsDisplay

        Raises
        ------
        ParameterError, ShapeError, DTypeError, DataError
            An argument is not as for `fastbp.inspect.per_sample_gradient_norms`, or a norm is not finite.
        """
        return cls(per_sample_gradient_norms(net, X, y)).plot(ax)

    def rows(self, limit: int) -> NDArray[np.intp]:
        """Return the indices of the rows with the largest norms, the largest first; at most `limit` >= 0."""
        limit = arguments.integer("limit", limit, at_least=0)
        return np.argsort(-self.norms, kind="stable")[:limit]

    def share(self, part: float = TOP) -> float:
        """Return the share of the sum of all norms that the largest ones have; NaN if all norms are 0.

        Parameters
        ----------
        part : float, > 0 and <= 1
            The part of the rows that counts as the largest, rounded up to whole rows.
        """
        total = self.norms.sum()
        largest = self.norms[self.rows(self._n_rows(part))].sum()
        return float(largest / total) if total > 0 else np.nan

    def _n_rows(self, part: float) -> int:
        part = arguments.number("part", part, above=0, below=np.nextafter(1, 2))
        return ceil(round(part * len(self.norms), 9))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the norms, sorted, and mark the largest tenth; on a logarithmic axis if they differ widely.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        GradientNormsDisplay
        """
        ax = self._axes(ax)
        n, top = len(self.norms), self._n_rows(TOP)
        norms = -np.sort(-self.norms)
        n_above = int(np.count_nonzero(norms))
        ranks = np.arange(1, n_above + 1)
        # without a filling, with which SVG would draw the hatch in its color
        ax.axvspan(0.5, top + 0.5, fill=False, edgecolor=VERMILION, hatch="//", label=self._named())
        ax.plot(ranks, norms[:n_above], color=BLUE, marker="o" if n < LEAST_POINTS else None)
        if n_above < n:  # on the lower edge, which is no 0 on a logarithmic axis
            ax.plot(
                [n_above + 0.5, n + 0.5],
                [0, 0],
                transform=ax.get_xaxis_transform(),
                color=GREY,
                linewidth=6,
                solid_capstyle="butt",
                clip_on=False,
                label=f"norm 0: {n - n_above:,} rows",
            )
        if n_above and norms[0] > SPREAD * norms[n_above - 1]:
            logarithmic(ax)
        else:
            ax.set_ylim(bottom=0)
        ax.set(xlabel="rows, the largest gradient first", ylabel="norm of the gradient of the row's loss")
        ax.set_xlim(0.5, n + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        largest = f"the {top:,} largest of {n:,} norms: {100 * self.share():.0f} % of their sum"
        ax.set_title(largest if n_above else "all norms are 0")
        ax.legend(loc="upper right")
        dress(ax)
        return self

    def _named(self) -> str:
        """Return the rows with the largest norms as text; of many the first ones."""
        named = self.rows(min(NAMED, self._n_rows(TOP)))
        more = ", ..." if len(named) < self._n_rows(TOP) else ""
        return f"row{'s' * (len(named) > 1)} {', '.join(map(str, named))}{more}"
