"""Fixtures of the tests of plots."""

import pytest


def pytest_pycollect_makemodule():
    """Skip this folder if matplotlib is missing (a conftest.py must not skip when it is imported)."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")


@pytest.fixture
def ax():
    """Axes of a figure that pyplot does not know, so that nothing need be closed."""
    from matplotlib.figure import Figure

    return Figure(layout="constrained").subplots()
