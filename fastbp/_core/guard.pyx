"""Guard of a network against concurrent calls, and snapshots that undo a change."""

import numpy as np

from fastbp.exceptions import BusyError, Error, ParameterError, ShapeError

cimport numpy as cnp
from cpython.pythread cimport PyThread_get_thread_ident

from fastbp._core.arrays cimport is_plain

cnp.import_array()

cdef enum:
    MOST_INTERRUPTIONS = 100  # after so many, an error is taken to come from the work itself


cdef class Guard:
    """Lock of a network: one writer or any number of readers; the thread of the writer may read during its call.

    A call that may not enter raises BusyError at once. The GIL makes the counting atomic. Ctrl-C can interrupt only
    `work`, so no network stays locked.
    """

    def reading(self, work, *args):
        """Return work(*args); calls that change the network raise BusyError during it."""
        if self.writing_what is not None and self.writer != <unsigned long> PyThread_get_thread_ident():
            raise BusyError(
                f"another thread is in {self.writing_what} of this network: wait for it, or use a clone()"
            )
        self.readers += 1
        try:
            return work(*args)
        finally:
            self.readers -= 1

    def writing(self, str what, leaves, work, *args, undo=None):
        """Return work(*args); other calls of the network raise BusyError during it, and name the call `what`.

        While `work` runs, `left` is None. On success it becomes `leaves`; pass None to keep the old value. If `work`
        raises an error, undo(error) restores the network; undo is repeated if it is interrupted.
        """
        return self.write(what, leaves, work, args, undo)

    def following(self, after, str what, leaves, work, *args):
        """Like `writing`, but raise Error if the network was changed since `after` was recorded from `left`."""
        if self.writing_what is None and self.left is not after:
            raise Error(f"{what}, but the network was changed by another call meanwhile")
        return self.write(what, leaves, work, args, None)

    def changing(self, str what, leaves, work, *args):
        """Like `writing`, for a prepared change that must not stay half done.

        `work` only assigns what is ready, so it can be repeated. If it is interrupted, it runs again, and the
        interruption is raised when it is complete.
        """
        return self.write(what, leaves, to_the_end, (work, args), None)

    def stepping(self, str what, leaves, steps, undo):
        """Go through the generator `steps` like `writing`: a generator of the same items, which returns what that does.

        The network is locked from the first item on until this generator is exhausted, closed or deleted. It belongs
        to the thread that asks for the items, always the same one.
        """
        left = self.enter(what)
        try:
            result = yield from steps
            self.left = left if leaves is None else leaves
            return result
        except BaseException as error:
            to_the_end(undo, (error,))
            raise
        finally:
            self.writing_what = None

    cdef object enter(self, str what):
        """Lock the network for the calling thread, and return what the last change left, which is stale from now on."""
        if self.writing_what is not None:
            raise BusyError(
                f"{what} while {self.writing_what} of this network is under way: wait for it, or use a clone()"
            )
        if self.readers:
            raise BusyError(f"{what} while another thread reads this network: wait for it, or use a clone()")
        left = self.left
        self.writer = <unsigned long> PyThread_get_thread_ident()
        self.writing_what = what
        self.left = None
        return left

    cdef object write(self, str what, leaves, work, tuple args, undo):
        left = self.enter(what)
        try:
            result = work(*args)
            self.left = left if leaves is None else leaves
            return result
        except BaseException as error:
            if undo is not None:
                to_the_end(undo, (error,))
            raise
        finally:
            self.writing_what = None


cpdef to_the_end(work, tuple args):
    """Run work(*args), again after each interruption such as Ctrl-C, at most 100 times; then raise the last one.

    Nothing can interrupt this function itself: Python handles signals only between its own instructions.
    """
    interruption = None
    for _ in range(MOST_INTERRUPTIONS):
        try:
            work(*args)
        except BaseException as error:
            interruption = error
        else:
            break
    if interruption is not None:
        raise interruption


cdef tuple borrow_arrays(engine):
    """Return arrays for a copy of the parameters and the state: those that the engine has spare, or else new ones."""
    arrays = engine.spare_arrays
    engine.spare_arrays = None
    if arrays is not None and arrays[1].shape == engine.state.shape:
        return arrays
    del arrays  # another optimizer's: freed before new ones are made
    return np.empty_like(engine.parameters), np.empty_like(engine.state)


