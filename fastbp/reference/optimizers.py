"""The optimizers in NumPy, in place: parameters p, gradient g, state vectors s, step number t = 1, 2, ..."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def flush(state: Array) -> None:
    """Set subnormal numbers to 0: the decaying state of an idle weight would slow down all later steps."""
    state[np.abs(state) < np.finfo(state.dtype).smallest_normal] = 0


def _average(mean: Array, x: Array, decay: float) -> None:
    """Update a running mean with x."""
    mean *= decay
    mean += (1 - decay) * x
    flush(mean)


def _sgd(p: Array, g: Array, s: Array, t: int, learning_rate: float) -> None:
    p -= learning_rate * g


def _momentum(p: Array, g: Array, s: Array, t: int, learning_rate: float, momentum: float) -> None:
    s *= momentum
    s += g
    flush(s)
    p -= learning_rate * s[0]


def _nesterov(p: Array, g: Array, s: Array, t: int, learning_rate: float, momentum: float) -> None:
    s *= momentum
    s += g
    flush(s)
    p -= learning_rate * (g + momentum * s[0])


def _with_weight_decay(rule: Callable[..., None]) -> Callable[..., None]:
    """Return the rule for the gradient of the loss and a penalty; the last parameter is the weight decay."""

    def decayed(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
        *others, weight_decay = parameters
        rule(p, g + weight_decay * p, s, t, *others)

    return decayed


def _moments(g: Array, s: Array, beta1: float, beta2: float) -> None:
    """Update Adam's running means of the gradient and of its square."""
    _average(s[0], g, beta1)
    _average(s[1], g * g, beta2)


def _root(v: Array, t: int, beta2: float, epsilon: float) -> Array:
    """Return Adam's divisor, from the mean square v after t steps."""
    root = np.sqrt(v)
    root /= math.sqrt(1 - beta2**t)
    root += epsilon
    return root


