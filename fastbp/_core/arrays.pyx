# cython: language_level=3, embedsignature=True
"""Arrays as the C core sees them: whose memory they stand in, and how rows of them are described."""

import numpy as np

from fastbp.exceptions import DataError, DTypeError, ShapeError

cimport cython
cimport numpy as cnp
from cpython.memoryview cimport PyMemoryView_Check
from cpython.ref cimport Py_INCREF, Py_REFCNT
from libc.stdint cimport int64_t, uint64_t

from fastbp._core.c_core cimport *
from fastbp._core.library cimport dtype_id

cnp.import_array()

cdef enum:
    CACHE_LINE = 64  # bytes
    TYPE_NUMBERS = 24  # of NumPy's own types


cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(type subtype, cnp.dtype descr, int ndim, cnp.npy_intp *shape, cnp.npy_intp *strides,
                                void *data, int flags, void *like)  # cimport numpy lacks it


cdef cnp.ndarray owner_of(cnp.ndarray array):
    """The array whose view this one is, also through the buffer protocol; itself where it is none."""
    cdef object base = cnp.get_array_base(array)
    while base is not None:
        if PyMemoryView_Check(base):
            base = base.obj
        if not cnp.PyArray_Check(base):
            break
        array = base
        base = cnp.get_array_base(array)
    return array


cdef void extent(cnp.ndarray array, const char **first, const char **end) noexcept:
    """Find the first byte of an array's elements and the one past the last; the same if it has none."""
    cdef cnp.npy_intp reach
    cdef int axis
    first[0] = end[0] = <const char *> cnp.PyArray_DATA(array)
    if array.size == 0:
        return
    end[0] += cnp.PyArray_ITEMSIZE(array)
    for axis in range(array.ndim):
        reach = (array.shape[axis] - 1) * array.strides[axis]
        if reach < 0:
            first[0] += reach
        else:
            end[0] += reach


