"""The native engine: the boundary between NumPy's arrays and the C core."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp._core.guard import Guard
from fastbp._core.run import Run
from fastbp._data.sample_weights import Weights
from fastbp.layers import Layer
from fastbp.losses import SumLoss
from fastbp.optimizers import Optimizer
from fastbp.schedules import Schedule

class Engine:
    parameters: NDArray[Any]  # (P,)
    gradients: NDArray[Any]  # (P,), once a call has stored them
    state: NDArray[Any]  # (states, P)
    optimizer: Optimizer  # in force
    schedule: Schedule  # of its learning rate: schedule(t - 1) was that of the last step
    learning_rate: float  # of the next step
    penalty: float  # of the layers, whose derivatives the last backward() added to the gradients
    isa: str
    t: int
    memory: NDArray[np.float64] | None  # of Levenberg-Marquardt: mu, alpha / beta, unrounded parameters
    def __init__(
        self,
        layers: Sequence[Layer],
        loss: SumLoss,
        parameters: NDArray[Any],
        *,
        seed: int = 0,
        input_noise: float = 0.0,
    ) -> None: ...
    def prepare_optimizer(self, optimizer: Optimizer, epoch: int = 0) -> Any: ...
    def install_optimizer(self, setup: Any) -> None: ...
    def set_optimizer(self, optimizer: Optimizer, epoch: int = 0) -> None: ...
    def set_schedule(self, schedule: Schedule) -> None: ...
    def shares_memory(self, array: NDArray[Any]) -> bool: ...
    def apart(self, array: NDArray[Any]) -> NDArray[Any]: ...
    def set_scaling(
        self, mean: NDArray[np.float64] | None, inverse_scale: NDArray[np.float64] | None
    ) -> None: ...
    def predict(self, X: NDArray[Any], out: NDArray[Any]) -> None: ...
    def predict_plain(self, X: object, out: object, guard: Guard) -> NDArray[Any] | None: ...
    def loss(self, X: NDArray[Any], y: NDArray[Any]) -> float: ...
    def loss_and_gradients(
        self, X: NDArray[Any], y: NDArray[Any], weights: Weights | None = None
    ) -> float: ...
    def train_on_batch(self, X: NDArray[Any], y: NDArray[Any], weights: Weights | None = None) -> float: ...
    def forward(self, X: NDArray[Any]) -> NDArray[Any]: ...
    def backward(self, d_output: NDArray[Any]) -> NDArray[Any]: ...
    def update(self) -> None: ...
    def normal_equations(self, X: NDArray[Any], y: NDArray[Any], out: NDArray[Any]) -> None: ...
    def begin(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        *,
        weights: Weights | None = None,
        batch_size: int,
        shuffle: bool,
        seed: int,
        first_epoch: int,
        epochs: int,
        stored: bool,
    ) -> Run: ...
