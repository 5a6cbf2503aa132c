"""NumPy arrays as the C core uses them: layout, ownership, overlap, and the description of rows."""

import sys

import numpy as np

from fastbp.exceptions import DataError, DTypeError, ShapeError

cimport cython
cimport numpy as cnp
from cpython.memoryview cimport PyMemoryView_Check
from cpython.ref cimport Py_INCREF, Py_REFCNT
from libc.stdint cimport int32_t, int64_t, uint64_t

from fastbp._core.c_core cimport *
from fastbp._core.library cimport dtype_id, kernels_for

cnp.import_array()

cdef enum:
    CACHE_LINE = 64  # bytes


cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(type subtype, cnp.dtype descr, int ndim, cnp.npy_intp *shape, cnp.npy_intp *strides,
                                void *data, int flags, void *like)  # `cimport numpy` lacks it


cdef cnp.ndarray owner_of(cnp.ndarray array):
    """Return the array that this one is a view of, also through the buffer protocol, or itself if it is no view."""
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
    """Find the first byte of an array's elements and the byte past the last one; the two are equal if it is empty."""
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
    """Return whether two arrays overlap in memory; gaps between the elements of an array count as part of it."""
    cdef const char *start_a
    cdef const char *end_a
    cdef const char *start_b
    cdef const char *end_b
    extent(a, &start_a, &end_a)
    extent(b, &start_b, &end_b)
    return start_a < end_b and start_b < end_a


# ---- memory of the network -------------------------------------------------------------------------------------------


cdef class Memory:
    """Owner of numbers that the C core has pointers to. It is not an array, so views of the numbers cannot be resized.

    It knows whether user code has written to the numbers since `watch`. User code needs an array over them to do so.
    Therefore `watch` takes a fingerprint only if such an array exists, and `handed_out` takes it before it makes one.
    """

    cdef object buffer
    cdef uint64_t fingerprint  # of the watched numbers, if `has_fingerprint`
    cdef bint is_watched, has_fingerprint

    def __init__(self, buffer):
        self.buffer = buffer

    cdef void look_at(self, cnp.ndarray numbers) noexcept:
        """Take the fingerprint of watched numbers, unless it is known already."""
        if self.is_watched and not self.has_fingerprint:
            self.fingerprint = fbp_fingerprint(cnp.PyArray_DATA(numbers), cnp.PyArray_NBYTES(numbers))
            self.has_fingerprint = True


cdef Memory memory_of(cnp.ndarray numbers):
    """Return the owner of an array from `aligned_zeros`; raise TypeError for other arrays."""
    return <Memory?> cnp.get_array_base(numbers)


def watch(cnp.ndarray numbers not None):
    """Notice writes to these numbers from now on; they are an array from `aligned_zeros`."""
    cdef Memory memory = memory_of(numbers)
    memory.is_watched, memory.has_fingerprint = True, False
    if Py_REFCNT(memory) > 2:  # more than the references of this function and of `numbers`: another array exists
        memory.look_at(numbers)


def is_untouched(cnp.ndarray numbers not None):
    """Return whether the numbers are the same as at the last `watch`."""
    cdef Memory memory = memory_of(numbers)
    return not memory.has_fingerprint or memory.fingerprint == fbp_fingerprint(cnp.PyArray_DATA(numbers),
                                                                              cnp.PyArray_NBYTES(numbers))


cdef cnp.ndarray array_in(object memory, cnp.ndarray like):
    """Return an array over the numbers of the contiguous array `like`, with `memory` as its base."""
    cdef cnp.ndarray array = cnp.PyArray_SimpleNewFromData(like.ndim, like.shape, cnp.PyArray_TYPE(like),
                                                           cnp.PyArray_DATA(like))
    cnp.set_array_base(array, memory)
    return array


def aligned_zeros(shape, dtype):
    """Return an array of zeros that begins on a cache line; its base is a `Memory`.

    So no vector of the kernels crosses a cache line, which makes wide layers a tenth faster.
    """
    dtype, size = np.dtype(dtype), int(np.prod(shape))
    cdef cnp.ndarray buffer = np.zeros(size * dtype.itemsize + CACHE_LINE, np.uint8)
    cdef size_t start = -<size_t> cnp.PyArray_DATA(buffer) % CACHE_LINE
    return array_in(Memory(buffer), buffer[start : start + size * dtype.itemsize].view(dtype).reshape(shape))


def handed_out(cnp.ndarray zeros not None):
    """Return a view of an array from `aligned_zeros`. Its base is a new array, which user code may reshape."""
    cdef Memory memory = memory_of(zeros)
    memory.look_at(zeros)
    return array_in(memory, zeros)[:]


# ---- arrays of the caller --------------------------------------------------------------------------------------------


