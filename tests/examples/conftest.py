"""Fixtures of the tests of the examples."""

import sys

import pytest


@pytest.fixture
def no_matplotlib(monkeypatch):
    """Importing matplotlib fails while the test lasts."""
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
