"""Declarations of `guard`: the engine reads `writing_what` before a quick prediction."""


cdef class Guard:
    cdef int readers
    cdef unsigned long writer   # identifier of the writing thread
    cdef object writing_what    # name of the call that is changing the network, or None
    cdef readonly object left   # what the last change left for a later call (gradients, say), or None

    cdef object enter(self, str what)
    cdef object write(self, str what, leaves, work, tuple args, undo)
