"""Probes: checks that each run in their own process, so that a crash or a hang has a name.

``python probes.py FILE TABLE`` runs a test file, forks for every entry of a dict in it, and prints what went
wrong as JSON. Forking from a process that has imported everything takes a few milliseconds.
"""

import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable

import numpy as np

import fastbp
from helpers.paths import TESTS

SECONDS = 10  # until a probe counts as hanging


def outcomes(file: str, table: str = "PROBES") -> dict[str, str]:
    """Run all probes of a table; return what went wrong with each, "" for nothing."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*filter(None, folders), str(TESTS)]),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",  # as without the sanitizer
        "OPENBLAS_NUM_THREADS": "1",  # its other threads do not survive a fork
        "MALLOC_MMAP_THRESHOLD_": "4096",  # with glibc, freed or cut-off memory is unmapped
    }
    command = [sys.executable, "-P", "-W", "ignore", __file__, file, table]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found: dict[str, str] = json.loads(result.stdout)
    return found


def outcome(probe: Callable[[], object]) -> str:
    """Run one probe in a fork; it is right if it returns, and wrong if it raises or dies."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        os.dup2(write, 2)
        signal.alarm(SECONDS)
        status = 1
        try:
            probe()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    os.close(write)
    with os.fdopen(read, errors="replace") as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 0:
        return ""
    end = signal.Signals(-status).name if status < 0 else "wrong"
    return f"{'hangs' if end == 'SIGALRM' else end}: {said[-1500:].strip()}"


def outcomes_of(probes: dict[str, Callable[[], object]]) -> dict[str, str]:
    """Run all probes, each processor a share of them in a process of its own."""
    names, n = [*probes], len(os.sched_getaffinity(0))
    ends = []
    for k in range(n):
        read, write = os.pipe()
        if os.fork() == 0:
            with os.fdopen(write, "w") as pipe:
                json.dump({name: outcome(probes[name]) for name in names[k::n]}, pipe)
            os._exit(0)
        os.close(write)
        ends.append(read)
    found: dict[str, str] = {}
    for end in ends:
        with os.fdopen(end) as pipe:
            found |= json.load(pipe)
        os.wait()
    return {name: found[name] for name in names}


if __name__ == "__main__":
    file, table = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # nobody wants to read what crashes leave
    probes = runpy.run_path(file)[table]
    # imports here what the first fit of a process would import, once instead of in every fork
    fastbp.Network([1, 1]).fit(np.zeros((1, 1)), np.zeros((1, 1)), epochs=1)
    np.random.default_rng()
    print(json.dumps(outcomes_of(probes)))
