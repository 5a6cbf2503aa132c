"""`ActivationDisplay`: an activation function and its derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from fastbp import activations
from fastbp._base import arguments
from fastbp._base.arrays import as_doubles
from fastbp._base.shown import counted, shown
from fastbp.activations import Activation
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.network import Network, check_network
from fastbp.plot._display import Display
from fastbp.plot._style import GREY, SERIES, dress
from fastbp.plot._text import plain

Array: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[[Array], Any]

POINTS = 601  # an odd number: 0 is one of them if the span is symmetric
HALVINGS = 40  # of a step between two points, in search of a jump: from 0.02 to 2e-14
JUMP = 1e-3  # least jump, as a part of the range of the function


class ActivationDisplay(Display):
    """An activation f and its derivative f', over the weighted sum z.

    Where a function jumps, its line is interrupted.

    Parameters
    ----------
    f, derivative : array_like, shape (2, k)
        Points of either curve: z in the first row, the values in the second one. A NaN interrupts the line.
    title : str
        The name of the function, its formula, or both.

    Attributes
    ----------
    f, derivative : array (2, k)
    title : str

    Raises
    ------
    ShapeError, DTypeError
        The points are not as above.
    """

    def __init__(self, f: ArrayLike, derivative: ArrayLike, *, title: str) -> None:
        self.f, self.derivative = as_doubles("f", f), as_doubles("derivative", derivative)
        self.title = title
        for name, points in (("f", self.f), ("derivative", self.derivative)):
            if points.ndim != 2 or len(points) != 2:
                raise ShapeError(f"{name} has shape {points.shape}, expected (2, k)")

    @classmethod
    def from_activation(
        cls,
        activation: str | Activation,
        *,
        span: tuple[float, float] = (-6.0, 6.0),
        ax: Axes | None = None,
    ) -> Self:
        """Draw an activation.

        Parameters
        ----------
        activation : str or Activation
            Softmax is a function of all sums of a layer: it is drawn over one of two, where the other is 0.
        span : (float, float)
            Range of z.
        ax : matplotlib Axes, optional
            Where to draw. Default: on a new figure.

        Returns
        -------
        ActivationDisplay

        Raises
        ------
        ParameterError
            No activation has that name, or the span is not two numbers, the lower one first.
        DTypeError, ShapeError
            A function of a `CustomActivation` returns something other than an array like z.
        """
        return cls._of(activations.get(activation), span, others=1).plot(ax)

    @classmethod
    def from_network(cls, net: Network, *, layer: int = 1, ax: Axes | None = None) -> Self:
        """Draw the activation of a layer; see `from_activation`.

        Parameters
        ----------
        net : Network
        layer : int
            The layer from 1, as in error messages. Softmax is drawn over one of its sums, with the others 0.
        ax : matplotlib Axes, optional
            Where to draw. Default: on a new figure.

        Returns
        -------
        ActivationDisplay

        Raises
        ------
        ParameterError
            The network is none, or has no such layer.
        """
        check_network(net)
        chosen = net.layers[arguments.integer("layer", layer, at_least=1, below=len(net.layers) + 1) - 1]
        return cls._of(chosen.activation, (-6.0, 6.0), others=chosen.n_out - 1).plot(ax)

    @classmethod
    def _of(cls, activation: Activation, span: Any, others: int) -> Self:
        """Return the display of an activation; `others` are the sums beside z in softmax, which are 0."""
        z = np.linspace(*_ends(span), POINTS)
        title = activation.name
        if activation.name == "softmax":
            title += f"\nover one z; {counted(others, 'other')} at 0"
        elif not activation.is_custom:  # whose formula would be the name of a Python function
            title += f"\n{activation.formula}"
        if activation.alpha:
            title += f", alpha = {activation.alpha:g}"

        def over_z(function: Function) -> Function:
            if activation.name != "softmax":
                return function
            return lambda z: function(np.column_stack([z, np.zeros((len(z), others))]))[:, 0]

        return cls(_curve(over_z(activation), z), _curve(over_z(activation.derivative), z), title=title)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on these axes, or on a new figure, and return the display."""
        axes = self._axes(ax)
        for (z, values), (color, dashes, _), label in zip(
            (self.f, self.derivative), SERIES, ("f(z)", "f'(z)"), strict=False
        ):
            axes.plot(z, values, color=color, linestyle=dashes, linewidth=2, label=label)
        for line in (axes.axhline, axes.axvline):
            line(0, color=GREY, linewidth=0.8, zorder=0)
        axes.set(xlabel="z, the weighted sum", title="\n".join(map(_line, self.title.split("\n"))))
        axes.legend()
        dress(axes)
        return self


def _line(title: str) -> str:
    return plain(title, 80)


def _ends(span: Any) -> tuple[float, float]:
    """Return the ends of the range of z."""
    if not isinstance(span, (tuple, list)) or len(span) != 2:
        raise ParameterError(f"span is {shown(span)}, expected two numbers, such as (-6, 6)")
    low, high = (arguments.number("span", end) for end in span)
    if low >= high:
        raise ParameterError(f"span is {shown(span)}, expected the lower end first")
    return low, high


def _curve(function: Function, z: Array) -> Array:
    """Return points (2, k) of a function; a jump becomes three points: the ends at its sides, and a NaN.

    The steps between points are halved, always in favor of the half where the function changes more. A
    continuous function then hardly changes any more.
    """

    def values(z: Array) -> Array:
        with np.errstate(all="ignore"):
            y = np.asarray(function(z), float)
            return np.where(np.isfinite(y), y, np.nan)

    y = values(z)
    finite = y[np.isfinite(y)]
    low, high = z[:-1].copy(), z[1:].copy()
    below, above = y[:-1].copy(), y[1:].copy()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        between = values(middle)
        is_left = abs(between - below) > abs(above - between)
        high, above = np.where(is_left, middle, high), np.where(is_left, between, above)
        low, below = np.where(is_left, low, middle), np.where(is_left, below, between)
    height = np.ptp(finite) if finite.size else 0
    at = np.flatnonzero(abs(above - below) > JUMP * height) if height else np.empty(0, int)
    places = np.repeat((low[at] + high[at]) / 2, 3)
    ends = np.column_stack([below[at], np.full(at.size, np.nan), above[at]])  # (jumps, 3)
    where = np.repeat(at + 1, 3)
    return np.stack([np.insert(z, where, places), np.insert(y, where, ends.ravel())])
