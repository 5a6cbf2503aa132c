"""Declarations of `calls` for the engine."""

from fastbp._core.c_core cimport *


cdef copied(object rows)


cdef class Calls:
    cdef tuple activations  # per layer
    cdef int number         # NumPy's number of the type of all arrays
    cdef fbp_custom_call call  # what the network points to
    cdef dict errors        # what was raised during runs that are not yet checked, by the address of the plan

    cdef void set_in(self, fbp_network *network) noexcept
    cdef int check(self, const fbp_plan *plan) except -1
    cdef int apply(self, size_t layer, char *y, char *slope, size_t rows, size_t n_out, size_t stride) except -1
