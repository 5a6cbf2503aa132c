"""The activations in NumPy: each function beside its derivatives."""

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


def _bell(z: Array) -> Array:
    """Return sigmoid'(z)."""
    return _sigmoid(z) * _sigmoid(-z)


def _straight(z: Array) -> Array:
    """Return 0, and NaN for NaN."""
    return np.where(np.isnan(z), z, 0)


def _gelu_second(z: Array) -> Array:
    x = np.clip(z.astype(np.float64), -39, 39)  # beyond, the density is 0, and z^2 may be infinite
    return ((2 - x * x) * (math.sqrt(0.5 / math.pi) * np.exp(-0.5 * x * x))).astype(z.dtype)


def _gelu_tanh_second(z: Array) -> Array:
    """Return (z s)'' = s' (2 u' + z (u'' - tanh(u / 2) u'^2)) for s = sigmoid(u)."""
    z = np.clip(z, -22, 22)
    c = math.sqrt(8 / math.pi)
    u, u1, u2 = c * z * (1 + 0.044715 * z * z), c * (1 + 3 * 0.044715 * z * z), c * 6 * 0.044715 * z
    return _bell(u) * (2 * u1 + z * (u2 - np.tanh(0.5 * u) * u1 * u1))


def _silu_second(z: Array) -> Array:
    z = np.clip(z, -800, 800)  # beyond, the bell is 0
    return _bell(z) * (2 - z * np.tanh(0.5 * z))


def _mish_second(z: Array) -> Array:
    """Return (z t)'' = 2 t' + z t'' for t = tanh(softplus(z)), where t' = (1 - t^2) sigmoid(z).

    With q = sigmoid(-z), 1 - t^2 = (2 q / (1 + q^2))^2, which keeps the right tail.
    """
    z = np.clip(z, -800, 800)
    s, q, t = _sigmoid(z), _sigmoid(-z), np.tanh(_softplus(z))
    return np.square(2 * q / (1 + q * q)) * s * (2 + z * (q - 2 * t * s))


def _gaussian_second(z: Array) -> Array:
    z = np.clip(z, -39, 39)
    return (4 * z * z - 2) * np.exp(-z * z)


SELU_SCALE, SELU_FLOOR = 1.0507009873554805, 1.0507009873554805 * 1.6732632423543772


class Row(NamedTuple):
    """y = function(z, a), dy/dz = derivative(z, y, a) and d2y/dz2 = second(z, y, a); NaN stays NaN.

    a is the parameter of the row.
    """

    function: Callable[[Array, float], Array]
    derivative: Callable[[Array, Array, float], Array]
    second: Callable[[Array, Array, float], Array]


