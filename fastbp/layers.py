"""Layers: `Dense` is what the user writes, `Layer` what the engines read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastbp import activations, initializers
from fastbp.activations import Activation
from fastbp.exceptions import integer
from fastbp.values import Value


class Dense(Value):
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
    activation: Activation | None
    initializer: str | None

    def __init__(
        self, units: int, activation: str | Activation | None = None, initializer: str | None = None
    ) -> None:
        self._set(
            units=integer("units", units, at_least=1),
            activation=None if activation is None else activations.get(activation),
            initializer=None if initializer is None else initializers.get(initializer),
        )


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
