"""Checks of the state of a copied or unpickled network, whose parts may be anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp import losses
from fastbp._architecture import resolve_layers
from fastbp._base.arrays import as_array
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.exceptions import DataError, ParameterError
from fastbp.layers import Dense

#: Attributes that `Network` sets; all others belong to a subclass or to the user.
NETWORKS_OWN = frozenset(
    (
        "_loss",
        "_layers",
        "_initializers",
        "_optimizer",
        "_dtype",
        "_seed",
        "_input_noise",
        "_door",
        "_scaling",
        "_history",
        "_guard",
        "_engine",
    )
)


def attributes(net: object) -> dict[str, Any]:
    """Return the attributes of a network that `Network` itself does not set, those in slots among them."""
    found = object.__getstate__(net)  # a dict, or with slots a pair of dicts; None where there is nothing
    named, slots = found if isinstance(found, tuple) else (found, {})
    return {name: value for name, value in ((named or {}) | slots).items() if name not in NETWORKS_OWN}


def set_attributes(net: object, attributes: Mapping[str, Any]) -> None:
    """Give a network such attributes; they were set before, so no code of a subclass runs again."""
    for name, value in attributes.items():
        object.__setattr__(net, name, value)


def checked_arguments(
    layers: Any, initializers: Any, loss: Any, optimizer: Any, **others: Any
) -> dict[str, Any]:
    """Return the arguments of a copied network; raise an error unless `resolve_layers` accepts them."""
    loss = losses.get(loss)
    for value in (loss, optimizer, *(layer.activation for layer in layers)):
        revalidate(value)
    specs = [
        Dense(
            layer.n_out,
            layer.activation,
            initializer,
            l1=layer.l1,
            l2=layer.l2,
            dropout=layer.dropout,
            max_norm=layer.max_norm,
        )
        for layer, initializer in zip(layers, initializers, strict=True)
    ]
    resolved = resolve_layers([layers[0].n_in, *specs] if specs else [], "identity", None, loss)
    if resolved != (layers, initializers):
        raise ParameterError(f"layers are {shown(layers)}, expected {shown(resolved[0])}")
    return {
        "layers": resolved[0],
        "initializers": resolved[1],
        "loss": loss,
        "optimizer": optimizer,
        **others,
    }


def revalidate(value: Any) -> None:
    """Refuse a value that its constructor would refuse, and likewise the values in its fields."""
    if isinstance(value, Value):
        for part in vars(value).values():
            revalidate(part)
        value.__replace__()


def expect(name: str, value: Any, kind: type) -> None:
    """Refuse a part of a state that has another class, or that its constructor would refuse."""
    if not isinstance(value, kind):
        raise DataError(f"{name} is a {type(value).__name__}, expected a {kind.__name__}")
    revalidate(value)


def fill(name: str, own: NDArray[Any], value: Any) -> None:
    """Copy an array of a state into `own`; refuse one of another shape or dtype."""
    array = as_array(name, value)
    if array.shape != own.shape or array.dtype != own.dtype:
        raise DataError(
            f"{name} has shape {array.shape} and dtype {array.dtype}, expected {own.shape} and {own.dtype}"
        )
    own[:] = array


def vector(name: str, value: Any, n: int) -> NDArray[np.float64]:
    """Return a copy of a vector of a state, which must hold n finite numbers."""
    array = as_array(name, value)
    if array.shape != (n,) or not np.isfinite(array).all():
        raise DataError(f"{name} has shape {array.shape}, or not only finite numbers, expected ({n},)")
    return array.astype(np.float64)
