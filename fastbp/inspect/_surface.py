"""The loss of a network at many points of a plane through its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._base.sparse import Inputs, Rows, SparseRows
from fastbp._base.threads import get_num_threads, threads
from fastbp._data.sample_weights import resolve_weights
from fastbp._engine import inference
from fastbp._engine.stepwise import weight_of
from fastbp._model.trainer import trainer_of
from fastbp.inspect._probe import Probe
from fastbp.layers import split

Array: TypeAlias = NDArray[Any]
Progress: TypeAlias = Callable[[int, int], object]  # points done, of all points

SECONDS = 0.05  # of a slice of points: signals such as Ctrl-C are handled between two slices
GROWTH = 4  # of the number of points, at most, from one slice to the next
CONVERTED_BYTES = 1 << 28  # inputs that are larger are converted anew for each point


class Surface:
    """The loss of all rows as of `Network.evaluate`, with penalties, at parameters origin + a u + b v.

    It computes on a twin of the network's engine; the network may be trained meanwhile.

    Parameters
    ----------
    probe : Probe
    X, y, sample_weight
        As for `evaluate`.
    origin : array (P,), float64
    directions : array (2, P), float64
        u and v.
    """

    def __init__(
        self,
        probe: Probe,
        X: Inputs,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        origin: NDArray[np.float64],
        directions: NDArray[np.float64],
    ) -> None:
        model = probe.net._model
        self._probe, self._origin, self._directions = probe, origin, directions
        rows, self._y = probe.checks.examples(X, y)
        self._weights = resolve_weights(probe.checks, self._y, sample_weight, None)
        self._weight = weight_of(rows, self._weights, None)
        self._twin = model.guard.reading(model.twin, probe.dtype)
        inputs, targets = probe.input_scaling, probe.target_scaling
        self._X: Rows = rows
        if _is_worth_converting(rows, inputs is not None, probe.dtype):
            self._X, inputs = probe.scaled_inputs(rows), None
        self._trainer = trainer_of(self._twin, probe.architecture)
        self._trainer.set_scaling(inputs, targets)

    def losses(self, points: NDArray[np.float64], progress: Progress | None) -> NDArray[np.float64]:
        """Return the loss (n,) at each point (a, b) of points (n, 2)."""
        found = np.empty(len(points))
        for done in self._native(points, found) if self._is_native() else self._by_one(points, found):
            if progress is not None:
                progress(done, len(points))
        self._add_penalties(points, found)
        return found

    def _is_native(self) -> bool:
        """Whether threads share the points; else they share the rows, if the engine has threads."""
        is_short = len(self._X) * self._origin.size <= inference.SLICE_WORK
        calls = any(layer.activation.is_custom for layer in self._probe.layers)  # Python functions
        return isinstance(self._twin, _core.Engine) and self._trainer is self._twin and is_short and not calls

    def _native(self, points: Array, found: Array) -> Iterator[int]:
        """Compute points in slices of about `SECONDS`, on several threads; yield how many are done."""
        workers = count = get_num_threads()
        with threads(1):  # each worker's plan is for one thread
            rows = self._X, self._y, self._weights
            plane = _core.load("plane").Plane(self._twin, *rows, self._origin, self._directions, workers)
        done = 0
        while done < len(points):
            part = slice(done, done + count)
            began = perf_counter()
            plane.evaluate(points[part], found[part])
            share = SECONDS / max(perf_counter() - began, 1e-6)
            done = min(done + count, len(points))
            yield done
            count = max(workers, int(count * min(share, GROWTH)) // workers * workers)

    def _by_one(self, points: Array, found: Array) -> Iterator[int]:
        """Compute one point after the other; yield how many are done."""
        own = self._twin.parameters
        for i, point in enumerate(points):
            own[:] = self._at(point)
            arguments = self._twin, self._trainer, self._probe.checks, self._X, self._y
            found[i] = inference.evaluate(*arguments, (), self._weights)["loss"]
            yield i + 1

    def _at(self, point: Array) -> Array:
        """Return the parameters (P,) at a point."""
        a, b = point
        u, v = self._directions
        with np.errstate(over="ignore"):
            parameters: Array = (self._origin + a * u + b * v).astype(self._twin.parameters.dtype)
        return parameters

    def _add_penalties(self, points: Array, found: Array) -> None:
        """Add l1 and l2 of the layers that are trained."""
        layers = self._probe.layers
        if not any(layer.trainable and (layer.l1 or layer.l2) for layer in layers):
            return
        from fastbp.reference.regularization import penalty  # few need it

        for i, point in enumerate(points):
            matrices = (W for W, _ in split(self._at(point), layers))
            found[i] += sum(
                penalty(W, layer, self._weight)
                for W, layer in zip(matrices, layers, strict=True)
                if layer.trainable
            )


def _is_worth_converting(rows: Rows, is_scaled: bool, dtype: np.dtype[Any]) -> bool:
    """Whether to convert inputs once for all points."""
    if isinstance(rows, SparseRows) or _core.is_mapped(rows):
        return False
    return (is_scaled or rows.dtype != dtype) and rows.size * dtype.itemsize <= CONVERTED_BYTES
