"""Folds of a cross-validation: for each, the rows to train on and the rows that are held out."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import NO_LISTS, entries, integer
from fastbp._base.philox import FOLDS, random_order
from fastbp._base.shown import shown
from fastbp._many._rows import Index, index_of
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError
from fastbp.losses import Loss
from fastbp.splits import class_of_rows

Array: TypeAlias = NDArray[Any]
MOST = 100_000  # folds
EXPECTED = "an integer >= 2, an object with a method split, or pairs (rows to train on, rows to validate on)"


class Splitter(Protocol):
    """An object that cuts rows into folds, such as those of scikit-learn."""

    def split(self, X: Any, y: Any = ..., groups: Any = ..., /) -> Iterable[tuple[Any, Any]]:
        """Return the rows to train on and the rows held out, per fold."""


#: What the argument `folds` may be.
Folds: TypeAlias = int | Splitter | Iterable[tuple[ArrayLike, ArrayLike]]


class Fold(NamedTuple):
    """The indices of the rows to train on and of the rows that are held out; no row is in both."""

    training: Index
    held_out: Index


def folds_of(
    folds: Folds, X: Any, y: Any, groups: ArrayLike | None, *, targets: Array, loss: Loss, seed: int
) -> tuple[Fold, ...]:
    """Return the folds that an argument `folds` means.

    Parameters
    ----------
    folds
        As for `cross_validate`.
    X, y, groups
        As the user gave them, for splitters of other libraries.
    targets : array (n,) or (n, n_targets)
        y, checked.
    loss : Loss
        Tells which targets are classes.
    seed : int
        Seed of random folds.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        Folds or groups are not as described there.
    """
    n = len(targets)
    if hasattr(folds, "split") and not isinstance(folds, NO_LISTS):
        return checked(folds.split(X, y, groups), n)
    if isinstance(folds, Iterable):
        if groups is not None:
            raise ParameterError(
                f"groups is {shown(groups)} with folds that are pairs, expected None: groups go with a "
                "number of folds or a splitter"
            )
        return checked(folds, n)
    try:
        k = integer("folds", folds, at_least=2)
    except ParameterError:
        raise ParameterError(f"folds is {shown(folds)}, expected {EXPECTED}") from None
    fold = by_rows(targets, loss, k, seed) if groups is None else by_groups(groups, n, k, seed)
    return tuple(Fold(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(k))


def by_rows(targets: Array, loss: Loss, k: int, seed: int) -> Index:
    """Return the fold of each row (n,), chosen by the seed.

    Folds differ by at most one row, and by at most one row of each class. For this, the rows are in a random
    order, then sorted by class, and dealt to the folds in turn.
    """
    n = len(targets)
    if k > n:
        raise DataError(f"folds is {k} for {n} rows, expected at most one fold per row")
    order = random_order(seed, FOLDS, n)
    with suppress(ParameterError, DataError):  # the targets tell no classes: all rows are alike
        order = order[np.argsort(class_of_rows(targets, loss)[order], kind="stable")]
    fold = np.empty(n, np.intp)
    fold[order] = np.arange(n) % k
    return fold


def by_groups(groups: ArrayLike, n: int, k: int, seed: int) -> Index:
    """Return the fold of each row (n,), the same for all rows of a group.

    The groups, the largest first and equal ones in an order chosen by the seed, each go to the fold that has
    the fewest rows so far.
    """
    array = np.asarray(groups)
    if array.shape != (n,):
        raise ShapeError(f"groups has shape {array.shape}, expected {(n,)}, one per row of X")
    try:
        group_of_row, counts = np.unique(array, return_inverse=True, return_counts=True)[1:]
    except TypeError as error:  # objects that have no order
        raise DTypeError(
            f"groups has dtype {array.dtype}, expected groups of one type: {error!s:.200}"
        ) from None
    if k > len(counts):
        raise DataError(f"folds is {k} for {len(counts)} groups, expected at most one fold per group")
    order = random_order(seed, FOLDS, len(counts))
    rows, fold_of_group = np.zeros(k, np.intp), np.empty(len(counts), np.intp)
    for group in order[np.argsort(-counts[order], kind="stable")]:
        fold = rows.argmin()
        fold_of_group[group] = fold
        rows[fold] += counts[group]
    return np.asarray(fold_of_group[group_of_row])


# ---- folds of the user -------------------------------------------------------------------------------------


def checked(folds: Any, n: int) -> tuple[Fold, ...]:
    """Return the folds in an iterable of pairs, for n rows."""
    pairs = entries(folds, MOST)
    if pairs is None:
        raise ParameterError(f"folds is {shown(folds)}, expected {EXPECTED}")
    if not 0 < len(pairs) <= MOST:
        raise ParameterError(
            f"folds has {f'more than {MOST}' if pairs else 'no'} pairs, expected 1 to {MOST} folds"
        )
    return tuple(one(f"folds[{i}]", pair, n) for i, pair in enumerate(pairs))


def one(argument: str, pair: Any, n: int) -> Fold:
    """Return one fold, for n rows."""
    parts = entries(pair, 2)
    if parts is None or len(parts) != 2:
        raise ParameterError(
            f"{argument} is {shown(pair)}, expected a pair (rows to train on, rows to validate on)"
        )
    fold = Fold(index_of(f"{argument}[0]", parts[0], n), index_of(f"{argument}[1]", parts[1], n))
    is_held_out = np.zeros(n, bool)
    is_held_out[fold.held_out] = True
    both = is_held_out[fold.training]
    if both.any():
        row = fold.training[both.argmax()]
        raise DataError(f"{argument} has row {row} in both parts, expected it in one")
    return fold
