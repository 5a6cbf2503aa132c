"""`ResidualsDisplay`: predictions of a regression against what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import as_doubles
from fastbp._base.sparse import Inputs
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.metrics import r2
from fastbp.network import Network
from fastbp.plot._answers import answered, names_of
from fastbp.plot._display import Display
from fastbp.plot._style import GREY, SERIES, dress
from fastbp.plot._text import plain

Array: TypeAlias = NDArray[np.float64]

MANY = 500  # points; more of them are drawn as pixels, or a file of vectors would be large


class ResidualsDisplay(Display):
    """Predicted against true targets, and the residuals, true minus predicted, against the predictions.

    Points beside the diagonal are errors. Residuals that lie on a curve, or fan out, show what the network
    has not learned, or that the noise depends on the target.

    Parameters
    ----------
    predicted, true : array_like, shape (n, n_targets), or (n,) for one target
        Numbers in the units of the data. A true number that is NaN is unknown, and left out.
    names : sequence of str, optional
        Names of the targets. Default: "target", or "target 1", "target 2", ...
    weights : array_like, shape (n,) or (n, n_targets), optional
        Weights >= 0 for the numbers in the title. Points with the weight 0 are left out.

    Attributes
    ----------
    predicted, true, weights : array, shape (n, n_targets)
        The weight of what is unknown is 0.
    names : tuple of str

    Raises
    ------
    ParameterError, ShapeError, DataError
        The shapes or names do not fit, there are no points, or a prediction is infinite or NaN.
    """

    def __init__(
        self,
        predicted: ArrayLike,
        true: ArrayLike,
        names: Sequence[str] | None = None,
        weights: ArrayLike | None = None,
    ) -> None:
        self.predicted, self.true = _columns("predicted", predicted), _columns("true", true)
        shape = self.predicted.shape
        if self.true.shape != shape:
            raise ShapeError(f"true has shape {self.true.shape}, expected {shape} as predicted has")
        given = np.ones(shape) if weights is None else _columns("weights", weights)
        if given.shape not in (shape, (shape[0], 1)):
            raise ShapeError(f"weights has shape {given.shape}, expected {shape[:1]} or {shape}")
        self.weights: Array = np.where(np.isnan(self.true), 0, np.broadcast_to(given, shape))
        if not ((self.weights >= 0).all() and np.isfinite(self.weights).all() and self.weights.any()):
            raise DataError("weights has negative or infinite numbers, or no point has one above 0")
        if not np.isfinite(self.predicted[self.weights > 0]).all():
            raise DataError("predicted has NaN or infinite numbers, expected finite numbers to plot")
        n = shape[1]
        default = ("target",) if n == 1 else tuple(f"target {j + 1}" for j in range(n))
        self.names = default if names is None else names_of("target", names, n)

    @classmethod
    def from_network(
        cls,
        net: Network,
        X: Inputs,
        y: ArrayLike,
        *,
        names: Sequence[str] | None = None,
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Predict the targets, and draw them.

        Of `GaussianNLL` it takes the means, of `Quantiles` the quantile nearest to the median.

        Parameters
        ----------
        net : Network
            A network that predicts numbers.
        X, y : array_like, or sparse for X
            Inputs and targets as for `Network.evaluate`.
        names : sequence of str, optional
            Names of the targets.
        sample_weight : array_like, shape (n,) or (n, n_targets), optional
            Weights as for `Network.evaluate`.
        ax : matplotlib Axes, optional
            What the two panels take the place of. Default: a new figure.

        Returns
        -------
        ResidualsDisplay

        Raises
        ------
        ParameterError
            The outputs of the network are classes or probabilities.
        DataError
            An output is NaN. Other errors as for `Network.evaluate`.
        """
        if isinstance(net, Network) and net.loss.answers is not None:
            raise ParameterError(
                f"net has the loss {net.loss.name!r}, expected one of numbers: ConfusionMatrixDisplay shows "
                "classes"
            )
        found = answered(net, X, y, sample_weight)
        return cls(net.loss.estimate(found.outputs), found.targets, names, found.weights).plot(ax)

    @property
    def rmse(self) -> Array:
        """The root of the mean squared residual of each target, (n_targets,); NaN if all are unknown."""
        squares = np.where(self.weights > 0, self.weights * np.square(self.true - self.predicted), 0)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(squares.sum(axis=0) / self.weights.sum(axis=0)))

    @property
    def r2(self) -> Array:
        """The coefficient of determination of each target, (n_targets,); NaN if all are unknown."""
        columns = zip(self.predicted.T, self.true.T, self.weights.T, strict=True)
        return np.array([r2(h, t, w) if w.any() else np.nan for h, t, w in columns])

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw both panels, a line of them for each target; of more than four targets, the first four.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            What the panels take the place of. Default: a new figure.

        Returns
        -------
        ResidualsDisplay
        """
        n = min(self.predicted.shape[1], len(SERIES))
        panels = self._panels(ax, n, 2, (9.6, 1.2 + 3.2 * n))
        for j, (color, _, marker) in zip(range(n), SERIES, strict=False):
            left, right = panels[2 * j : 2 * j + 2]
            counts = self.weights[:, j] > 0
            h, t = self.predicted[counts, j], self.true[counts, j]
            are_many = len(h) > MANY
            style: dict[str, Any] = {
                "linestyle": "none",
                "marker": marker,
                "color": color,
                "markersize": 4 if are_many else 5,
                "alpha": float(np.clip(20 / np.sqrt(len(h) + 1), 0.15, 0.7)),
                "markeredgewidth": 0,
                "rasterized": are_many,
            }
            left.plot(h, t, **style)
            right.plot(h, t - h, **style)
            ends = [min(h.min(), t.min()), max(h.max(), t.max())] if len(h) else []
            left.plot(ends, ends, color=GREY, linestyle="--", zorder=1)
            right.axhline(0, color=GREY, linestyle="--", zorder=1)
            name = plain(self.names[j])
            left.set(xlabel=f"predicted {name}", ylabel=f"true {name}")
            left.set_title(f"RMSE {self.rmse[j]:.3g}, R² {self.r2[j]:.3f}")
            right.set(xlabel=f"predicted {name}", ylabel="true - predicted", title="residuals")
            dress(left)
            dress(right)
        return self


def _columns(argument: str, values: ArrayLike) -> Array:
    """Return numbers as float64 (n, columns), n >= 1."""
    array = as_doubles(argument, values)
    if array.ndim not in (1, 2) or array.size == 0:
        raise ShapeError(f"{argument} has shape {array.shape}, expected (n, n_targets) or (n,)")
    return array.reshape(len(array), -1)
