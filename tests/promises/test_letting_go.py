"""No call leaves a reference cycle: its arguments are freed with their last name, without a collector."""

import gc
import weakref
from contextlib import suppress

import pytest

import fastbp
from helpers.changes import CHANGES, Data


@pytest.fixture(autouse=True)
def no_collector():
    """Keep the garbage collector away, and what is there already out of its sight, for speed."""
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


class BrokenError(Exception):
    """Exception that a callback raises."""


def fail(state):
    raise BrokenError


def ready(change, network_class=fastbp.Network, note=lambda state: None):
    """Return the network and the data of a call; what making them left behind is gone."""
    net, data = change.network(network_class), Data(note)
    gc.collect()
    return net, data


def kept(change, note, network_class):
    """Make the call; return the names of what is alive after its data and network went out of scope."""
    net, data = ready(change, network_class, note)
    with suppress(BrokenError, fastbp.DivergenceError):
        change.call(net, data)
    given = {"X": data.X, "y": data.y, "validation X": data.held_out[0], "network": net}
    alive = {name: weakref.ref(thing) for name, thing in given.items()}
    del net, data, given
    return [name for name, thing in alive.items() if thing() is not None]


@pytest.mark.parametrize("name", CHANGES)
def test_a_call_keeps_nothing(network_class, name):
    assert kept(CHANGES[name], lambda state: None, network_class) == []


@pytest.mark.parametrize("name", [name for name in CHANGES if name.startswith("fit")])
def test_a_call_that_raises_keeps_nothing(network_class, name):
    assert kept(CHANGES[name], fail, network_class) == []


def test_a_refused_call_keeps_nothing(network_class):
    net, data = ready(CHANGES["fit"], network_class)
    for call in (net.fit, net.train_on_batch, net.loss_and_gradients, net.evaluate):
        with pytest.raises(fastbp.ShapeError):
            call(data.X, data.y[:5])
    alive = [weakref.ref(thing) for thing in (data.X, data.y, net)]
    del call, net, data
    assert not any(thing() is not None for thing in alive)


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_call_returns_keeps_only_itself(name):
    """The history of a fit, a result of SciPy or an output does not hold the data or the network."""
    change = CHANGES[name]
    net, data = ready(change)
    try:
        result = change.call(net, data)
    except fastbp.DivergenceError:
        return
    alive = [weakref.ref(thing) for thing in (data.X, data.y, net)]
    del net, data
    assert not any(thing() is not None for thing in alive)
    del result
