"""Initializers: random initial weights whose variance keeps the size of signals from layer to layer.

Biases start at 0.

References
----------
X. Glorot and Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
K. He et al., Delving deep into rectifiers, 2015.
Y. LeCun et al., Efficient BackProp, 1998.
A. Saxe, J. McClelland and S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear
neural networks, 2014.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._base import philox
from fastbp._base.arguments import choice
from fastbp.activations import Activation

Unit: TypeAlias = Callable[[int, int, int], NDArray[np.float64]]
Draw: TypeAlias = Callable[[int, int, int, int], NDArray[np.float64]]


def _uniform(seed: int, index: int, n: int) -> NDArray[np.float64]:
    """Return n numbers, uniform in (-sqrt(3), sqrt(3)): variance 1."""
    return math.sqrt(3) * (2 * philox.uniform(seed, philox.WEIGHTS, 0, index, n) - 1)


def _normal(seed: int, index: int, n: int) -> NDArray[np.float64]:
    return philox.normal(seed, philox.WEIGHTS, 0, index, n)


def _scaled(unit: Unit, variance: Callable[[int, int], float]) -> Draw:
    def draw(seed: int, index: int, n_in: int, n_out: int) -> NDArray[np.float64]:
        return (math.sqrt(variance(n_in, n_out)) * unit(seed, index, n_in * n_out)).reshape(n_in, n_out)

    return draw


def _orthogonal(seed: int, index: int, n_in: int, n_out: int) -> NDArray[np.float64]:
    """Return a matrix with orthonormal columns (rows, if n_in < n_out), uniform over all such matrices."""
    z = _normal(seed, index, n_in * n_out).reshape(max(n_in, n_out), -1)
    q = _core.orthonormal_columns(z)  # R has a positive diagonal: else Q would not be uniform
    return q if n_in >= n_out else np.ascontiguousarray(q.T)


def _glorot(n_in: int, n_out: int) -> float:
    return 2 / (n_in + n_out)


def _he(n_in: int, n_out: int) -> float:
    return 2 / n_in


def _lecun(n_in: int, n_out: int) -> float:
    return 1 / n_in


#: Each initializer: (seed, index of the layer, n_in, n_out) -> W (n_in, n_out), float64.
INITIALIZERS: dict[str, Draw] = {
    "glorot_uniform": _scaled(_uniform, _glorot),
    "glorot_normal": _scaled(_normal, _glorot),
    "he_uniform": _scaled(_uniform, _he),
    "he_normal": _scaled(_normal, _he),
    "lecun_uniform": _scaled(_uniform, _lecun),
    "lecun_normal": _scaled(_normal, _lecun),
    "orthogonal": _orthogonal,
}

# one object per full name, so that `get` keeps what it has returned: scikit-learn's `clone` expects that
_NAMES = {name: name for name in INITIALIZERS}
_NAMES |= {short: _NAMES[f"{short}_uniform"] for short in ("glorot", "he", "lecun")}


def get(initializer: str) -> str:
    """Return the full name ("he" is "he_uniform"); ParameterError lists the names."""
    return choice("initializer", initializer, _NAMES)


def default(activation: Activation) -> str:
    """Return the name of the initializer that suits the activation, which its row of the table names."""
    return activation.initializer


def draw(initializer: str, seed: int, index: int, n_in: int, n_out: int) -> NDArray[np.float64]:
    """Return initial weights (n_in, n_out) for the layer `index` of a network with this seed."""
    return INITIALIZERS[get(initializer)](seed, index, n_in, n_out)
