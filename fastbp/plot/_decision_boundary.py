"""`DecisionBoundaryDisplay`: what a network of two inputs answers where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.arrays import as_array, as_doubles, check_shape
from fastbp._base.sparse import Inputs, dense
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.inspect._names import input_names
from fastbp.inspect._probe import Probe
from fastbp.losses._answers import Answers, Argmax, Sign
from fastbp.network import Network
from fastbp.plot._answers import Answered, check_classes, class_names, reading
from fastbp.plot._display import Display
from fastbp.plot._plane import BOX, COLORS, DARK, LIGHT, Scale, draw_bar, draw_values, extent_of
from fastbp.plot._style import GREY, SERIES, ink
from fastbp.plot._text import plain

Doubles: TypeAlias = NDArray[np.float64]

#: Color and marker of each class.
CLASSES = (
    *((color, marker) for color, _, marker in SERIES),
    ("#7570B3", "v"),
    ("#A6761D", "P"),
    ("#66A61E", "X"),
    ("#E7298A", "<"),
    (GREY, ">"),
    ("#4DA6C9", "*"),
)
PALEST, FULLEST = 0.1, 0.6  # how much of its color a region shows where the margin is 0, and 1
SURE = 0.5  # margin of the dashed lines
MARGIN = 0.08  # around the rows, as a part of their range
LONGEST = 14  # name of a class
MANY = 500  # points that are drawn one by one


class DecisionBoundaryDisplay(Display):
    """What a network of two inputs answers where: regions of classes, or the output as a landscape.

    Parameters
    ----------
    a, b : array_like, shape (na,) and (nb,), at least two numbers each
        The first input of the columns, and the second input of the rows of a grid.
    response : array_like, shape (nb, na)
        Without classes the output. With classes the margin, 0 to 1, by which the class at a point wins: its
        probability less that of the next class. Of hinge it is the magnitude of the output, at most 1.
    classes : array_like of int, shape (nb, na), optional
        The class at each point, as an index into `class_names`.
    names : (str, str)
        Names of the inputs.
    class_names : sequence of 2 to 10 str
        Names of the classes.
    X : array_like, shape (n, 2), optional
        Rows to draw as points.
    y : array_like, shape (n,), optional
        The target of each row: a number, or the index of a class.

    Attributes
    ----------
    a, b, response, classes, names, class_names, X, y
        The parameters of the same names.

    Raises
    ------
    ShapeError, DTypeError
        The arrays do not fit together, or do not hold numbers.
    """

    def __init__(
        self,
        a: ArrayLike,
        b: ArrayLike,
        response: ArrayLike,
        classes: ArrayLike | None = None,
        *,
        names: tuple[str, str] = ("x1", "x2"),
        class_names: Sequence[str] = (),
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
    ) -> None:
        self.a, self.b, self.response = (
            as_doubles("a", a),
            as_doubles("b", b),
            as_doubles("response", response),
        )
        self.classes = None if classes is None else as_array("classes", classes).astype(np.intp)
        self.names, self.class_names = names, tuple(class_names)
        self.X = None if X is None else as_array("X", X)
        self.y = None if y is None else as_array("y", y)
        grid, rows = (self.b.size, self.a.size), () if self.X is None else self.X.shape[:1]
        check_shape("response", self.response, grid)
        check_shape("classes", self.classes, grid)
        check_shape("X", self.X, (*rows, 2))
        check_shape("y", self.y, rows)

    @classmethod
    def from_network(
        cls,
        net: Network,
        X: Inputs,
        y: ArrayLike | None = None,
        *,
        resolution: int = 201,
        ax: Axes | None = None,
    ) -> Self:
        """Compute the outputs of a network on a grid around the rows of X, and draw them.

        Parameters
        ----------
        net : Network
            It has two inputs, and softmax outputs (at most 10), one sigmoid output, one output with the loss
            hinge, or one output that is a number. With the losses `GaussianNLL` and `Quantiles`, the mean or
            the median is drawn. It does not change.
        X : array_like or sparse, shape (n, 2)
            Rows that tell which part of the plane to draw; they are drawn as points.
        y : array_like, optional
            Targets as for `fit`. With them, points are colored by their targets, and those of each class have
            a marker of their own. Rows with an unknown target are left out.
        resolution : int, 2 to 2000
            Number of points of the grid along each axis.
        ax : matplotlib Axes, optional
            Where to draw. Default: on a new figure.

        Returns
        -------
        DecisionBoundaryDisplay

        Raises
        ------
        ParameterError
            The network does not have two inputs, or its outputs are not as above; or another argument is not.
        ShapeError, DTypeError, DataError
            X or y is not as for `evaluate`, or an output is NaN.
        """
        probe = Probe(net)
        if (n_in := probe.layers[0].n_in) != 2:
            raise ParameterError(f"net has n_in = {n_in} inputs, expected 2, one per axis")
        resolution = arguments.integer("resolution", resolution, at_least=2, below=2001)
        answers = reading(net)
        names: tuple[str, ...] = ()
        if answers is not None:
            names = class_names(net, answers)
            if not 2 <= len(names) <= len(CLASSES):
                raise ParameterError(f"net has {len(names)} classes, expected 2 to {len(CLASSES)}")
        elif probe.architecture.n_targets != 1:
            raise ParameterError(
                f"net has {probe.architecture.n_targets} outputs that are numbers, expected one"
            )
        rows, targets = (dense(probe.inputs(X)), None) if y is None else _points(net, X, y, answers)
        a, b = (_axis(column, resolution) for column in rows.T)
        grid = np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)
        outputs = np.asarray(net.loss.estimate(net.predict(grid)), np.float64)
        if np.isnan(outputs).any():
            raise DataError("the outputs around the rows of X are NaN at some points, expected numbers")
        shape = (resolution, resolution)
        classes = None if answers is None else answers.read(outputs).astype(np.intp).reshape(shape)
        response = outputs if answers is None else _margins(answers, outputs)
        first, second = input_names(probe.layers, net.feature_names)
        return cls(
            a,
            b,
            response.reshape(shape),
            classes,
            names=(first, second),
            class_names=names,
            X=rows,
            y=targets,
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the answers.

        Each class has a color, which is the fuller the larger the margin is, and solid lines between it and
        the others; on the dashed lines the margin is 0.5. Without targets, the regions bear the names of the
        classes. Without classes, the colors and contour lines are those of the output.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. Default: on a new figure.

        Returns
        -------
        DecisionBoundaryDisplay
            The display itself.
        """
        axes = self._axes(ax)
        if self.classes is None:
            self._draw_output(axes)
        else:
            self._draw_regions(axes, self.classes)
            self._draw_classes(axes, self.classes)
        if self.X is not None and self.y is None:
            edge: dict[str, Any] = {"markeredgecolor": DARK, "markeredgewidth": 0.4}
            axes.plot(*self.X.T, "o", color=LIGHT, markersize=3, rasterized=len(self.X) > MANY, **edge)
        first, second = (plain(name, 40) for name in self.names)
        axes.set(xlim=self.a[[0, -1]], ylim=self.b[[0, -1]], xlabel=first, ylabel=second)
        return self

    def _draw_output(self, axes: Axes) -> None:
        """Draw the output as colors with contour lines, and the targets in the same colors."""
        scale = Scale(float(self.response.min()), float(self.response.max()), False)
        colors = draw_values(axes, self.a, self.b, self.response, scale)
        draw_bar([axes], colors, scale, "output")
        if self.X is not None and self.y is not None:
            axes.scatter(
                self.X[:, 0],
                self.X[:, 1],
                c=self.y,
                cmap=COLORS,
                norm=scale.norm,
                **_points_style(len(self.X)),
            )

    def _draw_regions(self, axes: Axes, classes: NDArray[np.intp]) -> None:
        """Draw the regions of the classes, and the lines between them."""
        colors = np.array([to_rgb(color) for color, _ in CLASSES])[classes]
        fullness = PALEST + (FULLEST - PALEST) * self.response
        axes.imshow(
            np.dstack([colors, fullness]),
            origin="lower",
            extent=extent_of(self.a, self.b),
            aspect="auto",
            interpolation="nearest",
        )
        for index in np.unique(classes):
            signed = np.where(classes == index, self.response, -self.response)  # 0 where another one begins
            for level, width, dashes in ((0, 1.5, "-"), (SURE, 0.7, "--")):
                if signed.min() < level < signed.max():
                    line: dict[str, Any] = {"colors": [ink()], "linewidths": width, "linestyles": dashes}
                    axes.contour(self.a, self.b, signed, levels=[level], **line)

    def _draw_classes(self, axes: Axes, classes: NDArray[np.intp]) -> None:
        """Draw the points of each class with a legend, or its name in its region."""
        if self.X is None or self.y is None:
            for index in np.unique(classes):
                i, j = _inmost(classes == index)
                name = plain(self.class_names[index], LONGEST)
                axes.text(self.a[j], self.b[i], name, color=LIGHT, bbox=BOX, ha="center", va="center")
            return
        handles = [
            axes.scatter(
                self.X[self.y == index, 0],
                self.X[self.y == index, 1],
                color=color,
                marker=marker,
                **_points_style(len(self.X)),
            )
            for index, (color, marker) in enumerate(CLASSES[: len(self.class_names)])
        ]
        labels = [plain(name, LONGEST) for name in self.class_names]
        axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _points_style(n: int) -> dict[str, Any]:
    """Return how n points look, on light and dark pages alike; many are small, and one image in an SVG."""
    size = {"s": 10, "linewidths": 0.4, "rasterized": True} if n > MANY else {"s": 28, "linewidths": 0.7}
    return {"edgecolors": LIGHT, **size}