@cython.final
@cython.freelist(8)
cdef class Held:
    """The caller's array with the shape it had at the start of the call; the call's views are based on it.

    User code may reshape or resize the array during the call. The views keep their shapes, but share its memory. So
    `check` runs after each return from user code, before the memory is read. A resize by another thread in between is
    not noticed.
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
                            "expected it to stay unchanged")
        return check_memory(self.owner)  # it may itself be a view that another call holds


def is_mapped(array):
    """Return whether this is an array over an mmap.mmap, or a view of one, also through the buffer protocol."""
    module = sys.modules.get("mmap")  # without it there is no such memory
    cdef object base = array if module is not None and cnp.PyArray_Check(array) else None
    while cnp.PyArray_Check(base):
        base = cnp.get_array_base(owner_of(base))
        if PyMemoryView_Check(base):
            base = base.obj
        if type(base) is Held:
            base = (<Held> base).owner
    return base is not None and issubclass(type(base), module.mmap)


def hold(cnp.ndarray array not None):
    """Return a view of an array for a call to work on: a plain ndarray, whose base is a `Held`."""
    cdef Held held = Held()
    cdef int axis
    cdef cnp.dtype descr = <cnp.dtype> <void *> cnp.PyArray_DESCR(array)
    held.array, held.owner = array, owner_of(array)
    held.data, held.owner_data = <const char *> cnp.PyArray_DATA(array), <const char *> cnp.PyArray_DATA(held.owner)
    held.owner_bytes = cnp.PyArray_NBYTES(held.owner)
    held.ndim, held.number = array.ndim, cnp.PyArray_TYPE(array)
    for axis in range(2 if array.ndim > 2 else array.ndim):
        held.shape[axis] = array.shape[axis]
    Py_INCREF(descr)  # the next call takes over a reference
    view = PyArray_NewFromDescr(cnp.ndarray, descr, array.ndim, array.shape, array.strides, cnp.PyArray_DATA(array),
                                cnp.PyArray_FLAGS(array) & cnp.NPY_ARRAY_WRITEABLE, NULL)
    cnp.set_array_base(view, held)
    return view


cpdef int check_memory(cnp.ndarray array) except -1:
    """Raise DataError if this is a view of an array that was resized or reshaped since `hold`."""
    cdef object base = cnp.get_array_base(owner_of(array))
    if type(base) is Held:
        (<Held> base).check()
    return 0


# ---- rows ------------------------------------------------------------------------------------------------------------

cdef int source_type(int number) noexcept:
    """Return the source type for NumPy's type `number`, or -1 if the core cannot read it. A long has 64 bits."""
    if number == cnp.NPY_FLOAT:
        return FBP_SOURCE_F32
    if number == cnp.NPY_DOUBLE:
        return FBP_SOURCE_F64
    if number == cnp.NPY_FLOAT16:
        return FBP_SOURCE_F16
    if number == cnp.NPY_LONG or number == cnp.NPY_LONGLONG:
        return FBP_SOURCE_I64
    if number == cnp.NPY_INT:
        return FBP_SOURCE_I32
    if number == cnp.NPY_SHORT:
        return FBP_SOURCE_I16
    if number == cnp.NPY_BYTE:
        return FBP_SOURCE_I8
    if number == cnp.NPY_ULONG or number == cnp.NPY_ULONGLONG:
        return FBP_SOURCE_U64
    if number == cnp.NPY_UINT:
        return FBP_SOURCE_U32
    if number == cnp.NPY_USHORT:
        return FBP_SOURCE_U16
    if number == cnp.NPY_UBYTE or number == cnp.NPY_BOOL:
        return FBP_SOURCE_U8
    return -1


cdef int describe(cnp.ndarray array, fbp_source *source) except -1:
    """Describe the rows of an array for the C core; a 1-D array is one column. The array must outlive the source.

    The result goes where it is needed: a copy of it would wait for the fields that have just been written.
    """
    cdef int type = source_type(cnp.PyArray_TYPE(array))
    if array.ndim not in (1, 2):
        raise ShapeError(f"the data have {array.ndim} dimensions, expected 1 or 2")
    if type < 0:
        raise DTypeError(f"the data have dtype {array.dtype}, expected real numbers of at most 64 bits")
    check_memory(array)
    source.type = <fbp_source_type> type
    source.swapped = cnp.PyArray_ISBYTESWAPPED(array)
    source.data = <const char *> cnp.PyArray_DATA(array)
    source.rows = array.shape[0]
    source.row_stride = array.strides[0]
    source.columns = array.shape[1] if array.ndim == 2 else 1
    source.column_stride = array.strides[1] if array.ndim == 2 else 0
    source.mean = source.inverse_scale = NULL
    source.starts = NULL
    source.entry_columns = NULL
    return 0


cdef Py_ssize_t length_of(array, int number) noexcept:
    """Return the length of a plain array (n,) of NumPy's type `number`; -1 if it is none."""
    return (<cnp.ndarray> array).shape[0] if is_plain(array, number) and (<cnp.ndarray> array).ndim == 1 else -1


