"""The learning-rate schedules in Python, by name."""

from __future__ import annotations

from collections.abc import Callable

from fastbp.schedules import Constant, Cosine, Exponential, InverseScaling, OneCycle, Step

#: Formula per row of schedules.def: (step, learning_rate, *parameters) -> learning rate of that step.
SCHEDULES: dict[str, Callable[..., float]] = {
    kind.row: kind.formula for kind in (Constant, Step, Exponential, InverseScaling, Cosine, OneCycle)
}
