"""The kernels of NumPy's OpenBLAS: which it uses, and which are the fastest on this processor.

OpenBLAS chooses kernels by the model of the processor. Its wheels know only the models of their time, so on a
newer one it may choose kernels for fewer instructions than the processor has. The environment variable
OPENBLAS_CORETYPE forces others. It is read once, so every choice is measured in a new process:
``python -m fastbp.cli.rivals.blas``.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

VARIABLE = "OPENBLAS_CORETYPE"
AVX2 = {"avx2", "fma", "f16c", "bmi1", "bmi2", "movbe"}
SKYLAKE = AVX2 | {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "clwb", "adx"}
COOPERLAKE = SKYLAKE | {"avx512_vnni", "avx512_bf16"}
#: Kernels of OpenBLAS, and the instructions (flags of /proc/cpuinfo) for which they are compiled.
NEEDS = {
    "Haswell": AVX2,
    "Zen": AVX2,
    "SkylakeX": SKYLAKE,
    "Cooperlake": COOPERLAKE,
    "SapphireRapids": COOPERLAKE | {"avx512_fp16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"},
}
SIZE, ROUNDS = 512, 15
MARGIN = 0.95  # other kernels are worth it if they take at most this share of the time
SECONDS = 60  # for a process that takes milliseconds


def kernels() -> str | None:
    """Return the processor for which NumPy's OpenBLAS has chosen its kernels; None for another BLAS."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        core = importlib.import_module("numpy._core._multiarray_umath").__file__
        numpy_core = ctypes.CDLL(core)  # through it, the library of NumPy's wheel
        name = getattr(numpy_core, "scipy_openblas_get_corename64_", None)
        if name is None:
            return None
        name.restype = ctypes.c_char_p
        return str(name().decode())
    found = [each for each in threadpool_info() if each["internal_api"] == "openblas"]
    found.sort(key=lambda each: "numpy" not in each["filepath"])  # SciPy's wheel has its own
    return found[0]["architecture"] if found else None


def described() -> str:
    """Return what to say of NumPy's BLAS beside its version.

    Raises
    ------
    RuntimeError
        Other kernels were asked for than are used.
    """
    found, wanted = kernels(), os.environ.get(VARIABLE)
    if found is None:
        return "not OpenBLAS"
    if wanted and wanted.lower() != found.lower():
        raise RuntimeError(f"{VARIABLE} is {wanted}, but OpenBLAS uses its kernels for {found}")
    return f"OpenBLAS for {found}"


@cache
def best() -> dict[str, str]:
    """Return the environment variable for the fastest kernels, nothing if OpenBLAS chooses them itself."""
    installed = measure()
    if installed is None or installed["kernels"] is None:
        return {}
    seconds = {"": MARGIN * installed["seconds"]}
    for name in allowed(flags()):
        if name != installed["kernels"]:
            measured = measure(name)
            if measured is not None and measured["kernels"] == name:
                seconds[name] = measured["seconds"]
    fastest = min(seconds, key=seconds.__getitem__)
    return {VARIABLE: fastest} if fastest else {}


def allowed(flags: Iterable[str]) -> list[str]:
    """Return the kernels that a processor with these flags can run."""
    return [name for name, needed in NEEDS.items() if needed <= set(flags)]


def flags() -> set[str]:
    """Return the flags of this processor; none if the system does not say."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return set(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))


def measure(name: str = "") -> dict[str, Any] | None:
    """Return kernels and time of a product in a new process; None if it fails."""
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    if name:
        environment[VARIABLE] = name
    try:
        run = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            env=environment,
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
    except subprocess.SubprocessError:
        return None
    figures: dict[str, Any] = json.loads(run.stdout)
    return figures


def product_seconds() -> float:
    """Return the time of a product of two matrices, the best of several."""
    a, c = np.ones((SIZE, SIZE), np.float32), np.empty((SIZE, SIZE), np.float32)
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        np.dot(a, a, out=c)
        times.append(perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    print(json.dumps({"kernels": kernels(), "seconds": product_seconds()}))