def _points(
    net: Network, X: Inputs, y: ArrayLike, answers: Answers | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the rows (m, 2) whose targets are known, and these (m,): class indices or numbers."""
    examples = Probe(net).examples(X, y)
    known = examples.w.any(axis=1)
    rows, targets, weights = dense(examples.X)[known], examples.y[known], examples.w[known]
    if answers is not None:
        check_classes(answers, Answered(net.predict(rows), targets, weights))
        targets = answers.read(targets).astype(np.intp)
    elif targets.size != len(rows):
        raise ShapeError(f"y has shape {examples.y.shape}, expected one number per row")
    return rows, targets.reshape(-1)


def _axis(column: NDArray[Any], resolution: int) -> Doubles:
    """Return the coordinates of a grid around the numbers of a column."""
    low, high = float(column.min()), float(column.max())
    least = 1e-9 * max(abs(low), abs(high))  # so that the numbers of the grid differ
    margin = max(MARGIN * (high - low) or 1.0, least)
    return np.linspace(low - margin, high + margin, resolution)


def _margins(answers: Answers, outputs: Doubles) -> Doubles:
    """Return by how much the class of each row of outputs (m, n_out) wins, 0 to 1; see the class."""
    if isinstance(answers, Argmax):
        second, first = np.partition(outputs, -2, axis=1)[:, -2:].T
        return np.asarray(np.clip(first - second, 0, 1))
    magnitude = np.abs(outputs[:, 0] if isinstance(answers, Sign) else 2 * outputs[:, 0] - 1)
    return np.asarray(np.minimum(magnitude, 1))


def _inmost(region: NDArray[np.bool_]) -> tuple[int, int]:
    """Return row and column of a point in a region (nb, na) that is far from its edges."""
    inner = region
    while inner.any():
        region = inner
        padded = np.pad(region, 1)
        inner = region & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    rows, columns = region.nonzero()
    middle = len(rows) // 2
    return int(rows[middle]), int(columns[middle])
