"""A source folder whose extension modules are not built: the import says how to build it."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastbp


@pytest.fixture
def unbuilt(tmp_path):
    """The package's source without the extension modules; a function that runs code there."""
    package = Path(fastbp.__file__).parent
    built = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(package, tmp_path / "fastbp", ignore=built)

    def run(code):
        # -S: no finder of an editable install; NumPy's folder comes after this one
        paths = f"import sys; sys.path[:0] = {[str(tmp_path), str(Path(np.__file__).parents[1])]!r}; "
        command = [sys.executable, "-I", "-S", "-c", paths + code]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize(
    "code",
    [
        "import fastbp",
        "import fastbp.network",
        "from fastbp.exceptions import Error",
        "from fastbp import _core",
        "import fastbp.reference",
        "import runpy; runpy.run_module('fastbp')",
    ],
)
def test_importing_what_is_not_built(unbuilt, code):
    run = unbuilt(code)
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.startswith("ImportError: fastbp is not built for this Python in ")
    assert "build it first" in last
    assert "circular" not in run.stderr


def test_a_module_that_lacks_something_else_says_what(unbuilt, tmp_path):
    (tmp_path / "fastbp" / "_core" / "library.py").write_text("import a_library")
    assert unbuilt("import fastbp").stderr.splitlines()[-1].endswith("No module named 'a_library'")
