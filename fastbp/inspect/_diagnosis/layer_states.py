"""What `diagnose` measures in each layer, block by block of the data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._data.sample_weights import counted
from fastbp.inspect._diagnosis.slopes import SlopeFacts, slope_facts
from fastbp.inspect._diagnosis.thresholds import limit
from fastbp.layers import Layer, split
from fastbp.losses import CustomLoss, SumLoss

if TYPE_CHECKING:
    from fastbp.inspect._output import Block
    from fastbp.inspect._probe import Examples, Probe

Array: TypeAlias = NDArray[Any]

DECADES, PER_DECADE = range(-8, 3), 4  # powers of ten between which |f'(z)| is counted, and bins in each

#: Edges of these bins; below the first power of ten is a bin for 0, and the last one has no end.
SLOPE_EDGES = np.concatenate(
    [[0.0], 10.0 ** (np.arange(PER_DECADE * DECADES[0], PER_DECADE * DECADES[-1] + 1) / PER_DECADE)]
)

SAMPLE = 1024  # values of z that are kept per layer, to compare a derivative with differences


class LayerState(NamedTuple):
    """Measures of one layer, over all rows.

    Attributes
    ----------
    name : str
        "layers[1]" for the first one, as in error messages.
    activation : str
    units : int
    gradient_norm, gradient_rms : float
        Norm of dJ/dW and dJ/db of the layer, and root mean square of dJ/dW.
    delta_norm, delta_rms : float
        Norm of dJ/dz over all rows and units, and its root mean square.
    mean_slope, least_slope : float
        Mean and least |f'(z)|.
    saturated : float
        Share of outputs where |f'(z)| is less than a twentieth of the activation's largest |f'|.
    dead_units : int
        Units with f'(z) = 0 in all rows, or with the same output in all rows, if there are several.
    zero_gradients : float
        Share of dJ/dW and dJ/db that is exactly 0.
    update_ratio : float
        |change of W| / |W| in the next step of the optimizer; 0 for a frozen layer, NaN if no gradient can
        train the network.
    mean, std, least, most : float
        Of the outputs f(z).
    dead : array of int
        Indices of the dead units.
    slope_counts : array of int, shape (42,)
        Counts of |f'(z)| in bins that begin at 0 and at 1e-8, ..., 100, four per power of ten; the last one
        has no end. NaN is not counted.
    """

    name: str
    activation: str
    units: int
    gradient_norm: float
    gradient_rms: float
    delta_norm: float
    delta_rms: float
    mean_slope: float
    least_slope: float
    saturated: float
    dead_units: int
    zero_gradients: float
    update_ratio: float
    mean: float
    std: float
    least: float
    most: float
    dead: NDArray[np.int64]
    slope_counts: NDArray[np.int64]


class Columns:
    """Mean, root mean square and range of each column of blocks of rows, where a weight is not 0."""

    def __init__(self, n: int) -> None:
        self._count, self._sum, self._squares = np.zeros((3, n))
        self.least, self.most = np.full(n, np.inf), np.full(n, -np.inf)

    def add(self, block: Array, w: Array | None = None) -> None:
        """Add rows (m, n), of weights (m, 1) or (m, n)."""
        x = block.astype(np.float64)
        known = np.ones(x.shape, bool) if w is None else np.broadcast_to(w != 0, x.shape)
        self._count += known.sum(axis=0)
        self._sum += x.sum(axis=0, where=known)
        self._squares += np.square(x).sum(axis=0, where=known)
        self.least = np.minimum(self.least, x.min(axis=0, where=known, initial=np.inf))
        self.most = np.maximum(self.most, x.max(axis=0, where=known, initial=-np.inf))

    @property
    def mean(self) -> Array:
        """Means (n,)."""
        return np.asarray(self._sum / np.maximum(self._count, 1))

    @property
    def rms(self) -> Array:
        """Root mean squares (n,)."""
        return np.asarray(np.sqrt(self._squares / np.maximum(self._count, 1)))


class _Sums:
    """Sums over the outputs of one layer."""

    def __init__(self, layer: Layer, facts: SlopeFacts) -> None:
        self.layer, self.facts = layer, facts
        self.count = self.saturated = 0
        self.deltas = self.slopes = self.outputs = self.squares = 0.0
        self.least_slope = math.inf
        self.has_slope = np.zeros(layer.n_out, bool)
        self.least, self.most = np.full(layer.n_out, np.inf), np.full(layer.n_out, -np.inf)
        self.slope_counts = np.zeros(len(SLOPE_EDGES), np.int64)
        self.z = np.zeros(0)

    def add(self, z: Array, y: Array, slopes: Array, delta: Array) -> None:
        """Add a block of rows, (m, n_out) each."""
        sizes, y = np.abs(slopes), y.astype(np.float64)
        if not self.z.size:
            self.z = z.ravel()[:: max(1, z.size // SAMPLE)].astype(np.float64)
        self.count += y.size
        self.deltas += float(np.square(delta, dtype=np.float64).sum())
        self.slopes += float(sizes.sum(dtype=np.float64))
        self.outputs += float(y.sum())
        self.squares += float(np.square(y).sum())
        self.saturated += int((sizes < limit("saturated_slope") * self.facts.largest).sum())
        self.least_slope = np.minimum(self.least_slope, sizes.min())
        self.has_slope |= (sizes != 0).any(axis=0)
        self.least, self.most = np.minimum(self.least, y.min(axis=0)), np.maximum(self.most, y.max(axis=0))
        known = sizes[~np.isnan(sizes)]
        bins = np.searchsorted(SLOPE_EDGES, known, side="right") - 1
        self.slope_counts += np.bincount(bins, minlength=len(SLOPE_EDGES))

    def state(self, i: int, d_W: Array, d_b: Array, update_ratio: float) -> LayerState:
        """Return the measures; d_W (n_in, n_out) and d_b are the gradient of the layer."""
        rows, mean = self.count // self.layer.n_out, self.outputs / self.count
        is_dead = ~self.has_slope
        if rows > 1:
            is_dead |= self.least == self.most
        gradient = np.concatenate([d_W.ravel(), d_b]).astype(np.float64)
        return LayerState(
            name=f"layers[{i}]",
            activation=str(self.layer.activation),
            units=self.layer.n_out,
            gradient_norm=float(np.sqrt(np.square(gradient).sum())),
            gradient_rms=rms(d_W),
            delta_norm=math.sqrt(self.deltas),
            delta_rms=math.sqrt(self.deltas / self.count),
            mean_slope=self.slopes / self.count,
            least_slope=float(self.least_slope),
            saturated=self.saturated / self.count,
            dead_units=int(is_dead.sum()),
            zero_gradients=float(np.mean(gradient == 0)),
            update_ratio=update_ratio,
            mean=mean,
            std=float(np.sqrt(np.maximum(self.squares / self.count - mean * mean, 0))),
            least=float(self.least.min()),
            most=float(self.most.max()),
            dead=np.flatnonzero(is_dead),
            slope_counts=self.slope_counts,
        )


class Measures:
    """One pass over the data, forward and backward: gradient, sums per layer and column."""

    def __init__(self, probe: Probe, examples: Examples) -> None:
        self.probe, self.n_rows = probe, len(examples)
        self.facts = [slope_facts(layer.activation) for layer in probe.layers]
        self.sums = [_Sums(*pair) for pair in zip(probe.layers, self.facts, strict=True)]
        self.inputs = Columns(probe.layers[0].n_in)
        self.targets: Columns | None = None  # of a custom loss, they may be anything
        self.gradient = np.zeros_like(probe.parameters)
        divisor = probe.divisor(examples.weight)
        with np.errstate(all="ignore"):  # infinite numbers show in the results
            for block in probe.blocks(examples):
                self._add(block, divisor)
            self.baseline, self.floor = self._ends(examples, divisor)

    def _add(self, block: Block, divisor: float) -> None:
        tape, deltas = self.probe.deltas(block, divisor)
        self.probe.passes.add_gradients(tape, deltas, self.gradient)
        for sums, *arrays in zip(self.sums, tape.z, tape.x[1:], tape.slopes, deltas, strict=True):
            sums.add(*arrays)
        self.inputs.add(block.x)
        if not isinstance(self.probe.loss, CustomLoss):
            self.targets = self.targets or Columns(block.t.shape[1])
            self.targets.add(block.t, block.w)

    def _ends(self, examples: Examples, divisor: float) -> tuple[float, float]:
        """Return the losses of a constant output, the mean of the targets, and of the targets as outputs.

        The latter is not 0 for all losses: that of counts is below it. NaN if outputs and targets are not
        comparable.
        """
        loss = self.probe.loss
        if not isinstance(loss, SumLoss) or loss.outputs_per_target > 1 or self.targets is None:
            return math.nan, math.nan
        constant = loss.expected(self.targets.mean[None])  # (1, n_out)
        baseline = floor = 0.0
        for block in self.probe.blocks(examples):
            h = np.repeat(constant.astype(self.probe.dtype), len(block.x), axis=0)
            baseline += self._loss(loss, h, block)
            floor += self._loss(loss, loss.expected(block.t), block)
        return baseline / divisor, floor / divisor

    def _loss(self, loss: SumLoss, h: Array, block: Block) -> float:
        """Return the sum of the losses of a block over outputs h (m, n_out), before the division."""
        terms = counted(loss.terms(h, loss.expected(block.t)), self.probe.output.weights(block))
        return float(terms.sum(dtype=np.float64))

    def states(self, update_ratios: list[float]) -> tuple[LayerState, ...]:
        """Return the measures of all layers."""
        gradients = split(self.gradient, self.probe.layers)
        with np.errstate(all="ignore"):
            return tuple(
                sums.state(i, *pair, ratio)
                for i, (sums, pair, ratio) in enumerate(
                    zip(self.sums, gradients, update_ratios, strict=True), 1
                )
            )


def rms(numbers: Array) -> float:
    """Return the root mean square of an array that is not empty."""
    return float(np.sqrt(np.square(numbers, dtype=np.float64).mean()))
