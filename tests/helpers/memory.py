"""Measurements of memory."""

import tracemalloc


def traced_peak(call):
    """Return the most bytes that Python and NumPy held at once during a call; native memory is not traced."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
