"""Optimizers and schedules as the engines take them: rows of their tables, and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastbp.optimizers import Optimizer
from fastbp.schedules import Schedule, Warmup

if TYPE_CHECKING:
    from fastbp._engine.protocol import Rates


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
