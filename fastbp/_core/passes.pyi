from collections.abc import Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from fastbp._core.tapes import Tangents, Tape

Array: TypeAlias = NDArray[Any]

class Passes:
    weights: list[tuple[Array, Array]]

    # Layers and losses are values of packages above this one.
    def __init__(self, layers: Sequence[Any], parameters: Array) -> None: ...
    def product(
        self,
        a: Array,
        b: Array,
        out: Array | None = None,
        *,
        a_transposed: bool = False,
        b_transposed: bool = False,
        start: Array | None = None,
        factor: Array | None = None,
        repeats: int = 1,
        adds: bool = False,
    ) -> Array: ...
    def forward(self, x: Array) -> Tape: ...
    def chain(self, tape: Tape, layer: int, d_y: Array) -> Array: ...
    def backward(self, tape: Tape, delta: Array, errors: list[Array] | None = None) -> list[Array]: ...
    def d_inputs(self, delta: Array) -> Array: ...
    def add_gradients(self, tape: Tape, deltas: list[Array], out: Array) -> None: ...
    def write_gradients(self, tape: Tape, deltas: list[Array], out: Array) -> None: ...
    def write_jacobian(self, tape: Tape, out: Array) -> None: ...
    def tangents(self, tape: Tape, vector: Array) -> Tangents: ...
    def second(self, tape: Tape, layer: int) -> Array: ...
    def loss_curvature(self, loss: Any, h: Array, t: Array, r: Array) -> Array: ...
    def add_hessian_product(
        self,
        tape: Tape,
        deltas: list[Array],
        errors: list[Array],
        tangents: Tangents,
        d_delta: Array,
        vector: Array,
        out: Array,
    ) -> None: ...
