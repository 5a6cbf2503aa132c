"""The loss at points of a plane through the parameters of a network."""

from typing import Any

from numpy.typing import NDArray

class Plane:
    def evaluate(self, points: NDArray[Any], losses: NDArray[Any]) -> None: ...
