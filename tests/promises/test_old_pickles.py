"""Pickles of an earlier version are refused with a sentence that says so."""

import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import fastbp

PICKLES = sorted((Path(__file__).parent / "old_pickles").glob("*.pickle"))


def squares(output, target):
    """The loss of the network with a custom loss."""
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


def test_they_are_there():
    assert len(PICKLES) == 4


@pytest.mark.filterwarnings("ignore:fastbp[.].* has moved to:DeprecationWarning")
@pytest.mark.parametrize("path", PICKLES, ids=lambda path: path.stem)
def test_refused(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "old_pickle_loss", SimpleNamespace(squares=squares))
    with pytest.raises(fastbp.DataError, match=r"^the state .* from an older version of fastbp.*only for"):
        pickle.loads(path.read_bytes())


def test_another_format():
    net = fastbp.Network([2, 1], seed=0)
    state = net.__getstate__()
    with pytest.raises(fastbp.DataError, match="another version of fastbp"):
        net.__setstate__(state | {"format": 1000})
    for wrong in ({}, None, "x", [1]):
        with pytest.raises(fastbp.DataError, match=r"^the state is .* expected that of a network$"):
            net.__setstate__(wrong)
