"""Prediction in slices of rows; loss and metrics of a data set."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._base.sparse import Rows
from fastbp._data.checks import InputChecks
from fastbp._data.sample_weights import Weights
from fastbp._engine.stepwise import weight_of
from fastbp.activations import Activation
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.losses import LOSSES, CustomLoss, Loss
from fastbp.losses._answers import OF_ACTIVATION
from fastbp.metrics import Metric, slices

if TYPE_CHECKING:
    from fastbp._data.batches import Examples
    from fastbp._engine.protocol import Engine, Trainer

Array: TypeAlias = NDArray[Any]
Answers: TypeAlias = "tuple[Array, Array, NDArray[np.float64] | None]"  # outputs, targets, weights

# Signals such as Ctrl-C are handled between two slices.
SLICE_WORK = 1 << 29  # multiply-adds per slice: well below 0.1 s
SLICE_ROWS = 1 << 20  # rows per slice, whose conversion takes time as well


def predict(engine: Engine, X: Rows, out: Array, raw: bool = True) -> None:
    """Write the outputs for X (n, n_in) to out (n, n_out), in slices of rows; `raw` as for the engine."""
    parts = _short_slices(engine, len(X))
    if len(parts) == 1:
        engine.predict(X, out, raw)
        return
    for rows in parts:
        engine.predict(X[rows], out[rows], raw)


def evaluate(
    engine: Engine,
    trainer: Trainer,
    checks: InputChecks,
    X: Rows,
    y: Array,
    measured: tuple[Metric, ...],
    weights: Weights | None = None,
) -> dict[str, float]:
    """Return the loss and the metrics by name, for checked data; metrics are NaN if an output is.

    Rows without weight are absent. Functions of the user get the rows that are present, without weights.
    """
    found = {"loss": _loss(engine, trainer, checks.loss, X, y, weights)}
    if measured:
        found |= _measured(measured, _answers(engine, checks, X, y, weights))
    return found


def evaluate_batches(
    engine: Engine,
    trainer: Trainer,
    checks: InputChecks,
    batches: Iterable[Examples],
    measured: tuple[Metric, ...],
) -> dict[str, float]:
    """Return the loss and the metrics by name over all batches, at least one.

    The loss of a batch counts by the weight of its rows. The metrics are of all outputs, which are kept with
    copies of the targets and weights: the next batch may be in the same arrays.
    """
    parts = (measure_part(engine, trainer, checks, *each, bool(measured)) for each in batches)
    return of_parts(checks.loss, parts, measured)


class Measured(NamedTuple):
    """What was measured on a part of the data."""

    weight: float  #: Total weight of the rows.
    loss: float
    answers: Answers | None  #: Copies, if metrics need them.


def measure_part(
    engine: Engine,
    trainer: Trainer,
    checks: InputChecks,
    X: Rows,
    y: Array,
    weights: Weights | None,
    with_answers: bool,
) -> Measured:
    """Return the loss of a part of the data, checked; `with_answers`, also outputs, targets and weights."""
    weight, loss = weight_of(X, weights, None), _loss(engine, trainer, checks.loss, X, y, weights)
    if not with_answers:
        return Measured(weight, loss, None)
    output, target, values = _answers(engine, checks, X, y, weights)
    return Measured(weight, loss, (output, target.copy(), None if values is None else values.copy()))


def of_parts(loss: Loss, parts: Iterable[Measured], measured: tuple[Metric, ...]) -> dict[str, float]:
    """Return the loss of all parts, each counted by its weight, and the metrics of all answers, by name."""
    losses, weights = list[float](), list[float]()
    answers: list[Answers] = []
    for part in parts:
        losses.append(part.loss)
        weights.append(part.weight)
        if part.answers is not None:
            answers.append(part.answers)
    total, whole = 0.0, float(np.add.accumulate(weights)[-1])
    for value, weight in zip(losses, weights, strict=True):
        total += value if loss.divisor == "one" else value * (weight / whole)  # the loss itself, if it is one
    found = {"loss": total}
    if measured:
        found |= _measured(measured, _joined(answers))
    return found


def _answers(engine: Engine, checks: InputChecks, X: Rows, y: Array, weights: Weights | None) -> Answers:
    """Return the outputs, targets and weights of the rows that have a weight."""
    output = checks.new_output(X)
    predict(engine, X, output)
    if weights is None:
        return output, y, None
    _core.check_memory(y)
    values, rows = weights.values, weights.rows
    if rows is None:
        return output, y, values
    return output[rows], y[rows], None if values is None else values[rows]


def _joined(answers: list[Answers]) -> Answers:
    """Return the answers for all batches as those for one."""
    outputs, targets, weights = zip(*answers, strict=True)
    shape, *others = {y.shape[1:] for y in targets}
    if others:
        raise ShapeError(
            f"y has rows of the shapes {[shape, *others]}, expected one shape for metrics of all batches"
        )
    values = None
    if any(w is not None for w in weights):
        full = [np.ones(len(y)) if w is None else w for y, w in zip(targets, weights, strict=True)]
        if any(w.ndim > 1 for w in full):  # one per target; the others have one per row
            full = [w if w.ndim > 1 else np.broadcast_to(w[:, None], (len(w), *shape)) for w in full]
        values = np.concatenate(full)
    return np.concatenate(outputs), np.concatenate(targets), values


def _measured(measured: tuple[Metric, ...], answers: Answers) -> dict[str, float]:
    """Return the metrics of these outputs, targets and weights, by name."""
    output, y, values = answers
    is_nan, found = isnan(output.min()), {}
    for metric in measured:
        _core.check_memory(y)  # the previous metric may be user code
        found[metric.name] = nan if is_nan else metric.measure(output, y, values)
    return found


def _loss(engine: Engine, trainer: Trainer, loss: Loss, X: Rows, y: Array, weights: Weights | None) -> float:
    """Return the loss of all rows; computed in slices if the losses of slices can be added."""
    if isinstance(loss, CustomLoss):  # which need not be a mean over rows
        return trainer.loss(X, y)
    total, whole = 0.0, weight_of(X, weights, None)
    for part in _short_slices(engine, len(X) if weights is None else weights.n_rows):
        own = None if weights is None else weights.part(part)
        all_rows = own is not None and own.rows is not None  # which `own` chooses from
        x, t = (X, y) if all_rows else (X[part], y[part])
        value = trainer.loss(x, t, own)
        total += value if loss.divisor == "one" else value * (weight_of(x, own, None) / whole)
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
