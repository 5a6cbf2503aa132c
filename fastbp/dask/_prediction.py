"""Predictions and scores of a fitted estimator for dask collections, partition by partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.dask._collections import as_rows, checked_targets, checked_weights, dtype_of, like

Array: TypeAlias = NDArray[Any]


def lazily(method: str, model: Any, X: Any) -> Any:
    """Return what a method returns for the rows of X, as a collection that is not computed.

    Parameters
    ----------
    method : str
        Name of a method of `model`, such as "predict".
    model : MLPClassifier or MLPRegressor
        Fitted, without names of its features: they have been checked. The graph has it once.
    X : dask array or data frame, (n, n_in)

    Returns
    -------
    dask array (n,) or (n, k), or series (n,)
        With the partitions of X. For a data frame, one result per row makes a series with its index, and
        several an array.
    """
    from dask import delayed

    none = like(X)
    one_row = np.zeros((1, none.shape[1]), dtype_of(none))
    sample = getattr(model, method)(one_row)[:0]  # with the type and the columns of all results
    arguments = {"method": method, "model": delayed(model, traverse=False), "sample": sample}
    if hasattr(type(X), "chunks"):
        X = X.rechunk({1: -1})
        if sample.ndim == 1:
            return X.map_blocks(_predicted, drop_axis=1, dtype=sample.dtype, meta=sample, **arguments)
        chunks = X.chunks[0], sample.shape[1:]
        return X.map_blocks(_predicted, chunks=chunks, dtype=sample.dtype, meta=sample, **arguments)
    if sample.ndim == 1:
        return X.map_partitions(_series, meta=_series(none, **arguments | {"model": model}), **arguments)
    from dask.array import from_delayed, vstack

    shape = np.nan, *sample.shape[1:]
    call = delayed(_predicted, pure=False)
    parts = [call(part, **arguments) for part in X.to_delayed()]
    return vstack([from_delayed(part, shape, meta=sample) for part in parts], allow_unknown_chunksizes=True)


def _predicted(block: Any, method: str, model: Any, sample: Array) -> Array:
    """Return the results for the rows of a partition, which may have none."""
    found: Array = getattr(model, method)(as_rows(block)) if block.shape[0] else sample
    return found


def _series(block: Any, method: str, model: Any, sample: Array) -> Any:
    """Return the results for a partition of a data frame, with its index."""
    return type(block.iloc[:, 0])(_predicted(block, method, model, sample), index=block.index)


# ---- scores ------------------------------------------------------------------------------------------------


class Sums(NamedTuple):
    """What a score needs to know of some rows: their weight, and sums weighted by it."""

    weight: float
    errors: Array | float  # squares of the errors (k,), or the weight of the rows with a wrong answer
    mean: Array | float = 0.0  # of the targets (k,)
    squares: Array | float = 0.0  # of the targets around their mean (k,)


def sums_of(X: Any, y: Any, weights: Any, model: Any, is_numeric: bool) -> Sums | None:
    """Return the sums of a partition; `is_numeric`: of numbers, not of classes. None: no row has a weight."""
    y = checked_targets(y, is_numeric=is_numeric)
    counts = checked_weights(weights, y)
    w = np.ones(len(y)) if counts is None else counts.astype(np.float64)
    total = float(w.sum())
    if total == 0:
        return None
    found = model.predict(as_rows(X))
    if not is_numeric:
        differ = found != y
        return Sums(total, float(w[differ if differ.ndim == 1 else differ.any(axis=1)].sum()))
    y, found = (array.astype(np.float64).reshape(len(w), -1) for array in (y, found))
    mean = w @ y / total
    return Sums(total, w @ (y - found) ** 2, mean, w @ (y - mean) ** 2)


def combined(parts: Sequence[Sums | None]) -> Sums | None:
    """Return the sums over all rows, from those of the partitions in order; None if no row has a weight.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque, Algorithms for computing the sample variance, 1983.
    """
    whole: Sums | None = None
    for part in parts:
        if whole is None or part is None:
            whole = whole or part
            continue
        weight, step = whole.weight + part.weight, part.mean - whole.mean
        between = step**2 * (whole.weight * part.weight / weight)
        whole = Sums(
            weight,
            whole.errors + part.errors,
            whole.mean + step * (part.weight / weight),
            whole.squares + part.squares + between,
        )
    return whole


def r2_of(sums: Sums) -> float:
    """Return R^2, averaged over the targets; of a constant target it is 1 without errors, else 0."""
    residual, squares = np.atleast_1d(sums.errors), np.atleast_1d(sums.squares)
    is_constant = squares == 0
    ratio = np.where(is_constant, residual != 0, residual / np.where(is_constant, 1.0, squares))
    return float(np.mean(1 - ratio))
