"""Dtypes and memory layouts that arrays of users come in."""

import mmap

import numpy as np

FLOATS = ["f2", "f4", "f8"]
INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]


def misaligned(a):
    """The same values at an odd address."""
    raw = np.empty(a.nbytes + 1, np.uint8)[1:]
    view = raw.view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS = {
    "contiguous": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "every second row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "every third element": lambda a: np.repeat(a, 3, axis=-1)[..., ::3],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "columns backwards": lambda a: a[..., ::-1].copy()[..., ::-1],
    "other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "misaligned": misaligned,
    "misaligned, other byte order": lambda a: misaligned(a.astype(a.dtype.newbyteorder())),
    "read-only": read_only,
}


def in_a_map(array):
    """Return the array in a memory map, without a file."""
    memory = mmap.mmap(-1, max(array.nbytes, 1))
    memory[: array.nbytes] = array.tobytes()
    return np.ndarray(array.shape, array.dtype, memory)
