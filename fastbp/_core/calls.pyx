"""Activations that are Python functions: what the plans of the C core call.

Python code may do anything: raise, resize arrays, predict with the same network. So it gets copies only, and the engine
hands no memory of the user's to such plans.
"""

from fastbp.exceptions import DTypeError

cimport numpy as cnp
from libc.string cimport memcpy

from fastbp._core.arrays cimport check_memory, is_plain, numbers_of
from fastbp._core.c_core cimport *

cnp.import_array()


cdef copied(rows):
    """Return a copy of an array or of `SparseRows`, which no code of the user can resize."""
    check_memory(numbers_of(rows))
    return rows.copy()


cdef cnp.ndarray copy_of(const char *rows, cnp.npy_intp *shape, size_t stride, int number):
    """Return an array (rows, n_out) with a copy of rows that are `stride` bytes apart."""
    cdef cnp.ndarray array = cnp.PyArray_SimpleNew(2, shape, number)
    cdef size_t row_bytes = shape[1] * cnp.PyArray_ITEMSIZE(array)
    cdef char *to = <char *> cnp.PyArray_DATA(array)
    cdef cnp.npy_intp i
    for i in range(shape[0]):
        memcpy(to + i * row_bytes, rows + i * stride, row_bytes)
    return array


cdef int put(returned, char *rows, cnp.npy_intp *shape, size_t stride, int number) except -1:
    """Copy an array (rows, n_out) to rows that are `stride` bytes apart."""
    cdef cnp.npy_intp i
    cdef cnp.ndarray array
    if not is_plain(returned, number) or returned.ndim != 2:
        raise DTypeError("apply returned something else than a plain array (rows, n_out) of the dtype of z")
    array = returned
    if array.shape[0] != shape[0] or array.shape[1] != shape[1]:
        raise DTypeError(f"apply returned an array of shape {returned.shape}, expected ({shape[0]}, {shape[1]})")
    cdef size_t row_bytes = shape[1] * cnp.PyArray_ITEMSIZE(array)
    cdef const char *source = <const char *> cnp.PyArray_DATA(array)
    for i in range(shape[0]):
        memcpy(rows + i * stride, source + i * row_bytes, row_bytes)
    return 0


cdef void call_activation(void *context, const fbp_plan *plan, size_t layer, void *y, void *slope, size_t rows,
                          size_t n_out, size_t stride) noexcept with gil:
    """Compute the activation of a layer; after an error, nothing is called any more in this run."""
    cdef Calls calls = <Calls> context
    key = <size_t> plan
    if key not in calls.errors:
        try:
            calls.apply(layer, <char *> y, <char *> slope, rows, n_out, stride)
        except BaseException as error:
            calls.errors[key] = error


cdef class Calls:
    """The activations of a network some of which are Python functions (`fastbp.activations.CustomActivation`)."""

    def __init__(self, tuple activations not None, int number):
        self.activations, self.number, self.errors = activations, number, {}

    cdef void set_in(self, fbp_network *network) noexcept:
        """Let plans of the network call the functions; the network must not outlive this object."""
        self.call.function, self.call.context = call_activation, <void *> self
        network.custom = &self.call

    cdef int check(self, const fbp_plan *plan) except -1:
        """Raise the error of the last run of a plan, if there was one."""
        error = self.errors.pop(<size_t> plan, None)
        if error is not None:
            raise error
        return 0

    cdef int apply(self, size_t layer, char *y, char *slope, size_t rows, size_t n_out, size_t stride) except -1:
        """Replace z (rows, n_out) in y by f(z), and write f'(z) to slope unless it is NULL."""
        cdef cnp.npy_intp[2] shape
        cdef size_t size = sizeof(float) if self.number == cnp.NPY_FLOAT else sizeof(double)
        shape[0], shape[1] = rows, n_out
        z = copy_of(y, shape, stride * size, self.number)
        values, slopes = self.activations[layer].apply(z, slope is not NULL)
        put(values, y, shape, stride * size, self.number)
        if slope is not NULL:
            put(slopes, slope, shape, stride * size, self.number)
        return 0
