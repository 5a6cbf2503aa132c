"""`Architecture`: the immutable description of a network, without its weights."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastbp import activations, initializers, losses
from fastbp._base.arguments import entries, flag, held, integer, number
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.activations import Activation
from fastbp.exceptions import DTypeError, ParameterError
from fastbp.layers import Dense, Layer, split
from fastbp.losses import Loss, LossFunction


class Architecture(Value):
    """Layers, loss, data type and input noise of a network: all except its numbers, optimizer and seed.

    Layers that normalize will have buffers, which are neither parameters nor optimizer state: their names and
    sizes belong here, their numbers in `Model`.

    Parameters
    ----------
    layers : tuple of Layer
    initializers : tuple of str
        Name of each layer's initializer.
    loss : Loss
    dtype : "float32" or "float64"
        Data type of the parameters and of all arithmetic.
    input_noise : float, >= 0
        Standard deviation of the noise that training adds to the inputs.

    Raises
    ------
    ParameterError, DTypeError
        An argument is not as above, the parts do not fit each other, or dtype cannot hold a number.
    """

    layers: tuple[Layer, ...]
    initializers: tuple[str, ...]
    loss: Loss
    dtype: np.dtype[Any]
    input_noise: float

    def __init__(
        self,
        layers: tuple[Layer, ...],
        initializers: tuple[str, ...],
        loss: Loss,
        dtype: DTypeLike,
        input_noise: float,
    ) -> None:
        _check_layers(layers, initializers, loss)
        dtype = _resolve_dtype(dtype)
        self._set(
            layers=layers,
            initializers=initializers,
            loss=loss,
            dtype=dtype,
            input_noise=number("input_noise", input_noise, at_least=0),
        )
        held("input_noise", self.input_noise, dtype)
        for layer in layers:
            layer.check_dtype(dtype)
        loss.check_dtype(dtype)
        size = self.n_parameters * dtype.itemsize
        if size > sys.maxsize:
            raise ParameterError(
                f"layers have {_rounded(self.n_parameters)} parameters, {_rounded(size)} bytes in {dtype}, "
                f"expected at most {sys.maxsize:.3g} bytes (the address space)"
            )

    @classmethod
    def from_arguments(
        cls,
        layers: Iterable[int | Dense],
        *,
        activation: str | Activation,
        output_activation: str | Activation | None,
        loss: str | Loss | LossFunction,
        dtype: DTypeLike,
        input_noise: float,
    ) -> Self:
        """Return the architecture that these arguments of `Network` describe."""
        loss = losses.get(loss)
        resolved, names = _resolve_layers(layers, activation, output_activation, loss)
        return cls(resolved, names, loss, dtype, input_noise)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return self.layers[0].n_in

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return self.layers[-1].n_out

    @property
    def n_targets(self) -> int:
        """Number of targets per row; a custom loss takes any number."""
        return self.n_out // self.loss.outputs_per_target

    @cached_property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return sum(layer.n_parameters for layer in self.layers)

    def split(self, vector: NDArray[Any]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """Return a parameter vector (P,) as views W (n_in, n_out) and b, (n_out,) or (0,), per layer."""
        return split(vector, self.layers)

    @property
    def trainable(self) -> tuple[bool, ...]:
        """Whether training changes the parameters, per layer."""
        return tuple(layer.trainable for layer in self.layers)

    @property
    def learning_rate_factors(self) -> tuple[float, ...]:
        """Factor of the learning rate, per layer."""
        return tuple(layer.learning_rate_factor for layer in self.layers)

    def with_trainable(self, trainable: bool | Iterable[bool]) -> Self:
        """Return the same architecture with other layers to train: a bool for all, or one per layer."""
        flags = _per_layer("trainable", trainable, len(self.layers), "bool", (bool, np.bool_))
        return self._with_options(
            {"trainable": flag(f"trainable[{i}]", entry)} for i, entry in enumerate(flags)
        )

    def with_learning_rate_factors(self, factors: float | Iterable[float]) -> Self:
        """Return the same architecture with other factors: a number for all layers, or one per layer."""
        numbers = _per_layer(
            "learning_rate_factors", factors, len(self.layers), "number", (int, float, np.number)
        )
        return self._with_options(
            {"learning_rate_factor": number(f"learning_rate_factors[{i}]", entry, above=0)}
            for i, entry in enumerate(numbers)
        )

    def _with_options(self, options: Iterable[Mapping[str, Any]]) -> Self:
        pairs = zip(self.layers, options, strict=True)
        return self.__replace__(layers=tuple(layer._replace(**changed) for layer, changed in pairs))

    def with_output(
        self,
        output: int | Dense,
        *,
        loss: str | Loss | LossFunction | None,
        output_activation: str | Activation | None,
        freeze: bool,
    ) -> Self:
        """Return the architecture that `Network.replace_output` describes."""
        body = self.layers[:-1]
        n_in = body[-1].n_out if body else self.n_in
        loss = losses.get(self.loss if loss is None else loss)
        default = _output_activation(output_activation, loss)
        head, name = _resolve_layer("output", output, n_in, default)
        if output_activation is not None:
            _check_own_activation("output", head, default)
        if freeze:
            body = tuple(layer._replace(trainable=False) for layer in body)
        names = (*self.initializers[:-1], name)
        return self.__replace__(layers=(*body, head), initializers=names, loss=loss)

    @cached_property
    def obstacle(self) -> str:
        """Why no gradient gets to all layers that are to be trained; "" if it does."""
        is_above = False  # the layer is one to be trained, or above one
        for i, layer in enumerate(self.layers, 1):
            is_above = is_above or layer.trainable
            if is_above and layer.activation.name == "step":
                return (
                    f"layers[{i}] has the activation step, whose derivative is 0 everywhere, and with it "
                    "that of the loss by every weight before: no gradient can train the network; expected "
                    "another activation, such as sigmoid, the smooth step"
                )
        return ""

    def check_trainable(self) -> None:
        """Raise ParameterError if no gradient can train such a network, or all layers are frozen."""
        if self.obstacle:
            raise ParameterError(self.obstacle)
        if not any(self.trainable):
            raise ParameterError("trainable is False for all layers, expected at least one to train")

    def check_without(self, options: Iterable[str], user: str) -> None:
        """Raise ParameterError, on behalf of `user`, for input noise or a layer with one of these options."""
        for i, layer in enumerate(self.layers, 1):
            for option in options:
                value, usual = getattr(layer, option), Layer._field_defaults[option]
                if value != usual:
                    raise ParameterError(
                        f"layers[{i}] has {option}={value}, expected {usual or 'none'} with {user}"
                    )
        if self.input_noise:
            raise ParameterError(f"input_noise is {self.input_noise}, expected none with {user}")


def _resolve_layers(
    given: Iterable[int | Dense],
    activation: str | Activation,
    output_activation: str | Activation | None,
    loss: Loss,
) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
    """Return the layers with their defaults filled in, and the name of each layer's initializer."""
    specs = _listed(given)
    hidden = activations.get(activation)
    output = _output_activation(output_activation, loss)
    n_in = integer("layers[0]", specs[0], at_least=1)
    resolved, names = [], []
    for i, spec in enumerate(specs[1:], 1):
        is_output = i == len(specs) - 1
        layer, name = _resolve_layer(f"layers[{i}]", spec, n_in, output if is_output else hidden)
        if is_output and output_activation is not None:
            _check_own_activation(f"layers[{i}]", layer, output)
        resolved.append(layer)
        names.append(name)
        n_in = layer.n_out
    return tuple(resolved), tuple(names)


