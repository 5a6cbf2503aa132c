"""What all shards together are: their rows, weights, names of columns and digests."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from fastbp._base.shown import shown
from fastbp.dask._executor import Executor, names_of_shards
from fastbp.dask._parts import Digests, Part
from fastbp.exceptions import DataError, ShapeError

Names = tuple[str, ...] | None


class Census(NamedTuple):
    """What the shards are, in their order."""

    rows: tuple[int, ...]  #: Number of rows with a nonzero weight.
    weights: tuple[float, ...]  #: Sum of the weights of the rows.
    names: Names  #: Names of the columns of X, if they have any.
    digests: tuple[Digests | None, ...]  #: Those of `Part.digests`, if a shard may be loaded again.


def census(executor: Executor, handles: Sequence[Any], what: str = "shard") -> Census:
    """Return what the shards of these handles are, in one round; they are loaded if they are not yet.

    `what` is what a shard is called in errors.

    Raises
    ------
    DataError
        No shard has a row with a weight.
    ShapeError
        The columns of a shard have other names than those of the shards before it.
    """
    names = names_of_shards(len(handles), what)
    rows, weights, columns, found_digests = zip(
        *executor.call(_count, handles, [()] * len(handles), (executor.loads_again,), names), strict=True
    )
    found = common_names(columns, names)
    if not any(rows):
        raise DataError(
            f"none of {len(handles)} {what}s has a row with a known target and a weight above 0, expected at "
            "least one"
        )
    return Census(rows, weights, found, found_digests)


def _count(part: Part, with_digests: bool) -> tuple[int, float, Names, Digests | None]:
    weight = float(part.n_rows) if part.weights is None else part.weights.total()
    return part.n_rows, weight, part.names, part.digests() if with_digests else None


def digests(executor: Executor, handles: Sequence[Any]) -> dict[str, str]:
    """Return a digest of each argument that has data, as `Data.digests` does, from those of the shards."""
    found = executor.call(_digests, handles, [()] * len(handles), names=names_of_shards(len(handles)))
    arguments = ("X", "y", "sample_weight or class_weight")
    return {
        argument: blake2b(" | ".join(each).encode(), digest_size=16).hexdigest()
        for argument, each in zip(arguments, zip(*found, strict=True), strict=True)
    }


def _digests(part: Part) -> Digests:
    return part.digests()


def common_names(columns: Sequence[Names], shards: Sequence[str]) -> Names:
    """Return the names of the columns of all shards, those without names apart; ShapeError if they differ."""
    first: Names = None
    for shard, names in zip(shards, columns, strict=True):
        first = first or names
        if names is not None and names != first:
            raise ShapeError(
                f"{shard} has the columns {shown(names)}, expected {shown(first)} in this order, as in the "
                "shards before it: with net.feature_names set, columns are read by name"
            )
    return first