def _adam(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, beta1, beta2, epsilon = parameters
    _moments(g, s, beta1, beta2)
    p -= learning_rate / (1 - beta1**t) * (s[0] / _root(s[1], t, beta2, epsilon))


def _amsgrad(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, beta1, beta2, epsilon = parameters
    _moments(g, s, beta1, beta2)
    np.maximum(s[2], s[1], out=s[2])
    p -= learning_rate / (1 - beta1**t) * (s[0] / _root(s[2], t, beta2, epsilon))


def _adamw(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, *_, weight_decay = parameters
    p *= 1 - learning_rate * weight_decay
    _adam(p, g, s, t, *parameters[:-1])


def _nadam(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, beta1, beta2, epsilon, momentum_decay = parameters
    decay = 0.96**momentum_decay
    mu, next_mu = (beta1 * (1 - 0.5 * decay**k) for k in (t, t + 1))
    product, factor = beta1**t, decay  # of mu at 1, 2, ..., t: t is all the state there is
    for _ in range(t):
        if product < 1e-17 or factor < 1e-17:
            break
        product *= 1 - 0.5 * factor
        factor *= decay
    _moments(g, s, beta1, beta2)
    step = (1 - mu) / (1 - product) * g
    step += next_mu / (1 - product * next_mu) * s[0]
    p -= learning_rate * (step / _root(s[1], t, beta2, epsilon))


def _radam(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, beta1, beta2, epsilon = parameters
    _moments(g, s, beta1, beta2)
    step = learning_rate / (1 - beta1**t)
    longest = 2 / (1 - beta2) - 1  # an average of so many gradients is worth as much as s[1] after many steps
    length = longest - 2 * t * beta2**t / (1 - beta2**t)  # after t steps
    if length > 5:
        step *= math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
        p -= step * math.sqrt(1 - beta2**t) * (s[0] / (np.sqrt(s[1]) + epsilon))
    else:
        p -= step * s[0]


def _adamax(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, beta1, beta2, epsilon = parameters
    _average(s[0], g, beta1)
    np.maximum(beta2 * s[1], np.abs(g) + epsilon, out=s[1])
    p -= learning_rate / (1 - beta1**t) * (s[0] / s[1])


def _rmsprop(
    p: Array, g: Array, s: Array, t: int, learning_rate: float, alpha: float, epsilon: float
) -> None:
    _average(s[0], g * g, alpha)
    p -= learning_rate * (g / (np.sqrt(s[0]) + epsilon))


def _rmsprop_momentum(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, alpha, epsilon, momentum = parameters
    _average(s[0], g * g, alpha)
    s[1] *= momentum
    s[1] += g / (np.sqrt(s[0]) + epsilon)
    flush(s[1])
    p -= learning_rate * s[1]


def _centered_root(g: Array, s: Array, alpha: float) -> Array:
    """Update the running means of g^2 and g; return the root of the variance, at least 0."""
    _average(s[0], g * g, alpha)
    _average(s[1], g, alpha)
    square = np.minimum(s[1] * s[1], np.finfo(s.dtype).max)  # infinity - infinity would be NaN
    root: Array = np.sqrt(np.maximum(s[0] - square, 0))
    return root


def _rmsprop_centered(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, alpha, epsilon = parameters
    p -= learning_rate * (g / (_centered_root(g, s, alpha) + epsilon))


def _rmsprop_centered_momentum(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, alpha, epsilon, momentum = parameters
    root = _centered_root(g, s, alpha)
    s[2] *= momentum
    s[2] += g / (root + epsilon)
    flush(s[2])
    p -= learning_rate * s[2]


def _adagrad(p: Array, g: Array, s: Array, t: int, learning_rate: float, epsilon: float) -> None:
    s += g * g
    flush(s)
    p -= learning_rate * (g / (np.sqrt(s[0]) + epsilon))


def _adadelta(p: Array, g: Array, s: Array, t: int, learning_rate: float, rho: float, epsilon: float) -> None:
    _average(s[0], g * g, rho)
    change = np.sqrt(s[1] + epsilon) / np.sqrt(s[0] + epsilon) * g
    _average(s[1], change * change, rho)
    p -= learning_rate * change


def _lion(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, beta1, beta2, weight_decay = parameters
    p *= 1 - learning_rate * weight_decay
    p -= learning_rate * np.sign(beta1 * s[0] + (1 - beta1) * g)
    _average(s[0], g, beta2)


def _irprop(p: Array, g: Array, s: Array, t: int, *parameters: float) -> None:
    learning_rate, eta_minus, eta_plus, step_min, step_max = parameters
    last, step = s  # the sign of the last gradient, and the size of the step
    if t == 1:
        step[:] = learning_rate
    way = last * np.sign(g)
    step[way < 0] *= eta_minus
    step[way > 0] *= eta_plus
    np.clip(step, step_min, step_max, out=step)
    last[:] = np.where(way < 0, 0, np.sign(g))
    p -= last * step


def _quickprop(p: Array, g: Array, s: Array, t: int, learning_rate: float, mu: float) -> None:
    change, last = s  # the last change of p, and the last gradient
    slope = g.copy()
    flush(slope)
    downhill, turned = change * np.sign(slope) < 0, change * np.sign(slope) > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        jump = slope / (last - slope)
    jump[downhill & (np.abs(slope) > mu / (1 + mu) * np.abs(last))] = mu
    change *= np.where(slope == 0, 0, np.where(change == 0, 0, jump))
    change -= learning_rate * np.where(turned, 0, g)
    flush(change)
    last[:] = slope
    p += change


OPTIMIZERS: dict[str, tuple[int, Callable[..., None]]] = {
    "sgd": (0, _sgd),
    "momentum": (1, _momentum),
    "nesterov": (1, _nesterov),
    "sgd_weight_decay": (0, _with_weight_decay(_sgd)),
    "momentum_weight_decay": (1, _with_weight_decay(_momentum)),
    "nesterov_weight_decay": (1, _with_weight_decay(_nesterov)),
    "adam": (2, _adam),
    "amsgrad": (3, _amsgrad),
    "adamw": (2, _adamw),
    "nadam": (2, _nadam),
    "radam": (2, _radam),
    "adamax": (2, _adamax),
    "rmsprop": (1, _rmsprop),
    "rmsprop_momentum": (2, _rmsprop_momentum),
    "rmsprop_centered": (2, _rmsprop_centered),
    "rmsprop_centered_momentum": (3, _rmsprop_centered_momentum),
    "adagrad": (1, _adagrad),
    "adadelta": (2, _adadelta),
    "lion": (1, _lion),
    "irprop": (2, _irprop),
    "quickprop": (2, _quickprop),
}
