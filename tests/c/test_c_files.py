"""The C files: each one compiles alone, for both element types and each instruction set, without warnings."""

import ast
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from helpers.paths import ROOT

SOURCE = ROOT / "src_c"
if not SOURCE.is_dir():
    pytest.skip("the C sources are not beside these tests", allow_module_level=True)

COMPILER = os.environ.get("CC", "cc").split()
FILES = sorted(SOURCE.rglob("*.[ch]"))
FLAGS = [
    "-std=c11",
    "-fsyntax-only",
    "-Werror",
    "-Wno-unused-function",  # of static functions that a header defines for others
    "-Wno-unused-variable",
    f"-I{SOURCE}",
]
LINES = 250  # of a C file, at most


def constant(name):
    """Return a constant of setup.py, which is not run: it would build the package."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    (value,) = (
        node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == name
    )
    return ast.literal_eval(value)


def compile_alone(path, *flags):
    """Parse a file alone, and return the messages of the compiler."""
    command = [*COMPILER, *FLAGS, *constant("WARNINGS"), *flags, "-x", "c", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def assert_compile(files, *flags):
    with ThreadPoolExecutor() as pool:
        said = pool.map(lambda path: compile_alone(path, *flags), files)
        assert [text for text in said if text] == []


needs_compiler = pytest.mark.skipif(not shutil.which(COMPILER[0]), reason="needs a C compiler")


@needs_compiler
def test_each_file_compiles_alone():
    """No file relies on what another one includes before it."""
    assert_compile(FILES, "-DFASTBP_ISA=baseline", "-DREAL_BITS=32")


@needs_compiler
def test_the_benchmark_of_the_kernels_compiles():
    """It includes the kernels and has its own operands for them."""
    assert_compile([ROOT / "bench" / "kernels.c"], "-DFASTBP_ISA=baseline", "-DREAL_BITS=64")


@needs_compiler
@pytest.mark.slow  # .ci/run runs it
@pytest.mark.parametrize(("isa", "bits"), [*product(constant("ISA_FLAGS"), (32, 64))][1:])
def test_each_kernel_file_compiles_alone(isa, bits, tmp_path):
    """Kernel files compile for every other instruction set and element type."""
    empty = tmp_path / "empty.c"
    empty.write_text("int nothing;\n")
    if compile_alone(empty, *constant("ISA_FLAGS")[isa]):
        pytest.skip(f"the compiler does not know {isa}")
    kernels = [path for path in FILES if path.parent.name == "kernels"]
    assert_compile(kernels, *constant("ISA_FLAGS")[isa], f"-DFASTBP_ISA={isa}", f"-DREAL_BITS={bits}")


def test_headers_have_guards():
    for path in FILES:
        if path.suffix == ".h":
            guard = (
                f"FASTBP_{path.stem.removeprefix('fastbp_').upper()}_H"
                if path.stem != "fastbp"
                else "FASTBP_H"
            )
            assert f"#ifndef {guard}\n#define {guard}\n" in path.read_text(), path


def test_each_file_says_first_what_it_is():
    for path in [*FILES, *SOURCE.rglob("*.def")]:
        assert re.match(r"/\* [A-Z0-9]", path.read_text()), path


def test_no_file_is_too_long():
    lines = {path.name: path.read_text().count("\n") for path in FILES}
    assert {name: n for name, n in lines.items() if n > LINES} == {}
