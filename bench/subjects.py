"""The libraries whose accuracy, memory, import and size are measured, each in fresh processes."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

import fastbp
from fastbp.cli.bench import THREADS

PACKAGES = {
    "fastbp": "fastbp",
    "NumPy": "numpy",
    "PyTorch": "torch",
    "JAX": "jax",
    "scikit-learn": "scikit-learn",
}


def installed_version(subject: str) -> str:
    """Return the version of a library; skip the test if it is missing."""
    if subject == "fastbp":
        return fastbp.__version__
    try:
        return version(PACKAGES[subject])
    except PackageNotFoundError:
        pytest.skip(f"{subject} is not installed")


def fresh_python(*arguments: str | Path, variables: Mapping[str, str] | None = None) -> Any:
    """Run Python with one thread per library and return what it prints, which is JSON."""
    # the user's kernels of OpenBLAS are not those that are installed, and may not be the best
    own = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    environment = own | dict.fromkeys(THREADS, "1") | dict(variables or {})
    environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # users import compiled modules
    command = [sys.executable, "-P", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)
