"""Dask collections as the data of an estimator: targets that are encoded on the workers that have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_y, check_array

from fastbp.dask._cluster import seceded
from fastbp.dask._executor import is_dask
from fastbp.exceptions import ParameterError, ShapeError, ShardError
from fastbp.losses import Loss

Array: TypeAlias = NDArray[Any]
#: X, y and the sample weights by name: an item per partition, None where there are none.
Columns: TypeAlias = Mapping[str, Sequence[Any]]


def is_collection(X: Any) -> bool:
    """Tell whether this is a dask array, data frame or series."""
    return is_dask(X) and hasattr(type(X), "to_delayed")


def like(X: Any) -> Any:
    """Return an array or a data frame without rows, with the columns and types of a collection."""
    if X.ndim != 2:
        raise ShapeError(f"X has {X.ndim} dimension(s), expected 2: rows and columns")
    if not hasattr(type(X), "chunks"):
        return X._meta
    if X.shape[1] != X.shape[1]:  # NaN
        raise ShapeError("X has an unknown number of columns, expected a known one: X.compute_chunk_sizes()")
    return np.empty((0, X.shape[1]), X.dtype)


def dtype_of(rows: Any) -> np.dtype[Any]:
    """Return float32 for float32 columns, as estimators in one process do, and float64 for all others."""
    try:
        found = np.result_type(*rows.dtypes if hasattr(rows, "dtypes") else [rows.dtype])
    except TypeError:  # types of pandas
        return np.dtype(np.float64)
    return found if found == np.float32 else np.dtype(np.float64)


class EncodedShards(NamedTuple):
    """Inputs, encoded targets and weights over partitions, in place of an array X."""

    parts: list[Any]  # a delayed (X, targets, weights) per partition
    shape: tuple[int, int]  # (n, n_in)
    dtype: np.dtype[Any]
    offset: float | None = None  # constant of scikit-learn's loss; None: the targets beside them tell it


class Encoder(NamedTuple):
    """Turns rows as they were given into what a network takes; it goes to the workers."""

    estimator: Any  # knows classes and nothing else
    loss: Loss | None
    is_numeric: bool  # whether targets are numbers, not labels
    dtype: np.dtype[Any]
    by_class: Array | None = None  # weight of each class (n_classes,)

    def examples(self, X: Any, y: Any, weights: Any) -> tuple[Any, Array, Array | None]:
        """Return inputs, targets and weights of a partition."""
        X = as_rows(X)
        if isinstance(X, np.ndarray):  # sparse matrices are checked where they are used
            X = check_array(X, dtype=self.dtype, ensure_min_samples=0)
        return X, *self.targets(y, weights)

    def targets(self, y: Any, weights: Any) -> tuple[Array, Array | None]:
        """Return targets and weights of a partition."""
        y = checked_targets(y, is_numeric=self.is_numeric)
        weights = checked_weights(weights, y)
        if len(y) == 0:
            return np.zeros(y.shape), weights
        encoded = self.estimator._encoded(y, self.loss)
        if self.by_class is not None:
            factors = self.by_class[np.searchsorted(self.estimator.classes_, y)]
            weights = factors if weights is None else weights * factors
        return encoded, weights


def in_part(name: str, work: Callable[..., Any], *of: Any) -> Any:
    """Return ``work(*of)``; an error gets a note of where it was."""
    try:
        return work(*of)
    except Exception as error:
        error.add_note(f"in {name}")
        raise


def as_rows(X: Any) -> Any:
    """Return a partition of X as an array; sparse matrices stay what they are."""
    return X if hasattr(X, "tocsr") else np.asarray(X)


def checked_targets(y: Any, *, is_numeric: bool) -> Array:
    """Return the targets of a partition, (n,) or (n, n_targets)."""
    targets: Array = np.asarray(y)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if len(targets):
        targets = _check_y(targets, multi_output=True, y_numeric=is_numeric)
    return targets


def checked_weights(weights: Any, y: Array) -> Array | None:
    """Return the sample weights of a partition (n,), or None."""
    if weights is None or len(y) == 0:
        return None if weights is None else np.zeros(len(y))
    checked: Array = check_array(np.asarray(weights), ensure_2d=False, dtype=(np.float64, np.float32))
    if checked.shape != (len(y),):
        raise ShapeError(f"sample_weight has shape {checked.shape}, expected {(len(y),)}, one per row")
    return checked


def each(function: Callable[..., Any], columns: Columns, names: Sequence[str], *common: Any) -> list[Any]:
    """Return the delayed ``function(*items, *common)`` per partition; errors get a note of it."""
    from dask import delayed

    call, shared = delayed(in_part, pure=False), [delayed(value, traverse=False) for value in common]
    rows = [*zip(*(columns[name] for name in names), strict=True)]
    labels = [f"partition {i + 1} of {len(rows)}" for i in range(len(rows))]
    return [call(label, function, *items, *shared) for label, items in zip(labels, rows, strict=True)]


def computed(client: Any, values: Sequence[Any]) -> list[Any]:
    """Return the values of delayed objects, from a cluster or, if `client` is None, from this process.

    Raises
    ------
    ShardError
        A partition was lost with its workers as often as Dask allows.
    """
    if client is None:
        from dask import compute

        return list(compute(*values))
    from distributed.scheduler import KilledWorker

    with seceded():
        try:
            found: list[Any] = client.gather(client.compute(list(values)))
        except KilledWorker as error:
            raise ShardError(f"a partition was lost with its workers: {error}") from error
    return found


def check_some_rows(n_rows: int) -> None:
    """Raise ParameterError if all partitions together have no rows."""
    if n_rows == 0:
        raise ParameterError("X has no rows in any partition, expected some")
