"""Plans and runs, which the engine fills in."""

from fastbp._core.c_core cimport *


cdef class Plan:
    cdef fbp_plan *plan
    cdef size_t rows, threads
    cdef unsigned int data
    cdef object state  # of the optimizer, which the plan has pointers to
    cdef Plan next  # of the engine's spares


cdef class Run:
    cdef fbp_fit fit
    cdef fbp_source x_source, y_source
    cdef object engine, X, y, weights, scaling, order, epoch_losses
    cdef Plan plan
