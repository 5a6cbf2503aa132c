"""`SlopesDisplay`: how large the derivatives f'(z) are in each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from fastbp._base.arrays import as_array
from fastbp._base.sparse import Inputs
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.inspect import Diagnosis, diagnose
from fastbp.network import Network
from fastbp.plot._display import Display
from fastbp.plot._style import BLUE, VERMILION, dress, short
from fastbp.plot._text import plain

DECADES = range(-8, 3)  # powers of ten between which `LayerState.slope_counts` has bins
PER_DECADE = 4  # bins
WIDE = 4  # decades; beyond, each bar is one of them
TICKS = (1, 0.5, 0.2, 0.1, 0.05, 0.02)
MOST = 12  # layers that are drawn; of more, the first and the last ones


class SlopesDisplay(Display):
    """Histogram of |f'(z)| in each layer, over all rows and units.

    On the way back, the error is multiplied by these numbers, layer by layer. The bar "0" counts what is 0
    or less than 1e-8: there, nothing comes through. The last layer is an exception if the loss is computed
    together with its activation, such as cross entropy with softmax: there, f'(z) cancels, and dJ/dz is in
    proportion to h - t, output minus target.

    Parameters
    ----------
    counts : array_like of int, shape (L, 42)
        Counts per layer, as `LayerState.slope_counts`.
    names : sequence of L str
        What the layers are called.

    Attributes
    ----------
    counts : array (L, 42)
    names : tuple of L str
    """

    def __init__(self, counts: ArrayLike, names: Sequence[str]) -> None:
        self.counts, self.names = as_array("counts", counts), tuple(names)
        bins = 2 + PER_DECADE * (len(DECADES) - 1)
        if self.counts.shape != (len(self.names), bins):
            raise ShapeError(f"counts has shape {self.counts.shape}, expected ({len(self.names)}, {bins})")

    @classmethod
    def from_network(cls, net: Network, X: Inputs, y: ArrayLike, *, ax: Axes | None = None) -> Self:
        """Draw the derivatives of a network for data.

        Parameters
        ----------
        net : Network
            It does not change.
        X, y : array_like, or sparse for X
            Inputs (n, n_in) and targets as for `fit`.
        ax : matplotlib Axes, optional
            Where to draw; panels take their place. Default: on a new figure.

        Returns
        -------
        SlopesDisplay

        Raises
        ------
        ParameterError, ShapeError, DTypeError, DataError
            An argument is not as above, or as for `evaluate`.
        """
        return cls.from_diagnosis(diagnose(net, X, y), ax=ax)

    @classmethod
    def from_diagnosis(cls, diagnosis: Diagnosis, *, ax: Axes | None = None) -> Self:
        """Draw the derivatives that `fastbp.inspect.diagnose` has counted; `ax` as for `from_network`."""
        if not isinstance(diagnosis, Diagnosis):
            raise ParameterError(f"diagnosis is a {type(diagnosis).__name__}, expected a Diagnosis")
        names = [f"{state.name} {plain(state.activation, 16)}" for state in diagnosis.layers]
        return cls([state.slope_counts for state in diagnosis.layers], names).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw one panel per layer, on new axes in the place of these or on a new figure.

        Of more than 12 layers, it draws the first and the last six.
        """
        layers = range(len(self.names))
        drawn = [*layers] if len(layers) <= MOST else [*layers[: MOST // 2], *layers[-MOST // 2 :]]
        size = 6.4, 1.2 + 0.75 * len(drawn)
        panels = self._panels(ax, len(drawn), 1, size, sharex=True, sharey=True)
        for axes, layer in zip(panels, drawn, strict=True):
            self._draw(axes, layer)
        if len(drawn) < len(layers):
            skipped = f"{len(layers) - len(drawn):,} layers in between are not drawn"
            panels[MOST // 2].set_title(skipped, fontsize="small", style="italic")
        self._dress(panels)
        return self

    def _draw(self, axes: Axes, layer: int) -> None:
        """Draw the histogram of a layer over log10 |f'|."""
        counts = self.counts[layer]
        zero, *shares = counts / max(counts.sum(), 1)
        lowest, highest = self._range()
        if highest - lowest > WIDE:  # so that bars are not low and many
            starts = range(0, len(shares), PER_DECADE)
            shares = np.add.reduceat(shares, starts)
        width = (len(DECADES) - 1) / (len(shares) - 1)  # the last bin is beyond the decades
        axes.bar(DECADES[0] + width * np.arange(len(shares)), shares, width, align="edge", color=BLUE)
        if zero:
            axes.bar(lowest - 0.75, zero, 0.5, color="none", edgecolor=VERMILION, hatch="////")
            label = "< 1%" if zero < 0.01 else f"{zero:.0%}"
            axes.text(lowest - 0.75, zero, label, ha="center", va="bottom")
        axes.set_ylabel(self.names[layer], rotation=0, ha="right", va="center", labelpad=8)
        dress(axes)

    def _dress(self, panels: list[Axes]) -> None:
        """Set the range and the labels of the axes that all panels share."""
        lowest, highest = self._range()
        largest = max(axes.dataLim.y1 for axes in panels)
        panels[0].set(xlim=(lowest - 1.25, highest), ylim=(0, 1.35 * largest or 1))
        panels[0].set_yticks([next((share for share in TICKS if share <= largest), 1)])
        panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ticks = [power for power in range(lowest, highest) if power % 2 == 0 or highest - lowest <= 6]
        panels[-1].set_xticks([lowest - 0.75, *ticks], ["0", *(short(10.0**power) for power in ticks)])
        panels[-1].set_xlabel("|f'(z)|")
        panels[0].set_title("share of a layer's outputs whose |f'(z)| is this large")

    def _range(self) -> tuple[int, int]:
        """Return the powers of ten that the axis goes from and to: 0.01 and 10, or beyond if need be."""
        found = np.flatnonzero(self.counts[:, 1:].any(axis=0)) // PER_DECADE + DECADES[0]
        return int(found.min(initial=-2)), int(found.max(initial=0)) + 1
