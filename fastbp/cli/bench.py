"""The benchmark networks used throughout the project, and the command `fastbp bench`, which times them.

`fastbp bench` starts ``python -m fastbp.cli.bench SECONDS``, the process that measures, with the number of
threads in its environment, because NumPy's BLAS reads it only once, when it is loaded.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastbp
import fastbp.reference
from fastbp import _core

SECONDS = 0.15  # per timing
ROUNDS = 9
THREADS = ("FASTBP_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Workload:
    """Training on synthetic data of `batches` batches. The losses after `epochs` epochs must agree."""

    name: str
    layers: tuple[int, ...]
    activation: str
    loss: str
    optimizer: fastbp.SGD | fastbp.Adam
    batch_size: int
    batches: int
    epochs: int
    dtype: str = "float32"
    shuffle: bool = False

    def __str__(self) -> str:
        sizes, optimizer = "-".join(map(str, self.layers)), type(self.optimizer).__name__
        return f"{sizes} {self.activation}, {self.loss}, {optimizer}, batch {self.batch_size}, {self.dtype}"

    @property
    def rtol(self) -> float:
        """Largest relative difference between two implementations of the same arithmetic."""
        return 1e-9 if self.dtype == "float64" else 1e-4

    def data(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return inputs (n, n_in), and labels (n,) or targets (n, n_out): noise from a fixed seed."""
        rng = np.random.default_rng(0)
        rows, outputs = self.batch_size * self.batches, self.layers[-1]
        X = rng.standard_normal((rows, self.layers[0])).astype(self.dtype)
        if self.loss == "cross_entropy":
            return X, rng.permutation(np.arange(rows) % outputs)  # every class, if there are enough rows
        return X, rng.uniform(size=(rows, outputs)).astype(self.dtype)

    def network(self, network_class: type[fastbp.Network] = fastbp.Network) -> fastbp.Network:
        """Return a new network of this class; the initial weights are the same for every class."""
        return network_class(
            self.layers,
            activation=self.activation,
            output_activation="sigmoid" if self.activation == "sigmoid" else None,
            loss=self.loss,
            optimizer=self.optimizer,
            dtype=self.dtype,
            seed=0,
        )


sgd, adam = fastbp.SGD(learning_rate=0.01), fastbp.Adam(learning_rate=1e-3)

WORKLOADS = (
    Workload("seed", (3, 2, 1), "sigmoid", "half_sse", sgd, 64, 1, 200, "float64"),
    Workload("rl", (4, 64, 64, 2), "tanh", "mse", adam, 32, 16, 4),
    Workload("tab", (32, 128, 64, 1), "relu", "mse", adam, 128, 16, 4),
    Workload("mnist", (784, 128, 10), "relu", "cross_entropy", sgd, 64, 16, 4, shuffle=True),
    Workload("wide", (784, 512, 512, 10), "relu", "cross_entropy", adam, 128, 8, 4),
    Workload("large", (1024, 2048, 2048, 1000), "relu", "cross_entropy", sgd, 512, 2, 4),
)


class Training:
    """A workload on one engine; `reset` goes back to the initial weights."""

    def __init__(self, workload: Workload, network_class: type[fastbp.Network] = fastbp.Network) -> None:
        self._first = workload.network(network_class)
        self._data = workload.data()
        self._options: dict[str, Any] = {"batch_size": workload.batch_size, "shuffle": workload.shuffle}
        self.reset()

    def reset(self) -> None:
        """Go back to the initial weights."""
        self._network = self._first.clone()  # faster than drawing the weights again

    def train(self, epochs: int) -> float:
        """Train, and return the loss of the last epoch."""
        return self._network.fit(*self._data, epochs=epochs, **self._options).row(-1)["loss"]


def timed(run: Callable[[int], object], count: int) -> float:
    """Return the seconds that run(count) takes."""
    start = perf_counter()
    run(count)
    return perf_counter() - start


def count_for(seconds: float, run: Callable[[int], object]) -> int:
    """Return the count, at least 1, for which run(count) takes about `seconds`."""
    count, took = 1, timed(run, 1)
    while took < seconds / 4:
        count *= 2
        took = timed(run, count)
    return max(1, round(count * seconds / took))


def run(seconds: float) -> None:
    """Time all workloads but the largest with both engines in turn, and print a table row by row.

    Raises
    ------
    Error
        The losses of the engines differ.
    """
    print(heading())
    print(f"{'':6}{'fastbp':>10}{'NumPy':>10}   times faster, quartiles of {ROUNDS} rounds", flush=True)
    for workload in WORKLOADS[:-1]:
        engines = [Training(workload, each) for each in (fastbp.Network, fastbp.reference.Network)]
        losses = [engine.train(workload.epochs) for engine in engines]
        if not isclose(*losses, rel_tol=workload.rtol):
            raise fastbp.Error(f"{workload.name}: nothing is timed, because the losses differ, {losses}")
        counts = [count_for(seconds, engine.train) for engine in engines]
        times: list[list[float]] = [[], []]  # microseconds per step
        for _ in range(ROUNDS):
            for engine, count, of_engine in zip(engines, counts, times, strict=True):
                engine.reset()
                of_engine.append(1e6 * timed(engine.train, count) / count / workload.batches)
        native, reference = map(median, times)
        low, ratio, high = quantiles((b / a for a, b in zip(*times, strict=True)), n=4, method="inclusive")
        faster = f"{ratio:.3g} ({low:.3g} to {high:.3g})"
        row = f"{workload.name:6}{number(native):>10}{number(reference):>10}   {faster:22} {workload}"
        print(row, flush=True)


def number(x: float) -> str:
    """Format a number: with three digits below 100, as an integer from there on."""
    return f"{x:,.0f}" if x >= 100 else f"{x:#.3g}"


def heading() -> str:
    """Return the heading of the table: versions, processor, unit."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return (
        f"fastbp {fastbp.__version__} on its {_core.isa()} path; "
        f"its reference engine on NumPy {np.__version__} with {blas['name']} {blas['version']}\n"
        f"{processor()}, one thread; microseconds per training step\n"
    )


def processor() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def start() -> int:
    """Run the measurement in a new process, with one thread per engine; return its exit status."""
    environment = os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-P", "-m", "fastbp.cli.bench", str(SECONDS)]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    try:
        run(float(sys.argv[1]))
    except fastbp.Error as error:
        sys.exit(f"fastbp: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
