"""Tables and choices of the C core that the other modules need."""

from fastbp._core.c_core cimport fbp_dtype, fbp_kernels

cdef dict ACTIVATION_IDS, LOSS_IDS, OPTIMIZER_IDS, SCHEDULE_IDS  # by name, as the C core numbers the rows


cdef fbp_dtype dtype_id(object dtype) except *
cdef const fbp_kernels *kernels_for(object dtype) except NULL
