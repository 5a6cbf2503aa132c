"""Measurements of memory."""

import resource
import tracemalloc


def traced_peak(call):
    """Return the most bytes that Python and NumPy held at once during a call; native memory is not traced."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def resident_mb():
    """Return the memory that this process has now, in MB; Linux only."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6
