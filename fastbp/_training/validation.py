"""Validation data of a fit, and the loss and metrics to measure on them after each epoch."""

from __future__ import annotations

from array import array
from typing import Any, TypeAlias

from numpy.typing import ArrayLike, NDArray

from fastbp._base.shown import shown
from fastbp._data.sample_weights import Weights, resolve_weights
from fastbp._engine.inference import evaluate
from fastbp._model import Model
from fastbp.exceptions import ParameterError
from fastbp.metrics import Metric, Metrics, resolve

Array: TypeAlias = NDArray[Any]


class Validation:
    """Data that a fit does not train on, and the metrics to measure on them.

    Attributes
    ----------
    columns : dict
        For each column of the history, whether greater is better.
    """

    def __init__(
        self, model: Model, X: Array, y: Array, measured: tuple[Metric, ...], weights: Weights | None
    ) -> None:
        self._evaluation = model.engine, model.trainer, model.checks, X, y, measured, weights
        self.columns = {"validation_loss": False} | {
            f"validation_{metric.name}": metric.greater_is_better for metric in measured
        }

    def measure(self) -> dict[str, array[float]]:
        """Return one epoch's entry for each column."""
        values = evaluate(*self._evaluation).values()
        return {column: array("d", [value]) for column, value in zip(self.columns, values, strict=True)}


def held_out(
    model: Model, validation_data: tuple[ArrayLike, ArrayLike] | None, metrics: Metrics | None
) -> Validation | None:
    """Return the validation of a fit, its arguments checked; None without validation data."""
    if validation_data is None and metrics is None:
        return None
    measured = resolve(metrics, model.architecture.loss, model.architecture.n_out)
    if validation_data is None:
        raise ParameterError(
            f"metrics is {shown(metrics)} without validation_data, expected validation_data, too"
        )
    X, y = model.checks.held_out(validation_data)
    weights = resolve_weights(model.checks, y, None, None, "validation_data[1]")  # which targets are known
    return Validation(model, X, y, measured, weights)
