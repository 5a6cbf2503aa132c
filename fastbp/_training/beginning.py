"""What begins the run of a fit, by its optimizer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from fastbp._data.sample_weights import Weights
from fastbp._model import Model
from fastbp.optimizers import LevenbergMarquardt

if TYPE_CHECKING:
    from fastbp._data.mapped import DeferredChecks
    from fastbp._engine.protocol import Run


def begin_of(
    model: Model, weights: Weights | None, checks: DeferredChecks | None = None
) -> Callable[..., Run]:
    """Return what begins a run with these checks: the trainer's `begin`, or that of Levenberg-Marquardt."""
    begin: Callable[..., Run] = model.trainer.begin
    if not model.makes_steps and isinstance(model.optimizer, LevenbergMarquardt):
        from fastbp._training import levenberg_marquardt  # few need it

        levenberg_marquardt.check_weights(model.optimizer, weights)
        begin = partial(levenberg_marquardt.LevenbergMarquardtRun, model)
    return begin if checks is None else partial(begin, checks=checks)
