"""How outputs become class predictions: the largest, at least 1/2, or the sign.

A loss declares one of these, or None if its outputs are numbers: ``answers = Sign()``. The metrics of the
loss and `Network.predict_classes` follow the declaration.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NUMBERS = ("r2", "mae")  # the metrics of outputs that are numbers


def most_probable(rows: Array) -> Array:
    """Return the classes (m,) that probabilities (m, n_out), or labels (m,), stand for."""
    return rows if rows.ndim == 1 else rows.argmax(axis=1)


def at_least_half(rows: Array) -> Array:
    """Return whether each probability says yes."""
    return rows >= 0.5


def positive(rows: Array) -> Array:
    """Return whether each number says yes."""
    return rows > 0


class Answers:
    """Reading of rows of outputs and of targets. Base class: each subclass is one way to read them."""

    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "f1", "auc")  # the default first

    def read(self, rows: Array) -> Array:
        """Return the classes (m,), or yes and no (m, n_out), of outputs or targets (m, n_out)."""
        raise NotImplementedError

    def classes(self, output: Array) -> Array:
        """Return the class labels, int64, that outputs (..., n_out) stand for."""
        raise NotImplementedError


class Argmax(Answers):
    """The class with the largest output; one class per output."""

    metrics = (*Answers.metrics, "top_k")

    def read(self, rows: Array) -> Array:
        return most_probable(rows)

    def classes(self, output: Array) -> Array:
        labels: Array = output.argmax(axis=-1)
        return labels


class AtLeastHalf(Answers):
    """Yes (1) where an output, a probability, is at least 1/2, else no (0)."""

    metrics = (*Answers.metrics, *NUMBERS)  # a probability is a number, too

    def read(self, rows: Array) -> Array:
        return at_least_half(rows)

    def classes(self, output: Array) -> Array:
        return at_least_half(output).astype(np.int64)


class Sign(Answers):
    """Yes (1) where an output is above 0, else no (-1)."""

    def read(self, rows: Array) -> Array:
        return positive(rows)

    def classes(self, output: Array) -> Array:
        return np.where(output > 0, 1, -1)


#: Answers of outputs with these activations, if the loss declares none.
OF_ACTIVATION: dict[str, Answers] = {"softmax": Argmax(), "sigmoid": AtLeastHalf()}
