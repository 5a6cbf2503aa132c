"""Integrated gradients: a difference of outputs, attributed to the inputs."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base import arguments
from fastbp._base.arrays import as_array
from fastbp._base.shown import shown
from fastbp._base.sparse import Rows
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.inspect._probe import Probe
from fastbp.metrics import slices

Array: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]

NODES = 3  # of the Gauss-Legendre rule on each part of a path
DEEPEST = 40  # divisions, one after the other
WIDEST = 512  # parts of a path that are divided at once; more if the derivative is not that of the outputs
NEAREST = 0.05  # share of a part that a division leaves at least
MOST = 4096  # points on paths that are computed at once


class Parts(NamedTuple):
    """Parts of paths, from a to b of the way between baseline and input, with the outputs there."""

    row: Indices  # (k,) row of the path
    a: Array  # (k,)
    b: Array  # (k,)
    at_a: Array  # (k,) outputs
    at_b: Array  # (k,)

    def some(self, chosen: Any) -> Parts:
        """Return the parts with these indices."""
        return Parts(*(column[chosen] for column in self))


class _Path(NamedTuple):
    """Straight paths of m rows, in the network's scaling."""

    start: Array  # (m, n_in)
    direction: Array  # (m, n_in)
    outputs: Indices  # (m,) the output of each row that counts

    def points(self, row: Indices, way: Array) -> Array:
        """Return the points (k, n_in) at a share of the way (k,) of these rows."""
        points: Array = self.start[row] + way[:, None] * self.direction[row]
        return points


