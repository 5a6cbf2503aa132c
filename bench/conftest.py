"""One thread, NumPy at its best, and results that say what they were measured with."""

import os
import sys
from pathlib import Path

assert "numpy" not in sys.modules, "too late to tell NumPy's BLAS how many threads to use"
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

# NumPy's wheels leave AVX-512 unused on some processors that have it; told to use it they are nearly twice
# as fast, and that is the NumPy to compare with.
cpu_info = Path("/proc/cpuinfo")
if cpu_info.exists() and "avx512f" in cpu_info.read_text():
    os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")

import numpy as np  # noqa: E402

import fastbp  # noqa: E402


def pytest_benchmark_update_machine_info(machine_info):
    machine = {
        "cpu": machine_info["cpu"]["brand_raw"],
        "python": machine_info["python_version"],
        "numpy": np.__version__,
        "fastbp": fastbp.__version__,
        "isa": fastbp._core.isa(),
        "compiler": fastbp._core.COMPILER,
    }
    machine_info.clear()
    machine_info.update(machine)


def pytest_benchmark_update_json(output_json):
    output_json["benchmarks"] = [
        {"name": benchmark["param"] or benchmark["name"], **benchmark["extra_info"]}
        for benchmark in output_json["benchmarks"]
    ]
    del output_json["commit_info"]
