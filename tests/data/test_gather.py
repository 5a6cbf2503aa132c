"""Conversion of rows in gather: each element as NumPy converts it, on every instruction set."""

from itertools import product

import numpy as np
import pytest

from fastbp import _core
from helpers.isas import ISAS, using
from helpers.layouts import FLOATS, INTEGERS, LAYOUTS
from helpers.tables import DTYPES

LONGEST = 70  # more than a vector of bytes on any instruction set
ROWS = 3
PATHS = [*product(ISAS, DTYPES)]


def any_bits(rng, kind, shape):
    """Numbers of any bits, among them NaN, infinity and subnormal ones, and some close to each other."""
    size = np.dtype(kind).itemsize
    numbers = rng.integers(2**64, size=shape, dtype="u8").astype(f"u{size}").view(kind)
    numbers[-1] = rng.integers(100, size=shape[1])
    return numbers


def numpys(X, dtype, mean=None, inverse_scale=None):
    """The rows as NumPy converts and scales them."""
    with np.errstate(all="ignore"):
        return (X if mean is None else (X.astype("f8") - mean) * inverse_scale).astype(dtype)


def assert_same_bits(got, expected):
    """Compare all bits, but those of NaN."""
    unknown = np.isnan(expected)
    assert (np.isnan(got) == unknown).all()
    assert np.where(unknown, 0, got).tobytes() == np.where(unknown, 0, expected).tobytes()


def assert_gathers(rows, mean=None, inverse_scale=None):
    """Gather rows (n, columns) on each path, and compare them with NumPy's."""
    for isa, dtype in PATHS:
        with using(isa):
            got = _core.gathered(rows, dtype, mean, inverse_scale)
            assert_same_bits(got, numpys(rows, dtype, mean, inverse_scale))


@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
@pytest.mark.parametrize("kind", [*FLOATS, *INTEGERS, "?"])
def test_rows_of_any_layout_and_length(rng, kind, scaled):
    X = rng.integers(2, size=(ROWS, LONGEST)) == 1 if kind == "?" else any_bits(rng, kind, (ROWS, LONGEST))
    scaling = (rng.normal(size=LONGEST) * 100, rng.random(LONGEST)) if scaled else ()
    for n in range(1, LONGEST + 1):
        vectors = [vector[:n] for vector in scaling]
        assert_gathers(X[:, :n], *vectors)  # rows that are longer than what is read of them
        for layout in LAYOUTS.values():
            assert_gathers(layout(X[:, :n]), *vectors)


def test_every_half():
    halves = np.arange(2**16, dtype="u2").view("f2").reshape(64, 1024)
    for X in (halves, halves[:, ::-1], halves.astype(">f2")):
        assert_gathers(X)
        assert_gathers(X, np.full(1024, 0.1), np.full(1024, 3.7))


def test_integers_are_rounded_once():
    """Not first to double, nor in halves: integers beside the middle between two floats, or two doubles."""
    middles = [2**k + 2 ** (k - digits) for digits in (24, 53) for k in range(digits + 1, 64)]
    near = [middle + d for middle in middles for d in (-1, 0, 1)]
    for kind in ("u8", "i8", "u4", "i4"):
        X = np.array([[x for x in near if x <= np.iinfo(kind).max]], kind)
        assert_gathers(X)
        assert_gathers(-X)  # of unsigned ones: 2^n - x


def test_halves_that_are_not_finite():
    halves = np.arange(2**16, dtype="u2").view("f2")
    for half in [*halves[::97], *np.array([np.inf, -np.inf, np.nan, 65504, -65504], "f2")]:
        row = np.ones(33, "f2")
        row[20] = half
        for layout in LAYOUTS.values():
            assert _core.first_nonfinite(layout(row), "float32") == (-1 if np.isfinite(half) else 20)
