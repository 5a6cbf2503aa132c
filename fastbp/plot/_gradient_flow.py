"""`GradientFlowDisplay`: how much of the error reaches each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.arrays import as_array, as_doubles, check_shape
from fastbp._base.sparse import Inputs
from fastbp.callbacks import RecordPath
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.inspect import Diagnosis, diagnose
from fastbp.inspect._diagnosis.layer_states import rms
from fastbp.inspect._probe import Probe, quietly
from fastbp.layers import split
from fastbp.network import Network
from fastbp.plot._display import Display
from fastbp.plot._style import GREY, SERIES, dress, logarithmic, short
from fastbp.plot._text import plain

Array: TypeAlias = NDArray[np.float64]

MOST_POINTS = 64  # of a path, where the gradient is computed; of more, these are spread evenly
MOST_LINES = 10  # layers that are drawn over a path; of more, these are spread evenly
MOST_LABELS = 12  # layers that all have a label on the axis
LEADER = {"arrowstyle": "-", "color": GREY, "relpos": (0, 0.5), "shrinkA": 2, "shrinkB": 4}  # to a label


class GradientFlowDisplay(Display):
    """Size of the gradient by layer, at one point or along the path of a fit.

    The sizes are root mean squares: of dJ/dW, which the weights of a layer learn from, and of delta = dJ/dz,
    which is passed on to the layer before. Lines that fall to the left are a vanishing gradient, and lines
    that rise to the left an exploding one. The axis is logarithmic. A size of 0 is drawn as a cross on a line
    of its own at the bottom, "0".

    Parameters
    ----------
    gradients : array_like, shape (L,) or (k, L)
        RMS of dJ/dW of each layer, for k points of a path one row per point.
    names : sequence of L str
        What the layers are called, such as their activations.
    deltas : array_like, shape (L,), optional
        RMS of dJ/dz of each layer; for one point only.
    steps : array_like, shape (k,), optional
        The steps that the fit had made at the points of the path. Default: the points are counted.

    Attributes
    ----------
    gradients : array (L,) or (k, L)
    names : tuple of L str
    deltas : array (L,) or None
    steps : array (k,) or None

    Raises
    ------
    ShapeError, DTypeError
        The arrays do not fit together, or do not hold numbers.
    """

    def __init__(
        self,
        gradients: ArrayLike,
        names: Sequence[str],
        *,
        deltas: ArrayLike | None = None,
        steps: ArrayLike | None = None,
    ) -> None:
        self.gradients, self.names = as_doubles("gradients", gradients), tuple(names)
        self.deltas = None if deltas is None else as_doubles("deltas", deltas)
        self.steps = None if steps is None else as_array("steps", steps)
        shape, n = self.gradients.shape, len(self.names)
        if len(shape) not in (1, 2) or shape[-1] != n or not self.gradients.size:
            raise ShapeError(
                f"gradients has shape {shape}, expected ({n},), or (k, {n}) for points of a path"
            )
        _check_shape("deltas", self.deltas, shape if len(shape) == 1 else None)
        _check_shape("steps", self.steps, shape[:1] if len(shape) == 2 else None)

    @classmethod
    def from_network(
        cls,
        net: Network,
        X: Inputs,
        y: ArrayLike,
        *,
        path: ArrayLike | RecordPath | None = None,
        steps: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the gradients of a network for data, as it is now or along a recorded path.

        Parameters
        ----------
        net : Network
            It does not change.
        X, y : array_like, or sparse for X
            Inputs (n, n_in) and targets as for `fit`.
        path : array_like, shape (k, P), or RecordPath, optional
            Parameters along a fit. Of more than 64 points, 64 are used, the first and the last one among
            them. At each, the gradient is that of the loss of all rows.
        steps : array_like, shape (k,), optional
            The steps of the fit at these points. Default: those of the RecordPath; points of an array are
            counted.
        ax : matplotlib Axes, optional
            Where to draw. Default: on a new figure.

        Returns
        -------
        GradientFlowDisplay

        Raises
        ------
        ParameterError, ShapeError, DTypeError, DataError
            An argument is not as above, or as for `evaluate`; there are steps without a path.

        Examples
        --------
        ::

            record = fastbp.callbacks.RecordPath()
            net.fit(X, y, epochs=50, callbacks=record)
            GradientFlowDisplay.from_network(net, X, y, path=record)
        """
        if isinstance(path, RecordPath):
            steps = path.steps if steps is None else steps
            path = path.path
        if path is not None:
            gradients, chosen = _along(net, X, y, path)
            if steps is not None:
                steps = as_array("steps", steps)
                check_shape("steps", steps, np.shape(path)[:1])
                steps = steps[chosen]
            names = [str(layer.activation) for layer in net.layers]
            return cls(gradients, names, steps=steps).plot(ax)
        if steps is not None:
            raise ParameterError("steps is given, but no path")
        return cls.from_diagnosis(diagnose(net, X, y), ax=ax)

    @classmethod
    def from_diagnosis(cls, diagnosis: Diagnosis, *, ax: Axes | None = None) -> Self:
        """Draw the gradients that `fastbp.inspect.diagnose` has measured; `ax` as for `from_network`."""
        arguments.instance("diagnosis", diagnosis, Diagnosis, "fastbp.inspect.Diagnosis")
        states = diagnosis.layers
        names, deltas = [state.activation for state in states], [state.delta_rms for state in states]
        return cls([state.gradient_rms for state in states], names, deltas=deltas).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on these axes, or on a new figure, and return the display.

        Over a path, at most 10 layers are drawn, which are spread evenly.
        """
        axes = self._axes(ax)
        sizes = self.gradients if self.deltas is None else np.stack([self.gradients, self.deltas])
        positive = sizes[np.isfinite(sizes) & (sizes > 0)]
        floor = 10.0 ** (np.floor(np.log10(positive.min(initial=1))) - 1)  # where 0 is drawn
        if self.gradients.ndim == 1:
            self._draw_layers(axes, floor)
        else:
            self._draw_path(axes, floor)
        axes.set_ylabel("root mean square")
        dress(axes)
        return self

    def _draw_layers(self, axes: Axes, floor: float) -> None:
        """Draw the sizes over the layers."""
        layers = np.arange(1, len(self.names) + 1)
        lines = {"dJ/dW": self.gradients, "delta = dJ/dz": self.deltas}
        for (label, sizes), look in zip(lines.items(), SERIES, strict=False):
            if sizes is not None:
                _line(axes, layers, sizes, floor, look, label)
        _scale(axes, floor)
        drawn = _spread(len(layers), MOST_LABELS)
        upright = len(drawn) <= 6
        labels = [f"{i + 1}\n{self._name(i)}" if upright else f"{self._name(i)} {i + 1}" for i in drawn]
        axes.set_xticks(layers[drawn], labels, rotation=0 if upright else 90)
        axes.set_xlabel("layer")
        axes.legend()

    def _draw_path(self, axes: Axes, floor: float) -> None:
        """Draw a line per layer over the points of a path, with its name at the end."""
        x = np.arange(len(self.gradients)) if self.steps is None else self.steps
        drawn = _spread(len(self.names), MOST_LINES)
        for number, layer in enumerate(drawn):
            turn, place = divmod(number, len(SERIES))  # other dashes when the colors come again
            look = SERIES[place][0], *SERIES[(place + turn) % len(SERIES)][1:]
            _line(axes, x, self.gradients[:, layer], floor, look)
        _scale(axes, floor)
        low, high = np.log(axes.get_ylim())
        ends = [sizes[np.isfinite(sizes)] for sizes in self.gradients.T[drawn]]
        heights = [(np.log(max(end[-1], floor)) - low) / (high - low) if end.size else 0.0 for end in ends]
        for layer, height, place in zip(drawn, heights, _apart(heights), strict=True):
            axes.annotate(
                f"{layer + 1} {self._name(layer)}",
                (1, height),
                (1.07, place),
                xycoords="axes fraction",
                va="center",
                fontsize="small",
                arrowprops=LEADER,
            )
        axes.margins(x=0)
        axes.set_xlabel("point of the path" if self.steps is None else "step")
        axes.set_title("RMS of dJ/dW by layer along the path")

    def _name(self, layer: int) -> str:
        """Return the name of a layer, and whether a size is NaN or infinite there."""
        sizes = [self.gradients[..., layer], [] if self.deltas is None else self.deltas[layer]]
        is_finite = np.isfinite(np.hstack(sizes)).all()
        return plain(self.names[layer], 16) + ("" if is_finite else "\nnot finite")


@quietly
def _along(net: Network, X: Inputs, y: ArrayLike, path: ArrayLike) -> tuple[Array, NDArray[np.intp]]:
    """Return the RMS of dJ/dW per layer (k, L) at points of a path, and the indices of these points."""
    probe = Probe(net)
    examples = probe.examples(X, y)
    points = as_array("path", path)
    if points.ndim != 2 or points.shape[1] != probe.parameters.size or not len(points):
        raise ShapeError(f"path has shape {points.shape}, expected (k, {probe.parameters.size}), k >= 1")
    chosen = _spread(len(points), MOST_POINTS)
    gradients = (Probe(net, parameters=points[i]).gradients(examples) for i in chosen)
    return np.array([[rms(d_W) for d_W, _ in split(each, probe.layers)] for each in gradients]), chosen


def _check_shape(argument: str, given: NDArray[Any] | None, expected: tuple[int, ...] | None) -> None:
    """Raise ShapeError unless an optional array has the shape; None: there should be no such array."""
    if expected is not None:
        check_shape(argument, given, expected)
    elif given is not None:
        raise ShapeError(f"{argument} has shape {given.shape}, expected none with this shape of gradients")


def _spread(n: int, most: int) -> NDArray[np.intp]:
    """Return at most so many of n indices, spread evenly, with the first and the last one."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.intp))


