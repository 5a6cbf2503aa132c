"""Shards in files, each read by the process that works on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.arrays import as_array
from fastbp._base.optional import load
from fastbp._base.shown import shown
from fastbp.exceptions import DataError, ParameterError

Array: TypeAlias = NDArray[Any]
Raw: TypeAlias = tuple[Any, Any, Any]  # X, y, sample_weight, which may be None
Target: TypeAlias = str | list[str]

KINDS = (
    "an .npz file, a .parquet file or folder, a pair (X.npy, y.npy), or a callable that returns (X, y) or "
    "(X, y, sample_weight)"
)


def is_path(value: Any) -> bool:
    """Tell whether this names a file."""
    return isinstance(value, (str, os.PathLike))


def reader_of(
    argument: str, shard: Any, target: Target | None, weight: str | None, names: tuple[str, ...] | None
) -> tuple[Callable[..., Raw], tuple[Any, ...]]:
    """Return the function that reads a path or a tuple of paths, and its arguments; no file is opened.

    Raises
    ------
    ParameterError
        The names are those of no kind of file that is read.
    """
    if is_path(shard):
        path = os.fspath(shard)
        suffix = os.path.splitext(path)[1].lower()
        if suffix == ".npz":
            return read_npz, (path,)
        if suffix in (".parquet", ".pq"):
            _check_columns(path, target, weight)
            return read_parquet, (path, target, weight, names)
    elif len(shard) in (2, 3):
        paths = tuple(map(os.fspath, shard))
        if all(os.path.splitext(path)[1].lower() == ".npy" for path in paths):
            return read_npy, paths
    raise ParameterError(f"{argument} is {shown(shard)}, expected {KINDS}")


def _check_columns(path: str, target: Any, weight: Any) -> None:
    """Raise ParameterError unless these are names of columns of a Parquet file."""
    listed = [target] if isinstance(target, str) else target
    if not isinstance(listed, list) or not listed or not all(isinstance(name, str) for name in listed):
        raise ParameterError(
            f"target is {shown(target)} with the file {shown(path)} in shards, expected the name of the "
            "column of the targets, or a list of names"
        )
    if weight is not None and not isinstance(weight, str):
        raise ParameterError(f"weight is {shown(weight)}, expected the name of a column, or None")


def read_npy(X: str, y: str, sample_weight: str | None = None) -> Raw:
    """Return the arrays in .npy files, which are mapped into memory: rows are read when they are needed."""
    read = partial(np.load, mmap_mode="r", allow_pickle=False)
    return read(X), read(y), None if sample_weight is None else read(sample_weight)


def read_npz(path: str) -> Raw:
    """Return X, y and, if it is there, sample_weight of an .npz file."""
    with np.load(path, allow_pickle=False) as found:
        missing = [name for name in ("X", "y") if name not in found]
        if missing:
            raise DataError(
                f"{shown(path)} has the arrays {sorted(found)!s:.200}, "
                "expected X, y and perhaps sample_weight"
            )
        return found["X"], found["y"], found.get("sample_weight")


def read_parquet(path: str, target: Target, weight: str | None, names: tuple[str, ...] | None = None) -> Raw:
    """Return the features of a Parquet file or folder as a table, and the columns of targets and weights.

    Parameters
    ----------
    path : str
    target : str or list of str
        Column of the targets; several columns are one array (n, columns).
    weight : str, optional
        Column of the sample weights.
    names : tuple of str, optional
        Columns of the features. Default: all others, but not row labels that pandas has written.
    """
    parquet = load("pyarrow.parquet", "PyArrow", "a Parquet file")
    targets = [target] if isinstance(target, str) else list(target)
    others = [*targets, *([] if weight is None else [weight])]
    schema = parquet.ParquetDataset(path).schema
    missing = [name for name in (*others, *(names or ())) if name not in schema.names]
    if missing:
        raise DataError(
            f"{shown(path)} has no column {shown(missing[0])}, expected one of {schema.names!s:.200}"
        )
    if names is None:
        labels = _row_labels(schema)
        names = tuple(name for name in schema.names if name not in others and name not in labels)
    table = parquet.read_table(path, columns=[*names, *others])
    y = as_array("y", table.select(targets))
    found = None if weight is None else as_array("sample_weight", table.select([weight]))[:, 0]
    return table.select(list(names)), y[:, 0] if isinstance(target, str) else y, found


def _row_labels(schema: Any) -> set[str]:
    """Return the columns that are the row labels of a pandas frame."""
    labels = (schema.pandas_metadata or {}).get("index_columns", ())
    return {label for label in labels if isinstance(label, str)}
