"""Optimizers, schedules and scalings as the engines take them: rows of tables, and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastbp.optimizers import Optimizer
from fastbp.schedules import Schedule, Warmup

if TYPE_CHECKING:
    from fastbp._data.scaling import Scaling
    from fastbp._engine.protocol import InputScaling, Rates, TargetScaling
    from fastbp.losses import Loss


def rates(schedule: Schedule) -> Rates:
    """Return the learning rates of a schedule as the engines take them."""
    if isinstance(schedule, Warmup):
        row, rate, parameters, _ = rates(schedule.following)
        return row, rate, parameters, schedule.steps
    return schedule.row, schedule.learning_rate, tuple(schedule.parameters), 0


def optimizer_numbers(optimizer: Optimizer, schedule: Schedule) -> tuple[Any, ...]:
    """Return the arguments of `Engine.prepare_optimizer`."""
    hyperparameters = tuple(optimizer.hyperparameters)
    return optimizer.row, hyperparameters, rates(schedule), optimizer.clip_value, optimizer.clip_norm


def scaling_numbers(
    inputs: Scaling | None, targets: Scaling | None, loss: Loss
) -> tuple[InputScaling | None, TargetScaling | None]:
    """Return the arguments of `Trainer.set_scaling`."""
    x = None if inputs is None else (inputs.mean, 1 / inputs.scale)
    if targets is None:
        return x, None
    return x, (targets.mean, 1 / targets.scale, *loss.output_scaling(*targets))
