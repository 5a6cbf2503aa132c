"""The validation of a fit."""

from __future__ import annotations

from typing import Any

from fastbp._model import Model
from fastbp._training.validation import Validation, held_out
from fastbp.dask._executor import Executor
from fastbp.metrics import Metrics


def validation_of(
    executor: Executor,
    model: Model,
    validation_data: Any,
    validation_shards: Any,
    metrics: Metrics | None,
    *,
    every: int,
    epochs: int,
    names: tuple[str, ...] | None,
) -> Validation | None:
    """Return the validation of a fit."""
    return held_out(model, validation_data, None, metrics, every=every, epochs=epochs, names=names)
