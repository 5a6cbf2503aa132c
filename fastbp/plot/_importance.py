"""`FeatureImportanceDisplay`: how much a network relies on each input."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from fastbp._base import arguments
from fastbp._base.sparse import Inputs
from fastbp.inspect import FeatureImportance, feature_importance
from fastbp.network import Network
from fastbp.plot._display import Display
from fastbp.plot._style import BLUE, GREY, dress, ink
from fastbp.plot._text import plain


class FeatureImportanceDisplay(Display):
    """The most important inputs as bars, the largest first, with their standard deviations.

    Parameters
    ----------
    importance : FeatureImportance
        From `fastbp.inspect.feature_importance`, of either method.
    limit : int, >= 1
        Most bars.

    Attributes
    ----------
    importance : FeatureImportance
    limit : int

    Raises
    ------
    ParameterError
        An argument is not as above.
    """

    def __init__(self, importance: FeatureImportance, *, limit: int = 15) -> None:
        name = "fastbp.inspect.FeatureImportance"
        self.importance = arguments.instance("importance", importance, FeatureImportance, name)
        self.limit = arguments.integer("limit", limit, at_least=1)

    @classmethod
    def from_importance(
        cls, importance: FeatureImportance, *, limit: int = 15, ax: Axes | None = None
    ) -> Self:
        """Draw what `fastbp.inspect.feature_importance` returned; parameters and errors as of the class."""
        return cls(importance, limit=limit).plot(ax)

    @classmethod
    def from_network(
        cls,
        net: Network,
        X: Inputs,
        y: ArrayLike | None = None,
        *,
        limit: int = 15,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Compute the importance of each input, and draw it.

        Parameters
        ----------
        net, X, y, **options
            Network, data and options of `fastbp.inspect.feature_importance`, such as
            ``method="integrated_gradients"``.
        limit : int, >= 1
            Most bars.
        ax : matplotlib Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        FeatureImportanceDisplay

        Raises
        ------
        ParameterError, ShapeError, DTypeError, DataError
            As of `fastbp.inspect.feature_importance`.
        """
        limit = arguments.integer("limit", limit, at_least=1)
        return cls(feature_importance(net, X, y, **options), limit=limit).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        FeatureImportanceDisplay
        """
        found = self.importance.features(self.limit)
        ax = self._axes(ax, (6.4, 1.4 + 0.28 * len(found)))
        places = np.arange(len(found))
        means, stds = (np.array(column) for column in list(zip(*found, strict=True))[2:])
        lower = stds if self.importance.method == "permutation" else np.minimum(stds, means)  # >= 0
        ax.barh(places, means, color=BLUE, height=0.7)
        ax.errorbar(means, places, xerr=[lower, stds], fmt="none", ecolor=ink(), elinewidth=1, capsize=2)
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.set_yticks(places, [plain(each.name) for each in found])
        ax.invert_yaxis()
        ax.set_xlabel(self._label())
        n = len(self.importance.names)
        ax.set_title(f"the {len(found)} most important of {n:,} inputs" if len(found) < n else "all inputs")
        dress(ax)
        ax.grid(visible=False, axis="y")
        ax.tick_params(axis="y", length=0)
        return self

    def _label(self) -> str:
        """Return what the bars measure."""
        n, measure = len(self.importance.values), self.importance.measure
        if self.importance.method == "permutation":
            what = "the loss" if measure == "loss" else plain(measure)
            return f"how much worse {what} is\nwith the input permuted ({n:,} repeats)"
        return f"mean magnitude of the input's share\nof the output ({n:,} rows)"
