"""Declarations of `arrays` for the other native modules."""

cimport numpy as cnp

from fastbp._core.c_core cimport fbp_source


cdef inline bint is_plain(object array, int number) noexcept:
    """Return whether this is an ndarray (no subclass) of type `number`, C-contiguous, aligned, in native byte order."""
    return (cnp.PyArray_CheckExact(array) and cnp.PyArray_TYPE(array) == number
            and cnp.PyArray_ISCARRAY_RO(array))


cdef bint overlap(cnp.ndarray a, cnp.ndarray b) noexcept
cdef int describe(cnp.ndarray array, fbp_source *source) except -1
cdef int describe_sparse(object rows, fbp_source *source) except -1
cdef cnp.ndarray numbers_of(object rows)
cpdef int check_memory(cnp.ndarray array) except -1
