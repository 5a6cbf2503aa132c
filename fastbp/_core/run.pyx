# cython: language_level=3, embedsignature=True
"""Plans of the C core, and the runs that train with them."""

from fastbp.exceptions import Error, ParameterError

cimport cython

from fastbp._core.arrays cimport check_memory
from fastbp._core.c_core cimport *


@cython.no_gc  # to make one collects no garbage, so no finalizer of the user's changes an array meanwhile
cdef class Plan:
    """Owner of a C plan for batches of so many rows, or fewer, on so many threads, or fewer."""

    def __dealloc__(self):
        fbp_plan_free(self.plan)


cdef class Run:
    """A fit under way: its data, its plan, and the cursor from which it goes on."""

    converged, columns = False, {}  # of runs that can tell

    def advance(self, size_t until_epoch, double seconds):
        """Train until `until_epoch` epochs are complete or `seconds` have passed, at least one step.

        Returns False right after a step whose loss was not finite.
        """
        cdef bint finite
        if until_epoch > <size_t> self.epoch_losses.size:
            raise ParameterError(f"until_epoch is {until_epoch}, expected at most {self.epoch_losses.size}")
        if self.plan.state is not self.engine.state:
            raise Error("the optimizer was set during a run of the one before")
        check_memory(self.X)
        check_memory(self.y)
        with nogil:
            finite = fbp_advance(self.plan.plan, &self.fit, until_epoch, seconds)
        return finite

    @property
    def epoch(self):
        """Complete epochs."""
        return self.fit.epoch

    @property
    def step(self):
        """Steps done in the epoch under way."""
        return self.fit.step

    @property
    def steps_per_epoch(self):
        """Steps of an epoch, the short last one included."""
        return (self.fit.n + self.fit.batch_size - 1) // self.fit.batch_size

    @property
    def losses(self):
        """(epochs,) float64, valid up to `epoch`."""
        return self.epoch_losses
