"""Products with the Hessian of a network's loss, by central differences of the gradient in float64."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.sparse import Inputs
from fastbp.inspect._probe import Probe
from fastbp.layers import split
from fastbp.network import Network

Array: TypeAlias = NDArray[Any]

STEP = 6e-6  # about the cube root of float64's rounding


class HessianProducts:
    """The Hessian of the loss with penalties, at `parameters` (P,) or those of the network."""

    def __init__(
        self,
        net: Network,
        X: Inputs,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        parameters: Array | None = None,
    ) -> None:
        self._probe = Probe(net, dtype=np.float64, parameters=parameters)
        self._examples = self._probe.examples(X, y, sample_weight)
        self._curvature = np.zeros_like(self._probe.parameters)  # of the penalties
        layers = zip(split(self._curvature, self._probe.layers), self._probe.layers, strict=True)
        for (W, _), layer in layers:
            if layer.trainable:
                W[:] = layer.l2 / (self._examples.weight if layer.divide_penalty else 1)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self._probe.parameters.size

    def __call__(self, vector: NDArray[np.float64]) -> Array:
        """Return H v (P,)."""
        at = self._probe.parameters
        with np.errstate(all="ignore"):  # the caller checks the product
            norm = np.linalg.norm(vector)
            if not norm:
                return np.zeros_like(at)
            step = STEP * max(1.0, float(np.linalg.norm(at))) / norm
            above, below = (self._gradient(at + sign * step * vector) for sign in (1, -1))
            product: Array = (above - below) / (2 * step) + self._curvature * vector
        return product

    def _gradient(self, parameters: Array) -> Array:
        probe = Probe(self._probe.net, dtype=np.float64, parameters=parameters)
        return probe.gradients(self._examples)
