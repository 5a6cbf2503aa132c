"""Prediction in slices of rows; loss and metrics of a data set."""

from __future__ import annotations

from math import isnan, nan
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._data.checks import InputChecks
from fastbp.activations import Activation
from fastbp.exceptions import DataError, ParameterError
from fastbp.losses import LOSSES, CustomLoss, Loss
from fastbp.losses._answers import OF_ACTIVATION
from fastbp.metrics import Metric, slices

if TYPE_CHECKING:
    from fastbp._engine.protocol import Engine, Trainer

Array: TypeAlias = NDArray[Any]

# Signals such as Ctrl-C are handled between two slices.
SLICE_WORK = 1 << 29  # multiply-adds per slice: well below 0.1 s
SLICE_ROWS = 1 << 20  # rows per slice, whose conversion takes time as well


def predict(engine: Engine, X: Array, out: Array) -> None:
    """Write the outputs for X (n, n_in) to out (n, n_out), in slices of rows."""
    parts = _short_slices(engine, len(X))
    if len(parts) == 1:
        engine.predict(X, out)
        return
    for rows in parts:
        engine.predict(X[rows], out[rows])


def evaluate(
    engine: Engine, trainer: Trainer, checks: InputChecks, X: Array, y: Array, measured: tuple[Metric, ...]
) -> dict[str, float]:
    """Return the loss and the metrics by name, for checked data; metrics are NaN if an output is."""
    found = {"loss": _loss(engine, trainer, checks.loss, X, y)}
    if measured:
        output = checks.new_output(X)
        predict(engine, X, output)
        is_nan = isnan(output.min())
        for metric in measured:
            _core.check_memory(y)  # the previous metric may be user code
            found[metric.name] = nan if is_nan else metric.measure(output, y)
    return found


def _loss(engine: Engine, trainer: Trainer, loss: Loss, X: Array, y: Array) -> float:
    """Return the loss of all rows; computed in slices if the losses of slices can be added."""
    if isinstance(loss, CustomLoss):  # which need not be a mean over rows
        return trainer.loss(X, y)
    total = 0.0
    for rows in _short_slices(engine, len(X)):
        part = trainer.loss(X[rows], y[rows])
        total += part if loss.divisor == "one" else part * (len(X[rows]) / len(X))
    return total


def classes(output: Array, loss: Loss, activation: Activation) -> Any:
    """Return the classes that outputs (..., n_out) stand for; see `Network.predict_classes`."""
    answers = loss.answers or OF_ACTIVATION.get(activation.name)
    if loss.outputs_per_target > 1:
        raise ParameterError(f"loss is {loss}, expected one whose outputs are classes")
    if answers is None:
        names = [known.name for known in LOSSES.values() if known.answers and known.activation is None]
        raise ParameterError(
            f"output_activation is {activation}, expected {' or '.join(OF_ACTIVATION)} for classes, "
            f"or the loss {' or '.join(names)}"
        )
    wrong = np.isnan(output)
    if wrong.any():
        row = np.argwhere(wrong)[0][:-1].tolist()
        raise DataError(f"the outputs for X{row or ''} are NaN, expected numbers to tell classes from")
    labels = answers.classes(output)
    is_column = labels.ndim == output.ndim and output.shape[-1] == 1
    return labels[..., 0] if is_column else labels


def _short_slices(engine: Engine, n: int) -> list[slice]:
    return slices(n, max(1, min(SLICE_ROWS, SLICE_WORK // engine.parameters.size)))
