"""Declarations of `plane`: the engine creates planes and fills in their fields."""

cimport numpy as cnp

from fastbp._core.c_core cimport *
from fastbp._core.run cimport Planner


cdef class Plane:
    cdef fbp_plane plane
    cdef fbp_batch batch
    cdef fbp_source x_source, y_source
    cdef object X, y, weights, scaling  # what the batch and its sources point to
    cdef object origin, directions      # (P,) and (2, P), float64
    cdef list workers                   # of (Planner, Plan)
    cdef bytearray plans                # of fbp_plan *
    cdef bint busy                      # a thread is computing

    cdef int span(self, cnp.ndarray origin, cnp.ndarray directions, size_t n) except -1
    cdef int hire(self, Planner engine, size_t workers, size_t rows, unsigned int data, size_t entries) except -1
