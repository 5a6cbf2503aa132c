"""Where the rows of each shard come from: parts of arrays, chunks of Dask, items of lists, loaders, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fastbp._base.arguments import integer
from fastbp._base.arrays import as_array
from fastbp._base.shown import shown
from fastbp._base.sparse import Rows, SparseRows
from fastbp._data.checks import InputChecks
from fastbp.dask import _files
from fastbp.dask._executor import Load, is_dask
from fastbp.dask._files import Raw
from fastbp.exceptions import DataError, ParameterError, ShapeError

SHARDS = 8  # of arrays in memory, unless another number is given; it must not depend on the cluster


def sources_of(
    checks: InputChecks,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    shards: Any = None,
    *,
    target: Any = None,
    weight: str | None = None,
) -> list[Load]:
    """Return for each shard the call that returns its X, y and sample_weight, those that are given.

    Parameters
    ----------
    checks : InputChecks
        With the names of the columns of X, if they are known.
    X, y, sample_weight : arrays, frames, sparse matrices (X), dask collections or lists, optional
        In memory, they are cut into `shards` parts of consecutive rows. The chunks of rows of dask arrays and
        the partitions of dask frames are the shards, so are the items of a list: arrays, frames or delayed
        objects.
    shards : int or list, optional
        Number of shards of what is in memory; default: 8, or fewer for fewer rows. Or, without X and y, a
        list of callables ``() -> (X, y)`` or ``() -> (X, y, sample_weight)``, of delayed objects with such
        values, or of files: .npz with the arrays X, y and perhaps sample_weight; pairs or triples of .npy,
        which are mapped into memory; or Parquet.
    target : str or list of str, optional
        For Parquet, the column or columns of the targets.
    weight : str, optional
        For Parquet, the column of the sample weights.

    Raises
    ------
    ParameterError, ShapeError, DTypeError
        The arguments do not go together, or cannot be cut.
    """
    given = {"X": X, "y": y, "sample_weight": sample_weight}
    given = {name: value for name, value in given.items() if value is not None}
    if isinstance(shards, (list, tuple)):
        if given:
            name, value = next(iter(given.items()))
            raise ParameterError(
                f"{name} is a {type(value).__name__} with a list of shards, expected one of them"
            )
        return _listed(shards, target, weight, checks.feature_names)
    for name, value in (("target", target), ("weight", weight)):
        if value is not None:
            raise ParameterError(
                f"{name} is {shown(value)} without a list of shards, expected it for Parquet files"
            )
    if not given:
        raise ParameterError(
            f"shards is {shown(shards)} without X and y, expected a list of {_files.KINDS}, or X and y"
        )
    if not are_sharded(X, y, sample_weight):
        return _of_memory(checks, given, shards)
    if shards is not None:
        raise ParameterError(
            f"shards is {shown(shards)} for data in parts, expected None: the chunks, partitions or items "
            "are the shards"
        )
    if any(map(is_dask, given.values())):
        return _loads(partitions_of(given, checks))
    return _of_lists(given)


def are_sharded(X: Any, y: Any, sample_weight: Any = None) -> bool:
    """Tell whether data are collections of Dask, or lists with an array, a frame or a delayed per shard."""
    first = y if X is None else X
    return any(map(is_dask, (X, y, sample_weight))) or _is_listed(first, 1 if X is None else 2)


def _is_listed(value: Any, dimensions: int) -> bool:
    """Tell whether this is a list of delayed objects, or of what has so many dimensions or more."""
    if not isinstance(value, (list, tuple)) or len(value) == 0:
        return False
    return all(is_dask(item) or _dimensions(item) >= dimensions for item in value)


def _dimensions(item: Any) -> int:
    shape = getattr(item, "shape", None)  # frames of polars and pyarrow have no `ndim`
    return len(shape) if isinstance(shape, tuple) else 0


def _given(names: tuple[str, ...], *values: Any) -> Raw:
    """Return X, y and sample_weight, of which the values have these names."""
    found = dict(zip(names, values, strict=True))
    return found.get("X"), found.get("y"), found.get("sample_weight")


def _loads(columns: Mapping[str, Sequence[Any]]) -> list[Load]:
    """Return the loads of shards whose X, y and sample_weight are items of these sequences."""
    names = tuple(columns)
    return [Load(_given, (names, *values)) for values in zip(*columns.values(), strict=True)]


# ---- in memory ---------------------------------------------------------------------------------------------


def _of_memory(checks: InputChecks, given: dict[str, Any], shards: Any) -> list[Load]:
    arrays = {name: _in_memory(checks, name, value) for name, value in given.items()}
    n = len(next(iter(arrays.values())))
    if n == 0:
        raise ShapeError(f"{next(iter(arrays))} has no rows, expected at least one")
    if shards is None:
        count = min(SHARDS, n)
    elif hasattr(type(shards), "__index__"):
        count = integer("shards", shards, at_least=1, below=n + 1)
    else:
        raise ParameterError(
            f"shards is {shown(shards)}, expected a number of parts to cut X and y into, or, without them, a "
            f"list of {_files.KINDS}"
        )
    bounds = [n * i // count for i in range(count + 1)]
    return _loads({name: _cut(name, array, bounds) for name, array in arrays.items()})


def _in_memory(checks: InputChecks | None, name: str, value: Any) -> Rows:
    """Return rows that can be cut; their numbers are checked by shard."""
    if isinstance(value, SparseRows):
        return value
    if checks is None:
        array: Rows = np.asarray(value)
    else:
        array = checks.inputs(name, value) if name == "X" else as_array(name, value)
    if array.ndim == 0:
        raise ShapeError(f"{name} has shape (), expected at least one row")
    return array


def _cut(name: str, array: Rows, bounds: Sequence[int]) -> list[Any]:
    """Return the consecutive parts between bounds, whose last one is the number of rows."""
    if len(array) != bounds[-1]:
        raise ShapeError(f"{name} has {len(array)} rows, expected {bounds[-1]}, as many as the other data")
    parts = [array[first:end] for first, end in pairwise(bounds)]
    return [part.to_scipy() if isinstance(part, SparseRows) else part for part in parts]


# ---- Dask --------------------------------------------------------------------------------------------------


def partitions_of(given: Mapping[str, Any], checks: InputChecks | None = None) -> dict[str, list[Any]]:
    """Return the partitions of collections, divided like the first array whose sizes of chunks are known.

    Parameters
    ----------
    given : mapping
        Collections by name, or rows in memory beside them.
    checks : InputChecks, optional
        What checks rows in memory; without them, they may hold anything, such as labels.

    Returns
    -------
    dict
        By name, a list with a delayed object or an array per partition.

    Raises
    ------
    ParameterError, ShapeError
        One of them is no collection, or cannot be divided like the others.
    """
    for name, value in given.items():
        if is_dask(value) and not hasattr(type(value), "to_delayed"):
            raise ParameterError(
                f"{name} is a {type(value).__name__}, expected a dask array, data frame or series, or a list "
                "of delayed objects, one per shard"
            )
    sizes = next(filter(None, map(_row_sizes, given.values())), None)
    columns = {name: _divided(checks, name, value, sizes) for name, value in given.items()}
    counts = {name: len(parts) for name, parts in columns.items()}
    if len(set(counts.values())) > 1:
        raise ParameterError(
            f"{' and '.join(counts)} have {', '.join(map(str, counts.values()))} parts whose sizes are not "
            "known, expected the same partitions: compute_chunk_sizes() of an array finds its sizes"
        )
    return columns


def _row_sizes(value: Any) -> tuple[int, ...] | None:
    """Return the sizes of the chunks of rows of a dask array; None if they are not known."""
    chunks = value.chunks if is_dask(value) and hasattr(type(value), "chunks") else None
    if not chunks or any(n != n for n in chunks[0]):  # NaN
        return None
    return tuple(chunks[0])


def _divided(checks: InputChecks | None, name: str, value: Any, sizes: tuple[int, ...] | None) -> list[Any]:
    """Return the parts of a collection, or of rows in memory beside a collection with these sizes."""
    if not is_dask(value):
        if sizes is None:
            raise ParameterError(
                f"{name} is in memory beside dask data whose sizes of parts are not known, expected a dask "
                "collection with the same partitions"
            )
        return _cut(name, _in_memory(checks, name, value), np.cumsum([0, *sizes]).tolist())
    if hasattr(type(value), "chunks"):
        chunks = dict.fromkeys(range(1, value.ndim), -1)
        own = _row_sizes(value)
        if own is not None and sizes is not None:
            if sum(own) != sum(sizes):
                raise ShapeError(
                    f"{name} has {sum(own)} rows, expected {sum(sizes)}, as many as the other data"
                )
            value = value.rechunk({0: sizes, **chunks})
        elif chunks:
            value = value.rechunk(chunks)
        return list(value.to_delayed().ravel())
    return list(value.to_delayed())


# ---- lists -------------------------------------------------------------------------------------------------


def _of_lists(given: dict[str, Any]) -> list[Load]:
    """Return the loads of lists with one item per shard."""
    for name, value in given.items():
        if not _is_listed(value, 1):
            raise ParameterError(
                f"{name} is a {type(value).__name__}, expected a list with an array, a frame or a delayed "
                "object per shard, as the other data are"
            )
    counts = {name: len(value) for name, value in given.items()}
    if len(set(counts.values())) > 1:
        raise ParameterError(
            f"{' and '.join(counts)} are lists of {', '.join(map(str, counts.values()))} items, expected one "
            "per shard in each"
        )
    return _loads(given)


def _listed(shards: Sequence[Any], target: Any, weight: Any, names: tuple[str, ...] | None) -> list[Load]:
    """Return the loads of a list of callables, delayed objects and files."""
    if len(shards) == 0:
        raise ParameterError("shards is an empty list, expected at least one shard")
    loads = [_one(f"shards[{i}]", shard, target, weight, names) for i, shard in enumerate(shards)]
    for name, value in (("target", target), ("weight", weight)):
        if value is not None and all(load.function is not _files.read_parquet for load in loads):
            raise ParameterError(f"{name} is {shown(value)} without a Parquet file in shards, expected None")
    return loads


def _one(argument: str, shard: Any, target: Any, weight: Any, names: tuple[str, ...] | None) -> Load:
    if is_dask(shard):
        return Load(_triple, (shard,))
    if _files.is_path(shard) or (isinstance(shard, (list, tuple)) and all(map(_files.is_path, shard))):
        return Load(*_files.reader_of(argument, shard, target, weight, names))
    if callable(shard):
        return Load(_called, (shard,))
    raise ParameterError(f"{argument} is {shown(shard)}, expected {_files.KINDS}")


def _called(load: Callable[[], Any]) -> Raw:
    return _triple(load())


def _triple(value: Any) -> Raw:
    """Return X, y and sample_weight from what a loader has returned."""
    if not isinstance(value, (tuple, list)) or len(value) not in (2, 3):
        given = f"of length {len(value)}" if isinstance(value, (tuple, list)) else ""
        raise DataError(
            f"what was loaded is a {type(value).__name__} {given}".rstrip()
            + ", expected (X, y) or (X, y, sample_weight)"
        )
    X, y, *rest = value
    return X, y, rest[0] if rest else None
