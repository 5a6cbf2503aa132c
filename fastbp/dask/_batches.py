"""The rows of each shard in a global batch, in proportion to the sizes of the shards."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from heapq import heapify, heappop, heapreplace
from typing import TypeAlias

Counts: TypeAlias = tuple[int, ...]


def counts_of(rows: Sequence[int], first: int) -> Counts:
    """Return how many of the first rows of an epoch belong to each shard, by Webster's method.

    All rows of an epoch are in one order: row j of a shard of n rows, counted from 0, has the key
    (2 j + 1) / (2 n), and rows with equal keys follow each other by shard. So any stretch of this order has
    nearly the same share of every shard. The numbers depend on nothing but the arguments.

    Parameters
    ----------
    rows : sequence of int
        Number of rows of each shard, >= 0; at least one is not 0.
    first : int
        Number of rows from the start of the epoch, 0 to the sum of `rows`.

    References
    ----------
    M. L. Balinski and H. P. Young, Fair Representation (1982): Webster's method of apportionment.
    """
    total = sum(rows)
    # the rows whose keys are below first / total: j < n first / total - 1/2
    counts = [max(0, -((total - 2 * n * first) // (2 * total))) for n in rows]
    missing = first - sum(counts)
    if missing:
        _correct(counts, rows, missing)
    return tuple(counts)


def _correct(counts: list[int], rows: Sequence[int], missing: int) -> None:
    """Add the next rows in the order of an epoch to counts, or take the last ones away if `missing` < 0."""
    sign = 1 if missing > 0 else -1
    offset = 1 if missing > 0 else -1  # of the next row, or of the last one

    def entry(i: int) -> tuple[Fraction, int]:
        return sign * Fraction(2 * counts[i] + offset, 2 * rows[i]), sign * i

    edge = rows if missing > 0 else [0] * len(rows)
    heap = [entry(i) for i in range(len(rows)) if counts[i] != edge[i]]
    heapify(heap)
    for _ in range(abs(missing)):
        i = sign * heap[0][1]
        counts[i] += sign
        if counts[i] == edge[i]:
            heappop(heap)
        else:
            heapreplace(heap, entry(i))