class IntegratedGradients:
    """Attributions by integrals along straight paths, refined until they are complete.

    Each part of a path gets a Gauss-Legendre rule, whose sum over the inputs must be the difference of the
    outputs at its ends. Where it is not, the part is divided, at a kink if there seems to be one. So kinks
    cost steps only where they are.
    """

    def __init__(self, probe: Probe, tolerance: float) -> None:
        self._probe, self._tolerance = probe, tolerance
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        self._nodes, self._weights = (nodes + 1) / 2, weights / 2

    def of(self, X: Rows, origin: Array, outputs: Indices) -> tuple[Array, Array]:
        """Return attributions (n, n_in) of an output of each row, and the differences (n,) to explain.

        `origin`, (1, n_in) or (n, n_in), is in the network's scaling. Outputs are raw.
        """
        probe, n = self._probe, len(X)
        values, ends = np.zeros((n, origin.shape[1])), np.empty((2, n))
        blocks = [(rows, rows if len(origin) > 1 else slice(1)) for rows in probe.slices(n, NODES)]

        def paths(rows: slice, of_origin: slice) -> tuple[Array, Array]:
            u = probe.scaled_inputs(X[rows])
            return u, np.ascontiguousarray(np.broadcast_to(origin[of_origin], u.shape))

        for rows, of_origin in blocks:
            u, start = paths(rows, of_origin)
            ends[:, rows] = self._output(start, outputs[rows]), self._output(u, outputs[rows])
        allowed = self._tolerance * float(np.abs(ends[np.isfinite(ends)]).max(initial=0))
        for rows, of_origin in blocks:
            u, start = paths(rows, of_origin)
            path = _Path(start, u - start, outputs[rows])
            self._attribute(path, ends[:, rows], allowed, values[rows])
        return values, ends[1] - ends[0]

    def _attribute(self, path: _Path, ends: Array, allowed: float, values: Array) -> None:
        """Add the attributions (m, n_in) of some rows to `values`, each row right to `allowed`."""
        m = len(values)
        parts = Parts(np.arange(m), np.zeros(m), np.ones(m), *ends)
        left = np.full(m, allowed)  # of each row's error
        for depth in range(DEEPEST + 1):
            n_parts = np.bincount(parts.row, minlength=m)
            share = left / np.maximum(2 * n_parts, 1)
            share[(n_parts > WIDEST) | (depth == DEEPEST)] = np.inf
            divided = []
            for some in slices(len(parts.row), MOST // NODES):
                own = parts.some(some)
                found, middle = self._integrals(own, path)
                errors = np.abs(found.sum(axis=1) - (own.at_b - own.at_a))
                is_bad = errors > share[own.row]  # not if they are NaN
                np.add.at(values, own.row[~is_bad], found[~is_bad])
                left -= np.bincount(own.row[~is_bad], errors[~is_bad], m)
                if is_bad.any():
                    divided.append(self._divided(own.some(is_bad), middle[is_bad], path))
            if not divided:
                return
            parts = Parts(*(np.concatenate(column) for column in zip(*divided, strict=True)))

    def _integrals(self, parts: Parts, path: _Path) -> tuple[Array, Array]:
        """Return the integrals (k, n_in) of parts of paths, and where to divide each part (k,)."""
        width = (parts.b - parts.a)[:, None]
        places = parts.a[:, None] + width * self._nodes  # (k, nodes)
        row = np.repeat(parts.row, NODES)
        points = path.points(row, places.reshape(-1))
        gradients = self._gradients(points, path.outputs[row]).reshape(*places.shape, -1)
        direction = path.direction[parts.row]  # (k, n_in)
        integrals: Array = np.einsum("q,kqi->ki", self._weights, gradients) * width * direction
        slopes = np.einsum("kqi,ki->kq", gradients[:, [0, -1]], direction)
        return integrals, _kink(parts, *slopes.T)

    def _divided(self, parts: Parts, middle: Array, path: _Path) -> Parts:
        """Return two parts for each, which meet at `middle`."""
        row, a, b, at_a, at_b = parts
        at_middle = self._output(path.points(row, middle), path.outputs[row])
        pairs = ((a, middle), (middle, b), (at_a, at_middle), (at_middle, at_b))
        return Parts(np.concatenate([row, row]), *(np.concatenate(pair) for pair in pairs))

    def _output(self, u: Array, outputs: Indices) -> Array:
        """Return the chosen raw output of each row, (m,)."""
        h = self._probe.passes.forward(u).h[np.arange(len(u)), outputs]
        factor, offset = self._raw(outputs)
        raw: Array = factor * h + offset
        return raw

    def _gradients(self, u: Array, outputs: Indices) -> Array:
        """Return the derivatives (m, n_in) of the chosen raw output by the inputs."""
        probe = self._probe
        tape = probe.passes.forward(u)
        unit = np.zeros_like(tape.h)
        unit[np.arange(len(u)), outputs] = self._raw(outputs)[0]
        delta = probe.passes.chain(tape, len(probe.layers) - 1, unit)
        return probe.passes.d_inputs(probe.passes.backward(tape, delta)[0])

    def _raw(self, outputs: Indices) -> tuple[Any, Any]:
        """Return factor and offset that turn these outputs into raw ones."""
        scaling = self._probe.target_scaling
        return (1.0, 0.0) if scaling is None else (scaling[2][outputs], scaling[3][outputs])


@np.errstate(all="ignore")
def _kink(parts: Parts, first: Array, last: Array) -> Array:
    """Return where each part has a kink (k,), if that is its only one between two straight lines.

    `first` and `last` (k,) are the slopes near its ends. Places near the ends are moved inwards, and where
    there is no kink, the place is the middle.
    """
    width = parts.b - parts.a
    share = ((parts.at_b - parts.at_a) / width - last) / (first - last)
    return parts.a + width * np.where((share > 0) & (share < 1), np.clip(share, NEAREST, 1 - NEAREST), 0.5)


def chosen_outputs(probe: Probe, X: Rows, output: Any) -> Indices:
    """Return the index of the output of each row (n,) that the argument `output` means."""
    n, n_out = len(X), probe.layers[-1].n_out
    if output is None:
        return _predicted(probe, X)
    if not isinstance(output, (list, tuple)) and np.ndim(output) == 0:
        index = arguments.integer("output", output, at_least=0, below=n_out)
        return np.full(n, index, np.intp)
    indices = as_array("output", output)
    if indices.shape != (n,) or indices.dtype.kind not in "iu":
        raise ShapeError(
            f"output has shape {indices.shape} and dtype {indices.dtype}, "
            f"expected an integer, or integers of shape {(n,)}"
        )
    if not (indices.min() >= 0 and indices.max() < n_out):
        raise ParameterError(f"output is {shown(indices)}, expected integers >= 0 and < {n_out}")
    return indices.astype(np.intp)


def _predicted(probe: Probe, X: Rows) -> Indices:
    """Return the only output, or that of the class that the network predicts for each row."""
    last = probe.layers[-1]
    if last.n_out == 1:
        return np.zeros(len(X), np.intp)
    if last.activation.name != "softmax":
        raise ParameterError(f"output is None, expected the index of one of the {last.n_out} outputs")
    parts = (probe.passes.forward(probe.scaled_inputs(X[rows])).h for rows in probe.slices(len(X)))
    return np.concatenate([h.argmax(axis=1) for h in parts])
