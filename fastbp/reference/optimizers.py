"""The optimizers in NumPy, in place: parameters p, gradient g, state vectors s, step number t = 1, 2, ..."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def _flush(state: Array) -> None:
    """Clear subnormal numbers: the state of an idle weight would slow down every later step."""
    state[np.abs(state) < np.finfo(state.dtype).smallest_normal] = 0


def _sgd(p: Array, g: Array, s: Array, t: int, learning_rate: float) -> None:
    p -= learning_rate * g


def _momentum(p: Array, g: Array, s: Array, t: int, learning_rate: float, momentum: float) -> None:
    s *= momentum
    s += g
    _flush(s)
    p -= learning_rate * s[0]


def _nesterov(p: Array, g: Array, s: Array, t: int, learning_rate: float, momentum: float) -> None:
    s *= momentum
    s += g
    _flush(s)
    p -= learning_rate * (g + momentum * s[0])


def _adam(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, beta1, beta2, epsilon = parameters
    m, v = s
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * (g * g)
    _flush(s)
    step = np.sqrt(v)
    step /= math.sqrt(1 - beta2**t)
    step += epsilon
    np.divide(m, step, out=step)
    p -= learning_rate / (1 - beta1**t) * step


OPTIMIZERS: dict[str, tuple[int, Callable[..., None]]] = {
    "sgd": (0, _sgd),
    "momentum": (1, _momentum),
    "nesterov": (1, _nesterov),
    "adam": (2, _adam),
}
