"""Pictures of a plane through the parameters: its losses as colors and contour lines, and paths in it."""

from __future__ import annotations

from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.image import AxesImage
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import as_array
from fastbp.exceptions import DataError, ShapeError
from fastbp.inspect import Landscape
from fastbp.plot._style import color_bar

Doubles: TypeAlias = NDArray[np.float64]
Range: TypeAlias = tuple[float, float]

COLORS = "viridis"  # dark to light in print, too
# What is on top of these colors is the same on light and dark pages.
LIGHT, DARK = "white", "#202020"
BOX = {"boxstyle": "round,pad=0.2", "facecolor": DARK, "edgecolor": "none", "alpha": 0.75}  # of a text

FACTOR = 30  # between losses that a linear scale would not show together
LARGEST = 1e100  # magnitude of a loss that is shown: pictures compute with differences
MOST_TICKS = 6
MARGIN = 0.2  # around paths, as a part of their extent
NARROWEST = 0.5  # least width of a picture, as a part of the other one
SHORTEST = 0.05  # length of a path with arrow heads, in widths of the picture
LONGEST = 5  # length of a path whose line is not thin
HEAD = 0.03  # length of the piece of a path that an arrow head stands for
BEYOND = 9  # widths of the picture, beyond which a path ends


class Scale(NamedTuple):
    """The range of losses to tell apart, and whether their scale is logarithmic."""

    low: float
    high: float
    is_log: bool

    @classmethod
    def of(cls, losses: Doubles, shown: ArrayLike | None = None) -> Self:
        """Return the scale for the losses of a grid; `shown` are losses to have in the range.

        See `LandscapeDisplay.plot` for the rules.
        """
        finite = losses[can_show(losses)]
        if finite.size == 0:
            return cls(0, 1, False)
        low, most = float(finite.min()), float(finite.max())
        wanted = np.asarray([] if shown is None else shown)
        highest = float(wanted[can_show(wanted)].max(initial=low))
        if low > 0 and most / low > FACTOR:
            common = float(np.quantile(finite, 0.05))
            return cls(max(low, common / 100), min(most, max(common * 1e4, highest)), True)
        quarter = float(np.quantile(finite, 0.25))
        high = min(most, max(low + 20 * (quarter - low), highest))
        return cls(low, high if high > low else most, False)

    @property
    def norm(self) -> Normalize:
        """Scale of the colors, which are the same for all losses beyond the range."""
        return (LogNorm if self.is_log else Normalize)(self.low, self.high)

    def levels(self, most: int = 12) -> Doubles:
        """Return round numbers in the range, at most so many."""
        locator = LogLocator(subs=(1, 2, 5), numticks=99) if self.is_log else MaxNLocator(most)
        levels = np.asarray(locator.tick_values(self.low, self.high))
        levels = levels[(levels > self.low) & (levels < self.high)]
        return levels[:: -(-len(levels) // most) or 1]

    def heights(self, losses: ArrayLike) -> Doubles:
        """Return what a surface shows: losses within the range, or their logarithms; NaN if blank."""
        losses = np.asarray(losses)
        inside = np.where(can_show(losses), np.clip(losses, self.low, self.high), np.nan)
        return np.log10(inside) if self.is_log else inside


def can_show(losses: ArrayLike) -> NDArray[np.bool_]:
    """Return which losses are neither NaN nor infinite nor enormous."""
    return np.abs(losses) <= LARGEST


def points_of(path: Any, width: int) -> Doubles:
    """Return the points (k, width), k >= 2, of a path."""
    points = as_array("path", path)
    if points.ndim != 2 or points.shape[1] != width or len(points) < 2:
        raise ShapeError(f"path has shape {points.shape}, expected (k, {width}) with at least two points")
    if not np.isfinite(points).all():
        raise DataError("path has numbers that are NaN or infinite, expected finite ones")
    return points.astype(np.float64)


def span_of(points: Doubles) -> tuple[Range, Range]:
    """Return the ends of both axes of a picture that holds points (k, 2) with a margin."""
    low, high = points.min(axis=0), points.max(axis=0)
    width = high - low
    width = np.maximum(width, NARROWEST * width.max()) * (1 + 2 * MARGIN)
    if not width.all():  # all points are one
        width[:] = 2
    middle = (low + high) / 2
    first, second = zip((middle - width / 2).tolist(), (middle + width / 2).tolist(), strict=True)
    return first, second


@np.errstate(all="ignore")
def losses_at(landscape: Landscape, points: Doubles) -> Doubles:
    """Return the losses (k,) at points (k, 2), interpolated in both directions; NaN beyond the grid."""
    (j, u), (i, v) = (_places(axis, x) for axis, x in zip((landscape.a, landscape.b), points.T, strict=True))
    losses = landscape.losses
    near, far = (losses[row, j] * (1 - u) + losses[row, j + 1] * u for row in (i, i + 1))
    return np.asarray(near * (1 - v) + far * v)


def _places(axis: Doubles, x: Doubles) -> tuple[NDArray[np.intp], Doubles]:
    """Return the interval (k,) of an axis that each x is in, and where, 0 to 1; NaN beyond the axis."""
    i = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, axis.size - 2)
    part = (x - axis[i]) / (axis[i + 1] - axis[i])
    return i, np.where((part >= 0) & (part <= 1), part, np.nan)


def draw_values(axes: Axes, a: Doubles, b: Doubles, values: Doubles, scale: Scale) -> AxesImage:
    """Draw values (nb, na) as colors with contour lines, blank unless `can_show`; return the colors."""
    shown = np.ma.masked_where(~can_show(values), values)
    half_a, half_b = (a[1] - a[0]) / 2, (b[1] - b[0]) / 2  # a pixel is around its point
    colors = axes.imshow(
        shown,
        cmap=COLORS,
        norm=scale.norm,
        origin="lower",
        extent=(a[0] - half_a, a[-1] + half_a, b[0] - half_b, b[-1] + half_b),
        aspect="auto",
        interpolation="bilinear",
    )
    if len(levels := scale.levels()):
        line: dict[str, Any] = {"colors": LIGHT, "linewidths": 0.6, "linestyles": "-", "alpha": 0.6}
        axes.contour(a, b, shown, levels=levels, **line)
    axes.set(xlim=(a[0], a[-1]), ylim=(b[0], b[-1]))
    return colors


def draw_bar(panels: list[Axes], colors: AxesImage, scale: Scale, label: str) -> None:
    """Draw the bar beside the panels that says which value has which color."""
    bar = color_bar(panels, colors, label)
    ticks = scale.levels(MOST_TICKS)
    bar.set_ticks(list(ticks), labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()


def draw_path(axes: Axes, path: Doubles) -> None:
    """Draw a path (k, 2) with arrow heads, a disk at the start and a square at the end.

    It may leave the picture, whose limits are set, and ends where it is NaN or far beyond the picture.
    """
    box = np.array([axes.get_xlim(), axes.get_ylim()]).T
    middle, width = box.mean(axis=0), box[1] - box[0]
    with np.errstate(invalid="ignore"):  # infinity, which becomes NaN
        away = path - middle
        farness = np.abs(away / width).max(axis=1) / BEYOND
        away /= np.maximum(farness, 1)[:, None]
    last = int(np.append(~(farness <= 1), True).argmax())
    path = (middle + away)[: last + 1]
    path = path[~np.isnan(path).any(axis=1)]
    lengths = np.linalg.norm(np.diff(path, axis=0) / width, axis=1)
    places = np.concatenate([[0], lengths.cumsum()])
    inside = ((path >= box[0]) & (path <= box[1])).all(axis=1)
    seen = places[inside.nonzero()[0][-1]] if inside.any() else 0
    outlined(axes, path, 0.7 if places[-1] > LONGEST else 1.4)
    if len(path) <= 30:
        axes.plot(*path.T, "o", color=DARK, markersize=2, zorder=3.2)
    mark(axes, path[-1], "s")
    mark(axes, path[0], "o")
    for place in seen * np.array([0.25, 0.5, 0.75]) if seen > SHORTEST else ():
        tail, head = (_at(path, places, x) for x in (place - HEAD / 2, place + HEAD / 2))
        if np.linalg.norm((np.array(head) - tail) / width) > 0.8 * HEAD:  # not where it turns back
            shape = {"arrowstyle": "-|>", "mutation_scale": 16, "shrinkA": 0, "shrinkB": 0}
            shape |= {"facecolor": LIGHT, "edgecolor": DARK}
            axes.annotate("", head, tail, arrowprops=shape, zorder=3.5, annotation_clip=True)


def _at(path: Doubles, length: Doubles, place: float) -> tuple[float, float]:
    """Return the point of a path (k, 2), whose points are at these lengths (k,), at another length."""
    x, y = (float(np.interp(place, length, column)) for column in path.T)
    return x, y


def outlined(axes: Any, path: Doubles, width: float = 1.4) -> None:
    """Draw a line through points (k, 2) or (k, 3), light with a dark outline."""
    for color, breadth, order in ((DARK, 2 * width, 3), (LIGHT, width, 3.1)):
        axes.plot(*path.T, color=color, linewidth=breadth, solid_capstyle="round", zorder=order)


def mark(axes: Any, point: Doubles, marker: str) -> None:
    """Draw a mark at a point (2,) or (3,)."""
    axes.plot(*point[:, None], marker, color=LIGHT, markersize=7, markeredgecolor=DARK, zorder=6)


def label(axes: Axes, point: Doubles, text: str, away: ArrayLike | None = None) -> None:
    """Write a text above the mark at a point (2,), or below it if `away`, a point to avoid, is above."""
    is_below = away is not None and np.asarray(away)[1] > point[1]
    axes.annotate(
        text,
        (point[0], point[1]),
        (0, -9 if is_below else 9),
        textcoords="offset points",
        ha="center",
        va="top" if is_below else "bottom",
        color=LIGHT,
        bbox=BOX,
        zorder=5,
    )
