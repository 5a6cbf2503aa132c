"""Layers: `Dense` is what the user writes, `Layer` what the engines read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fastbp import activations, initializers
from fastbp._base.arguments import integer, number
from fastbp._base.value import Value, check_numbers
from fastbp.activations import Activation


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
    l1, l2 : float, >= 0
        The loss of a batch in training has l1 sum |W| + l2 / 2 sum W^2 added.
    dropout : float, >= 0 and < 1
        Of the outputs, in training, this share is set to 0, at random, and the others are scaled up so that
        the mean stays; a multiple of 1 / 65536, rounded. Not in the output layer.
    max_norm : float, > 0, optional
        After every update the weights into a unit, W[:, j], are scaled down to this norm if theirs is larger.

    References
    ----------
    N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014.
    """

    units: int
    activation: Activation | None
    initializer: str | None
    l1: float
    l2: float
    dropout: float
    max_norm: float | None

    def __init__(
        self,
        units: int,
        activation: str | Activation | None = None,
        initializer: str | None = None,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        dropout: float = 0.0,
        max_norm: float | None = None,
    ) -> None:
        self._set(
            units=integer("units", units, at_least=1),
            activation=None if activation is None else activations.get(activation),
            initializer=None if initializer is None else initializers.get(initializer),
            **_regularisation(l1, l2, dropout, max_norm),
        )


def _regularisation(l1: float, l2: float, dropout: float, max_norm: float | None) -> dict[str, Any]:
    """Return the options that every layer has, checked."""
    return {
        "l1": number("l1", l1, at_least=0),
        "l2": number("l2", l2, at_least=0),
        "dropout": number("dropout", dropout, at_least=0, below=1),
        "max_norm": None if max_norm is None else number("max_norm", max_norm, above=0),
    }


class Decided(NamedTuple):
    """The fields of a `Layer`."""

    n_in: int
    n_out: int
    activation: Activation
    l1: float
    l2: float
    dropout: float
    max_norm: float | None


class Layer(Decided):
    """A layer with everything decided, and checked: W is (n_in, n_out), b is (n_out,)."""

    __slots__ = ()

    def __new__(
        cls,
        n_in: int,
        n_out: int,
        activation: str | Activation,
        l1: float = 0.0,
        l2: float = 0.0,
        dropout: float = 0.0,
        max_norm: float | None = None,
    ) -> Self:
        return super().__new__(
            cls,
            integer("n_in", n_in, at_least=1),
            integer("n_out", n_out, at_least=1),
            activations.get(activation),
            **_regularisation(l1, l2, dropout, max_norm),
        )

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Self:  # type: ignore[override]
        return cls(*iterable)  # _replace calls it

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Refuse numbers that dtype does not hold."""
        check_numbers(self, self._asdict(), dtype)


def split(vector: NDArray[Any], layers: Iterable[Layer]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return a network's vector (P,) as views W (n_in, n_out) and b (n_out,) of each layer."""
    views, start = [], 0
    for layer in layers:
        middle, end = start + layer.n_in * layer.n_out, start + (layer.n_in + 1) * layer.n_out
        views.append((vector[start:middle].reshape(layer.n_in, layer.n_out), vector[middle:end]))
        start = end
    return views
