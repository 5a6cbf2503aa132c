"""`NetworkDisplay`: a small network as a graph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.arrays import as_doubles, check_shape
from fastbp._base.sparse import Inputs
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.inspect import blame
from fastbp.inspect._names import input_names
from fastbp.inspect._probe import Probe
from fastbp.layers import split
from fastbp.network import Network
from fastbp.plot._display import Display
from fastbp.plot._style import BLUE, GREY, PURPLE, VERMILION, ink, sequential
from fastbp.plot._text import plain

Array: TypeAlias = NDArray[Any]
Pairs: TypeAlias = Sequence[tuple[Array, Array]]  # numbers of the weights and of the biases, per layer

MOST_UNITS, MOST_LAYERS = 64, 8  # that can be told apart
FEW = 10  # units of a column that have room for numbers and shares; of more, the ends have names
MOST_LINES = 400  # of more, the smallest ones are left out
WIDTHS = (0.7, 1.5)  # least and largest width of the graph, which is 1 high
LETTER, LEGEND = 5.5, 58.0  # points: width of a letter of a name; height of what is below the graph
LONGEST = 16  # letters of a name
FULL = 0.7  # opacity of the fullest unit, so that its number can be read
SMALLEST = 5.5  # text that can be read, in points

#: Color, dashes and name of the lines of numbers > 0, of numbers < 0, and of NaN and infinite ones.
SIGNS: tuple[tuple[str, Any, str], ...] = (
    (BLUE, "-", "> 0"),
    (VERMILION, (0, (2.5, 1)), "< 0"),
    (GREY, ":", "not finite"),
)

TITLES = "weights", "blame: width |dJ/dw|, fill |dJ/dz|"


class NetworkDisplay(Display):
    """Graph of a small network: its units, and its weights as lines whose width is their size.

    Positive weights are solid and blue, negative ones dashed and vermilion. The short line from above into a
    unit is its bias. Of more than 400 lines, the smallest ones are left out. Units have the numbers that they
    have in `fastbp.inspect`: through all layers, inputs first.

    With gradients, a second panel shows the derivatives dJ/dw of the loss in the same way. There, a unit is
    filled the more, the larger its share of the error of its layer is.

    Parameters
    ----------
    parameters : sequence of L pairs of arrays, (n_in, n_out) and (n_out,)
        Weights and biases of each layer; the latter have the shape (0,) for a layer without biases.
    gradients : sequence of L pairs of arrays, optional
        dJ/dW and dJ/db of each layer.
    unit_shares : sequence of L arrays (n_out,), optional
        Shares of the units in the error of their layer, as `Blame.unit_shares`.
    inputs, outputs : sequence of str, optional
        Names of the inputs and outputs.
    activations : sequence of L str, optional
        Names below the layers.

    Attributes
    ----------
    parameters, gradients, unit_shares, inputs, outputs, activations
        As above; None for what is not given.

    Raises
    ------
    ParameterError
        There are more than 64 inputs or units in a layer, or more than 8 layers.
    ShapeError, DTypeError
        The arrays do not fit together, or do not hold numbers.
    """

    def __init__(
        self,
        parameters: Sequence[tuple[ArrayLike, ArrayLike]],
        *,
        gradients: Sequence[tuple[ArrayLike, ArrayLike]] | None = None,
        unit_shares: Sequence[ArrayLike] | None = None,
        inputs: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
        activations: Sequence[str] | None = None,
    ) -> None:
        self.parameters = _doubles("parameters", parameters)
        self.gradients = None if gradients is None else _doubles("gradients", gradients)
        self.unit_shares = None
        if unit_shares is not None:
            self.unit_shares = [as_doubles(f"unit_shares[{i}]", each) for i, each in enumerate(unit_shares)]
        self.inputs, self.outputs, self.activations = inputs, outputs, activations
        shapes = [W.shape for W, _ in self.parameters]
        if any(len(shape) != 2 for shape in shapes) or any(a[1] != b[0] for a, b in pairwise(shapes)):
            raise ShapeError(f"the weights have the shapes {shapes}, expected as many rows as units before")
        self._sizes = [n_in for n_in, _ in shapes[:1]] + [n_out for _, n_out in shapes]
        _check_size(self._sizes)
        for name, given, n in (
            ("gradients", gradients, len(shapes)),
            ("unit_shares", unit_shares, len(shapes)),
            ("inputs", inputs, self._sizes[0]),
            ("outputs", outputs, self._sizes[-1]),
            ("activations", activations, len(shapes)),
        ):
            if given is not None and len(given) != n:
                raise ShapeError(f"{name} has {len(given)} entries, expected {n}")
        self._check_shapes()

    def _check_shapes(self) -> None:
        """Raise ShapeError if biases, gradients or shares do not go with the weights of their layer."""
        gradients = self.parameters if self.gradients is None else self.gradients
        for i, ((W, b), (d_W, d_b)) in enumerate(zip(self.parameters, gradients, strict=True)):
            units = W.shape[1:]
            check_shape(f"parameters[{i}][1]", b, units if b.size else (0,))
            check_shape(f"gradients[{i}][0]", d_W, W.shape)
            check_shape(f"gradients[{i}][1]", d_b, b.shape)
            if self.unit_shares is not None:
                check_shape(f"unit_shares[{i}]", self.unit_shares[i], units)

    @classmethod
    def from_network(
        cls,
        net: Network,
        X: Inputs | None = None,
        y: ArrayLike | None = None,
        *,
        ax: Axes | None = None,
    ) -> Self:
        """Draw a network, and with data also the blame: the derivative of the loss by each weight.

        Parameters
        ----------
        net : Network
            It has at most 64 inputs, 64 units in each layer, and 8 layers. It does not change.
        X, y : array_like, or sparse for X, optional
            Inputs (n, n_in) and targets as for `fit`.
        ax : matplotlib Axes, optional
            Where to draw; panels take their place. Default: on a new figure.

        Returns
        -------
        NetworkDisplay

        Raises
        ------
        ParameterError, ShapeError, DTypeError, DataError
            An argument is not as above, or as for `evaluate`; only one of X and y is given.
        """
        arguments.check_pair("X", X, "y", y)
        probe = Probe(net)
        layers = probe.layers
        _check_size([layers[0].n_in, *(layer.n_out for layer in layers)])
        shares = None if X is None or y is None else blame(net, X, y)
        return cls(
            split(probe.parameters, layers),
            gradients=None if shares is None else split(shares.gradient, layers),
            unit_shares=None if shares is None else shares.unit_shares,
            inputs=input_names(layers, net.feature_names),
            outputs=net.class_names,
            activations=[str(layer.activation) for layer in layers],
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on these axes, or on a new figure, and return the display.

        If there are gradients, two panels take the place of the axes.
        """
        n_panels = 1 if self.gradients is None else 2
        panels = self._panels(ax, 1, n_panels, (1 + 5.2 * n_panels, 4.8))
        for axes, title in zip(panels, TITLES, strict=False):
            axes.set_title(title)
            axes.axis("off")
        root = self.figure_.figure
        if layout := root.get_layout_engine():
            layout.execute(root)  # so that the panels have the size that they will have
        self._draw(panels[0], "w", self.parameters)
        if self.gradients is not None:
            self._draw(panels[1], "dJ/dw", self.gradients, self.unit_shares)
        return self

    # ---- one panel

    def _draw(self, axes: Axes, symbol: str, numbers: Pairs, shares: Sequence[Array] | None = None) -> None:
        """Draw the graph with these numbers as lines, and with shares of the units as their fill."""
        scale, span = self._fit(axes)
        columns = self._columns(span)
        spacing = scale * min(column.spacing for column in columns)
        _draw_lines(axes, *_lines(columns, numbers), symbol, spacing, is_share=symbol != "w")
        for number, column in enumerate(columns):
            of_units = None if shares is None or number == 0 else shares[number - 1]
            _draw_units(axes, column, scale, of_units)
        names = ["inputs", *(self.activations or [""] * len(numbers))]
        for column, name in zip(columns, names, strict=True):
            axes.text(column.places[0, 0], -0.07, plain(name, LONGEST), ha="center", va="top")
        _name(axes, columns[0], self.inputs, -1)
        _name(axes, columns[-1], self.outputs, 1)

    def _fit(self, axes: Axes) -> tuple[float, float]:
        """Set the range of the axes, with room for names and the legend.

        Returns
        -------
        float
            Points per unit of the axes, the same in both directions.
        float
            Width of the graph, from the first to the last units, in units of the axes.
        """
        before, after = (
            LETTER * max((len(plain(name, LONGEST)) for name in names or ()), default=0)
            for names in (self.inputs, self.outputs)
        )
        box = axes.get_window_extent()
        points = 72 / self.figure_.dpi
        width, height = box.width * points, box.height * points
        free = max(width - before - after, 1)
        scale = max((height - LEGEND) / 1.1, 1.0)
        span = min(max(free / scale - 0.2, WIDTHS[0]), WIDTHS[1])
        scale = min(scale, free / (span + 0.2))
        x = (span + (after - before) / scale) / 2  # the middle
        y = (0.94 - LEGEND / scale) / 2
        axes.set_xlim(x - width / scale / 2, x + width / scale / 2)
        axes.set_ylim(y - height / scale / 2, y + height / scale / 2)
        axes.set_aspect("equal")
        return scale, span

    def _columns(self, span: float) -> list[_Column]:
        """Return the places of all units, in columns over this width."""
        columns, first = [], 1
        for i, n in enumerate(self._sizes):
            spacing = 1 / max(n, min(3, max(self._sizes)))
            x = np.full(n, span * i / (len(self._sizes) - 1))
            y = 0.5 + spacing * ((n - 1) / 2 - np.arange(n))
            columns.append(_Column(np.column_stack([x, y]), first, spacing, min(0.06, 0.3 * spacing)))
            first += n
        return columns


