"""What all displays have in common."""

import sys
from importlib import import_module
from types import SimpleNamespace

import pytest

import fastbp
from fastbp import plot

DISPLAYS = [
    name for name in plot.__all__ if name != "Display" and hasattr(getattr(plot, name), "from_network")
]


def test_there_are_displays_of_networks():
    assert len(DISPLAYS) >= 14


@pytest.mark.parametrize("name", DISPLAYS)
def test_of_an_estimator_the_error_names_its_network(name, ax):
    estimator = SimpleNamespace(network_=fastbp.Network([2, 1], seed=0))
    data = () if name in ("ActivationDisplay", "LearningCurveDisplay", "NetworkDisplay") else ([[1, 2]], [1])
    with pytest.raises(fastbp.ParameterError, match=r"net is a .*, expected .*Network; .* network_$"):
        getattr(plot, name).from_network(estimator, *data, ax=ax)
    with pytest.raises(fastbp.ParameterError, match=r"net is a int, expected a fastbp.Network$"):
        getattr(plot, name).from_network(3, *data, ax=ax)


def test_the_import_says_how_to_install_matplotlib(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("fastbp.plot")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"fastbp.plot needs matplotlib .*fastbp\[plot\]"):
        import_module("fastbp.plot")
