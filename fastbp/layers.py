"""Layers: `Dense` describes a layer to `Network`, `Layer` is what the engines read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fastbp import activations, initializers
from fastbp._base import arguments
from fastbp._base.fields import checked_by, flag, integer, number
from fastbp._base.value import Value, check_numbers
from fastbp.activations import Activation

if TYPE_CHECKING:
    from fastbp._base.converted import Converted


def _activation(argument: str, value: Any) -> Activation:
    return activations.get(value, argument)


def _initializer(argument: str, value: Any) -> str:
    return initializers.get(value)


class Dense(Value):
    """A fully connected layer, y = f(x W + b), or y = f(x W) without a bias.

    Parameters
    ----------
    units : int, >= 1
        Number of outputs.
    activation : str or Activation, optional
        The function f. By default, that of the network.
    initializer : str, optional
        Name of the initializer of W, see `fastbp.initializers`. By default, that of the activation.
    l1, l2 : float, >= 0
        Penalties: in training, l1 sum |W| + l2 / 2 sum W^2 is added to the loss of each batch.
    dropout : float, >= 0 and < 1
        Share of the outputs that is set to 0 in training, at random, rounded to a multiple of 1 / 65536. The
        other outputs are scaled up so that the mean stays the same. Not allowed in the output layer.
    max_norm : float, > 0, optional
        Largest norm of the weights into a unit, W[:, j]. After each update, they are scaled down to it.
    bias : bool
        Whether the layer has the vector b. Without it, `Network.biases` has an array of shape (0,) for it.
    trainable : bool
        Whether training changes W and b. `Network.trainable` changes this later. A frozen layer has no l1, l2
        and max_norm, and its gradients are 0; its dropout stays active in training.
    learning_rate_factor : float, > 0
        Factor of the learning rate in the steps of this layer, wherever the optimizer's formula has the rate:
        in AdamW's decay, too, as in PyTorch's parameter groups.
    divide_penalty : bool
        Whether l1 and l2 are divided by the number of rows in the batch, as scikit-learn divides its alpha;
        with sample weights, by the sum of the weights of these rows. Where each target has its own weight,
        or is unknown, the weight of a row is the mean over its targets.

    References
    ----------
    N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014.
    """

    units: int = integer(at_least=1)
    activation: Converted[str | Activation | None, Activation | None] = checked_by(
        _activation, "str or Activation", default=None
    )
    initializer: str | None = checked_by(_initializer, "str", default=None)
    l1: float = number(default=0.0, at_least=0, kw_only=True)
    l2: float = number(default=0.0, at_least=0, kw_only=True)
    dropout: float = number(default=0.0, at_least=0, below=1, kw_only=True)
    max_norm: float | None = number(default=None, above=0, kw_only=True)
    bias: bool = flag(default=True, kw_only=True)
    trainable: bool = flag(default=True, kw_only=True)
    learning_rate_factor: float = number(default=1.0, above=0, kw_only=True)
    divide_penalty: bool = flag(default=False, kw_only=True, is_quiet=True)


class LayerFields(NamedTuple):
    """The fields of a `Layer`."""

    n_in: int
    n_out: int
    activation: Activation
    l1: float = 0.0
    l2: float = 0.0
    dropout: float = 0.0
    max_norm: float | None = None
    bias: bool = True
    trainable: bool = True
    learning_rate_factor: float = 1.0
    divide_penalty: bool = False


class Layer(LayerFields):
    """A layer with all sizes and options filled in and checked: W is (n_in, n_out), b is (n_out,) or (0,)."""

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
        bias: bool = True,
        trainable: bool = True,
        learning_rate_factor: float = 1.0,
        divide_penalty: bool = False,
    ) -> Self:
        return super().__new__(
            cls,
            arguments.integer("n_in", n_in, at_least=1),
            arguments.integer("n_out", n_out, at_least=1),
            activations.get(activation),
            **Dense._check_fields(
                l1=l1,
                l2=l2,
                dropout=dropout,
                max_norm=max_norm,
                bias=bias,
                trainable=trainable,
                learning_rate_factor=learning_rate_factor,
                divide_penalty=divide_penalty,
            ),
        )

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Self:  # type: ignore[override]
        return cls(*iterable)  # _replace calls it

    @classmethod
    def of(cls, dense: Dense, n_in: int, activation: Activation) -> Self:
        """Return the layer that `dense` describes, with its inputs and activation filled in."""
        options = (getattr(dense, option) for option in cls._fields[3:])
        return cls(n_in, dense.units, activation, *options)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{name} of a layer cannot be set: layers are immutable. "
            "Network.trainable and Network.learning_rate_factors can be set"
        )

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return (self.n_in + self.bias) * self.n_out

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Refuse numbers that dtype does not hold."""
        check_numbers(self, self._asdict(), dtype)


def split(vector: NDArray[Any], layers: Iterable[Layer]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return views W (n_in, n_out) and b, (n_out,) or (0,), per layer into all parameters (P,)."""
    views, start = [], 0
    for layer in layers:
        middle, end = start + layer.n_in * layer.n_out, start + layer.n_parameters
        views.append((vector[start:middle].reshape(layer.n_in, layer.n_out), vector[middle:end]))
        start = end
    return views


def trained(layers: Iterable[Layer]) -> list[tuple[slice, float]]:
    """Return the parts of the parameter vector that training changes, each with its learning-rate factor.

    Neighboring layers with the same factor are one part.
    """
    parts: list[tuple[slice, float]] = []
    start = 0
    for layer in layers:
        end, factor = start + layer.n_parameters, layer.learning_rate_factor
        if layer.trainable and parts and parts[-1] == (slice(parts[-1][0].start, start), factor):
            parts[-1] = slice(parts[-1][0].start, end), factor
        elif layer.trainable:
            parts.append((slice(start, end), factor))
        start = end
    return parts