class _Column(NamedTuple):
    """The units of a layer: places (n, 2), the number of the first one, their distance and radius."""

    places: Array
    first: int
    spacing: float
    radius: float


def _doubles(argument: str, pairs: Sequence[tuple[ArrayLike, ArrayLike]]) -> list[tuple[Array, Array]]:
    """Return the numbers of the weights and biases of each layer as arrays."""
    return [
        (as_doubles(f"{argument}[{i}][0]", W), as_doubles(f"{argument}[{i}][1]", b))
        for i, (W, b) in enumerate(pairs)
    ]


def _check_size(sizes: Sequence[int]) -> None:
    """Raise ParameterError unless layers of these sizes, inputs first, can be drawn."""
    n_layers = max(len(sizes) - 1, 0)
    if not 1 <= n_layers <= MOST_LAYERS:
        raise ParameterError(f"the network has {n_layers} layers, expected 1 to {MOST_LAYERS} to draw")
    if max(sizes) > MOST_UNITS:
        what = "inputs" if sizes[0] > MOST_UNITS else f"units in layers[{np.argmax(sizes)}]"
        n = sizes[0] if sizes[0] > MOST_UNITS else max(sizes)
        raise ParameterError(f"the network has {n:,} {what}, expected at most {MOST_UNITS} to draw")


