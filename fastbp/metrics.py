"""What a network makes of data, and how good that is: its loss, accuracy for classes, r2 for numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp.activations import Activation
from fastbp.exceptions import DataError, ParameterError
from fastbp.losses import OwnLoss
from fastbp.validation import Door

Array: TypeAlias = NDArray[Any]

SLICE_WORK = 1 << 29  # multiply-adds between two chances for Ctrl-C: well below 0.1 s;
SLICE_ROWS = 1 << 20  # and rows, whose conversion takes time as well
BLOCK_ROWS = 4096  # rows compared at once, so that nothing as large as the data is allocated


def predict(engine: _core.Engine, X: Array, out: Array) -> None:
    """Put the outputs for X (n, n_in) into out (n, n_out), in slices of rows."""
    slices = _short_slices(engine, len(X))
    if len(slices) == 1:
        engine.predict(X, out)
        return
    for rows in slices:
        engine.predict(X[rows], out[rows])


def evaluate(engine: _core.Engine, door: Door, X: Array, y: Array) -> dict[str, float]:
    """Return the loss and the metric that goes with it, for data that the door let in."""
    if isinstance(door.loss, OwnLoss):  # perhaps no mean over rows, nor its output one of the targets
        return {"loss": engine.loss(X, y)}
    output = door.out(None, X)
    predict(engine, X, output)
    loss = 0.0
    for rows in _short_slices(engine, len(X)):
        part = engine.loss(X[rows], y[rows])
        loss += part if door.loss.divisor == "one" else part * (len(X[rows]) / len(X))
    name, metric = METRICS.get(door.loss.name, ("r2", r2))
    return {"loss": loss, name: metric(output, y)}


def classes(output: Array, activation: Activation) -> Any:
    """Return the classes that outputs (..., n_out) stand for; see `Network.predict_classes`."""
    if activation.name not in ("softmax", "sigmoid"):
        raise ParameterError(f"output_activation is {activation}, expected softmax or sigmoid for classes")
    wrong = np.isnan(output)
    if wrong.any():
        row = np.argwhere(wrong)[0][:-1].tolist()
        raise DataError(f"the outputs for X{row or ''} are NaN, expected numbers to tell classes from")
    if activation.name == "softmax":
        return output.argmax(axis=-1)
    yes = (output >= 0.5).astype(np.int64)
    return yes[..., 0] if output.shape[-1] == 1 else yes


def accuracy(output: Array, target: Array) -> float:
    """Return the share of rows whose most probable class is the target's.

    Parameters
    ----------
    output : array, shape (n, n_out)
        Probabilities, n >= 1.
    target : array, shape (n,) or (n, n_out)
        Class labels, or probabilities whose largest is taken.
    """
    right = 0
    for rows in _slices(len(output), BLOCK_ROWS):
        labels = target[rows] if target.ndim == 1 else target[rows].argmax(axis=1)
        right += int(np.count_nonzero(output[rows].argmax(axis=1) == labels))
    return right / len(output)


def binary_accuracy(output: Array, target: Array) -> float:
    """Return the share of entries that lie on the same side of 1/2 as the target's.

    Parameters
    ----------
    output, target : arrays, shape (n, n_out)
        Probabilities, n >= 1.
    """
    right = 0
    for rows in _slices(len(output), BLOCK_ROWS):
        right += int(np.count_nonzero((output[rows] >= 0.5) == (target[rows] >= 0.5)))
    return right / output.size


@np.errstate(over="ignore", invalid="ignore")
def r2(output: Array, target: Array) -> float:
    """Return the coefficient of determination, averaged over the outputs.

    For one output it is 1 - sum (t - h)^2 / sum (t - mean t)^2: 1 is perfect, 0 no better than the mean. A
    constant target counts 1 where it is met exactly, else 0.

    Parameters
    ----------
    output, target : arrays, shape (n, n_out)
        n >= 1.
    """
    mean = target.mean(axis=0, dtype=np.float64)  # (n_out,)
    residual, total = np.zeros_like(mean), np.zeros_like(mean)
    for rows in _slices(len(output), BLOCK_ROWS):
        t = target[rows].astype(np.float64)  # (rows, n_out)
        residual += np.square(t - output[rows]).sum(axis=0)
        total += np.square(t - mean).sum(axis=0)
    constant = total == 0
    score = 1 - residual / np.where(constant, 1, total)
    return float(np.where(constant, residual == 0, score).mean())


#: Loss: the metric that goes with it and its name; r2 for the others.
METRICS: dict[str, tuple[str, Callable[[Array, Array], float]]] = {
    "cross_entropy": ("accuracy", accuracy),
    "binary_cross_entropy": ("accuracy", binary_accuracy),
}


def _short_slices(engine: _core.Engine, n: int) -> list[slice]:
    return _slices(n, max(1, min(SLICE_ROWS, SLICE_WORK // engine.parameters.size)))


def _slices(n: int, rows: int) -> list[slice]:
    return [slice(first, first + rows) for first in range(0, n, rows)]
