"""The callback `RecordPath`: the way of the parameters through their space."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastbp._base.fields import checked_by, integer, one_of
from fastbp._base.shown import shown
from fastbp.callbacks._base import Callback, Columns, Watcher
from fastbp.callbacks._state import EpochState
from fastbp.exceptions import ParameterError

if TYPE_CHECKING:
    from fastbp._base.converted import Converted


def _dtype(argument: str, value: Any) -> str:
    """Return the name of a dtype, float32 or float64."""
    try:
        name = "" if value is None else np.dtype(value).name
    except Exception:  # whatever NumPy raises for something else
        name = ""
    if name not in ("float32", "float64"):
        raise ParameterError(f"{argument} is {shown(value)}, expected 'float32' or 'float64'")
    return value if isinstance(value, str) and value == name else name  # constructors keep what they get


class RecordPath(Callback):
    """Record the parameters during the fit, for `fastbp.inspect.landscape` to project them onto a plane.

    The path begins with the parameters before the first step and ends with those that the fit leaves, also
    when it is stopped, interrupted or restores an epoch. If there are `max_points` points, every second one
    is dropped, and from then on only every second one is recorded.

    Each fit starts a new path. Copies and pickles of the callback have none. A fit that continues from a
    checkpoint records the points from there on, at the distance of the last ones; those before are not in the
    checkpoint.

    Parameters
    ----------
    every : int, >= 1
        Number of epochs or steps between two points, before any are dropped.
    on : "epoch" or "step"
        What `every` counts. With averaged weights, the end of an epoch has the average.
    dtype : str or dtype
        Data type of the recorded parameters, float32 or float64.
    max_points : int, >= 2
        Most points. A point takes 4 or 8 bytes per parameter.

    Raises
    ------
    ParameterError
        An argument is not as above.

    Examples
    --------
    The path in the plane through its end::

        path = fastbp.callbacks.RecordPath()
        net.fit(X, y, epochs=100, callbacks=path)
        landscape = fastbp.inspect.landscape(net, X, y)
        coordinates = landscape.project(path.path)  # (k, 2)
    """

    only_watches: ClassVar[bool] = True
    every: int = integer(default=1, at_least=1)
    on: str = one_of("epoch", "step", default="epoch")
    dtype: Converted[DTypeLike, str] = checked_by(_dtype, "str or dtype", default="float32")
    max_points: int = integer(default=256, at_least=2)

    def begin(self, columns: Columns) -> Watcher:
        kind = StepRecorder if self.on == "step" else EpochRecorder
        recorder = kind(self.every, self.dtype, self.max_points)
        vars(self)["_recorder"] = recorder  # no field: equality and copies do without
        return recorder

    @property
    def path(self) -> NDArray[Any]:
        """Parameters (k, P) at the points of the last fit; (0, 0) before the first one."""
        points = self._points
        return np.stack([point.parameters for point in points]) if points else np.empty((0, 0), self.dtype)

    @property
    def steps(self) -> NDArray[np.int64]:
        """Number of steps (k,) that the fit had made at each point."""
        return np.array([point.steps for point in self._points], np.int64)

    @property
    def losses(self) -> NDArray[np.float64]:
        """Loss (k,) that the fit measured right before each point; NaN at the first one.

        It is the mean over the epoch that ended there, or the loss of the last batch before its step.
        """
        return np.array([point.loss for point in self._points], np.float64)

    @property
    def _points(self) -> list[Point]:
        recorder = vars(self).get("_recorder")
        return [] if recorder is None else recorder.points


class Point:
    """A point of a path: parameters (P,), and when they were recorded."""

    __slots__ = ("count", "loss", "parameters", "steps")

    def __init__(self, parameters: NDArray[Any], count: int, steps: int, loss: float) -> None:
        self.parameters, self.count, self.steps, self.loss = parameters, count, steps, loss


class PathRecorder(Watcher):
    """The `RecordPath` of one fit.

    Attributes
    ----------
    points : list of Point
    state : dict
        "every" is the present distance of two points, "count" the number of epochs or steps done, and "steps"
        the number of steps.
    """

    def __init__(self, every: int, dtype: str, most: int) -> None:
        super().__init__()
        self.points: list[Point] = []
        self.state |= {"every": every, "count": 0, "steps": 0}
        self._dtype, self._most, self._loss = dtype, most, nan

    def on_fit_begin(self, state: EpochState) -> None:
        """Record the first point."""
        self._record(state)

    def on_fit_end(self, state: EpochState) -> None:
        """Record the last point, unless it is there."""
        if self.points and not np.array_equal(self.points[-1].parameters, self._parameters(state)):
            self._record(state)

    def _count(self, state: EpochState, steps: int, loss: float) -> None:
        """Note that one more epoch or step is done, and record the point if it is due."""
        self.state["count"], self._loss = int(self.state["count"]) + 1, loss
        self.state["steps"] = int(self.state["steps"]) + steps
        if int(self.state["count"]) % int(self.state["every"]) == 0:
            self._thin()
            if int(self.state["count"]) % int(self.state["every"]) == 0:
                self._record(state)

    def _record(self, state: EpochState) -> None:
        self._thin()
        count, steps = int(self.state["count"]), int(self.state["steps"])
        self.points.append(Point(self._parameters(state), count, steps, self._loss))

    def _parameters(self, state: EpochState) -> NDArray[Any]:
        with np.errstate(over="ignore"):  # they may be too large for float32
            return state.network.parameters.astype(self._dtype)

    def _thin(self) -> None:
        """Drop every second point as long as there is no room for one more; the first one stays."""
        while len(self.points) >= self._most:
            self.state["every"] = every = 2 * int(self.state["every"])
            first, *others = self.points
            self.points = [first, *(point for point in others if point.count % every == 0)]


class EpochRecorder(PathRecorder):
    """A recorder that counts epochs."""

    def on_epoch_end(self, state: EpochState) -> None:
        """Count the epoch."""
        self._count(state, state.step, state.metrics["loss"])


class StepRecorder(PathRecorder):
    """A recorder that counts steps."""

    def on_batch_end(self, state: EpochState) -> None:
        """Count the step."""
        self._count(state, 1, state.batch_loss)
