# cython: language_level=3, embedsignature=True
"""Who may use a network now, and how a change of it is completed or undone."""

import numpy as np

from fastbp.exceptions import BusyError, Error

cimport numpy as cnp
from cpython.pythread cimport PyThread_get_thread_ident

cnp.import_array()

cdef enum:
    MOST_INTERRUPTIONS = 100  # beyond these, the work itself fails


cdef class Guard:
    """One writer, or any number of readers; the writer's own thread may read meanwhile.

    A call that may not enter raises BusyError at once. The GIL makes the counting atomic, and Ctrl-C can only come inside
    `work`, so no network stays locked.
    """

    def reading(self, work, *args):
        """Return work(*args), while changes are kept out."""
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
        """Return work(*args), the call `what` of the network, while all other calls are kept out.

        While it runs, `left` is None. On success it becomes `leaves`; None keeps what it was. If work raises an error,
        undo(error) puts the network in order; an interruption makes it start again.
        """
        return self.write(what, leaves, work, args, undo)

    def following(self, after, str what, leaves, work, *args):
        """Like `writing`, but raises Error if another call has changed the network since `left` was `after`."""
        if self.writing_what is None and self.left is not after:
            raise Error(f"{what}, but the network was changed by another call meanwhile")
        return self.write(what, leaves, work, args, None)

    def changing(self, str what, leaves, work, *args):
        """Like `writing`, for a change that is prepared and must not be left half made.

        work(*args) only puts what is ready in its place, so it can be repeated: an interruption makes it start again,
        and is raised once all is in place.
        """
        return self.write(what, leaves, to_the_end, (work, args), None)

    cdef object write(self, str what, leaves, work, tuple args, undo):
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
    """Run work(*args), again if it is broken off, until it completes; then raise what broke it off, such as Ctrl-C.

    Nothing can interrupt this function itself: Python looks at signals between its own instructions only.
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


cdef class Snapshot:
    """Parameters, optimizer state and step count of an engine, taken and put back as a whole.

    No Python code runs meanwhile, so nothing can come between. `epoch` is what `take` was told, at first None.
    """

    cdef readonly object engine, epoch
    cdef cnp.ndarray parameters, state
    cdef object t, memory

    def __init__(self, engine):
        self.engine = engine

    def take(self, epoch):
        """Copy what the engine has, after so many epochs."""
        engine = self.engine
        if self.parameters is None:
            self.parameters, self.state = np.empty_like(engine.parameters), np.empty_like(engine.state)
        cnp.PyArray_CopyInto(self.parameters, engine.parameters)
        cnp.PyArray_CopyInto(self.state, engine.state)
        self.t, self.memory, self.epoch = engine.t, engine.memory, epoch

    def restore(self):
        """Put it back."""
        if self.epoch is None:
            raise Error("restore before take: there is nothing to put back")
        engine = self.engine
        cnp.PyArray_CopyInto(engine.parameters, self.parameters)
        cnp.PyArray_CopyInto(engine.state, self.state)
        engine.t, engine.memory = self.t, self.memory
