"""`LandscapeDisplay`: the loss over a plane of parameters, with the path of a fit."""

from __future__ import annotations

from typing import Any, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.sparse import Inputs
from fastbp.callbacks import RecordPath
from fastbp.exceptions import DataError
from fastbp.inspect import Landscape, landscape
from fastbp.inspect._probe import Probe
from fastbp.network import Network
from fastbp.plot._display import Display
from fastbp.plot._plane import (
    BOX,
    COLORS,
    DARK,
    LIGHT,
    MOST_TICKS,
    Scale,
    draw_bar,
    draw_path,
    draw_values,
    label,
    losses_at,
    mark,
    outlined,
    points_of,
    span_of,
)
from fastbp.plot._text import plain

Doubles: TypeAlias = NDArray[np.float64]

RESOLUTION = 41  # points along an axis
STRAIGHT = 1e-6  # a path that leaves its chord by less, as a part of its length, has no other direction


class LandscapeDisplay(Display):
    """The loss over a plane through the parameters of a network, with the path of a fit.

    Parameters
    ----------
    landscape : Landscape
        The losses, as of `fastbp.inspect.landscape`.
    path : array_like, shape (k, 2), k >= 2, optional
        Coordinates of points of the plane, the first one first, as of `Landscape.project`.

    Attributes
    ----------
    landscape : Landscape
    path : array (k, 2) or None
    path_losses : array (k,) or None
        Heights of the path on the surface: the losses in `landscape` at its points, interpolated; NaN beyond
        the grid. The plane cuts the path: where the path is at a distance from it, which the picture does not
        show, these are not the losses that the fit had.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above.
    """

    def __init__(self, landscape: Landscape, path: ArrayLike | None = None) -> None:
        arguments.instance("landscape", landscape, Landscape, "fastbp.inspect.Landscape")
        self.landscape = landscape
        self.path = None if path is None else points_of(path, 2)
        self.path_losses = None if self.path is None else losses_at(landscape, self.path)

    @classmethod
    def from_network(
        cls,
        net: Network,
        X: Inputs,
        y: ArrayLike,
        *,
        path: ArrayLike | RecordPath | None = None,
        kind: str = "contour",
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Compute the losses around the parameters of a network, and draw them.

        With a path and no `directions`, the first direction leads from the first to the last point of the
        path. The second one, at a right angle, shows most of what the path did otherwise: it is the first
        principal component, about the end, of the path without its part along the first direction. Both have
        length 1, so the coordinates are distances in the space of the parameters. With a path and no `span`,
        the picture holds the whole path.

        Parameters
        ----------
        net : Network
            It does not change.
        X, y : array_like, or sparse for X
            Inputs (n, n_in) and targets as for `fit`.
        path : array_like, shape (k, P), k >= 2, or RecordPath, optional
            The parameters during a fit, the first ones first.
        kind : {"contour", "surface"}
            Seen from above, or as a surface in three dimensions.
        ax : matplotlib Axes, optional
            Where to draw. Default: on a new figure.
        **options
            Those of `fastbp.inspect.landscape`. The default of `resolution` is 41.

        Returns
        -------
        LandscapeDisplay

        Raises
        ------
        ParameterError, ShapeError, DTypeError, DataError, BusyError
            An argument is not as above, or as for `fastbp.inspect.landscape`.

        Notes
        -----
        Lorch, Visualizing deep network training trajectories with PCA, 2016, showed paths in planes of their
        principal components.
        """
        arguments.choice("kind", kind, KINDS)
        options = {"resolution": RESOLUTION} | options
        if path is None:
            return cls(landscape(net, X, y, **options)).plot(ax, kind=kind)
        n = Probe(net).parameters.size
        points = points_of(path.path if isinstance(path, RecordPath) else path, n)
        names = None
        if "directions" not in options and (plane := _plane_of(points)) is not None:
            options["directions"], names = plane, ("direction from start to end", "main direction across it")
        if "span" not in options:
            few = landscape(net, X, y, **options | {"resolution": 2, "progress": None})
            if not np.isfinite(few.origin).all():
                raise DataError("the network's parameters, or center, have numbers that are NaN or infinite")
            options["span"] = span_of(np.vstack([few.project(points), few.project(few.center)]))
        found = landscape(net, X, y, **options)
        found = found if names is None else found._replace(names=names)
        return cls(found, found.project(points)).plot(ax, kind=kind)

    def plot(self, ax: Axes | None = None, *, kind: str = "contour") -> Self:
        """Draw the landscape.

        A cross marks the parameters of the network. Losses that are NaN, or above 1e100 in magnitude, are
        left blank.

        A few large losses do not hide the valley, because the colors, and the height of the surface, have a
        range beyond which all losses look the same. Positive losses that differ by a factor of more than 30
        have a logarithmic scale. With C for the loss that 5 % of the grid are below, it ends at 10,000 C, or
        at the highest loss on the path if that is more, and begins at C / 100. Other losses have a linear
        scale from the lowest one, L, to L + 20 (Q - L), where 25 % of the grid are below Q, or to the highest
        loss on the path.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; for a surface, axes of three dimensions take its place. Default: on a new figure.
        kind : {"contour", "surface"}

        Returns
        -------
        LandscapeDisplay
            The display itself.

        Raises
        ------
        ParameterError
            An argument is not as above.
        """
        draw = arguments.choice("kind", kind, KINDS)
        draw(self, ax)
        return self

    def _contour(self, ax: Axes | None) -> None:
        axes = self._axes(ax, subplot_kw={"projection": "rectilinear"})
        found, scale = self.landscape, Scale.of(self.landscape.losses, self.path_losses)
        colors = draw_values(axes, found.a, found.b, found.losses, scale)
        draw_bar([axes], colors, scale, "loss")
        self._name_axes(axes)
        center = found.project(found.center)
        if self.path is None:
            mark(axes, center, "X")
            label(axes, center, "the network")
            return
        draw_path(axes, self.path)
        middle = self.path.mean(axis=0)
        label(axes, self.path[0], "start", away=middle)
        label(axes, self.path[-1], "end", away=middle)
        axes.plot(*center, "x", color=DARK, zorder=7)

    def _surface(self, ax: Axes | None) -> None:
        axes: Any = self._axes(ax, (6.4, 4.8), subplot_kw={"projection": "3d", "computed_zorder": False})
        found, scale = self.landscape, Scale.of(self.landscape.losses, self.path_losses)
        grid = np.meshgrid(found.a, found.b)
        axes.plot_surface(*grid, scale.heights(found.losses), cmap=COLORS, linewidth=0, rasterized=True)
        center = found.project(found.center)
        marks = {"the network": ([*center, losses_at(found, center[None])[0]], "X")}
        if self.path is not None and self.path_losses is not None:
            path = np.column_stack([self.path, scale.heights(self.path_losses)])
            outlined(axes, path)
            marks = {"start": (path[0], "o"), "end": (path[-1], "s")}
        for text, (point, marker) in marks.items():
            mark(axes, np.asarray(point), marker)
            beside = "\N{NO-BREAK SPACE}" * 3 + text  # an SVG drops spaces at the start
            axes.text(*point, beside, color=LIGHT, bbox=BOX, zorder=5)
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.set_pane_color((0, 0, 0, 0))
        ticks = scale.levels(MOST_TICKS)
        axes.set_zticks(scale.heights(ticks), [f"{tick:g}" for tick in ticks])
        axes.locator_params("x", nbins=MOST_TICKS)
        axes.locator_params("y", nbins=MOST_TICKS)
        axes.tick_params(labelsize="small", pad=0)
        axes.set_box_aspect(None, zoom=0.83)  # room for the names of the axes
        axes.set_zlabel("loss")
        self._name_axes(axes)

    def _name_axes(self, axes: Axes) -> None:
        xlabel, ylabel = (plain(name, 40) for name in self.landscape.names)
        axes.set(xlabel=xlabel, ylabel=ylabel)


KINDS = {"contour": LandscapeDisplay._contour, "surface": LandscapeDisplay._surface}


def _plane_of(points: Doubles) -> Doubles | None:
    """Return two orthogonal unit vectors (2, P) that show a path (k, P), or None if it stays put."""
    ways = points - points[-1]
    ways /= np.abs(ways).max() or 1  # no squares overflow
    lengths = np.linalg.norm(ways, axis=1)
    farthest = int(lengths.argmax()) if lengths[0] == 0 else 0
    if lengths[farthest] == 0:
        return None
    first = -ways[farthest] / lengths[farthest]
    rest = ways - np.outer(ways @ first, first)
    if np.linalg.norm(rest) <= STRAIGHT * lengths.max():
        rest = np.random.default_rng(0).standard_normal((1, first.size))  # any other direction
        rest -= np.outer(rest @ first, first)
    main = np.linalg.eigh(rest @ rest.T).eigenvectors[:, -1] @ rest  # (k, k): P may be large
    return np.array([first, main / np.linalg.norm(main)])