cdef bint overlap(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Whether the memory of two arrays overlaps, from the first byte of each to the last."""
    cdef const char *start_a
    cdef const char *end_a
    cdef const char *start_b
    cdef const char *end_b
    extent(a, &start_a, &end_a)
    extent(b, &start_b, &end_b)
    return start_a < end_b and start_b < end_a


# ---- the network's own -----------------------------------------------------------------------------------------------


cdef class Memory:
    """Owner of numbers that the C core has pointers to. It is no array, so no view of them can be resized.

    It can tell whether user code has written to them since `watch`. To write takes an array over them. So `watch` takes
    their fingerprint only if there is such an array, and `handed_out` before it makes one.
    """

    cdef object buffer
    cdef uint64_t fingerprint  # of the watched numbers, once it was needed
    cdef bint is_watched, has_fingerprint

    def __init__(self, buffer):
        self.buffer = buffer

    cdef void look_at(self, cnp.ndarray numbers) noexcept:
        """Take the fingerprint, if the numbers are watched and it is not known yet."""
        if self.is_watched and not self.has_fingerprint:
            self.fingerprint = fbp_fingerprint(cnp.PyArray_DATA(numbers), cnp.PyArray_NBYTES(numbers))
            self.has_fingerprint = True


cdef Memory memory_of(cnp.ndarray numbers):
    """The owner of numbers of `aligned_zeros`; TypeError for others."""
    return <Memory?> cnp.get_array_base(numbers)


def watch(cnp.ndarray numbers not None):
    """Notice writes to these numbers from now on; the array is the one that `aligned_zeros` has returned."""
    cdef Memory memory = memory_of(numbers)
    memory.is_watched, memory.has_fingerprint = True, False
    if Py_REFCNT(memory) > 2:  # this function's reference, that of `numbers`, and another array's
        memory.look_at(numbers)


def is_untouched(cnp.ndarray numbers not None):
    """Tell whether nobody has written to the numbers since `watch`."""
    cdef Memory memory = memory_of(numbers)
    return not memory.has_fingerprint or memory.fingerprint == fbp_fingerprint(cnp.PyArray_DATA(numbers),
                                                                              cnp.PyArray_NBYTES(numbers))


cdef cnp.ndarray array_in(object memory, cnp.ndarray like):
    """An array over the numbers of another, contiguous one, whose base is `memory`."""
    cdef cnp.ndarray array = cnp.PyArray_SimpleNewFromData(like.ndim, like.shape, cnp.PyArray_TYPE(like),
                                                           cnp.PyArray_DATA(like))
    cnp.set_array_base(array, memory)
    return array


def aligned_zeros(shape, dtype):
    """Return zeros that begin on a cache line, where a vector never lies across two: a tenth faster in wide layers.

    Their base is a `Memory`.
    """
    dtype, size = np.dtype(dtype), int(np.prod(shape))
    buffer = np.zeros(size * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -buffer.ctypes.data % CACHE_LINE
    return array_in(Memory(buffer), buffer[start : start + size * dtype.itemsize].view(dtype).reshape(shape))


def handed_out(cnp.ndarray zeros not None):
    """Return a view of numbers of `aligned_zeros`. Its base is an array of its own, which may be reshaped."""
    cdef Memory memory = memory_of(zeros)
    memory.look_at(zeros)
    return array_in(memory, zeros)[:]


# ---- the caller's ----------------------------------------------------------------------------------------------------


@cython.final
@cython.freelist(8)
cdef class Held:
    """The caller's array as it was when the call received it: the base of the views that the call works on.

    User code may reshape or resize the array. The views have shapes of their own, but share its memory. So `check` is
    called after each return from user code, before the memory is read. A resize by another thread meanwhile is not
    noticed.
    """

    cdef cnp.ndarray array, owner
    cdef const char *data
    cdef const char *owner_data
    cdef cnp.npy_intp owner_bytes
    cdef cnp.npy_intp[2] shape  # the first axes
    cdef int ndim, number

    cdef int check(self) except -1:
        """Raise DataError if the array or its memory has changed."""
        cdef int axis
        cdef bint same = (cnp.PyArray_DATA(self.array) == self.data and self.array.ndim == self.ndim
                          and cnp.PyArray_TYPE(self.array) == self.number
                          and cnp.PyArray_DATA(self.owner) == self.owner_data
                          and cnp.PyArray_NBYTES(self.owner) == self.owner_bytes)
        for axis in range(2 if self.ndim > 2 else self.ndim):
            same = same and self.array.shape[axis] == self.shape[axis]
        if not same:
            raise DataError("an array was resized or reshaped during the call that works on it, "
                            "expected it to stay as it is")
        return check_memory(self.owner)  # perhaps of a view that another call holds


def hold(cnp.ndarray array not None):
    """Return a view of an array, in the base class, for a call to work on; its base is a `Held`."""
    cdef Held held = Held()
    cdef int axis
    cdef cnp.dtype descr = <cnp.dtype> <void *> cnp.PyArray_DESCR(array)
    held.array, held.owner = array, owner_of(array)
    held.data, held.owner_data = <const char *> cnp.PyArray_DATA(array), <const char *> cnp.PyArray_DATA(held.owner)
    held.owner_bytes = cnp.PyArray_NBYTES(held.owner)
    held.ndim, held.number = array.ndim, cnp.PyArray_TYPE(array)
    for axis in range(2 if array.ndim > 2 else array.ndim):
        held.shape[axis] = array.shape[axis]
    Py_INCREF(descr)  # which the next call steals
    view = PyArray_NewFromDescr(cnp.ndarray, descr, array.ndim, array.shape, array.strides, cnp.PyArray_DATA(array),
                                cnp.PyArray_FLAGS(array) & cnp.NPY_ARRAY_WRITEABLE, NULL)
    cnp.set_array_base(view, held)
    return view


cpdef int check_memory(cnp.ndarray array) except -1:
    """Raise DataError if this is a view of what the caller has resized or reshaped meanwhile."""
    cdef object base = cnp.get_array_base(owner_of(array))
    if type(base) is Held:
        (<Held> base).check()
    return 0


# ---- rows -------------------------------------------------------------------------------------------------------------

cdef dict SOURCE_TYPES = {
    "f2": FBP_SOURCE_F16, "f4": FBP_SOURCE_F32, "f8": FBP_SOURCE_F64,
    "i1": FBP_SOURCE_I8, "i2": FBP_SOURCE_I16, "i4": FBP_SOURCE_I32, "i8": FBP_SOURCE_I64,
    "u1": FBP_SOURCE_U8, "u2": FBP_SOURCE_U16, "u4": FBP_SOURCE_U32, "u8": FBP_SOURCE_U64, "b1": FBP_SOURCE_U8,
}
cdef int[TYPE_NUMBERS] SOURCE_TYPE_OF  # by NumPy's number, of which an integer of 64 bits has two; -1: none


def _number_source_types():
    cdef int number
    for number in range(TYPE_NUMBERS):
        SOURCE_TYPE_OF[number] = -1
    for character in np.typecodes["AllInteger"] + np.typecodes["Float"] + "?":
        number = np.dtype(character).num
        SOURCE_TYPE_OF[number] = SOURCE_TYPES.get(np.dtype(character).str[1:], -1)


_number_source_types()


cdef fbp_source source_of(cnp.ndarray array) except *:
    """Describe an array of rows; a 1-D array is one column. The array must outlive the description."""
    cdef fbp_source source
    cdef int number = cnp.PyArray_TYPE(array)
    if array.ndim not in (1, 2):
        raise ShapeError(f"the data have {array.ndim} dimensions, expected 1 or 2")
    if not 0 <= number < TYPE_NUMBERS or SOURCE_TYPE_OF[number] < 0:
        raise DTypeError(f"the data have dtype {array.dtype}, expected real numbers of at most 64 bits")
    check_memory(array)
    source.type = <fbp_source_type> SOURCE_TYPE_OF[number]
    source.swapped = cnp.PyArray_ISBYTESWAPPED(array)
    source.data = <const char *> cnp.PyArray_DATA(array)
    source.rows = array.shape[0]
    source.row_stride = array.strides[0]
    source.columns = array.shape[1] if array.ndim == 2 else 1
    source.column_stride = array.strides[1] if array.ndim == 2 else 0
    source.mean = source.inverse_scale = NULL
    return source


def first_nonfinite(cnp.ndarray array not None, dtype):
    """Return the flat index (C order) of the first element that is not finite once converted to dtype, or -1."""
    cdef fbp_source source = source_of(array)
    cdef fbp_dtype target = dtype_id(dtype)
    cdef int64_t position
    with nogil:
        position = fbp_first_nonfinite(&source, target)
    return position


def first_bad_label(cnp.ndarray array not None, size_t n_out):
    """Return the index of the first of these integers (n,) that is not a class label, 0 to n_out - 1, or -1."""
    cdef fbp_source source = source_of(array)
    cdef int64_t position
    with nogil:
        position = fbp_first_bad_label(&source, n_out)
    return position


cdef bint has_plain_rows(array, Py_ssize_t columns, cnp.dtype dtype) noexcept:
    """Whether this is an ndarray (rows, columns) of `dtype`, native and C-contiguous."""
    return (is_plain(array, dtype.num) and (<cnp.ndarray> array).ndim == 2
            and (<cnp.ndarray> array).shape[1] == columns)


def plain_rows(array, Py_ssize_t columns, cnp.dtype dtype not None):
    """Return a view of `array` if that is an ndarray (rows, columns) of `dtype`, native and C-contiguous, else None."""
    return hold(array) if has_plain_rows(array, columns, dtype) else None


def plain_and_finite(array, Py_ssize_t columns, cnp.dtype dtype not None, Py_ssize_t most):
    """Return a view of `array` if that is what most calls bring, and nothing in it needs a closer look, else None.

    That is what has plain rows, with 1 to `most` finite elements.
    """
    cdef fbp_source source
    if not has_plain_rows(array, columns, dtype) or not 0 < (<cnp.ndarray> array).size <= most:
        return None
    source = source_of(array)
    if fbp_first_nonfinite(&source, FBP_FLOAT32 if dtype.num == cnp.NPY_FLOAT else FBP_FLOAT64) >= 0:
        return None
    return hold(array)
