"""Outcomes of the probes of a test module, which are all run at once."""

import pytest

from helpers import probes


@pytest.fixture(scope="module")
def outcomes(request):
    """Run the module's `PROBES`; return what went wrong with each, "" for nothing."""
    return probes.outcomes(str(request.path))