def _line(
    axes: Axes, x: ArrayLike, sizes: Array, floor: float, look: tuple[str, str, str], label: str = ""
) -> None:
    """Draw sizes as a line, with those of 0 as crosses at the floor."""
    color, dashes, marker = look
    x = np.asarray(x)
    places = np.where(sizes == 0, floor, np.where(np.isfinite(sizes), sizes, np.nan))
    every = max(1, len(x) // 8)
    axes.plot(x, places, color=color, linestyle=dashes, marker=marker, markevery=every, label=label)
    zero = np.flatnonzero(sizes == 0)[::every]
    axes.plot(x[zero], places[zero], "x", color=color, markersize=10)


def _scale(axes: Axes, floor: float) -> None:
    """Make the y axis logarithmic, with a line for 0 if something is drawn there."""
    logarithmic(axes)
    low, high = axes.get_ylim()
    if axes.dataLim.y0 > floor:
        return
    ticks = [tick for tick in axes.get_yticks() if floor < tick <= high]
    axes.set_yticks([floor, *ticks], ["0", *map(short, ticks)])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(low, high)
    axes.axhline(floor, color=GREY, linestyle=":", zorder=0)


def _apart(heights: Sequence[float], gap: float = 0.065) -> Array:
    """Return places from 0 to 1 near these heights, in their order and at least `gap` apart."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(order))
    places = np.maximum.accumulate(np.asarray(heights)[order] - steps) + steps
    top = 1 - steps[::-1]  # the highest places that leave room for those above
    found = np.empty(len(order))
    found[order] = np.minimum(places, top)
    return found
