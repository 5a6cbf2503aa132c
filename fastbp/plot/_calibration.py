"""`CalibrationDisplay`: whether events are as frequent as a network says."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.arrays import as_doubles
from fastbp._base.sparse import Inputs
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.losses import GaussianNLL, Quantiles
from fastbp.losses._answers import Answers, Argmax, AtLeastHalf
from fastbp.network import Network
from fastbp.plot._answers import answered, check_classes, class_names, reading
from fastbp.plot._display import Display
from fastbp.plot._style import BLUE, GREY, dress
from fastbp.plot._text import plain

Array: TypeAlias = NDArray[np.float64]
Kind: TypeAlias = Literal["event", "class", "quantile"]

LEVELS = np.arange(1, 10) / 10  # of the quantiles of a normal distribution
NARROW = 3.6  # inches; narrower axes have a legend of one column

#: Labels of the axes.
LABELS: dict[str, tuple[str, str]] = {
    "event": ("predicted probability", "observed share"),
    "class": ("probability of the predicted class", "share of right predictions"),
    "quantile": ("level of the predicted quantile", "share of targets below it"),
}


class CalibrationDisplay(Display):
    """Reliability diagram: predicted probabilities against how often the events came true.

    A network is calibrated if, of all predictions of 80 %, 80 % come true: then all points are on the
    diagonal. Below it the probabilities are too high, above it too low. Look at data that the network was
    not trained on.

    Parameters
    ----------
    predicted, observed : array_like, shape (k,)
        Mean predicted probability and share of events of each of k bins of equal width from 0 to 1; NaN in
        empty bins. Or k levels of quantiles, and the shares of the targets below them.
    counts : array_like, shape (k,)
        Number of predictions in each bin, or sums of their weights.
    kind : "event", "class" or "quantile"
        What is predicted: the probability of an event, that of the most probable class, or quantiles.
    event : str, optional
        Name of the event.

    Attributes
    ----------
    predicted, observed, counts : array, shape (k,)
    kind : str
    event : str or None

    Raises
    ------
    ParameterError, ShapeError, DataError
        An argument is not as above, or all bins are empty.

    References
    ----------
    M. P. Naeini, G. F. Cooper and M. Hauskrecht, Obtaining well calibrated probabilities using Bayesian
    binning, 2015. C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, On calibration of modern neural networks,
    2017.
    """

    def __init__(
        self,
        predicted: ArrayLike,
        observed: ArrayLike,
        counts: ArrayLike,
        *,
        kind: Kind = "event",
        event: str | None = None,
    ) -> None:
        arguments.choice("kind", kind, LABELS)
        self.predicted, self.observed, self.counts = (
            as_doubles(name, value)
            for name, value in (("predicted", predicted), ("observed", observed), ("counts", counts))
        )
        for name in ("predicted", "observed", "counts"):
            shape = getattr(self, name).shape
            if len(shape) != 1 or shape != self.counts.shape:
                raise ShapeError(f"{name} has shape {shape}, expected (k,) as predicted, observed and counts")
        if not ((self.counts >= 0).all() and 0 < self.counts.sum() < np.inf):
            raise DataError("counts has a negative or infinite number or only 0, expected numbers >= 0")
        self.kind, self.event = kind, event

    @classmethod
    def from_network(
        cls,
        net: Network,
        X: Inputs,
        y: ArrayLike,
        *,
        n_bins: int = 10,
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Compare what a network predicts with what is true, and draw it.

        - One sigmoid output, or two softmax outputs: the probability of "yes", or of the second class.
        - Several sigmoid outputs: all answers together.
        - Three softmax outputs or more: the probability of the class that is predicted, the largest.
        - The losses `Quantiles` and `GaussianNLL`: the quantiles; of normal distributions 0.1, 0.2, ... 0.9.

        Parameters
        ----------
        net : Network
        X, y : array_like, or sparse for X
            Inputs and targets as for `Network.evaluate`. Unknown targets are left out.
        n_bins : int, 1 to 1000
            Number of bins of equal width.
        sample_weight : array_like, shape (n,) or (n, n_targets), optional
            Weights as for `Network.evaluate`.
        ax : matplotlib Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        CalibrationDisplay

        Raises
        ------
        ParameterError
            The network predicts neither probabilities nor quantiles.
        DataError
            An output is NaN. Other errors as for `Network.evaluate`.
        """
        n_bins = arguments.integer("n_bins", n_bins, at_least=1, below=1001)
        answers = reading(net)
        if isinstance(answers, (Argmax, AtLeastHalf)):
            return cls._of_probabilities(net, answers, X, y, n_bins, sample_weight).plot(ax)
        if isinstance(net.loss, (GaussianNLL, Quantiles)):
            return cls._of_quantiles(net, X, y, sample_weight).plot(ax)
        raise ParameterError(
            f"net has the loss {net.loss.name!r} and the output activation "
            f"{net.layers[-1].activation.name!r}, expected softmax or sigmoid outputs, or the loss "
            "Quantiles or GaussianNLL"
        )

    @classmethod
    def _of_probabilities(
        cls, net: Network, answers: Answers, X: Inputs, y: ArrayLike, n_bins: int, sample_weight: Any
    ) -> Self:
        found = answered(net, X, y, sample_weight)
        check_classes(answers, found)
        outputs, targets, weights = found
        kind: Kind = "event"
        if isinstance(answers, Argmax) and outputs.shape[1] > 2:
            kind = "class"
            p, came_true = outputs.max(axis=1), answers.read(outputs) == answers.read(targets)
        elif isinstance(answers, Argmax):
            p, came_true = outputs[:, 1], targets if targets.ndim == 1 else targets[:, 1]
        else:
            p, came_true = outputs, targets.reshape(outputs.shape)
        w = np.broadcast_to(weights, outputs.shape) if p.ndim == 2 else weights.mean(axis=1)
        several = p.ndim == 2 and p.shape[1] > 1
        event = None if several or kind == "class" else class_names(net, answers)[1]
        return cls(*_binned(p.ravel(), came_true.ravel(), w.ravel(), n_bins), kind=kind, event=event)

    @classmethod
    def _of_quantiles(cls, net: Network, X: Inputs, y: ArrayLike, sample_weight: Any) -> Self:
        outputs, targets, weights = answered(net, X, y, sample_weight)
        if isinstance(net.loss, Quantiles):
            levels, quantiles = np.array(net.loss.quantiles), net.loss.split(outputs)
        else:
            assert isinstance(net.loss, GaussianNLL)
            mean, std = net.loss.mean_and_std(outputs)
            z = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
            levels, quantiles = LEVELS, mean[..., None] + std[..., None] * z
        targets = targets.reshape(*quantiles.shape[:2], 1)
        weights = np.broadcast_to(weights[..., None], targets.shape)
        below = np.where(weights > 0, weights * (targets <= quantiles), 0)  # (m, n_targets, k)
        observed = below.sum(axis=(0, 1)) / weights.sum()
        return cls(levels, observed, np.full(len(levels), weights.sum()), kind="quantile")

    @property
    def error(self) -> float:
        """The expected calibration error: the mean of |observed - predicted|, weighted by the counts."""
        drawn = self.counts > 0
        distances = np.abs(self.observed - self.predicted)[drawn]
        return float(np.average(distances, weights=self.counts[drawn]))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the points, the diagonal, and for bins the shares of the predictions in them.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        CalibrationDisplay
        """
        ax = self._axes(ax, (5.4, 5))
        drawn = self.counts > 0
        x, y = self.predicted[drawn], self.observed[drawn]
        ax.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="calibrated")
        ax.vlines(x, x, y, color=BLUE, linewidth=1)
        what, share = LABELS[self.kind]
        ax.plot(x, y, color=BLUE, marker="o", markersize=4, linewidth=1, label="observed")
        if self.kind != "quantile":
            edges = np.linspace(0, 1, len(self.counts) + 1)
            parts = self.counts / self.counts.sum()
            ax.scatter(x, y, 16 + 120 * parts[drawn], color=BLUE, clip_on=False)  # larger where more is known
            ax.bar(
                edges[:-1],
                parts,
                np.diff(edges),
                align="edge",
                color=GREY,
                alpha=0.3,
                edgecolor=GREY,
                label="share of the predictions",
            )
        event = "" if self.event is None else f" of {plain(self.event)}"
        ax.set(xlabel=what + event, ylabel=share, xlim=(0, 1), ylim=(0, 1.02))
        expected = "" if self.kind == "quantile" else "expected "
        ax.set_title(f"{expected}calibration error {self.error:.3f}")
        columns = 3 if ax.bbox.width > NARROW * ax.figure.dpi else 1
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=columns, frameon=False)
        dress(ax)
        return self


def _binned(p: Array, came_true: Array, w: Array, n_bins: int) -> tuple[Array, Array, Array]:
    """Return mean probability, share of events and number of predictions of each bin, with weights w."""
    bins = np.clip((p * n_bins).astype(np.intp), 0, n_bins - 1)

    def sums(values: Array) -> Array:
        return np.bincount(bins, np.where(w > 0, values, 0), minlength=n_bins).astype(np.float64)

    counts = sums(w)
    with np.errstate(invalid="ignore"):  # NaN for empty bins
        return sums(w * p) / counts, sums(w * came_true) / counts, counts