# Derivatives use y alone where possible. For clipped functions: the sign of an expression that is positive
# between the bounds and 0 at them.
# For softmax, the derivatives are by the element's own z: the diagonal of its Jacobian. A step has no slope:
# it can predict, not learn. Where a derivative jumps, the second one is 0 or the value of one side.
# fmt: off
ACTIVATIONS: dict[str, Row] = {
    "identity":     Row(lambda z, a: z,                           lambda z, y, a: np.ones_like(y),
                        lambda z, y, a: np.zeros_like(y)),
    "sigmoid":      Row(lambda z, a: _sigmoid(z),                 lambda z, y, a: y * (1 - y),
                        lambda z, y, a: -_bell(z) * np.tanh(0.5 * z)),
    "log_sigmoid":  Row(lambda z, a: -_softplus(-z),              lambda z, y, a: -np.expm1(y),
                        lambda z, y, a: -_bell(z)),
    "tanh":         Row(lambda z, a: np.tanh(z),                  lambda z, y, a: 1 - y * y,
                        lambda z, y, a: -8 * y * _bell(2 * z)),
    "relu":         Row(lambda z, a: np.maximum(z, 0),            lambda z, y, a: np.sign(y),
                        lambda z, y, a: _straight(z)),
    "relu6":        Row(lambda z, a: np.clip(z, 0, 6),            lambda z, y, a: np.sign(y * (6 - y)),
                        lambda z, y, a: _straight(z)),
    "leaky_relu":   Row(lambda z, a: np.where(z > 0, z, a * z),
                        lambda z, y, a: np.where(y <= 0, a, np.sign(y)),
                        lambda z, y, a: _straight(z)),
    "elu":          Row(lambda z, a: np.where(z > 0, z, a * np.expm1(z)),
                        lambda z, y, a: np.where(y > 0, 1, y + a),
                        lambda z, y, a: np.where(z > 0, 0, a * np.exp(z))),
    "selu":         Row(lambda z, a: np.where(z > 0, SELU_SCALE * z, SELU_FLOOR * np.expm1(z)),
                        lambda z, y, a: np.where(y > 0, SELU_SCALE, y + SELU_FLOOR),
                        lambda z, y, a: np.where(z > 0, 0, SELU_FLOOR * np.exp(z))),
    "celu":         Row(lambda z, a: np.where(z > 0, z, a * np.expm1(z / a)),
                        lambda z, y, a: np.where(y > 0, 1, 1 + y / a),
                        lambda z, y, a: np.where(z > 0, 0, np.exp(z / a) / a)),
    "gelu":         Row(lambda z, a: _gelu(z),                    lambda z, y, a: _gelu_slope(z),
                        lambda z, y, a: _gelu_second(z)),
    "gelu_tanh":    Row(lambda z, a: z * _gelu_tanh_cdf(z),       lambda z, y, a: _gelu_tanh_slope(z),
                        lambda z, y, a: _gelu_tanh_second(z)),
    "silu":         Row(lambda z, a: z * _sigmoid(z),
                        lambda z, y, a: _sigmoid(z) + y * _sigmoid(-z),
                        lambda z, y, a: _silu_second(z)),
    "mish":         Row(lambda z, a: z * np.tanh(_softplus(z)),   lambda z, y, a: _mish_slope(z),
                        lambda z, y, a: _mish_second(z)),
    "exponential":  Row(lambda z, a: np.exp(z),                   lambda z, y, a: y,
                        lambda z, y, a: y),
    "softplus":     Row(lambda z, a: _softplus(z),                lambda z, y, a: -np.expm1(-y),
                        lambda z, y, a: _bell(z)),
    "softsign":     Row(lambda z, a: z / (1 + np.abs(z)),         lambda z, y, a: np.square(1 - np.abs(y)),
                        lambda z, y, a: -2 * np.sign(z) * (1 / (1 + np.abs(z))) ** 3),
    "hard_sigmoid": Row(lambda z, a: np.clip((z + 3) / 6, 0, 1),  lambda z, y, a: np.sign(y * (1 - y)) / 6,
                        lambda z, y, a: _straight(z)),
    "hard_swish":   Row(lambda z, a: z * np.clip((z + 3) / 6, 0, 1),
                        lambda z, y, a: np.where(z <= -3, 0, np.where(z >= 3, 1, (z + z + 3) / 6)),
                        lambda z, y, a: np.where(np.abs(z) >= 3, 0, 1 / 3 + _straight(z))),
    "hard_tanh":    Row(lambda z, a: np.clip(z, -1, 1),           lambda z, y, a: np.sign(1 - y * y),
                        lambda z, y, a: _straight(z)),
    "sine":         Row(lambda z, a: np.sin(z),                   lambda z, y, a: np.cos(z),
                        lambda z, y, a: -np.sin(z)),
    "gaussian":     Row(lambda z, a: np.exp(-z * z),              lambda z, y, a: -2 * z * y,
                        lambda z, y, a: _gaussian_second(z)),
    "softmax":      Row(lambda z, a: _softmax(z),                 lambda z, y, a: y * (1 - y),
                        lambda z, y, a: y * (1 - y) * (1 - 2 * y)),
    "step":         Row(lambda z, a: np.heaviside(z, 1),          lambda z, y, a: np.zeros_like(y),
                        lambda z, y, a: np.zeros_like(y)),
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


def second(activation: Activation, z: Array, y: Array) -> Array:
    """Return f''(z) (m, n_out), where y = f(z), of an activation that is not softmax."""
    if isinstance(activation, CustomActivation):
        return activation.second_derivative.measure(z)
    return ACTIVATIONS[activation.name].second(z, y, activation.alpha)


def chain(activation: Activation, z: Array, y: Array, d_y: Array) -> Array:
    """Return dJ/dz from dJ/dy, both (m, n_out), by the chain rule; may overwrite d_y."""
    if activation.name == "softmax":  # each z of a row affects each y of it
        return y * (d_y - (y * d_y).sum(axis=1, keepdims=True))
    d_y *= slope(activation, z, y)
    return d_y
