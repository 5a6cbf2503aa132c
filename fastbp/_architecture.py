"""The description of a network: layers, loss, data type, and what follows from them."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from fastbp import activations, initializers, losses
from fastbp._base.arguments import integer
from fastbp._base.shown import shown
from fastbp.activations import Activation
from fastbp.exceptions import DTypeError, ParameterError
from fastbp.layers import Dense, Layer
from fastbp.losses import Loss

if TYPE_CHECKING:
    from fastbp.network import Network


NO_LISTS = (str, bytes, bytearray, memoryview, Mapping, Set)  # iterable, but not lists of layers


def resolve_layers(
    layers: Iterable[int | Dense],
    activation: str | Activation,
    output_activation: str | Activation | None,
    loss: Loss,
) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
    """Return the layers with everything decided, and the initializer of each."""
    specs = _listed(layers)
    hidden = activations.get(activation)
    output = activations.get(
        losses.output_activation(loss) if output_activation is None else output_activation,
        "output_activation",
    )
    n_in = integer("layers[0]", specs[0], at_least=1)
    resolved, names = [], []
    for i, spec in enumerate(specs[1:], 1):
        dense = spec if isinstance(spec, Dense) else Dense(integer(f"layers[{i}]", spec, at_least=1))
        is_output = i == len(specs) - 1
        f = output if is_output else hidden
        if dense.activation is not None:
            f = activations.get(dense.activation)
            if is_output and output_activation is not None and f != output:
                raise ParameterError(
                    f"output_activation is {output}, expected {f} or None: layers[{i}] names its own"
                )
        if f.name == "softmax" and not is_output:
            raise ParameterError(f"layers[{i}] has the activation softmax, expected only in the output layer")
        if dense.dropout and is_output:
            raise ParameterError(
                f"layers[{i}] has dropout={dense.dropout}, expected 0 in the output layer: its units answer"
            )
        if f.name == "softmax" and dense.units == 1:
            raise ParameterError(
                f"layers[{i}] has 1 unit with the activation softmax, which can only be 1, expected "
                "2 units or more, or sigmoid and the loss binary_cross_entropy"
            )
        resolved.append(Layer(n_in, dense.units, f, dense.l1, dense.l2, dense.dropout, dense.max_norm))
        names.append(dense.initializer or initializers.default(f))
        n_in = dense.units
    losses.check_pair(loss, resolved[-1].activation)
    return tuple(resolved), tuple(names)


def _listed(layers: Iterable[int | Dense]) -> list[int | Dense]:
    """Return the entries of `layers`, at least two."""
    try:
        given = [] if isinstance(layers, NO_LISTS) else iter(layers)
    except TypeError:
        given = []
    specs = list(given)
    if len(specs) < 2:
        raise ParameterError(
            f"layers is {shown(layers)}, expected a list of the inputs and at least one layer, like [4, 8, 1]"
        )
    return specs


def count_parameters(layers: tuple[Layer, ...], dtype: np.dtype[Any]) -> int:
    """Return the length of the parameter vector, if memory could be asked for it."""
    count = sum((layer.n_in + 1) * layer.n_out for layer in layers)
    if count * dtype.itemsize > sys.maxsize:
        raise ParameterError(
            f"layers have {rounded(count)} parameters, {rounded(count * dtype.itemsize)} bytes in {dtype}, "
            f"expected at most {sys.maxsize:.3g} bytes (the address space)"
        )
    return count


def rounded(count: int) -> str:
    """Return a count to three digits; it may exceed the largest float."""
    try:
        return f"{count:.3g}"
    except OverflowError:
        return f"1e+{math.floor(math.log10(count))}"


def obstacle(layers: tuple[Layer, ...]) -> str:
    """Return why no error signal passes through such a network, or "" where it does."""
    for i, layer in enumerate(layers, 1):
        if layer.activation.name == "step":
            return (
                f"layers[{i}] has the activation step, whose derivative is 0 everywhere: so is that of the "
                "loss by every weight before it, and no gradient can train the network; expected another "
                "activation, such as sigmoid, the smooth step"
            )
    return ""


def check_without(network: Network, options: Iterable[str], user: str) -> None:
    """Refuse networks whose layers have one of these options, or whose inputs get noise."""
    for i, layer in enumerate(network.layers, 1):
        for option in options:
            if value := getattr(layer, option):
                raise ParameterError(f"layers[{i}] has {option}={value}, expected none with {user}")
    if network.input_noise:
        raise ParameterError(f"input_noise is {network.input_noise}, expected none with {user}")


def resolve_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype."""
    try:
        resolved = np.dtype(dtype) if dtype is not None else None
    except (TypeError, ValueError, SyntaxError):  # the latter two of long numbers and of text that is parsed
        resolved = None
    if resolved not in (np.float32, np.float64):  # dtypes of the other byte order are not equal to these
        raise DTypeError(f"dtype is {shown(dtype)}, expected 'float32' or 'float64'")
    return resolved


def resolve_seed(seed: int | None) -> int:
    """Return the seed, or a fresh one for None."""
    if seed is None:
        return int.from_bytes(os.urandom(8), "little")
    return integer("seed", seed, at_least=0, below=2**64)
