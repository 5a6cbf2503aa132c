"""The guard of a network, which the engine looks at before its short way."""


cdef class Guard:
    cdef int readers
    cdef unsigned long writer   # its thread
    cdef object writing_what    # None without a writer
    cdef readonly object left   # what the last change left that goes with the present parameters, or None

    cdef object write(self, str what, leaves, work, tuple args, undo)
