"""A short campaign of random calls, and that the campaign's tables are complete."""

import os
import subprocess
import sys

import pytest

import fastbp
from fuzz.entries import ELSEWHERE, FUNCTIONS, MEMBERS, METHODS, parameters
from helpers.paths import TESTS

BEGIN = "import os, signal, time\nfrom fuzz import campaign\n"


def run(code):
    """Run code in a new process, beside the package `fuzz`; return its output."""
    folders = [*filter(None, [os.environ.get("PYTHONPATH")]), str(TESTS)]
    command = [sys.executable, "-P", "-W", "ignore", "-c", BEGIN + code]
    asan = "detect_leaks=0:allocator_may_return_null=1"  # no memory is MemoryError, as without the sanitizer
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders), "ASAN_OPTIONS": asan}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_every_public_name_is_an_entry():
    called = {name.rpartition(".")[2] for name in FUNCTIONS}
    errors = {
        name for name in fastbp.__all__ if isinstance(getattr(fastbp, name), type) and name.endswith("Error")
    }
    modules = {name for name in fastbp.__all__ if type(getattr(fastbp, name)) is type(fastbp)}
    assert set(fastbp.__all__) - called - errors - modules == {"__version__", *ELSEWHERE}
    assert "minimize" in METHODS


def test_every_method_of_a_network_is_an_entry():
    assert MEMBERS.keys() <= METHODS.keys()


@pytest.mark.parametrize("name", FUNCTIONS | METHODS)
def test_parameters_can_be_read(name):
    names, required = parameters((FUNCTIONS | METHODS)[name])
    assert required <= set(names)


def test_some_hundred_random_calls():
    result = run(
        "found = campaign.Campaign(2)\nfound.run(probes=800)\nprint(found.report())"
    )  # no long `minimize`
    assert "0 findings" in result.stdout, result.stdout + result.stderr


FAULTY = """
class Faulty:
    entry = "faulty"
    def __init__(self, seed, index):
        self.index = index
    def run(self):
        if self.index == 3:
            os.kill(os.getpid(), signal.SIGABRT)  # SIGSEGV is what sanitizers catch
        if self.index == 5:
            time.sleep(60)
        return ["wrong silence: nothing was said"] if self.index == 7 else []

campaign.probe_at, campaign.HANG = Faulty, 0.5
found = campaign.Campaign(0)
found.run(probes=10)
print(dict(found.findings), found.calls.total())
"""


def test_what_goes_wrong_is_found():
    """A crash, a hang and a finding, each in the probe that it belongs to; the others are not lost."""
    result = run(FAULTY)
    expected = {"faulty: SIGABRT": [3], "faulty: hangs": [5], "faulty: wrong silence: nothing was said": [7]}
    assert result.stdout.strip() == f"{expected} 10", result.stdout + result.stderr
