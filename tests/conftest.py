"""Fixtures of all tests: both engines, every instruction set, data, a network's state as a value."""

import gc
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
from helpers.isas import ISAS, using

hypothesis.settings.register_profile("fastbp", deadline=None)
hypothesis.settings.load_profile("fastbp")


# Quick tests leave the instruction sets between the best and the baseline to .ci/run.
MIDDLE = pytest.mark.slow, pytest.mark.middle_isa


def engines_and_isas(names):
    """Return values of the fixtures `network_class` and `isa`, or of one of them, by the ids of tests."""
    native, numpy = fastbp.Network, fastbp.reference.Network
    if names == ["isa"]:
        return {isa: [isa] for isa in ISAS}
    if names == ["network_class"]:
        return {"native": [native], "numpy": [numpy]}
    # the reference computes the same whatever instructions the native engine uses: it is tested once
    return {f"native-{isa}": [native, isa] for isa in ISAS} | {"numpy": [numpy, _core.isa()]}


def names_of(mark):
    """Return the names of the arguments that a mark parametrizes."""
    names = mark.args[0]
    return names.replace(",", " ").split() if isinstance(names, str) else names


def pytest_collection_finish():
    """Leave the tests themselves out of garbage collections, which would go through thousands of them."""
    gc.collect()
    gc.freeze()


def pytest_generate_tests(metafunc):
    """Run the tests that ask for it with both engines and every instruction set."""
    marks = metafunc.definition.iter_markers("parametrize")
    given = {name for mark in marks for name in names_of(mark)}
    wanted = [name for name in ("network_class", "isa") if name in metafunc.fixturenames]
    wanted = [name for name in wanted if name not in given]
    if wanted:
        rows = [
            pytest.param(*values, id=name, marks=MIDDLE if name.removeprefix("native-") in ISAS[1:-1] else ())
            for name, values in engines_and_isas(wanted).items()
        ]
        metafunc.parametrize(wanted, rows, indirect=True)


@pytest.fixture
def network_class(request):
    """`Network` over one engine, then over the other."""
    return request.param


@pytest.fixture
def isa(request):
    """Every instruction set that this machine runs, in use while the test lasts."""
    with using(request.param):
        yield request.param


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
        columns = net.history.to_dict()
        history = {name: np.array(columns[name]).tobytes() for name in columns if name != "seconds"}
        memory = None if memory is None else memory.tobytes()
        return parameters.tobytes(), optimizer_state.tobytes(), t, memory, repr(net), history

    return state_of
