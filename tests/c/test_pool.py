"""The thread pool and the plans in separate C programs, under load and under ThreadSanitizer."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from helpers.paths import ROOT


def run(*command):
    """Run a command outside the sanitizers that this process may run under."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def compile_c(tmp_path):
    """Compile C to a program, or to an object with -c; return its path, or None if the compiler refuses."""
    compiler = os.environ.get("CC", "cc").split()
    if not shutil.which(compiler[0]):
        pytest.skip(f"there is no C compiler called {compiler[0]}")

    def compile_c(name, *arguments):
        # -g1: reports name functions and lines; variables would take a third of the time
        flags = ["-std=c11", "-g1", "-O1", "-pthread", "-I", ROOT / "src_c"]
        result = run(*compiler, *flags, *arguments, "-o", tmp_path / name)
        print(result.stderr)
        return tmp_path / name if result.returncode == 0 else None

    return compile_c


@pytest.fixture
def compile_for_tsan(compile_c, tmp_path):
    """The same, with ThreadSanitizer."""

    def compile_for_tsan(name, *arguments):
        return compile_c(name, "-fsanitize=thread", *arguments)

    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    probe = compile_for_tsan("probe", empty)
    if probe is None or run(probe).returncode:
        pytest.skip("the C compiler, or this system, has no ThreadSanitizer")
    return compile_for_tsan


def assert_runs(program, *arguments):
    assert program is not None, "it does not compile"
    result = run(program, *arguments)
    assert (result.returncode, result.stderr) == (0, "")


POOL = [
    ROOT / "tests/c/pool_stress.c",
    *(ROOT / f"src_c/system/{name}.c" for name in ("pool", "thread_limits", "cpus", "clock")),
]


def test_the_pool_under_load(compile_c):
    assert_runs(compile_c("pool", *POOL), "with processes")


@pytest.mark.slow  # .ci/run runs it
def test_the_pool_under_thread_sanitizer(compile_for_tsan):
    assert_runs(compile_for_tsan("pool", *POOL))


@pytest.mark.slow  # .ci/run runs it
def test_plans_under_thread_sanitizer(compile_for_tsan):
    """No two parts of a product, and no two lanes, touch the same memory; on the baseline path."""

    apart = ("kernels", "inspection")  # compiled for each element type

    def compiled(file, bits):
        macros = [f"-DREAL_BITS={bits}", "-DFASTBP_ISA=baseline"]
        return compile_for_tsan(f"{file}_{bits}.o", *macros, "-c", ROOT / f"src_c/kernels/{file}.c")

    with ThreadPoolExecutor(2) as both:
        objects = list(both.map(compiled, *zip(*product(apart, (32, 64)), strict=True)))
    assert None not in objects
    core = [path for path in sorted((ROOT / "src_c").glob("*/*.c")) if path.stem not in apart]
    assert_runs(compile_for_tsan("train", ROOT / "tests/c/train_stress.c", *core, *objects, "-lm"))