def _lines(columns: Sequence[_Column], numbers: Pairs) -> tuple[Array, Array]:
    """Return the lines (m, 2, 2) of all weights and biases, from circle to circle, and their numbers."""
    lines, values = [], []
    for (before, after), (W, b) in zip(pairwise(columns), numbers, strict=True):
        n_in, n_out = W.shape
        starts, ends = before.places.copy(), after.places.copy()
        starts[:, 0] += before.radius
        ends[:, 0] -= after.radius
        lines.append(np.stack([np.repeat(starts, n_out, axis=0), np.tile(ends, (n_in, 1))], axis=1))
        above = np.array([0, after.radius])
        lines.append(np.stack([after.places + 2.2 * above, after.places + above], axis=1)[: len(b)])
        values += [np.ravel(W), b]
    return np.concatenate(lines), np.concatenate(values)


def _draw_lines(axes: Axes, lines: Array, values: Array, symbol: str, spacing: float, is_share: bool) -> None:
    """Draw lines as wide as their numbers are large, the largest ones on top, and say what they mean.

    `spacing` is the least distance of units in points; `is_share` tells whether the sum of the sizes matters.
    """
    finite = np.isfinite(values)
    sizes = np.where(finite, np.abs(values), 0)
    largest = sizes.max()
    order = np.argsort(np.where(finite, sizes, np.inf), kind="stable")[-MOST_LINES:]
    order = order[values[order] != 0]
    signs = [SIGNS[0 if value > 0 else 1] if np.isfinite(value) else SIGNS[2] for value in values[order]]
    relative = np.where(finite, sizes / (largest or 1), 0.3)[order]
    faintest = min(0.45, 60 / max(order.size, 1))  # many faint lines add up
    opacity = faintest + (1 - faintest) * relative
    collection = LineCollection(
        list(lines[order]),
        colors=[to_rgba(color, alpha) for (color, _, _), alpha in zip(signs, opacity.tolist(), strict=True)],
        linestyles=[dashes for _, dashes, _ in signs],
        linewidths=0.3 + min(4, 0.8 * spacing) * relative,
    )
    axes.add_collection(collection)
    title = f"widest line: |{symbol}| = {largest:.3g}"
    if is_share:
        title += f", {largest / (sizes.sum() or 1):.0%} of all"
    if values.size > MOST_LINES:
        title += f"; the {MOST_LINES} largest of {values.size:,}"
    handles = [
        Line2D([], [], color=sign[0], linestyle=sign[1], label=f"{symbol} {sign[2]}")
        for sign in SIGNS
        if sign in signs
    ]
    legend = axes.legend(handles=handles, loc="lower center", ncols=3, frameon=False, title=title)
    legend.set_in_layout(False)  # `_fit` has made room for it; a narrow panel would become a narrower one


