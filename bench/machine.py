"""Measures the limits of this machine, to which all times are compared.

    peak(isa, dtype)    arithmetic of one core, GFLOP/s: fused multiply-adds, or multiplications and additions
                        on the baseline path, which has no fused ones
    peaks()             the same for all paths that this processor runs
    l2_bandwidth()      what one core reads from its L2 cache, GB/s
    describe()          the processor and the compiler, for a report

One measurement takes about 15 ms. It is repeated in every round of a timing, because clock speeds change. It
is the best of several short runs in CPU time, so other programs on the core disturb it little. The thread may
run on any CPU of the process.
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
import sysconfig
from collections.abc import Callable
from glob import glob
from pathlib import Path
from time import thread_time

from fastbp import _core

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "bench"
DTYPES = {"float32": 32, "float64": 64}
COMPILER = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
SECONDS = 0.015  # per measurement
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


def peaks() -> dict[str, dict[str, float]]:
    """Return the arithmetic peaks of one core, GFLOP/s, by path and element type."""
    return {isa: {dtype: peak(isa, dtype) for dtype in DTYPES} for isa in isas()}


def l2_size() -> int:
    """Return the size in bytes of the L2 cache of one core, as fastbp takes it."""
    return _core.caches()[1]


@functools.cache
def l2_memory() -> tuple[mmap.mmap, ctypes.c_void_p, int]:
    """Return memory that easily fits into the L2 cache, with its address and size."""
    size = min(l2_size() // 2, 512 << 10)
    memory = mmap.mmap(-1, size)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    ctypes.memset(address, 0, size)  # untouched pages are all the same page, in L1
    return memory, ctypes.c_void_p(address), size


def l2_bandwidth() -> float:
    """Return what one core reads from its L2 cache with its widest loads, GB/s."""
    machine = library("machine.c", isas()[0], "float32")
    _, address, size = l2_memory()
    rounds = 32
    n = ctypes.c_size_t(size // ctypes.sizeof(ctypes.c_float))
    seconds = best_seconds(lambda: machine.read_all(address, n, ctypes.c_size_t(rounds)))
    return rounds * size / seconds / 1e9


def describe() -> dict:
    """Return the facts about the machine that belong beside every figure."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "l2_bytes": l2_size(),
        "compiler": compiler_version(),
        "isa": _core.isa(),
    }


if __name__ == "__main__":
    for name, value in describe().items():
        print(f"{name:>14}  {value}")
    for isa, by_dtype in peaks().items():
        figures = [f"{dtype} {gflops:.0f} GFLOP/s" for dtype, gflops in by_dtype.items()]
        print(f"{isa:>14}  {'  '.join(figures)}")
    print(f"{'L2':>14}  {l2_bandwidth():.0f} GB/s")
