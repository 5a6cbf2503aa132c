"""The six trainings that every figure of this project is about."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import fastbp


@dataclass(frozen=True)
class Workload:
    """One training on synthetic data: `batches` batches, gone through `epochs` times in a round of timing."""

    name: str
    layers: tuple[int, ...]
    activation: str
    loss: str
    optimizer: fastbp.SGD | fastbp.Adam
    batch_size: int
    batches: int
    epochs: int
    dtype: str = "float32"

    @property
    def steps(self) -> int:
        """Training steps in a round."""
        return self.batches * self.epochs

    def __str__(self) -> str:
        sizes, optimizer = "-".join(map(str, self.layers)), type(self.optimizer).__name__
        return f"{sizes} {self.activation}, {self.loss}, {optimizer}, batch {self.batch_size}, {self.dtype}"

    def data(self) -> tuple[NDArray, NDArray]:
        """Inputs (n, n_in), and labels (n,) or targets (n, n_out): noise, the same each time."""
        rng = np.random.default_rng(0)
        rows, outputs = self.batch_size * self.batches, self.layers[-1]
        X = rng.standard_normal((rows, self.layers[0])).astype(self.dtype)
        if self.loss == "cross_entropy":
            return X, rng.integers(outputs, size=rows)
        return X, rng.uniform(size=(rows, outputs)).astype(self.dtype)

    def network(self, network_class: type[fastbp.Network]) -> fastbp.Network:
        """Return a fresh network of that class; two classes start from the same weights."""
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
    Workload("seed", (3, 2, 1), "sigmoid", "half_sse", sgd, 64, 1, 20_000, "float64"),
    Workload("rl", (4, 64, 64, 2), "tanh", "mse", adam, 32, 16, 256),
    Workload("tab", (32, 128, 64, 1), "relu", "mse", adam, 128, 16, 128),
    Workload("mnist", (784, 128, 10), "relu", "cross_entropy", sgd, 64, 16, 64),
    Workload("wide", (784, 512, 512, 10), "relu", "cross_entropy", adam, 128, 8, 8),
    Workload("large", (1024, 2048, 2048, 1000), "relu", "cross_entropy", sgd, 512, 2, 2),
)
