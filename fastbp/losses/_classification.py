"""Losses of classes: cross entropies and the hinge loss."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from fastbp._base.fields import integer, number, one_of
from fastbp.losses._answers import Argmax, AtLeastHalf, Sign
from fastbp.losses._base import LOWEST_DENOMINATOR, LOWEST_LOG, Array, Divisor, SumLoss
from fastbp.losses._targets import ClassProbabilities, OneOf, Probabilities


class Hinge(SumLoss):
    """Margin loss of the classes y = -1 and 1: the mean of max(0, 1 - y h) over samples and outputs.

    The sign of h tells the class. The slope at y h = 1 counts as 0.

    References
    ----------
    C. Cortes and V. Vapnik, Support-vector networks, 1995.
    """

    name = "hinge"
    targets = OneOf(-1, 1)
    answers = Sign()

    def terms(self, h: Array, t: Array) -> Array:
        return np.maximum(1 - t * h, 0)

    def slopes(self, h: Array, t: Array) -> Array:
        margin = t * h
        return np.where(margin < 1, -t, np.where(margin >= 1, 0, h))

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        return np.zeros_like(h)


class BinaryCrossEntropy(SumLoss):
    """Cross entropy of independent yes/no outputs: the mean of -(y log h + (1 - y) log(1 - h)).

    One output tells two classes apart. Several outputs are independent questions, one column per label, so a
    row may have any number of labels.

    Parameters
    ----------
    outputs : "mean" or "sum"
        Whether the losses of a sample are averaged over the outputs, as in PyTorch, or summed, as in
        scikit-learn; over the samples they are averaged. "sum" is n_out times "mean", also where targets are
        unknown or each has its own weight.
    """

    name = "binary_cross_entropy"
    activation = "sigmoid"
    targets = Probabilities()
    answers = AtLeastHalf()
    outputs: Literal["mean", "sum"] = one_of("mean", "sum", default="mean", kw_only=True, is_quiet=True)

    @property
    def divisor(self) -> Divisor:
        return "rows" if self.outputs == "sum" else "elements"

    def terms(self, h: Array, t: Array) -> Array:
        yes: Array = np.maximum(np.log(h), LOWEST_LOG)
        no: Array = np.maximum(np.log1p(-h), LOWEST_LOG)
        return -(t * yes + (1 - t) * no)

    def slopes(self, h: Array, t: Array) -> Array:
        variance: Array = np.maximum(h * (1 - h), LOWEST_DENOMINATOR)
        return (h - t) / variance

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        variance: Array = np.maximum(h * (1 - h), LOWEST_DENOMINATOR)
        return (t * np.square(1 - h) + (1 - t) * np.square(h)) / variance / variance * r


class CrossEntropy(SumLoss):
    """Cross entropy of one class out of n_out: the mean of -sum_j s_j log h_j over the samples.

    The target is one integer label per row, or rows of probabilities y;
    s = (1 - label_smoothing) y + label_smoothing / n_out.

    Parameters
    ----------
    label_smoothing : float, >= 0 and < 1
        Share of each target that is spread over all classes, so that no logit is driven to infinity.
    ignore_index : int, >= -2**63 and < 2**63, optional
        Label of rows whose class is unknown: they count as absent, and the mean is that of the other rows.

    References
    ----------
    C. Szegedy et al., Rethinking the Inception architecture for computer vision, 2016.
    """

    name = "cross_entropy"
    activation = "softmax"
    targets = ClassProbabilities()
    answers = Argmax()
    ignore_nan: ClassVar[bool] = False  # type: ignore[misc]  # a row is unknown as a whole: ignore_index
    label_smoothing: float = number(default=0.0, at_least=0, below=1)
    ignore_index: int | None = integer(default=None, at_least=-(2**63), below=2**63, kw_only=True)

    @property
    def parameter(self) -> float:
        return self.label_smoothing

    @property
    def ignored_label(self) -> int | None:
        return self.ignore_index

    @property
    def nan_option(self) -> str:
        return ""

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

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        denominators: Array = np.maximum(h, LOWEST_DENOMINATOR)
        return t / denominators / denominators * r
