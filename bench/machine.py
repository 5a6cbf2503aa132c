"""Measures the limits of this machine, to which all times are compared.

    peak(isa, dtype)    arithmetic of one core, GFLOP/s: fused multiply-adds, or multiplications and additions
                        on the baseline path, which has no fused ones
    l2_bandwidth()      what one core reads from its L2 cache, GB/s
    l3_bandwidth()      what it reads from its share of the L3 cache, GB/s; None if that is not well above L2
    two_loops()         speeds of a loop in registers and of a loop in a cache, each over a millisecond
    limits()            the limits of one core, as quartiles
    processor()         vendor, family, model, flags and caches
    describe()          the compiler and the versions, for a report

One measurement of a limit takes about 15 ms. It is repeated in every round of a timing, because clock speeds
change. It is the best of several short runs in CPU time, so other programs on the core disturb it little.
`two_loops` looks for such disturbance instead, and takes the wall-clock time. The thread may run on any CPU
of the process.
"""

import ast
import contextlib
import ctypes
import functools
import hashlib
import mmap
import os
import platform
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from glob import glob
from itertools import pairwise
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np

import fastbp
from fastbp import _core

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "bench"
DTYPES = {"float32": 32, "float64": 64}
COMPILER = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
SECONDS = 0.015  # per measurement of a limit
LOOP_SECONDS = 0.001  # per loop of `two_loops`
ROUNDS = 1 << 17  # of multiply-adds per run: half a millisecond


