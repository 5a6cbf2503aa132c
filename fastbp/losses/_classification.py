"""Losses of classes: cross entropies and the hinge loss."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastbp._base.arguments import number
from fastbp.exceptions import DataError, ShapeError
from fastbp.losses._base import LOWEST_DENOMINATOR, LOWEST_LOG, Array, Divisor, SumLoss, as_rows


class Hinge(SumLoss):
    """The margin loss of classes y = -1 and 1: the mean of max(0, 1 - y h) over samples and outputs.

    The sign of h tells the class. The slope at y h = 1 counts as 0.

    References
    ----------
    C. Cortes and V. Vapnik, Support-vector networks, 1995.
    """

    name: ClassVar[str] = "hinge"

    def terms(self, h: Array, t: Array) -> Array:
        return np.maximum(1 - t * h, 0)

    def slopes(self, h: Array, t: Array) -> Array:
        margin = t * h
        return np.where(margin < 1, -t, np.where(margin >= 1, 0, h))


class BinaryCrossEntropy(SumLoss):
    """Cross entropy of independent yes/no outputs: the mean of -(y log h + (1 - y) log(1 - h)).

    One output tells two classes apart. Several are questions of their own, so that a row may have any number
    of labels: one column a label.
    """

    name: ClassVar[str] = "binary_cross_entropy"

    def terms(self, h: Array, t: Array) -> Array:
        yes: Array = np.maximum(np.log(h), LOWEST_LOG)
        no: Array = np.maximum(np.log1p(-h), LOWEST_LOG)
        return -(t * yes + (1 - t) * no)

    def slopes(self, h: Array, t: Array) -> Array:
        variance: Array = np.maximum(h * (1 - h), LOWEST_DENOMINATOR)
        return (h - t) / variance


class CrossEntropy(SumLoss):
    """Cross entropy of one class out of n_out: the mean of -sum_j s_j log h_j over the samples.

    The target is an integer label a row, or a row of probabilities y; s = (1 - label_smoothing) y +
    label_smoothing / n_out.

    Parameters
    ----------
    label_smoothing : float, >= 0 and < 1
        The share of every target that is spread over all classes, so that no logit is driven to infinity.

    References
    ----------
    C. Szegedy et al., Rethinking the Inception architecture for computer vision, 2016.
    """

    name: ClassVar[str] = "cross_entropy"
    label_smoothing: float

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self._set(label_smoothing=number("label_smoothing", label_smoothing, at_least=0, below=1))

    @property
    def parameter(self) -> float:
        return self.label_smoothing

    def expected(self, t: Array) -> Array:
        return t if self.label_smoothing == 0 else t + self.label_smoothing * (1 / t.shape[1] - t)

    @property
    def divisor(self) -> Divisor:
        return "rows"

    def terms(self, h: Array, t: Array) -> Array:
        logarithms: Array = np.maximum(np.log(h), LOWEST_LOG)
        return -t * logarithms

    def slopes(self, h: Array, t: Array) -> Array:
        denominators: Array = np.maximum(h, LOWEST_DENOMINATOR)
        return -t / denominators

    def _operands(self, output: NDArray[Any], target: NDArray[Any]) -> tuple[Array, Array]:
        h = as_rows(output)
        if target.shape == output.shape:
            return h, target.reshape(h.shape).astype(h.dtype, copy=False)
        if target.shape != output.shape[:-1] or target.dtype.kind not in "biu":
            raise ShapeError(
                f"target has shape {target.shape} and dtype {target.dtype}, "
                f"expected integer labels {output.shape[:-1]} or probabilities {output.shape}"
            )
        return h, one_hot(target.reshape(-1), h.shape[1], h.dtype)


def one_hot(labels: NDArray[np.integer[Any]], n_out: int, dtype: np.dtype[Any]) -> Array:
    """Return the (m, n_out) probabilities that integer labels (m,) stand for."""
    check_labels(labels, n_out)
    rows = np.zeros((len(labels), n_out), dtype)
    rows[np.arange(len(labels)), labels.astype(np.intp)] = 1
    return rows


def check_labels(labels: NDArray[np.integer[Any]], n_out: int) -> None:
    """Refuse integers (m,), m >= 1, that are no class labels of so many outputs."""
    for label in (labels.min(), labels.max()):
        if not 0 <= label < n_out:
            raise DataError(f"target has the label {label}, expected 0 to {n_out - 1} (the outputs)")
