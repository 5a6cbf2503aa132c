"""`Display`: what all plots have in common; as in scikit-learn, numbers first, then `plot`."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from fastbp._base.shown import shown
from fastbp.exceptions import ParameterError

FLAT = "rectilinear"  # the projection of ordinary axes


class Display:
    """Numbers to plot, and the axes they were plotted on last.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where `plot` has drawn; of several panels the first one.
    figure_ : matplotlib Figure or SubFigure
        What the axes are on.
    axes_ : list of Axes
        All panels.
    """

    ax_: Axes
    axes_: list[Axes]
    figure_: Figure | SubFigure

    def _axes(self, ax: Axes | None, size: tuple[float, float] = (6.4, 4.4), **options: Any) -> Axes:
        """Return the axes to draw on: `ax`, or those of a new figure of this size in inches."""
        return self._panels(ax, 1, 1, size, **options)[0]

    def _panels(
        self, ax: Axes | None, rows: int, columns: int, size: tuple[float, float], **options: Any
    ) -> list[Axes]:
        """Return panels, row by row, in the place of `ax` or on a new figure of this size in inches.

        The options are those of `Figure.subplots`, such as sharey. Axes of another projection than that in
        subplot_kw are replaced by new ones; if there is none, they must be ordinary axes.
        """
        if ax is None:
            from matplotlib import pyplot  # so that notebooks show the figure; it need not be imported before

            figure = pyplot.figure(figsize=size, layout="constrained")
            grid = figure.subplots(rows, columns, squeeze=False, **options)
            self.axes_ = list(grid.flat)
        elif not isinstance(ax, Axes):
            raise ParameterError(f"ax is {shown(ax)}, expected axes of matplotlib, or None")
        elif ax.figure is None:
            raise ParameterError("ax was removed from its figure, expected axes of a figure")
        elif ax.name != FLAT and "subplot_kw" not in options:
            raise ParameterError(f"ax has the projection {ax.name!r}, expected {FLAT!r}")
        elif rows * columns == 1 and ax.name == options.get("subplot_kw", {}).get("projection", FLAT):
            self.axes_ = [ax]
        else:
            place = ax.get_subplotspec()
            if place is None:
                raise ParameterError("ax has no place in a grid of its figure, expected axes from subplots()")
            ax.remove()
            self.axes_ = list(place.subgridspec(rows, columns).subplots(squeeze=False, **options).flat)
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.figure
        return self.axes_