def _draw_units(axes: Axes, column: _Column, scale: float, shares: Array | None) -> None:
    """Draw units with their numbers, and with their shares where these are known."""
    circles = PatchCollection([Circle((x, y), column.radius) for x, y in column.places], zorder=3)
    circles.set(edgecolor=ink(), facecolor="none")
    if shares is not None:
        known = np.nan_to_num(shares)
        circles.set_facecolor(list(sequential(PURPLE)(FULL * known / (known.max() or 1))))
    axes.add_collection(circles)
    size = min(9.0, 1.1 * column.radius * scale)
    if len(column.places) > FEW or size < SMALLEST:
        return
    look: dict[str, Any] = {"ha": "center", "zorder": 4}
    for j, (x, y) in enumerate(column.places):
        axes.text(x, y, f"{column.first + j}", va="center_baseline", fontsize=size, **look)
        if shares is not None:
            below = y - 1.15 * column.radius
            axes.text(x, below, f"{shares[j]:.0%}", va="top", fontsize=min(8.0, size), **look)


def _name(axes: Axes, column: _Column, names: Sequence[str] | None, side: int) -> None:
    """Write names to the left (-1) or to the right (1) of units; of many, the first and the last one."""
    named = list(zip(names, column.places, strict=True)) if names is not None else []
    for name, (x, y) in named if len(named) <= FEW else (named[0], named[-1]):
        x += side * (column.radius + 0.02)
        align = "right" if side < 0 else "left"
        axes.text(x, y, plain(name, LONGEST), ha=align, va="center", fontsize=9)
