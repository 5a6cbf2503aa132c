"""Comparisons of the native engine's results with those of the NumPy reference."""

import numpy as np


def assert_close(native, numpy, tolerance):
    """Check that arrays agree relative to each number or to the largest of the reference."""
    np.testing.assert_allclose(native, numpy, rtol=tolerance, atol=tolerance * np.abs(numpy).max())


def assert_all_close(native, numpy, tolerance):
    """Check the same of each pair of arrays of two results."""
    for a, b in zip(native, numpy, strict=True):
        assert_close(a, b, tolerance)


def assert_parity(native, exact, numpy_float32, dtype):
    """Check arrays against the reference in float64: in float64 to 1e-9 of the largest number.

    In float32 to 4 times the error of the reference in float32, or to 4 roundings of the largest number:
    below one of these, the reference's error is luck.
    """
    for got, truth, rounded in zip(native, exact, numpy_float32, strict=True):
        scale = np.abs(truth).max()
        if dtype == "float64":
            bound = 1e-9 * scale
        else:
            bound = 4 * max(np.abs(rounded - truth).max(), np.finfo(np.float32).eps * scale)
        assert np.abs(got - truth).max() <= bound, dtype
