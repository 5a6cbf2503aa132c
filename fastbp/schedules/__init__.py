"""Learning-rate schedules: immutable values that give the rate of each optimizer step.

Steps are counted from 0 over all fits. The count starts again when the optimizer is set or the network is
reset. A schedule that has an end keeps its last rate.
"""

from __future__ import annotations

from fastbp.exceptions import ParameterError
from fastbp.schedules._base import Constant, LearningRate, Schedule
from fastbp.schedules._rows import Cosine, Exponential, InverseScaling, OneCycle, Step
from fastbp.schedules._warmup import Warmup

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseScaling",
    "LearningRate",
    "OneCycle",
    "Schedule",
    "Step",
    "Warmup",
]

#: Every schedule that the engines know, by row of their table.
SCHEDULES: dict[str, type[Schedule]] = {
    kind.row: kind for kind in (Constant, Step, Exponential, InverseScaling, Cosine, OneCycle)
}


def check_row(schedule: Schedule) -> None:
    """Raise ParameterError if a subclass computes other rates than its row of the engines' table."""
    if type(schedule) is Warmup:
        check_row(schedule.following)
        return
    row, kind = SCHEDULES.get(schedule.row), type(schedule)
    if row is None or kind.formula is not row.formula or kind.__call__ is not Schedule.__call__:
        raise ParameterError(
            f"learning_rate is {schedule}, expected a number, a schedule of fastbp.schedules or a function "
            "of the epoch: the engines compute schedules themselves, by the rows of their table"
        )
