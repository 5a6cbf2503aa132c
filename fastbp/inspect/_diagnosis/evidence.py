"""`Evidence`: everything that the rules of `diagnose` look at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.sparse import SparseRows
from fastbp.exceptions import DataError
from fastbp.history import History
from fastbp.inspect._diagnosis.layer_states import LayerState, Measures
from fastbp.inspect._diagnosis.next_step import Step
from fastbp.inspect._diagnosis.remedies import Remedy
from fastbp.inspect._diagnosis.thresholds import limit
from fastbp.layers import Layer, split
from fastbp.losses import SumLoss
from fastbp.network import Network

if TYPE_CHECKING:
    from fastbp._data.scaling import Scaling
    from fastbp.inspect._probe import Examples

Array: TypeAlias = NDArray[Any]


class Evidence(NamedTuple):
    """Measures of a network on its data."""

    net: Network
    examples: Examples
    measures: Measures
    states: tuple[LayerState, ...]
    step: Step
    loss: float
    history: History
    validation_loss: float  # NaN without validation data

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers."""
        return self.measures.probe.layers

    @property
    def weights(self) -> list[tuple[Array, Array]]:
        """W (n_in, n_out) and b of each layer."""
        return split(self.measures.probe.parameters, self.layers)

    @property
    def ends(self) -> tuple[int, int]:
        """Indices of the first and the last trained layer; of all layers if all are frozen."""
        found = [i for i, layer in enumerate(self.layers) if layer.trainable] or [0, len(self.layers) - 1]
        return found[0], found[-1]

    def over_ends(self, measure: str) -> float:
        """Return a measure of the first trained layer over that of the last one; NaN if there is one."""
        first, last = self.ends
        above, below = (float(getattr(self.states[i], measure)) for i in (first, last))
        return above / below if first < last and below else math.nan

    @property
    def is_joined(self) -> bool:
        """Whether the loss goes with the output activation, whose derivative then cancels."""
        return self.measures.probe.loss.activation not in (None, "identity")

    @property
    def has_curved_loss(self) -> bool:
        """Whether the loss has a second derivative; the absolute error, for example, is made of lines."""
        loss = self.measures.probe.loss
        if self.is_joined or not isinstance(loss, SumLoss):
            return True
        h = np.linspace(-2, 2, 8)[:, None].repeat(loss.outputs_per_target, axis=1)  # (8, n_out)
        return bool(loss.curvatures(h, np.ones_like(h), np.ones_like(h)).any())

    @property
    def counted_layers(self) -> list[int]:
        """Indices of the layers whose own f' is a factor of the gradient."""
        return [*range(len(self.layers) - self.is_joined)]

    @property
    def to_learn(self) -> float:
        """Loss of a constant output above that of perfect outputs: what there is to learn. NaN: unknown."""
        return self.measures.baseline - self.measures.floor

    @property
    def is_learned(self) -> bool:
        """Whether the loss is well below that of a constant output; not, if that is not known."""
        return self.loss - self.measures.floor <= limit("explained") * self.to_learn

    def remedy(self, **changes: Any) -> Remedy:
        """Return a remedy for this network."""
        return Remedy(tuple((layer.n_in, layer.n_out) for layer in self.layers), **changes)

    def input_scaling(self) -> Scaling | None:
        """Return mean and scale of the raw inputs, the mean 0 for sparse ones; None if squares overflow."""
        from fastbp._data import scaling  # few need it

        try:
            found = scaling.measure(self.examples.X)
        except DataError:
            return None
        return scaling.without_mean(found) if isinstance(self.examples.X, SparseRows) else found

    def target_scaling(self) -> Scaling | None:
        """Return mean and scale of the raw targets (n, n_targets); None if squares overflow."""
        from fastbp._data import scaling  # few need it

        try:
            return scaling.measure(self.examples.y, "y", skip_nan=self.net.loss.takes_nan)
        except DataError:
            return None
