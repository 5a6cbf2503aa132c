"""What all shards together are: their rows, weights, names of columns and digests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from fastbp._base.shown import shown
from fastbp.dask._executor import Executor
from fastbp.dask._parts import Part
from fastbp.dask._shards import names_of_shards
from fastbp.exceptions import DataError, ShapeError


class Census(NamedTuple):
    """What the shards are, in their order."""

    #: Number of rows with a nonzero weight.
    rows: tuple[int, ...]
    #: Sum of the weights of the rows.
    weights: tuple[float, ...]
    #: Names of the columns of X, if they have any.
    names: tuple[str, ...] | None


def census(executor: Executor, handles: Sequence[Any]) -> Census:
    """Return what the shards of these handles are, in one round; they are loaded if they are not yet.

    Raises
    ------
    DataError
        No shard has a row with a weight.
    ShapeError
        The columns of a shard have other names than those of the shards before it.
    """
    names = names_of_shards(len(handles))
    counted = executor.call(_count, handles, [()] * len(handles), names=names)
    rows, weights, columns = zip(*counted, strict=True)
    if not any(rows):
        raise DataError(
            f"none of {len(handles)} shards has a row with a known target and a weight above 0, expected at "
            "least one"
        )
    first = None
    for name, found in zip(names, columns, strict=True):
        first = first or found
        if found is not None and found != first:
            raise ShapeError(
                f"{name} has the columns {shown(found)}, expected {shown(first)} in this order, as in the "
                "shards before it: with net.feature_names set, columns are read by name"
            )
    return Census(rows, weights, first)


def _count(part: Part) -> tuple[int, float, tuple[str, ...] | None]:
    weights = part.weights
    return part.n_rows, float(part.n_rows) if weights is None else weights.total(), part.names


def digests(executor: Executor, handles: Sequence[Any]) -> dict[str, str]:
    """Return a digest of each argument that has data, as `Data.digests` does, from those of the shards."""
    found = executor.call(_digest, handles, [()] * len(handles), names=names_of_shards(len(handles)))
    arguments = ("X", "y", "sample_weight or class_weight")
    return {
        argument: hashlib.blake2b(" | ".join(each).encode(), digest_size=16).hexdigest()
        for argument, each in zip(arguments, zip(*found, strict=True), strict=True)
    }


def _digest(part: Part) -> tuple[str, str, str]:
    from fastbp._data.digest import digest, digest_of_weights  # which only checkpoints need

    return digest(part.X), digest(part.y), digest_of_weights(part.weights)
