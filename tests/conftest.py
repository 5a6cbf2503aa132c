"""Fixtures of all tests: both engines, every instruction set, data, a network's state as a value."""

import os
import subprocess
import sys
import textwrap

import hypothesis
import numpy as np
import pytest

import fastbp
import fastbp.reference
from fastbp import _core
from helpers.inside import numbers_of

hypothesis.settings.register_profile("fastbp", deadline=None)
hypothesis.settings.load_profile("fastbp")


@pytest.fixture(params=[fastbp.Network, fastbp.reference.Network], ids=["native", "numpy"])
def network_class(request):
    """`Network` over one engine, then over the other."""
    return request.param


@pytest.fixture(params=_core.available_isas())
def isa(request):
    """Every instruction set that this machine runs, in use while the test lasts."""
    before = _core.isa()
    _core.set_isa(request.param)
    yield request.param
    _core.set_isa(before)


@pytest.fixture
def rng():
    """Random numbers, the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture
def data(rng):
    """23 rows: batches of 8 leave a short last one."""
    X = rng.normal(size=(23, 4))
    return X, np.tanh(X @ rng.normal(size=(4, 2)))


@pytest.fixture
def make(network_class):
    """Make a network for `data`."""

    def make(**options):
        return network_class([4, 5, 2], **{"activation": "tanh", "dtype": "float64", "seed": 3} | options)

    return make


@pytest.fixture
def python():
    """Run code in a new process, with changes to the environment; None removes a variable."""

    def python(code, **environment):
        variables = {name: value for name, value in (os.environ | environment).items() if value is not None}
        # -P: with the package under test, not a folder it stands in
        command = [sys.executable, "-P", "-c", textwrap.dedent(code)]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)

    return python


@pytest.fixture
def torch():
    """PyTorch, on one thread: more would spend their time on waiting for one another."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.set_num_threads(1)
    return torch


@pytest.fixture
def state_of():
    """All that training changes in a network, as a value."""

    def state_of(net):
        parameters, optimizer_state, t, memory = numbers_of(net)
        history = {name: column for name, column in net.history.to_dict().items() if name != "seconds"}
        memory = None if memory is None else memory.tobytes()
        return parameters.tobytes(), optimizer_state.tobytes(), t, memory, repr(net), history

    return state_of
