# Rows in arrays of the caller's, part of _core.pyx.

cdef dict SOURCE_TYPES = {
    "f2": FBP_SOURCE_F16, "f4": FBP_SOURCE_F32, "f8": FBP_SOURCE_F64,
    "i1": FBP_SOURCE_I8, "i2": FBP_SOURCE_I16, "i4": FBP_SOURCE_I32, "i8": FBP_SOURCE_I64,
    "u1": FBP_SOURCE_U8, "u2": FBP_SOURCE_U16, "u4": FBP_SOURCE_U32, "u8": FBP_SOURCE_U64, "b1": FBP_SOURCE_U8,
}
cdef enum:
    TYPE_NUMBERS = 24  # of NumPy's own types

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


def random_raw(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, size_t n, uint64_t block=0):
    """Return n numbers of the raw Philox stream, (n,) uint64: the twin of fastbp.random.raw, for tests."""
    out = np.empty(n, np.uint64)
    fbp_random(seed, purpose, epoch, step, block, <uint64_t *> cnp.PyArray_DATA(out), n)
    return out


def permutation(uint64_t seed, uint64_t epoch, size_t n):
    """Return the order of an epoch, (n,) int64: the twin of fastbp.random.permutation, for tests."""
    out = np.empty(n, np.int64)
    fbp_permutation(seed, epoch, <int64_t *> cnp.PyArray_DATA(out), n)
    return out


def fail_allocation(size_t n):
    """Let the n-th allocation of the core from now on fail, for tests; 0: let all succeed."""
    fbp_fail_allocation(n)
