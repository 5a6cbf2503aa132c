"""The benchmark networks used throughout the project, and how long their trainings take.

`fastbp.cli.comparison` is the command `fastbp bench`, which times them beside other libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastbp
from fastbp._base.philox import permutation

THREADS = ("FASTBP_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Workload:
    """A network, an optimizer and `batches` batches of synthetic data.

    After `epochs` epochs the engines' losses must agree within `rtol`.
    """

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


def orders(workload: Workload, epochs: int = 16) -> NDArray[np.int64]:
    """Return the rows of every batch (epochs, batches, batch_size), in the order that fastbp draws.

    Longer trainings repeat these epochs: the time does not depend on the order.
    """
    assert workload.epochs <= epochs, "losses can be compared only for the same orders"
    rows = workload.batches * workload.batch_size
    drawn = [permutation(0, epoch, rows) for epoch in range(epochs)]
    return np.array(drawn, np.int64).reshape(epochs, workload.batches, workload.batch_size)


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


def number(x: float) -> str:
    """Format a number: with three digits below 100, as an integer from there on."""
    return f"{x:,.0f}" if x >= 100 else f"{x:#.3g}"
