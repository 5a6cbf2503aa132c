# Whose memory an array stands in, part of _core.pyx: the network's own, and the caller's.

cdef enum:
    CACHE_LINE = 64  # bytes


cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(type subtype, cnp.dtype descr, int ndim, cnp.npy_intp *shape, cnp.npy_intp *strides,
                                void *data, int flags, void *like)  # cimport numpy lacks it


cdef bint is_plain(object array, int number) noexcept:
    """Whether this is an ndarray, no subclass, of that type, C-contiguous, aligned and in native byte order."""
    return (cnp.PyArray_CheckExact(array) and cnp.PyArray_TYPE(array) == number
            and cnp.PyArray_ISCARRAY_RO(array))


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
