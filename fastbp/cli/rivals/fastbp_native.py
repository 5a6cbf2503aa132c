"""fastbp itself: `fit`, and `predict` into an existing array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastbp
from fastbp.cli.bench import Training, Workload

__all__ = ["VERSION", "Inference", "Training"]

VERSION = f"fastbp {fastbp.__version__}"


class Inference:
    """Predictions of a network."""

    def __init__(self, workload: Workload) -> None:
        self._X, _ = workload.data()
        self._network = workload.network()
        self._out = np.empty((len(self._X), workload.layers[-1]), workload.dtype)

    def predict(self) -> NDArray[Any]:
        """Return the outputs."""
        return self._network.predict(self._X, out=self._out)