@functools.cache
def build_flags() -> dict:
    """Return the constants of setup.py without running it, which would build the package."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    tree.body = [node for node in tree.body if isinstance(node, (ast.Assign, ast.If))]
    constants = {"os": os, "glob": glob}
    with contextlib.chdir(ROOT):
        exec(compile(tree, "setup.py", "exec"), constants)
    return constants


@functools.cache
def compiler_version() -> str:
    """Return the first line of the compiler's version."""
    run = subprocess.run([*COMPILER, "--version"], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()[0]


@functools.cache
def library(source: str, isa: str, dtype: str) -> ctypes.CDLL:
    """Return a C file of this folder, compiled with the flags of setup.py for the kernels of this path."""
    setup = build_flags()
    flags = [*setup["C_FLAGS"], *setup["WARNINGS"], *setup["ISA_FLAGS"][isa]]
    flags += shlex.split(os.environ.get("CFLAGS", ""))
    flags += [
        f"-I{ROOT / 'src_c'}",
        f"-DFASTBP_ISA={isa}",
        f"-DREAL_BITS={DTYPES[dtype]}",
        "-shared",
        "-fPIC",
    ]

    state = hashlib.sha256(repr((COMPILER, compiler_version(), flags)).encode())
    for path in (ROOT / "bench" / source, *sorted((ROOT / "src_c").rglob("*.*"))):
        state.update(path.read_bytes())
    built = CACHE / f"{Path(source).stem}-{isa}-{dtype}-{state.hexdigest()[:16]}.so"
    if not built.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = built.with_suffix(f".{os.getpid()}")  # another process may be building the same
        subprocess.run([*COMPILER, *flags, ROOT / "bench" / source, "-o", unfinished, "-lm"], check=True)
        unfinished.replace(built)
    return ctypes.CDLL(str(built))


def best_seconds(run: Callable[[], object]) -> float:
    """Return the shortest time of a run, among the runs that fit into SECONDS."""
    best, end = float("inf"), thread_time() + SECONDS
    while (start := thread_time()) < end:
        run()
        best = min(best, thread_time() - start)
    return best


def isas() -> tuple[str, ...]:
    """Return the instruction sets that fastbp has and this processor runs, best first."""
    return _core.available_isas()


def peak(isa: str, dtype: str) -> float:
    """Return the arithmetic peak of one core, GFLOP/s."""
    machine = library("machine.c", isa, dtype)
    flops = ctypes.c_size_t.in_dll(machine, "flops_per_round").value * ROUNDS
    return flops / best_seconds(lambda: machine.multiply_add(ctypes.c_size_t(ROUNDS))) / 1e9


def l2_size() -> int:
    """Return the size in bytes of the L2 cache of one core, as fastbp takes it."""
    return _core.caches()[1]


def l3_read() -> int:
    """Return how many bytes to read for the speed of L3: well above L2, well within the core's share of L3.

    Return 0 if there is no such size.
    """
    _, l2, l3 = _core.caches()
    size = min(4 * l2, l3 // 2)
    return size if size >= 2 * l2 else 0


@functools.cache
def memory(size: int) -> tuple[mmap.mmap, ctypes.c_void_p]:
    """Return memory of so many bytes, with its address."""
    block = mmap.mmap(-1, size)
    address = ctypes.addressof(ctypes.c_char.from_buffer(block))
    ctypes.memset(address, 0, size)  # untouched pages are all the same page, in L1
    return block, ctypes.c_void_p(address)


def reading(size: int, least_bytes: int) -> tuple[Callable[[], object], int]:
    """Return a function that reads so much memory over and over, and how many bytes that is."""
    machine = library("machine.c", isas()[0], "float32")
    _, address = memory(size)
    rounds = -(-least_bytes // size)
    n = ctypes.c_size_t(size // ctypes.sizeof(ctypes.c_float))
    return lambda: machine.read_all(address, n, ctypes.c_size_t(rounds)), rounds * size


def l2_bandwidth() -> float:
    """Return what one core reads from its L2 cache, GB/s."""
    run, size = reading(min(l2_size() // 2, 512 << 10), 16 << 20)
    return size / best_seconds(run) / 1e9


def l3_bandwidth() -> float | None:
    """Return what one core reads from its share of the L3 cache, GB/s."""
    if not l3_read():
        return None
    run, size = reading(l3_read(), 16 << 20)
    return size / best_seconds(run) / 1e9


def two_loops(isa: str) -> tuple[float, float]:
    """Return the speeds, in GFLOP/s and GB/s, of multiply-adds in registers and of reads from L3 (else L2).

    Other users of the processor disturb its caches but not the registers; a lower clock disturbs both. Time
    that the hypervisor or another program takes away comes in long pieces. So the first loop counts all of
    its wall-clock time; for the second, which varies more by itself, the fastest pass counts.
    """
    machine = library("machine.c", isa, "float32")
    rounds = ctypes.c_size_t(ROUNDS // 4)
    flops = ctypes.c_size_t.in_dll(machine, "flops_per_round").value * ROUNDS // 4
    in_registers = runs(lambda: machine.multiply_add(rounds))
    read, size = reading(l3_read() or l2_size() // 2, 1)
    return flops * len(in_registers) / sum(in_registers) / 1e9, size / min(runs(read)) / 1e9


def runs(run: Callable[[], object]) -> list[float]:
    """Return the wall-clock time of every run that starts within LOOP_SECONDS."""
    times = [perf_counter()]
    while times[-1] < times[0] + LOOP_SECONDS:
        run()
        times.append(perf_counter())
    return [end - start for start, end in pairwise(times)]


def limits() -> dict[str, list[float]]:
    """Return the limits of one core by name, each as quartiles of a few measurements."""
    kinds: dict[str, Callable[[], float | None]] = {
        f"{isa} {dtype}, GFLOP/s": functools.partial(peak, isa, dtype) for isa in isas() for dtype in DTYPES
    }
    kinds |= {"L2, GB/s": l2_bandwidth, "L3, GB/s": l3_bandwidth}
    measured = {name: [kind() for _ in range(5)] for name, kind in kinds.items()}
    return {name: quartiles(values) for name, values in measured.items() if None not in values}


def quartiles(values: object) -> list[float]:
    """Return [lower quartile, median, upper quartile] of the values."""
    return [float(f"{x:.4g}") for x in np.quantile(values, (0.25, 0.5, 0.75))]


def processor() -> dict[str, object]:
    """Return vendor, family, model, SIMD flags and caches of the processor; None for what is not known."""
    info = Path("/proc/cpuinfo")
    text = info.read_text().partition("\n\n")[0] if info.exists() else ""
    lines = [line.partition(":") for line in text.splitlines()]
    fields = {key.strip(): value.strip() for key, _, value in lines}
    family, model = (int(fields[key]) if key in fields else None for key in ("cpu family", "model"))
    return {
        "name": fields.get("model name") or platform.processor() or platform.machine(),
        "vendor": fields.get("vendor_id", ""),
        "family": family,
        "model": model,
        "flags": [f for f in fields.get("flags", "").split() if f.startswith(("sse", "avx", "fma"))],
        "cache_bytes": list(_core.caches()),  # L1, L2, and the core's share of L3
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def describe() -> dict[str, object]:
    """Return what belongs beside every figure: the processor, the compiler and the versions."""
    return {
        "cpu": processor()["name"],
        "isa": _core.isa(),
        "platform": sys.platform,
        "compiler": compiler_version(),
        "built_with": _core.COMPILER,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "fastbp": fastbp.__version__,
    }


if __name__ == "__main__":
    for name, value in (processor() | describe()).items():
        print(f"{name:>26}  {value}")
    for name, (low, middle, high) in limits().items():
        print(f"{name:>26}  {middle:.4g} ({low:.4g} to {high:.4g})")
