# Who may use a network now, part of _core.pyx.


cdef class Guard:
    """One writer, or any number of readers; the writer's own thread may read meanwhile.

    Who may not enter gets BusyError at once. The GIL makes the counting atomic, and neither method can be left by
    Ctrl-C but from inside `work`, so nobody is locked out for good.
    """

    cdef int readers
    cdef unsigned long writer   # its thread
    cdef object writing_what    # None without a writer
    cdef readonly object left   # what the last change left that goes with the present parameters, or None

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

    def writing(self, str what, leaves, work, *args):
        """Return work(*args), the call `what` of the network, while all other calls are kept out.

        `left` is None as soon as it begins, and once it has succeeded `leaves`, or what it was if that is None.
        """
        return self.write(what, leaves, work, args)

    def following(self, after, str what, leaves, work, *args):
        """Do likewise, with what an earlier call has left: Error unless that is still `after`."""
        if self.writing_what is None and self.left is not after:
            raise Error(f"{what}, but the network was changed by another call meanwhile")
        return self.write(what, leaves, work, args)

    cdef object write(self, str what, leaves, work, tuple args):
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
        finally:
            self.writing_what = None
