"""Chooses the training run for an optimizer; for now also describes a network to `Optimizer.check`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fastbp._architecture import check_without
from fastbp._data.sample_weights import Weights
from fastbp.exceptions import ParameterError
from fastbp.losses import Loss, SumLoss
from fastbp.optimizers import LevenbergMarquardt

if TYPE_CHECKING:
    from fastbp._training.levenberg_marquardt import Run
    from fastbp.network import Network


class Described:
    """What `Optimizer.check` looks at, of a network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.loss: Loss = network.loss
        self.n_parameters: int = network.parameters.size

    def check_without(self, options: Iterable[str], user: str) -> None:
        """Raise ParameterError if a layer has one of these options, or if inputs get noise."""
        check_without(self._network, options, user)


def starter(network: Network, weights: Weights | None) -> Callable[..., Any]:
    """Return the function that begins a run, with the arguments of the engine's `begin`."""
    optimizer = network._engine.optimizer
    if not isinstance(optimizer, LevenbergMarquardt):
        return network._engine.begin
    from fastbp._training import levenberg_marquardt  # which few need

    if weights is not None:
        raise ParameterError(f"sample_weight or class_weight is given, expected none with {optimizer}")
    loss = network.loss
    assert isinstance(loss, SumLoss)  # `check` saw to it
    chosen, squares = optimizer, loss.squares

    def begin(X: NDArray[Any], y: NDArray[Any], *, epochs: int, stored: bool, **others: Any) -> Run:
        # all rows in their order, so the other options do not matter
        total = loss.divide_by(*y.shape) * squares
        return levenberg_marquardt.Run(
            chosen, network._engine, network._twin("float64"), X, y, total, epochs, stored
        )

    return begin
