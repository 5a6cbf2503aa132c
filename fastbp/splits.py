"""Splits of the rows of a fit into those to train on and those to validate on.

``net.fit(X, y, validation_split=fastbp.StratifiedSplit(0.2))`` holds out a fifth of each class. The rows are
chosen by the network's seed alone, so every fit of a network on the same rows holds out the same ones, on any
machine and with any number of threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import floor
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.fields import number
from fastbp._base.philox import SPLIT, random_order
from fastbp._base.value import Value
from fastbp.exceptions import DataError, ParameterError
from fastbp.losses import Loss

__all__ = ["ShuffledSplit", "Split", "StratifiedSplit"]

Array: TypeAlias = NDArray[Any]
Rows: TypeAlias = NDArray[np.intp]
Index: TypeAlias = slice | Rows


class Split(Value, ABC):
    """Base class of the splits, which are values.

    Parameters
    ----------
    share : float, > 0 and < 1
        Share of the rows to validate on.
    """

    share: float = number(default=0.2, above=0, below=1)

    @abstractmethod
    def held_out(self, y: Array, loss: Loss, seed: int) -> Rows:
        """Return the indices of the rows to validate on, for checked targets y."""

    def parts(self, y: Array, loss: Loss, seed: int) -> tuple[Index, Index]:
        """Return the rows to train on and the rows to validate on, each in ascending order."""
        is_held_out = np.zeros(len(y), bool)
        is_held_out[self.held_out(y, loss, seed)] = True
        return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)

    def n_held_out(self, n: int) -> int:
        """Return how many of n rows to validate on; at least one row is on each side.

        The rows to train on are n (1 - share), rounded down, as in Keras.

        Raises
        ------
        DataError
            There are too few rows.
        """
        training = floor(n * (1 - self.share))
        if not 0 < training < n:
            raise DataError(
                f"validation_split is {self.share:g} of {n} rows, which leaves {training} to train on and "
                f"{n - training} to validate on, expected at least one of each"
            )
        return n - training


class LastRows(Split):
    """The last share of the rows is held out; `fit` makes this of a number."""

    def held_out(self, y: Array, loss: Loss, seed: int) -> Rows:
        return np.arange(len(y) - self.n_held_out(len(y)), len(y))

    def parts(self, y: Array, loss: Loss, seed: int) -> tuple[Index, Index]:
        """Return slices, by which views of arrays are made."""
        training = len(y) - self.n_held_out(len(y))
        return slice(training), slice(training, len(y))


class ShuffledSplit(Split):
    """A random share of the rows is held out, chosen by the network's seed.

    n (1 - share) rows, rounded down, are trained on.

    Parameters
    ----------
    share : float, > 0 and < 1
        Share of the rows to validate on.
    """

    def held_out(self, y: Array, loss: Loss, seed: int) -> Rows:
        return random_order(seed, SPLIT, len(y))[: self.n_held_out(len(y))]


class StratifiedSplit(Split):
    """A random share of the rows of each class is held out, chosen by the network's seed.

    For cross_entropy with labels or one-hot rows, and for one output of binary_cross_entropy (0 and 1) or
    hinge (-1 and 1); other losses have no classes and are refused, and so are probabilities between 0 and 1.
    Unknown targets are a class of their own.

    As many rows are held out as by `ShuffledSplit`, in proportion to the classes: each gives the whole number
    below or above its share. Then every class of at least two rows gets at least one row on each side, even
    if this changes the number of rows held out. A class of one row is trained on.

    Parameters
    ----------
    share : float, > 0 and < 1
        Share of the rows to validate on.
    """

    def held_out(self, y: Array, loss: Loss, seed: int) -> Rows:
        classes, counts = np.unique(class_of_rows(y, loss), return_inverse=True, return_counts=True)[1:]
        takes = in_proportion(counts, self.n_held_out(len(y)))
        if not takes.any():
            raise DataError("validation_split is StratifiedSplit for y with one row per class, expected more")
        order = random_order(seed, SPLIT, len(y))
        order = order[np.argsort(classes[order], kind="stable")]  # by class, at random within each
        rank = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)  # within the class
        return order[rank < np.repeat(takes, counts)]


def class_of_rows(y: Array, loss: Loss) -> Array:
    """Return a number per row (n,) that tells its class; ParameterError or DataError if it has none."""
    targets = loss.targets
    if not targets.takes_labels and not targets.classes:
        raise ParameterError(
            f"validation_split is StratifiedSplit with the loss {loss.name!r}, which has no classes, "
            "expected ShuffledSplit or a share"
        )
    if targets.takes_labels and y.ndim == 1:
        return y
    if not targets.takes_labels and y.size > len(y):
        raise ParameterError(
            f"validation_split is StratifiedSplit with the loss {loss.name!r} and {y.shape[1]} outputs, "
            "expected one output, because a row has a class per output: use ShuffledSplit"
        )
    known = (0, 1) if targets.takes_labels else targets.classes
    right = np.isin(y, known) | (y != y)  # a NaN that has passed the checks is an unknown target
    if not right.all():
        row = int(np.argmin(right.reshape(len(y), -1).all(axis=1)))
        raise DataError(
            f"y[{row}] is {y[row]}, expected {' or '.join(map(str, known))} with StratifiedSplit: "
            "a probability tells no class"
        )
    classes: Array = y.argmax(axis=1) if targets.takes_labels else y.reshape(-1)
    return classes


def in_proportion(counts: Rows, total: int) -> Rows:
    """Return how many rows of each class to hold out: `total` in all, if the bounds allow it.

    The bounds are the whole numbers below and above the share of the class, but at least one row of each
    class on each side; a class of one row stays in training.
    """
    shares = counts * (total / counts.sum())
    takes: Rows
    takes, most = (
        np.clip(whole.astype(np.intp), np.minimum(counts - 1, 1), counts - 1)
        for whole in (np.floor(shares), np.ceil(shares))
    )
    able = np.flatnonzero(takes < most)
    missing = max(total - int(takes.sum()), 0)
    lack = (shares - takes)[able]
    takes[able[np.argsort(-lack, kind="stable")[:missing]]] += 1
    return takes