def _resolve_layer(argument: str, spec: int | Dense, n_in: int, default: Activation) -> tuple[Layer, str]:
    """Return a layer with its defaults filled in, and the name of its initializer."""
    dense = spec if isinstance(spec, Dense) else Dense(integer(argument, spec, at_least=1))
    f = dense.activation or default
    return Layer.of(dense, n_in, f), dense.initializer or initializers.default(f)


def _output_activation(given: str | Activation | None, loss: Loss) -> Activation:
    """Return the activation of an output layer that names none."""
    return activations.get(losses.output_activation(loss) if given is None else given, "output_activation")


def _check_own_activation(argument: str, layer: Layer, output: Activation) -> None:
    """Raise ParameterError if the output layer's own activation is not the argument `output_activation`."""
    if layer.activation != output:
        raise ParameterError(
            f"output_activation is {output}, expected {layer.activation} or None: {argument} names its own"
        )


def _listed(given: Iterable[int | Dense]) -> list[int | Dense]:
    """Return the entries of an iterable of layers, at least two."""
    specs = entries(given, sys.maxsize - 1) or []
    if len(specs) < 2:
        raise ParameterError(
            f"layers is {shown(given)}, expected a list of the inputs and at least one layer, like [4, 8, 1]"
        )
    return specs


def _per_layer(argument: str, given: Any, n: int, noun: str, single: Any) -> list[Any]:
    """Return one entry per layer, from an iterable of n, or from an instance of `single` for all."""
    if isinstance(given, single):
        return [given] * n
    found = entries(given, n)
    if found is None or len(found) != n:
        raise ParameterError(
            f"{argument} is {shown(given)}, expected a {noun}, or a list of {n}, one per layer"
        )
    return found


def _check_layers(layers: Sequence[Layer], names: Sequence[str], loss: Loss) -> None:
    """Raise ParameterError unless the layers fit each other, their initializers and the loss."""
    n_in = layers[0].n_in
    for i, (layer, name) in enumerate(zip(layers, names, strict=True), 1):
        is_output = i == len(layers)
        if layer.n_in != n_in:
            raise ParameterError(f"layers[{i}] has {layer.n_in} inputs, expected {n_in} as before it")
        if layer.dropout and is_output:
            raise ParameterError(f"layers[{i}] has dropout={layer.dropout}, expected 0 in the output layer")
        if layer.activation.name == "softmax" and not is_output:
            raise ParameterError(f"layers[{i}] has the activation softmax, expected only in the output layer")
        if layer.activation.name == "softmax" and layer.n_out == 1:
            raise ParameterError(
                f"layers[{i}] has 1 unit with the activation softmax, which can only be 1, expected "
                "2 units or more, or sigmoid and the loss binary_cross_entropy"
            )
        if name not in initializers.INITIALIZERS:
            raise ParameterError(
                f"initializers[{i}] is {shown(name)}, expected one of: {', '.join(initializers.INITIALIZERS)}"
            )
        n_in = layer.n_out
    losses.check_pair(loss, layers[-1].activation)
    if n_in % loss.outputs_per_target:
        raise ParameterError(
            f"layers[{len(layers)}] has {n_in} unit{'s' * (n_in > 1)} with the loss {loss}, expected a "
            f"multiple of {loss.outputs_per_target}, the outputs per target of this loss"
        )


def _resolve_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype."""
    try:
        resolved = np.dtype(dtype) if dtype is not None else None
    except (TypeError, ValueError, SyntaxError):  # the last two for long numbers and text that is parsed
        resolved = None
    if resolved not in (np.float32, np.float64):  # dtypes of the other byte order are not equal to these
        raise DTypeError(f"dtype is {shown(dtype)}, expected 'float32' or 'float64'")
    return resolved


def _rounded(count: int) -> str:
    """Return a count to three digits; it may exceed the largest float."""
    try:
        return f"{count:.3g}"
    except OverflowError:
        return f"1e+{math.floor(math.log10(count))}"
