"""Arrays are aligned, and functions get the same bits of them, wherever they have been."""

import numpy as np
import pytest

from fastbp.dask._worker import Held, aligned

distributed = pytest.importorskip("distributed", reason="needs distributed: pip install fastbp[dask]")


def moved(value, offset=1):
    """Return what another process gets if the memory of arrays begins at an odd address there."""
    header, frames = distributed.protocol.serialize(value)
    shifted = []
    for frame in frames:
        data = np.frombuffer(frame, np.uint8)
        memory = np.empty(len(data) + 64, np.uint8)
        start = -memory.ctypes.data % 16 + offset
        memory[start : start + len(data)] = data
        shifted.append(memory[start : start + len(data)].data)
    return distributed.protocol.deserialize(header, shifted)


def test_arrays_that_dask_moves_lose_their_alignment(rng):
    """So do those in objects, and then NumPy adds them up in another order."""
    array = rng.normal(size=10_001)
    found = moved(array)
    assert not found.flags.aligned
    assert not moved({"a": (array,)})["a"][0].flags.aligned
    assert np.sum(found) != np.sum(array)


def test_shards_keep_it(rng):
    """They can be changed on the other worker, too."""
    shard = {"X": rng.normal(size=(100, 3)), "y": np.arange(5, dtype=np.float32)}
    found = moved(Held(shard)).value
    assert all(array.flags.aligned and array.flags.writeable for array in found.values())
    assert all(found[name].tobytes() == shard[name].tobytes() for name in shard)


def test_delayed_arguments_get_it_back(rng):
    array = rng.normal(size=(7, 3))
    assert aligned(array) is array
    [found] = aligned(moved([array]))
    assert found.flags.aligned
    assert found.tobytes() == array.tobytes()
    assert aligned(moved(np.empty(0))).shape == (0,)


def test_size_of_a_shard():
    """The scheduler weighs a move by what it would cost."""
    assert 800_000 <= Held([np.zeros(100_000)]).__sizeof__() < 810_000