cdef check_vector(str name, array, tuple shape, int number):
    """Raise ShapeError unless this is a plain array of the shape and type."""
    if not is_plain(array, number) or np.shape(array) != shape:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ShapeError(f"{name} is {found}, expected {np.dtype(cnp.PyArray_DescrFromType(number))} {shape}, contiguous")


cdef class Exchange:
    """Two arrays of one shape and dtype whose contents can be exchanged, which nothing can interrupt."""

    cdef cnp.ndarray one, other
    cdef readonly bint is_done  # whether they are exchanged now

    def __init__(self, cnp.ndarray one not None, cnp.ndarray other not None):
        self.one, self.other, self.is_done = one, other, False

    def set(self, bint done):
        """Exchange the contents unless they are as asked for, exchanged or not."""
        if done != self.is_done:
            copy = self.one.copy()
            cnp.PyArray_CopyInto(self.one, self.other)
            cnp.PyArray_CopyInto(self.other, copy)
            self.is_done = done


cdef class Snapshot:
    """A copy of an engine's parameters, optimizer state and step count, to be restored as a whole.

    No Python code runs while they are copied or restored, so nothing can interrupt this. `epoch` and `extra` are the
    arguments of the last `take`, or None. The arrays of a snapshot that is deleted become the engine's spare ones; the
    next snapshot takes them, so that memory is not allocated and mapped for each fit.
    """

    cdef readonly object engine, epoch, extra
    cdef tuple arrays  # copies of parameters and state; this snapshot's alone
    cdef object t, memory

    def __init__(self, engine):
        self.engine = engine

    def __del__(self):
        if self.arrays is not None:
            self.engine.spare_arrays = self.arrays
            self.arrays = self.epoch = None

    def take(self, epoch, extra=None):
        """Copy the state of the engine after `epoch` epochs; keep `extra`, anything that does not change, with it."""
        engine = self.engine
        if self.arrays is None:
            self.arrays = borrow_arrays(engine)
        cnp.PyArray_CopyInto(self.arrays[0], engine.parameters)
        cnp.PyArray_CopyInto(self.arrays[1], engine.state)
        self.t, self.memory, self.epoch, self.extra = engine.t, engine.memory, epoch, extra

    @property
    def numbers(self):
        """The copies of parameters and state, the step count and the memory; None before `take`.

        The arrays are valid until the next `take` or `put`, and as long as the snapshot.
        """
        return None if self.epoch is None else (*self.arrays, self.t, self.memory)

    def put(self, epoch, extra, parameters, state, t, memory):
        """Copy these numbers, as if the engine had them after `epoch` epochs when `take` was called.

        Parameters (P,) and state (vectors, P) have the shapes and the dtype of the engine's, memory is None or
        (P + 2,) float64, and all are C-contiguous.
        """
        if self.arrays is None:
            self.arrays = borrow_arrays(self.engine)
        kept = None
        if memory is not None:
            check_vector("memory", memory, (self.arrays[0].size + 2,), cnp.NPY_DOUBLE)
            kept = memory.copy()
        for name, array, own in zip(("parameters", "state"), (parameters, state), self.arrays):
            check_vector(name, array, np.shape(own), cnp.PyArray_TYPE(own))
        if type(t) is not int or not 0 <= t < 2**64:
            raise ParameterError(f"t is {t!r:.200}, expected an integer, 0 to 2**64 - 1")
        # nothing fails from here on
        cnp.PyArray_CopyInto(self.arrays[0], parameters)
        cnp.PyArray_CopyInto(self.arrays[1], state)
        self.t, self.memory, self.epoch, self.extra = t, kept, epoch, extra

    def restore(self):
        """Restore the copied state."""
        if self.epoch is None:
            raise Error("restore before take: there is nothing to put back")
        engine = self.engine
        cnp.PyArray_CopyInto(engine.parameters, self.arrays[0])
        cnp.PyArray_CopyInto(engine.state, self.arrays[1])
        engine.t, engine.memory = self.t, self.memory
