"""The loss at points of a plane through the parameters of a network."""

from typing import Any

from numpy.typing import NDArray

from fastbp._core.engine import Engine

class Plane:
    # Rows and weights are values of packages above this one.
    def __init__(
        self,
        engine: Engine,
        X: Any,
        y: NDArray[Any],
        weights: Any,
        origin: NDArray[Any],
        directions: NDArray[Any],
        workers: int,
    ) -> None: ...
    def evaluate(self, points: NDArray[Any], losses: NDArray[Any]) -> None: ...
