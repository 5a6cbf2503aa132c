"""The activations in NumPy: each function beside its derivative."""

# mypy: no-warn-return-any

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.activations import Activation, CustomActivation

Array: TypeAlias = NDArray[Any]


def _sigmoid(z: Array) -> Array:
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1) / (1 + e)


def _softplus(z: Array) -> Array:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _softmax(z: Array) -> Array:
    y: Array = np.exp(z - z.max(axis=-1, keepdims=True))
    y /= y.sum(axis=-1, keepdims=True)
    return y


_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _normal_cdf(z: Array) -> NDArray[np.float64]:
    return 0.5 * _erfc(-math.sqrt(0.5) * z.astype(np.float64))  # 1 + erf would lose the left tail


def _gelu(z: Array) -> Array:
    return (z * _normal_cdf(z)).astype(z.dtype)


def _gelu_slope(z: Array) -> Array:
    x = z.astype(np.float64)
    return (_normal_cdf(z) + x * (math.sqrt(0.5 / math.pi) * np.exp(-0.5 * x * x))).astype(z.dtype)


def _gelu_tanh_cdf(z: Array) -> Array:
    """Return (1 + tanh u) / 2, u = sqrt(2 / pi) (z + 0.044715 z^3), as sigmoid(2 u) for the left tail."""
    return _sigmoid(math.sqrt(8 / math.pi) * z * (1 + 0.044715 * z * z))


def _gelu_tanh_slope(z: Array) -> Array:
    z = np.clip(z, -22, 22)  # beyond, s (1 - s) is 0, and z^3 may be infinite
    s = _gelu_tanh_cdf(z)
    return s + s * (1 - s) * z * math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * z * z)


def _mish_slope(z: Array) -> Array:
    t = np.tanh(_softplus(z))
    return t + z * (1 - t * t) * _sigmoid(z)


SELU_SCALE, SELU_FLOOR = 1.0507009873554805, 1.0507009873554805 * 1.6732632423543772


class Row(NamedTuple):
    """y = function(z, a) and dy/dz = derivative(z, y, a), where a is the row's parameter; NaN stays NaN."""

    function: Callable[[Array, float], Array]
    derivative: Callable[[Array, Array, float], Array]


# Derivatives use y alone where possible. For clipped functions: the sign of an expression that is positive
# between the bounds and 0 at them.
# For softmax, the derivative is the diagonal of its Jacobian. A step has no slope: it can predict, not learn.
# fmt: off
ACTIVATIONS: dict[str, Row] = {
    "identity":     Row(lambda z, a: z,                           lambda z, y, a: np.ones_like(y)),
    "sigmoid":      Row(lambda z, a: _sigmoid(z),                 lambda z, y, a: y * (1 - y)),
    "log_sigmoid":  Row(lambda z, a: -_softplus(-z),              lambda z, y, a: -np.expm1(y)),
    "tanh":         Row(lambda z, a: np.tanh(z),                  lambda z, y, a: 1 - y * y),
    "relu":         Row(lambda z, a: np.maximum(z, 0),            lambda z, y, a: np.sign(y)),
    "relu6":        Row(lambda z, a: np.clip(z, 0, 6),            lambda z, y, a: np.sign(y * (6 - y))),
    "leaky_relu":   Row(lambda z, a: np.where(z > 0, z, a * z),
                        lambda z, y, a: np.where(y <= 0, a, np.sign(y))),
    "elu":          Row(lambda z, a: np.where(z > 0, z, a * np.expm1(z)),
                        lambda z, y, a: np.where(y > 0, 1, y + a)),
    "selu":         Row(lambda z, a: np.where(z > 0, SELU_SCALE * z, SELU_FLOOR * np.expm1(z)),
                        lambda z, y, a: np.where(y > 0, SELU_SCALE, y + SELU_FLOOR)),
    "celu":         Row(lambda z, a: np.where(z > 0, z, a * np.expm1(z / a)),
                        lambda z, y, a: np.where(y > 0, 1, 1 + y / a)),
    "gelu":         Row(lambda z, a: _gelu(z),                    lambda z, y, a: _gelu_slope(z)),
    "gelu_tanh":    Row(lambda z, a: z * _gelu_tanh_cdf(z),       lambda z, y, a: _gelu_tanh_slope(z)),
    "silu":         Row(lambda z, a: z * _sigmoid(z),
                        lambda z, y, a: _sigmoid(z) + y * _sigmoid(-z)),
    "mish":         Row(lambda z, a: z * np.tanh(_softplus(z)),   lambda z, y, a: _mish_slope(z)),
    "exponential":  Row(lambda z, a: np.exp(z),                   lambda z, y, a: y),
    "softplus":     Row(lambda z, a: _softplus(z),                lambda z, y, a: -np.expm1(-y)),
    "softsign":     Row(lambda z, a: z / (1 + np.abs(z)),         lambda z, y, a: np.square(1 - np.abs(y))),
    "hard_sigmoid": Row(lambda z, a: np.clip((z + 3) / 6, 0, 1),  lambda z, y, a: np.sign(y * (1 - y)) / 6),
    "hard_swish":   Row(lambda z, a: z * np.clip((z + 3) / 6, 0, 1),
                        lambda z, y, a: np.where(z <= -3, 0, np.where(z >= 3, 1, (z + z + 3) / 6))),
    "hard_tanh":    Row(lambda z, a: np.clip(z, -1, 1),           lambda z, y, a: np.sign(1 - y * y)),
    "sine":         Row(lambda z, a: np.sin(z),                   lambda z, y, a: np.cos(z)),
    "gaussian":     Row(lambda z, a: np.exp(-z * z),              lambda z, y, a: -2 * z * y),
    "softmax":      Row(lambda z, a: _softmax(z),                 lambda z, y, a: y * (1 - y)),
    "step":         Row(lambda z, a: np.heaviside(z, 1),          lambda z, y, a: np.zeros_like(y)),
}
# fmt: on


def value(activation: Activation, z: Array) -> Array:
    """Return y = f(z) (m, n_out)."""
    if isinstance(activation, CustomActivation):
        return activation.apply(z, with_slope=False)[0]
    return ACTIVATIONS[activation.name].function(z, activation.alpha)


def slope(activation: Activation, z: Array, y: Array) -> Array:
    """Return f'(z) (m, n_out), where y = f(z); of softmax the diagonal of its Jacobian."""
    if isinstance(activation, CustomActivation):
        return activation.slope(z, y)
    return ACTIVATIONS[activation.name].derivative(z, y, activation.alpha)


def chain(activation: Activation, z: Array, y: Array, d_y: Array) -> Array:
    """Return dJ/dz from dJ/dy, both (m, n_out), by the chain rule; may overwrite d_y."""
    if activation.name == "softmax":  # each z of a row affects each y of it
        return y * (d_y - (y * d_y).sum(axis=1, keepdims=True))
    d_y *= slope(activation, z, y)
    return d_y
