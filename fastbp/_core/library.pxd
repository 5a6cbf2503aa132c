"""Declarations of `library` for the other native modules: table rows by name, element types, kernels."""

from fastbp._core.c_core cimport fbp_dtype, fbp_inspection, fbp_kernels

cdef dict ACTIVATION_IDS, LOSS_IDS, OPTIMIZER_IDS, SCHEDULE_IDS  # row numbers in the tables of the C core, by name


cdef fbp_dtype dtype_id(object dtype) except *
cdef const fbp_kernels *kernels_for(object dtype) except NULL
cdef const fbp_inspection *inspection_for(object dtype) except NULL
