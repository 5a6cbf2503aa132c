"""What a network's derivatives say: sensitivities, shares of the error, curvature, diagnosis, remedies."""

from fastbp.inspect._fold import fold_linear
from fastbp.inspect._sensitivity import deltas, input_gradients

__all__ = [
    "deltas",
    "fold_linear",
    "input_gradients",
]
