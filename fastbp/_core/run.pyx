"""Training runs, and the plans of the C core that carry them out."""

from fastbp.exceptions import Error, ParameterError

cimport cython

from fastbp._core.arrays cimport check_memory
from fastbp._core.c_core cimport *


@cython.no_gc  # creating one starts no garbage collection, so no finalizer of the user can change an array
cdef class Plan:
    """Owner of a C plan, for batches of up to `rows` rows on up to `threads` threads."""

    def __dealloc__(self):
        fbp_plan_free(self.plan)


cdef class Run:
    """A training run: its data, its plan, and the epoch and step it has reached."""

    converged, columns = False, {}  # other runs have values to report here

    def advance(self, size_t until_epoch, double seconds):
        """Train until `until_epoch` epochs are complete or `seconds` have passed, but at least one step.

        Return False right after a step whose loss was not finite.
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
        """Number of complete epochs."""
        return self.fit.epoch

    @property
    def step(self):
        """Number of steps done in the present epoch."""
        return self.fit.step

    @property
    def steps_per_epoch(self):
        """Number of steps per epoch, a short last one included."""
        return (self.fit.n + self.fit.batch_size - 1) // self.fit.batch_size

    @property
    def losses(self):
        """Loss per epoch, (epochs,) float64; valid up to `epoch`."""
        return self.epoch_losses
