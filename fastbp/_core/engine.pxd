"""Declarations of `engine`: planes compute on its network, and read rows as it does."""

cimport numpy as cnp
from libc.stdint cimport int64_t

from fastbp._core.c_core cimport *
from fastbp._core.settings cimport Settings


cdef unsigned int data_kind(y, weights)
cdef size_t count_rows(X, weights) except? 0


cdef class Engine(Settings):
    cdef size_t forward_rows      # rows of the last forward()
    cdef readonly double penalty  # penalty of the layers at the last backward()

    cdef int describe_inputs(self, X, fbp_source *source) except -1
    cdef unsigned int sparse_kind(self, X, size_t rows, size_t *entries) except? 0
    cdef int describe_targets(self, cnp.ndarray y, size_t rows, fbp_source *source) except -1
    cdef size_t take_rows(self, weights, size_t rows, const double **values, size_t *columns,
                          const int64_t **index) except? 0
    cdef bint is_own(self, cnp.ndarray array) noexcept
    cdef void scale_inputs(self, fbp_source *source) noexcept
    cdef int check_calls(self, str what) except -1
    cdef check_rows(self, str name, cnp.ndarray array, size_t rows)
    cdef double learn(self, fbp_task task, unsigned int parts, X, y, weights) except? -1
    cdef int describe_batch(self, X, y, weights, fbp_source *x, fbp_source *t, fbp_batch *batch) except -1
    cdef new_rows(self, size_t rows, size_t columns)
