"""Validation data of a fit, and what is measured on them after each epoch."""

from __future__ import annotations

from array import array
from typing import Any, TypeAlias

from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._base.shown import shown
from fastbp._data.checks import Door
from fastbp._engine.inference import evaluate
from fastbp.exceptions import ParameterError
from fastbp.metrics import Metric, Metrics, resolve

Array: TypeAlias = NDArray[Any]


class Validation:
    """Examples that a fit does not learn from, and what is measured on them after each epoch."""

    def __init__(
        self, engine: _core.Engine, door: Door, X: Array, y: Array, measured: tuple[Metric, ...]
    ) -> None:
        self._evaluation = engine, door, X, y, measured
        # of the history, each with whether greater is better there
        self.columns = {"validation_loss": False} | {
            f"validation_{metric.name}": metric.greater_is_better for metric in measured
        }

    def measure(self) -> dict[str, array[float]]:
        """Return the entries of these columns for one epoch."""
        values = evaluate(*self._evaluation).values()
        return {column: array("d", [value]) for column, value in zip(self.columns, values, strict=True)}


def held_out(
    engine: _core.Engine,
    door: Door,
    validation_data: tuple[ArrayLike, ArrayLike] | None,
    metrics: Metrics | None,
) -> Validation | None:
    """Return how a fit is to be validated, checked; None if it is not."""
    measured = resolve(metrics, door.loss, door.n_out)
    if validation_data is not None:
        return Validation(engine, door, *door.held_out(validation_data), measured)
    if metrics is not None:
        raise ParameterError(
            f"metrics is {shown(metrics)} without validation_data, expected validation_data, too"
        )
    return None
