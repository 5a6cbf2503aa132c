"""The learning-rate schedules in Python, by name."""

from __future__ import annotations

from collections.abc import Callable

from fastbp import schedules

#: Formula per row of schedules.def: (step, learning_rate, *parameters) -> learning rate of that step.
SCHEDULES: dict[str, Callable[..., float]] = {row: kind.formula for row, kind in schedules.SCHEDULES.items()}
