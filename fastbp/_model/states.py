"""Checks of the parts of a state, each of which may be any object."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._architecture import Architecture
from fastbp._base.arguments import text
from fastbp._base.arrays import as_array
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.callbacks._base import plain
from fastbp.exceptions import DataError
from fastbp.optimizers import Optimizer
from fastbp.schedules import Schedule, check_row

Array: TypeAlias = NDArray[Any]

FORMAT = 4  # of the states: version 1 had no number


def check_format(state: Any) -> None:
    """Raise DataError unless it is a state in the format of this version."""
    if not isinstance(state, dict) or not state.keys() & {"format", "arguments"}:
        raise DataError(f"the state is {shown(state)}, expected that of a network")
    found = state.get("format")
    if found != FORMAT:
        raise DataError(
            f"the state of a network has the format {shown(found)}, expected {FORMAT}: it comes from "
            f"{'an older' if found is None else 'another'} version of fastbp, and pickles are only for "
            "the version that wrote them"
        )


def optimizers_of(
    chosen: Any, optimizer: Any, schedule: Any, architecture: Architecture
) -> tuple[Optimizer, Optimizer, Schedule]:
    """Return the optimizer that was set, the current one, and the schedule in force."""
    chosen = expect("optimizer", chosen, Optimizer)
    chosen.check_dtype(architecture.dtype)
    optimizer = expect("optimizer", optimizer, type(chosen))
    schedule = expect("schedule", schedule, Schedule)
    check_row(schedule)
    schedule.check_dtype(architecture.dtype)
    return chosen, optimizer, schedule


def expect(name: str, value: Any, kind: type) -> Any:
    """Return a part of a state; refuse another class, and values that their constructors would refuse."""
    if not isinstance(value, kind):
        raise DataError(f"{name} is a {type(value).__name__}, expected a {kind.__name__}")
    return _rebuilt(value)


def _rebuilt(value: Any) -> Any:
    """Return a value as its constructor makes it, which may refuse it, or the values in its fields."""
    if isinstance(value, Value):
        for part in vars(value).values():
            _rebuilt(part)
        return value.__replace__()
    if isinstance(value, tuple):
        parts = map(_rebuilt, value)
        return value._make(parts) if hasattr(value, "_make") else tuple(parts)
    return value


def copy_into(own: Array, name: str, value: Any) -> None:
    """Copy an array of a state into `own`; refuse another shape or dtype."""
    array = as_array(name, value)
    if array.shape != own.shape or array.dtype != own.dtype:
        raise DataError(
            f"{name} has shape {array.shape} and dtype {array.dtype}, expected {own.shape} and {own.dtype}"
        )
    own[:] = array


def vector(name: str, value: Any, n: int) -> NDArray[np.float64]:
    """Return a copy of a vector of a state; refuse all but n finite numbers."""
    array = as_array(name, value)
    if array.shape != (n,) or not np.isfinite(array).all():
        raise DataError(f"{name} has shape {array.shape}, or not only finite numbers, expected ({n},)")
    return array.astype(np.float64)


def remembered(found: Any) -> dict[str, dict[str, float | str]]:
    """Return a copy of what callbacks remember."""
    return {text("a callback", name): plain(entries) for name, entries in found.items()}