cdef int describe_sparse(rows, fbp_source *source) except -1:
    """Describe `fastbp._base.sparse.SparseRows` for the C core. They must outlive the result.

    Whoever has made them has checked them. This check keeps others that were not from crashing the process.
    """
    cdef cnp.ndarray values = <cnp.ndarray?> rows.values
    cdef Py_ssize_t n_rows, n_columns, entries
    columns, starts = rows.columns, rows.starts
    n_rows, n_columns = rows.shape
    # from here on nothing makes objects: that may collect garbage, which runs finalizers, which may resize the values
    describe(values, source)
    entries = source.rows
    if (values.ndim != 1 or length_of(columns, cnp.NPY_INT32) != entries or n_rows < 0
            or length_of(starts, cnp.NPY_INT64) - 1 != n_rows):
        raise ShapeError(f"the sparse rows of shape {rows.shape} have {entries} entries, {np.shape(columns)} columns "
                         f"and {np.shape(starts)} starts, expected columns of int32, one per entry, and starts of "
                         "int64, one per row and one more")
    source.column_stride, source.row_stride = source.row_stride, 0
    source.rows, source.columns = n_rows, n_columns
    source.starts = <const int64_t *> cnp.PyArray_DATA(starts)
    source.entry_columns = <const int32_t *> cnp.PyArray_DATA(columns)
    if not fbp_has_valid_entries(source, entries):
        raise ShapeError(f"the sparse rows of shape {rows.shape} have starts that are not in ascending order from 0 to "
                         f"{entries}, the number of entries, or columns that are not")
    return 0


cdef cnp.ndarray numbers_of(rows):
    """Return the array with the numbers of these rows: the array itself, or the entries of sparse rows."""
    return rows if cnp.PyArray_Check(rows) else rows.values


def first_nonfinite(cnp.ndarray array not None, dtype):
    """Return the flat index, in C order, of the first element that is not finite as `dtype`, or -1."""
    cdef fbp_source source
    describe(array, &source)
    cdef fbp_dtype target = dtype_id(dtype)
    cdef int64_t position
    with nogil:
        position = fbp_first_nonfinite(&source, target)
    return position


def first_bad_label(cnp.ndarray array not None, size_t n_out):
    """Return the index of the first integer of an array (n,) that is not a class label 0 ... n_out - 1, or -1."""
    cdef fbp_source source
    describe(array, &source)
    cdef int64_t position
    with nogil:
        position = fbp_first_bad_label(&source, n_out)
    return position


cdef bint has_plain_rows(array, Py_ssize_t columns, cnp.dtype dtype) noexcept:
    """Return whether this is an ndarray (rows, columns) of `dtype`, native and C-contiguous."""
    return (is_plain(array, dtype.num) and (<cnp.ndarray> array).ndim == 2
            and (<cnp.ndarray> array).shape[1] == columns)


def plain_rows(array, Py_ssize_t columns, cnp.dtype dtype not None):
    """Return a view of `array` if it is an ndarray (rows, columns) of `dtype`, native and C-contiguous, else None."""
    return hold(array) if has_plain_rows(array, columns, dtype) else None


def plain_and_finite(array, Py_ssize_t columns, cnp.dtype dtype not None, Py_ssize_t most):
    """Return a view of `array` if it passes the quick check that suffices for most calls, else None.

    It passes if `plain_rows` accepts it and it has 1 to `most` elements, all of them finite.
    """
    cdef fbp_source source
    if not has_plain_rows(array, columns, dtype) or not 0 < (<cnp.ndarray> array).size <= most:
        return None
    describe(array, &source)
    if fbp_first_nonfinite(&source, FBP_FLOAT32 if dtype.num == cnp.NPY_FLOAT else FBP_FLOAT64) >= 0:
        return None
    return hold(array)


def gathered(cnp.ndarray X not None, dtype, mean=None, inverse_scale=None):
    """Return the rows of X (n, columns) as the kernels get them, scaled unless `mean` is None; for tests."""
    cdef fbp_source source
    describe(X, &source)
    cdef cnp.ndarray out = np.empty((source.rows, source.columns), dtype)
    cdef const fbp_kernels *kernels = kernels_for(out.dtype)
    cdef cnp.ndarray scaling
    if mean is not None:
        scaling = np.array([mean, inverse_scale], np.float64)
        if (<object> scaling).shape != (2, source.columns):
            raise ShapeError(f"a scaling of shape {np.shape(mean)}, expected ({source.columns},)")
        source.mean = <const double *> cnp.PyArray_DATA(scaling)
        source.inverse_scale = source.mean + source.columns
    fbp_gather(&source, NULL, 0, source.rows, kernels, cnp.PyArray_DATA(out), source.columns)
    return out
