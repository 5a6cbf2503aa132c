"""Fixtures of the tests of plots."""

import pytest

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")


@pytest.fixture
def ax():
    """Axes of a figure that pyplot does not know, so that nothing need be closed."""
    from matplotlib.figure import Figure

    return Figure(layout="constrained").subplots()
