"""What a network's derivatives say: sensitivities, shares of the error, curvature, diagnosis, remedies."""

from fastbp.inspect._eigenvalues import Spectrum, hessian_eigenvalues
from fastbp.inspect._landscape import Landscape, landscape
from fastbp.inspect._sensitivity import deltas, input_gradients

__all__ = [
    "Landscape",
    "Spectrum",
    "deltas",
    "hessian_eigenvalues",
    "input_gradients",
    "landscape",
]
