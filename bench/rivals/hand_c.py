"""The step of the workload seed, written by hand in C for its sizes and compiled for this processor."""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import machine
from fastbp.cli.bench import Workload
from fastbp.cli.rivals import UnsupportedError

SOURCE = Path(__file__).with_name("seed_step.c")
FLAGS = ["-O3", "-march=native", "-shared", "-fPIC"]
VERSION = f"{machine.compiler_version()}, {' '.join(FLAGS)}"


def compiled() -> ctypes.CDLL:
    """Compile the program and return it."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "seed_step.so"
        subprocess.run([*machine.COMPILER, *FLAGS, SOURCE, "-o", library], check=True)
        return ctypes.CDLL(str(library))


class Training:
    def __init__(self, workload: Workload) -> None:
        if (workload.name, workload.batch_size) != ("seed", 64):
            raise UnsupportedError("written by hand for the seed alone")
        X, t = workload.data()
        self._data = np.ascontiguousarray(X.T), t
        self._first = workload.network().parameters.copy()
        self._parameters = self._first.copy()
        self._rate = ctypes.c_double(workload.optimizer.learning_rate)
        self._train = compiled().train
        self._train.restype = ctypes.c_double

    def reset(self):
        self._parameters[:] = self._first

    def train(self, epochs):
        pointers = (ctypes.c_void_p(a.ctypes.data) for a in (*self._data, self._parameters))
        return self._train(*pointers, self._rate, ctypes.c_size_t(epochs))
