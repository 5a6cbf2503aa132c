"""What a network's derivatives say: sensitivities, shares of the error, curvature, diagnosis, remedies."""

from fastbp.inspect._blame import Blame, blame
from fastbp.inspect._sensitivity import deltas, input_gradients

__all__ = [
    "Blame",
    "blame",
    "deltas",
    "input_gradients",
]
