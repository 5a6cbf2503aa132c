"""Waits for what other processes do."""

import time


def wait(condition, seconds=20):
    """Wait until `condition()` holds; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)
