"""Training runs, and the plans of the C core that carry them out."""

from math import isfinite, nan

from fastbp._core.arrays import aligned_zeros
from fastbp.exceptions import DataError, Error, ParameterError

cimport cython
cimport numpy as cnp

from fastbp._core.arrays cimport check_memory, numbers_of
from fastbp._core.c_core cimport *

cnp.import_array()

cdef enum:
    SHORT_WORK = 1 << 15       # multiply-adds; so few are not worth releasing the GIL
    SPARE_BYTES = 16 << 20     # limit of all workspaces kept for predictions


@cython.no_gc  # creating one starts no garbage collection, so no finalizer of the user can change an array
cdef class Plan:
    """Owner of a C plan, for batches of up to `rows` rows on up to `threads` threads."""

    def __dealloc__(self):
        fbp_plan_free(self.plan)


cdef class Planner:
    """A network of the C core with the plans made for it, which later calls of the same kind use again."""

    cdef void measure_blocks(self):
        """Set the sizes that the layers and the parameters determine."""
        self.block_rows = fbp_block_rows(self.network.layers, self.network.n_layers)
        self.short_rows = SHORT_WORK // self.network.n_parameters

    cdef void forget_plans(self):
        self.plans = [None] * FBP_TASKS
        self.spare, self.spare_bytes = None, 0

    cdef Plan new_plan(self, fbp_task task, size_t rows, unsigned int data, size_t entries):
        cdef Plan plan = Plan()
        stores = task in (FBP_TRAIN, FBP_STORED, FBP_CUSTOM_LOSS) and not fbp_is_fused(&self.network, task, rows)
        if stores and self.gradients is None:
            self.gradients = aligned_zeros(self.parameters.size, self.parameters.dtype)
            self.network.gradients = cnp.PyArray_DATA(self.gradients)
        plan.rows, plan.data, plan.threads, plan.state = rows, data, fbp_threads(), self.state
        plan.average, plan.entries = self.average, entries
        plan.plan = fbp_plan_new(&self.network, task, rows, data, entries)
        if plan.plan is NULL:
            raise MemoryError(f"no memory for the activations of {rows} rows")
        return plan

    cdef Plan plan_for(self, fbp_task task, size_t rows, unsigned int data, size_t entries):
        """Return a plan for batches of this size; it is kept for the next call of the same task."""
        cdef Plan plan = self.plans[task]
        if (plan is None or plan.data != data or not rows <= plan.rows <= max(rows, self.block_rows)
                or plan.threads < fbp_threads() or plan.entries < entries):
            plan = self.new_plan(task, rows, data, entries)
            self.plans[task] = plan
        return plan

    cdef Plan borrow_plan(self, size_t rows, unsigned int data, size_t entries):
        """Return a plan for predictions, for one thread at a time: the first spare one if it suits."""
        cdef Plan plan = self.spare
        if plan is not None:
            self.spare, plan.next = plan.next, None
            self.spare_bytes -= fbp_plan_bytes(plan.plan)
            if (plan.rows >= min(rows, self.block_rows) and plan.threads >= fbp_threads() and plan.data == data
                    and plan.entries >= entries):
                return plan
        return self.new_plan(FBP_PREDICT, rows, data, entries)

    cdef void give_back(self, Plan plan):
        """Keep a borrowed plan as a spare one, unless the spare plans would take too much memory."""
        if self.spare_bytes + fbp_plan_bytes(plan.plan) <= SPARE_BYTES:
            self.spare, plan.next = plan, self.spare
            self.spare_bytes += fbp_plan_bytes(plan.plan)

    cdef double run(self, Plan plan, unsigned int parts, const fbp_batch *batch) noexcept:
        """Run parts of a plan on a batch; return the loss, if the plan computes one."""
        cdef double loss
        if max(batch.rows, <size_t> 1) <= self.short_rows:  # an update alone counts as one row
            return fbp_run(plan.plan, parts, batch)
        with nogil:
            loss = fbp_run(plan.plan, parts, batch)
        return loss


def checked_progress(run, progress, steps=None):
    """Return (epoch, step, sum, weight) for `run` to resume from; refuse all that no such run can have reached.

    An epoch has `steps` steps; None: as many as the run says.
    """
    epochs, steps = len(run.losses), run.steps_per_epoch if steps is None else steps
    if run.epoch or run.step:
        raise Error("resume after the run has advanced, expected a new run")
    if type(progress) is tuple and [type(value) for value in progress] == [int, int, float, float]:
        epoch, step, total, weight = progress
        if (0 <= epoch <= epochs and 0 <= step < steps and (epoch < epochs or step == 0)
                and isfinite(total) and isfinite(weight) and weight >= 0):
            return progress
    raise ParameterError(
        f"progress is {progress!r:.200}, expected (epoch, step, sum, weight): integers epoch, 0 to {epochs}, and step, "
        f"0 to {steps - 1} (0 after the last epoch), finite floats sum and weight, weight >= 0"
    )


cdef class Run:
    """A training run: its data, its plan, and the epoch and step it has reached."""

    converged, columns = False, {}  # other runs have values to report here

    def advance(self, size_t until_epoch, double seconds):
        """Train until `until_epoch` epochs are complete or `seconds` have passed, but at least one step.

        Return False right after a step whose loss was not finite. Raise DataError before a step whose rows do not pass
        the checks of the run.
        """
        cdef fbp_advanced advanced
        if until_epoch > <size_t> self.epoch_losses.size:
            raise ParameterError(f"until_epoch is {until_epoch}, expected at most {self.epoch_losses.size}")
        if self.plan.state is not self.engine.state:
            raise Error("the optimizer was set during a run of the one before")
        if self.plan.average is not self.engine.average:
            raise Error("the average was set during a run without it")
        check_memory(numbers_of(self.X))
        check_memory(self.y)
        with nogil:
            advanced = fbp_advance(self.plan.plan, &self.fit, until_epoch, seconds)
        if advanced == FBP_BAD_ROW:
            self.checks.check(self.X, self.y, slice(self.fit.bad_row, self.fit.bad_row + 1))
            raise DataError(f"row {self.fit.bad_row} had a number that was not finite, and has changed since, expected "
                            "data that do not change during a fit")
        return advanced == FBP_ADVANCED

    def resume(self, progress):
        """Continue a run of the same rows and options, whose `progress` this was."""
        cdef size_t epoch, step
        cdef double total, weight
        epoch, step, total, weight = checked_progress(self, progress)
        self.epoch_losses[:epoch] = nan
        with nogil:
            fbp_resume(&self.fit, epoch, step, total, weight)

    @property
    def progress(self):
        """Complete epochs, steps in the present one, and sum and weight of the losses of these steps."""
        if self.fit.step == 0:
            return self.fit.epoch, 0, 0.0, 0.0
        return self.fit.epoch, self.fit.step, self.fit.sum, self.fit.weight

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
    def batch_loss(self):
        """Loss of the last step."""
        return self.fit.batch_loss

    @property
    def losses(self):
        """Loss per epoch, (epochs,) float64; valid up to `epoch`."""
        return self.epoch_losses
