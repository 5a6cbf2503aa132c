"""Targets: the values that a loss accepts, and the classes that they stand for.

A loss declares one of these: ``targets = OneOf(-1, 1)``. Checks of data, class weights and the engines follow
the declaration.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastbp.exceptions import DataError

Array = NDArray[Any]

PROBABILITY_TOLERANCE = 1e-3  # of the sum of a row: the rounding errors of a thousand float16 numbers


class Targets:
    """Finite numbers, one per output, or per group of outputs."""

    any_number: ClassVar[bool] = False  # every finite number is accepted
    any_shape: ClassVar[bool] = False  # any number of columns and any dtype, for a function that reads them
    takes_labels: ClassVar[bool] = False  # class labels (n,) are accepted, too, one class per output
    sums_to_one: ClassVar[bool] = False  # the numbers of a row are probabilities of classes
    only_classes: ClassVar[bool] = False  # every accepted value is one of `classes`
    expected: str = "a finite number"  # the accepted values in words
    classes: tuple[int, ...] = ()  # the values that are classes of one output, in ascending order

    def accepts(self, values: Array) -> NDArray[np.bool_]:
        """Return which of some finite numbers are accepted."""
        return np.ones(values.shape, bool)

    def shapes(self, n: int, n_out: int) -> tuple[tuple[int, ...], ...]:
        """Return the accepted shapes for n rows."""
        return ((n, n_out), (n,)) if n_out == 1 else ((n, n_out),)

    def in_words(self, n: int, n_out: int) -> str:
        """Return the accepted shapes in words."""
        return " or ".join(map(str, self.shapes(n, n_out)))


class Numbers(Targets):
    """Any finite numbers."""

    any_number = True


class OnePerOutput(Numbers):
    """Any finite numbers, one per output, for a Python function whose targets the network scales."""

    def in_words(self, n: int, n_out: int) -> str:
        return f"{super().in_words(n, n_out)} (adapt scales one target per output)"


class AtLeast(Targets):
    """Numbers of at least a minimum."""

    def __init__(self, minimum: float, noun: str = "a number") -> None:
        self.minimum = minimum
        self.expected = f"{noun}, >= {minimum:g}"

    def accepts(self, values: Array) -> NDArray[np.bool_]:
        return values >= self.minimum


class OneOf(Targets):
    """A few integers, each a class, in ascending order."""

    only_classes = True

    def __init__(self, *classes: int) -> None:
        self.classes = classes
        self.expected = " or ".join(map(str, classes))

    def accepts(self, values: Array) -> NDArray[np.bool_]:
        return are_among(values, self.classes)


class Probabilities(Targets):
    """Probabilities of "yes", one question per output; 0 and 1 are classes."""

    expected = "a probability, 0 to 1"
    classes = (0, 1)

    def accepts(self, values: Array) -> NDArray[np.bool_]:
        return (values >= 0) & (values <= 1)


class ClassProbabilities(Targets):
    """Probabilities of the classes, which sum to 1 in a row, or class labels; one class per output."""

    takes_labels = True
    sums_to_one = True
    expected = "a probability, 0 to 1"

    def accepts(self, values: Array) -> NDArray[np.bool_]:
        return (values >= 0) & (values <= 1 + PROBABILITY_TOLERANCE)

    def shapes(self, n: int, n_out: int) -> tuple[tuple[int, ...], ...]:
        return (n,), (n, n_out)

    def in_words(self, n: int, n_out: int) -> str:
        return f"class labels ({n},) or probabilities ({n}, {n_out})"


class AnyArray(Targets):
    """Any array, for a loss that is a Python function: any dtype and any number of columns."""

    any_number = True
    any_shape = True

    def in_words(self, n: int, n_out: int) -> str:
        return f"({n},) or ({n}, any number of columns)"


def are_among(values: Array, classes: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which values are among a few classes; one comparison per class is faster than np.isin."""
    found: NDArray[np.bool_] = values == classes[0]
    for label in classes[1:]:
        found |= values == label
    return found


def one_hot(labels: NDArray[np.integer[Any]], n_out: int, dtype: np.dtype[Any]) -> NDArray[np.floating[Any]]:
    """Return the (m, n_out) probabilities that integer labels (m,) stand for."""
    check_labels(labels, n_out)
    rows = np.zeros((len(labels), n_out), dtype)
    rows[np.arange(len(labels)), labels.astype(np.intp)] = 1
    return rows


def check_labels(labels: NDArray[np.integer[Any]], n_out: int) -> None:
    """Raise DataError unless integers (m,), m >= 1, are class labels of n_out outputs."""
    for label in (labels.min(), labels.max()):
        if not 0 <= label < n_out:
            raise DataError(f"target has the label {label}, expected 0 to {n_out - 1} (the outputs)")
