"""Formulas of the learning-rate schedules, by row of the engines' table."""

from __future__ import annotations

from collections.abc import Callable

from fastbp import schedules

#: The formula of each row: (step, learning_rate, *parameters) -> learning rate of that step.
SCHEDULES: dict[str, Callable[..., float]] = {row: kind.formula for row, kind in schedules.SCHEDULES.items()}
