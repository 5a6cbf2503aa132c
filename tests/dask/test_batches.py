"""How many rows of each shard the first rows of an epoch have."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.dask._batches import counts_of

SIZES = st.lists(st.integers(0, 40), min_size=1, max_size=9).filter(any)


@given(SIZES)
@settings(max_examples=50)
def test_they_are_those_of_sorted_keys(rows):
    keys = sorted((Fraction(2 * j + 1, 2 * n), i) for i, n in enumerate(rows) for j in range(n))
    expected = [0] * len(rows)
    assert counts_of(rows, 0) == tuple(expected)
    for first, (_, i) in enumerate(keys, 1):
        expected[i] += 1
        assert counts_of(rows, first) == tuple(expected)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=50).filter(any), st.floats(0, 1))
def test_every_shard_has_its_share(rows, share):
    """Webster's numbers can be off by a row per shard, and add up exactly; shards may be large."""
    first = int(share * sum(rows))
    counts = counts_of(rows, first)
    assert sum(counts) == first
    for count, n in zip(counts, rows, strict=True):
        assert 0 <= count <= n
        assert abs(count - Fraction(n * first, sum(rows))) < len(rows)


def test_one_shard_has_all():
    assert [counts_of([7], first) for first in range(8)] == [(first,) for first in range(8)]
