"""What a type checker says to a program of a user."""

import re
import subprocess
import sys

import pytest

import fastbp


def mypy(folder, program, *options):
    """Return the numbers of the lines that mypy --strict refuses, and all that it says; skip without mypy."""
    pytest.importorskip("mypy")
    (folder / "typed.py").write_text(program)
    always = ["--strict", "--config-file=", "--cache-dir", folder / "cache"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *always, *options, "typed.py"],
        cwd=folder,
        env={"MYPYPATH": str(next(iter(fastbp.__path__)) + "/.."), "PATH": ""},
        capture_output=True,
        text=True,
    )
    wrong = [int(line) for line in re.findall(r"^typed.py:(\d+): error", done.stdout, re.MULTILINE)]
    return wrong, done.stdout + done.stderr
