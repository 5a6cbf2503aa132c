"""What the passes of `fastbp.inspect` compute; all lists have one entry per layer."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


class Tape(NamedTuple):
    """What a forward pass computed."""

    x: list[Array]  # the inputs (m, n_in), then the outputs (m, n_out) of every layer: x[l] goes into layer l
    z: list[Array]  # (m, n_out) weighted sums
    slopes: list[Array]  # (m, n_out) f'(z); of softmax the diagonal of its Jacobian

    @property
    def h(self) -> Array:
        """The outputs of the network (m, n_out)."""
        return self.x[-1]


class Tangents(NamedTuple):
    """How a tape changes along a direction of the parameters: R{x} and R{z} in Pearlmutter's notation."""

    x: list[Array]  # (m, n_out) of the output of every layer; the inputs do not change
    z: list[Array]  # (m, n_out)
