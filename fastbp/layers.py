"""Layers: `Dense` is what the user writes, `Layer` what the engines read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastbp import activations, initializers
from fastbp.activations import Activation
from fastbp.exceptions import integer


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, y = f(x W + b).

    Parameters
    ----------
    units : int, >= 1
        The layer's outputs.
    activation : str or Activation, optional
        f; by default the network's.
    initializer : str, optional
        How W is drawn, see `fastbp.initializers`; by default what suits the activation.
    """

    units: int
    activation: str | Activation | None = None
    initializer: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", integer("units", self.units, at_least=1))
        if self.activation is not None:
            object.__setattr__(self, "activation", activations.get(self.activation))
        if self.initializer is not None:
            object.__setattr__(self, "initializer", initializers.get(self.initializer))


class Layer(NamedTuple):
    """A layer with everything decided: W is (n_in, n_out), b is (n_out,)."""

    n_in: int
    n_out: int
    activation: Activation


def split(vector: NDArray[Any], layers: Iterable[Layer]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return a network's vector (P,) as views W (n_in, n_out) and b (n_out,) of each layer."""
    views, start = [], 0
    for n_in, n_out, _ in layers:
        middle, end = start + n_in * n_out, start + (n_in + 1) * n_out
        views.append((vector[start:middle].reshape(n_in, n_out), vector[middle:end]))
        start = end
    return views
