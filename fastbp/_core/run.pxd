"""Declarations of `run`: the engine creates plans and runs, and fills in their fields."""

from fastbp._core.c_core cimport *


cdef class Plan:
    cdef fbp_plan *plan
    cdef size_t rows, threads
    cdef unsigned int data
    cdef object state  # state of the optimizer; kept alive, because the plan points to it
    cdef Plan next  # next one in the list of spare plans of the engine


cdef class Run:
    cdef fbp_fit fit
    cdef fbp_source x_source, y_source
    cdef object engine, X, y, weights, scaling, order, epoch_losses
    cdef Plan plan
