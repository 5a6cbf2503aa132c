"""A sparse matrix, and what may replace its parts: wrong numbers, other arrays, arrays that lie.

Each entry of the tables is a function that changes a matrix.
"""

import numpy as np

ROWS, COLUMNS = 2500, 8  # some pages of memory in each part
RNG = np.random.default_rng(0)
DENSE = (RNG.random((ROWS, COLUMNS)) * (RNG.random((ROWS, COLUMNS)) < 0.2)).astype("f4")
DENSE[0, :2] = DENSE[-1, -2:] = 1


def made(kind):
    """Return an honest matrix, whose parts own their memory."""
    matrix = kind(DENSE)
    for name in ("indptr", "indices", "data"):
        setattr(matrix, name, getattr(matrix, name).copy())
    return matrix


def part(name, change):
    """Return an attack that puts something else in the place of a part."""
    return lambda matrix: setattr(matrix, name, change(getattr(matrix, name)))


def element(name, i, value, dtype=np.int64):
    """Return an attack that changes one element of a part."""

    def change(matrix):
        array = getattr(matrix, name).astype(dtype)
        array[i] = value
        setattr(matrix, name, array)

    return change


def shape(change):
    return lambda matrix: setattr(matrix, "_shape", change(matrix.shape))


def masked(array):
    return np.ma.array(array, mask=np.arange(len(array)) == 5)


REFUSED = {
    "index -1": element("indices", 7, -1, np.int32),
    "index too large": element("indices", -1, ROWS, np.int32),
    "index of 64 bits": element("indices", 7, 2**32 + 1),
    "least index": element("indices", 0, -(2**63)),
    "greatest index": element("indices", -1, 2**64 - 1, np.uint64),
    "first start": element("indptr", 0, 1),
    "first start of 64 bits": element("indptr", 0, 2**63, np.uint64),
    "negative start": element("indptr", 1, -5),
    "start far away": element("indptr", 3, 2**40),
    "starts descend": part("indptr", lambda a: a[::-1]),
    "last start": element("indptr", -1, 2**40),
    "last start by one": lambda matrix: element("indptr", -1, len(matrix.data) + 1)(matrix),
    "greatest start": element("indptr", -1, 2**64 - 1, np.uint64),
    "a start too few": part("indptr", lambda a: a[:-1]),
    "a start too many": part("indptr", lambda a: np.append(a, a[-1])),
    "no starts": part("indptr", lambda a: a[:0]),
    "few indices": part("indices", lambda a: a[:3]),
    "few data": part("data", lambda a: a[:3]),
    "no data": part("data", lambda a: a[:0]),
    "wide data": part("data", lambda a: np.stack([a, a])),
    "wide indices": part("indices", lambda a: a[:, None]),
    "wide starts": part("indptr", lambda a: a[None]),
    "scalar data": part("data", lambda a: np.array(1.0)),
    "scalar indices": part("indices", lambda a: np.array(1)),
    "scalar starts": part("indptr", lambda a: np.array(0)),
    "data None": part("data", lambda a: None),
    "starts listed": part("indptr", list),
    "indices listed": part("indices", list),
    "indices in a memoryview": part("indices", memoryview),
    "float indices": part("indices", lambda a: a.astype(float)),
    "float starts": part("indptr", lambda a: a.astype(float)),
    "bool indices": part("indices", lambda a: a.astype(bool)),
    "objects as indices": part("indices", lambda a: a.astype(object)),
    "objects as data": part("data", lambda a: a.astype(object)),
    "text": part("data", lambda a: a.astype("S4")),
    "complex data": part("data", lambda a: a.astype(complex)),
    "long double": part("data", lambda a: a.astype(np.longdouble)),
    "records": part("data", lambda a: a.view("f2,f2")),
    "masked data": part("data", masked),
    "masked indices": part("indices", masked),
    "masked starts": part("indptr", masked),
    "no attribute": lambda matrix: delattr(matrix, "indices"),
    "fewer rows": shape(lambda s: (s[0] - 1, s[1])),
    "more columns": shape(lambda s: (s[0], s[1] + 1)),
    "many rows": shape(lambda s: (2**62, s[1])),
    "too many rows": shape(lambda s: (2**70, s[1])),
    "negative rows": shape(lambda s: (-1, s[1])),
    "three axes": shape(lambda s: (*s, 1)),
    "one axis": shape(lambda s: s[:1]),
    "no shape": shape(lambda s: None),
    "text as shape": shape(lambda s: "ab"),
}


# ---- odd parts ---------------------------------------------------------------------------------------------


def misaligned(array):
    buffer = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype)
    buffer[:] = array
    return buffer


def lying(name, answer):
    """Return an array of a class whose attribute lies."""
    return lambda a: a.view(type("Liar", (np.ndarray,), {name: property(lambda self: answer(self))}))


def shuffled(matrix):
    """Reverse the entries of each row or column; the flags stay."""
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    for start, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        for array in (matrix.indices, matrix.data):
            array[start:end] = array[start:end][::-1].copy()


def doubled(matrix):
    """Have each entry in two halves; the flags stay."""
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    matrix.indptr = matrix.indptr * 2
    matrix.indices = np.repeat(matrix.indices, 2)
    matrix.data = np.repeat(matrix.data / 2, 2)


def each(change):
    def attack(matrix):
        for name in ("indptr", "indices", "data"):
            part(name, change)(matrix)

    return attack


RIGHT = {
    "as it is": lambda matrix: None,
    "shuffled": shuffled,
    "doubled": doubled,
    "strided": each(lambda a: np.repeat(a, 3)[1::3]),
    "backwards": each(lambda a: a[::-1].copy()[::-1]),
    "misaligned": each(misaligned),
    "swapped": each(lambda a: a.astype(a.dtype.newbyteorder(">"))),
    "read-only": each(lambda a: np.frombuffer(a.tobytes(), a.dtype)),
    "wide indices": part("indices", lambda a: a.astype(np.uint64)),
    "narrow indices": part("indices", lambda a: a.astype(np.int16)),
    "more entries than starts tell": each(lambda a: np.append(a, np.array([7], a.dtype)) if a[0] else a),
    "liars about size": each(lying("size", lambda self: 2)),
    "liars about shape": each(lying("shape", lambda self: (2,))),
    "liars about dtype": each(lying("dtype", lambda self: np.dtype(np.int8))),
}


def overwrite(name, value):
    def attack(matrix):
        getattr(matrix, name)[:] = value

    return attack
