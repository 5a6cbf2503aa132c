"""Arrays in memory-mapped files, in the ways that users make them."""

import mmap

import numpy as np


def mapped(folder, array, name="array", mode="r"):
    """Return a memory map with the numbers of an array, over a new file."""
    path = folder / f"{name}.bin"
    np.ascontiguousarray(array).tofile(path)
    return np.memmap(path, array.dtype, mode, shape=array.shape)


def loaded(folder, array):
    np.save(folder / "array.npy", array)
    return np.load(folder / "array.npy", mmap_mode="r")


def from_buffer(folder, array):
    with open(mapped(folder, array).filename, "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(memory, array.dtype).reshape(array.shape)


def misaligned(folder, array):
    path = folder / "array.bin"
    path.write_bytes(b"\0" + array.tobytes())
    return np.memmap(path, array.dtype, "r", offset=1, shape=array.shape)


#: Each is a function of a folder and an array, and returns a map of the same numbers.
MAPS = {
    "read-only": mapped,
    "writable": lambda folder, a: mapped(folder, a, mode="r+"),
    "copy on write": lambda folder, a: mapped(folder, a, mode="c"),
    "numpy.load": loaded,
    "mmap.mmap": from_buffer,
    "a memoryview of mmap.mmap": lambda folder, a: np.asarray(memoryview(from_buffer(folder, a))),
    "plain array over the map": lambda folder, a: np.asarray(mapped(folder, a)),
    "every second row": lambda folder, a: mapped(folder, np.repeat(a, 2, axis=0))[::2],
    "backwards": lambda folder, a: mapped(folder, a[::-1])[::-1],
    "Fortran": lambda folder, a: mapped(folder, np.ascontiguousarray(a.T)).T,
    "columns of a table": lambda folder, a: mapped(folder, np.hstack([a, a]))[:, a.shape[1] :],
    "other byte order": lambda folder, a: mapped(folder, a.astype(a.dtype.newbyteorder())),
    "misaligned": misaligned,
}
