"""Declarations of `settings`: the engine reads what is set."""

from fastbp._core.c_core cimport *
from fastbp._core.calls cimport Calls
from fastbp._core.run cimport Plan, Planner


cdef void *data_of(object array) except? NULL


cdef class Settings(Planner):
    cdef bytearray layers            # of fbp_layer
    cdef public object memory        # of the optimizer, besides `state`
    cdef public object spare_arrays  # for the copies of the next Snapshot, or None
    cdef object mean, inverse_scale  # (n_in,) scaling of the inputs, float64, or None
    cdef bint centers                # whether the mean of an input is not 0
    cdef object target_mean, target_inverse_scale  # (n_targets,) scaling of the targets, float64, or None
    cdef object factor, offset       # (n_out,) of raw outputs, factor y + offset, float64, or None
    cdef unsigned int output_data    # of plans with outputs: FBP_RAW with a factor
    cdef readonly str isa
    cdef int number                  # NumPy's number of the type of the parameters
    cdef bint takes_labels           # whether targets may be class labels
    cdef size_t n_targets            # per row
    cdef object output_parameters    # of the loss, (outputs per target + FBP_MAX_LANES,), or None
    cdef Calls calls                 # of Python functions, or None

    cdef int check_calls(self, str what) except -1
    cdef double compute(self, Plan plan, unsigned int parts, const fbp_batch *batch) except? -1
