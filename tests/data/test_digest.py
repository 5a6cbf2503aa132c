"""Digests of arrays: what they tell apart, and what they do not."""

import hashlib
import struct

import numpy as np
import pytest

from fastbp._data import checks
from fastbp._data.digest import digest
from helpers.layouts import FLOATS, INTEGERS, LAYOUTS
from helpers.memory import traced_peak


@pytest.mark.parametrize("block", [2, 1 << 20])
def test_layout_and_byte_order_do_not_count(block, monkeypatch):
    """Nor does the size of the blocks."""
    expected = {shape: [digest(array) for array in arrays(shape)] for shape in [(7,), (7, 3)]}
    monkeypatch.setattr(checks.blocks, "__defaults__", (block,))
    for shape, digests in expected.items():
        for array, known in zip(arrays(shape), digests, strict=True):
            for name, layout in LAYOUTS.items():
                assert digest(layout(array)) == known, (array.dtype, name)


def arrays(shape):
    numbers = np.arange(np.prod(shape)).reshape(shape)
    return [numbers.astype(dtype) for dtype in (*FLOATS, *INTEGERS, "?")]


def test_a_memory_map_has_the_digest_of_its_numbers(tmp_path, rng):
    X = rng.normal(size=(50, 3))
    np.save(tmp_path / "X.npy", X)
    assert digest(np.load(tmp_path / "X.npy", mmap_mode="r")) == digest(X)


def test_all_else_counts():
    """The values by their bytes, dtype and shape."""
    X = np.arange(1.0, 25.0).reshape(6, 4)
    different = [None, X, X.T, X.reshape(4, 6), X.reshape(-1), X.reshape(24, 1), X[:5], X.astype("f4")]
    different += [X.astype("i8"), X.astype("u8"), X.astype("i1"), X.astype("u1"), X > 0, -X, X[::-1]]
    for i in (0, 11, 23):
        for number in (0.0, -0.0, 5e-324, np.nan, -np.nan, np.nextafter(X.flat[i], 0)):
            changed = X.copy()
            changed.flat[i] = number
            different.append(changed)
    assert len({digest(array) for array in different}) == len(different)
    assert digest(None) == "none"


def test_the_definition_stays():
    """Files hold digests: BLAKE2b over dtype and shape in text, and the little-endian values."""
    for array, written in (
        (np.arange(6.0).reshape(2, 3), b"<f8 (2, 3)" + struct.pack("<6d", *range(6))),
        (np.array([1, -1], ">i2"), b"<i2 (2,)" + struct.pack("<2h", 1, -1)),
    ):
        assert digest(array) == hashlib.blake2b(written, digest_size=16).hexdigest()


def test_large_arrays_are_read_in_blocks(rng):
    X = rng.normal(size=(2_000_000, 4))[:, ::2]
    assert traced_peak(lambda: digest(X)) < 0.5 * X.nbytes
