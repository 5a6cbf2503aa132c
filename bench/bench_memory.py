"""Measures the peak memory of a fit on 188 MB of data by fastbp and its rivals, in fresh processes."""

from pathlib import Path

import numpy as np
import pytest

import fit_worker
from fits import LIBRARIES
from race import quartiles
from subjects import fresh_python, installed_version

PROCESSES = 3
LEAST_ACCURACY = 0.25  # after the only epoch; 0.1 by guessing
STATUS = Path("/proc/self/status")


@pytest.mark.skipif(not STATUS.exists(), reason=f"this system has no {STATUS}")
@pytest.mark.parametrize("subject", LIBRARIES)
def test_memory(subject, benchmark):
    version = installed_version(subject)
    found = []
    benchmark.pedantic(
        lambda: found.append(fresh_python(Path(fit_worker.__file__), "memory", subject)), rounds=PROCESSES
    )
    each = {name: np.array([one[name] for one in found]) for name in found[0]}
    assert (each["accuracy"] > LEAST_ACCURACY).all()
    assert (each["peak"] > each["before_peak"]).all()  # else it may be that of the import

    made = np.median(each["made"] - each["before"])
    note = f"{made:.0f} MB are held once the network is made: arrays, and code loaded or compiled by then"
    if subject == "JAX":
        note += f"; it copies rows that are not aligned to 64 bytes, here {each['data'][0]:.0f} MB more"
    benchmark.extra_info.update(
        test="memory",
        subject=subject,
        value=quartiles(each["peak"] - each["before"]),
        unit="MB beyond imports and data",
        total_mb=quartiles(each["peak"]),
        imports_mb=quartiles(each["before"] - each["data"]),
        data_mb=each["data"][0],
        version=version,
        note=note,
    )
