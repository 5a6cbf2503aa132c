"""Values that tests go through: dtypes, engines, activations."""

import fastbp
from fastbp import activations, reference
from fastbp.activations import CELU, ELU, LeakyReLU

DTYPES = ("float32", "float64")
ENGINES = (fastbp.Network, reference.Network)

# names of activations that act on each unit alone and have a derivative
DIFFERENTIABLE = [name for name in activations.ACTIVATIONS if name not in ("softmax", "step")]

# every row with its usual parameter, and rows with another one
ACTIVATIONS = [*activations.ACTIVATIONS.values(), LeakyReLU(0.2), ELU(0.7), CELU(1.7)]
