"""Names of units and parameters: units are numbered through all layers from 1, inputs first.

In a 3-2-1 network the inputs are the units 1, 2, 3, the hidden units 4, 5, and the output is unit 6. The
weight from unit 1 to unit 4 is "w14", and the bias of unit 6 is "b6". With a number of two digits or more,
numbers are set apart: "w_14_20", "b_12".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from fastbp._base.shown import shown
from fastbp.exceptions import ParameterError
from fastbp.layers import Layer

_NUMBER = r"(\d{1,18})"  # fits into 64 bits
_WEIGHT = re.compile(rf"w(?:(\d)(\d)|_{_NUMBER}_{_NUMBER})", re.ASCII)
_BIAS = re.compile(rf"b(?:(\d)|_{_NUMBER})", re.ASCII)


class Place(NamedTuple):
    """Where a parameter is: `W[i, j]`, or `b[j]` where i is None, of the layer with this index from 0."""

    layer: int
    i: int | None
    j: int


def first_units(layers: Sequence[Layer]) -> list[int]:
    """Return the number of the first input unit, which is 1, and of the first unit of each layer."""
    return [*accumulate((layer.n_in for layer in layers), initial=1)]


def input_names(layers: Sequence[Layer], feature_names: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the names of the inputs: their feature names, or "x1", "x2", ..."""
    if feature_names is not None:
        return tuple(feature_names)
    return tuple(f"x{i}" for i in range(1, layers[0].n_in + 1))


def unit_names(layers: Sequence[Layer], feature_names: Sequence[str] | None = None) -> list[tuple[str, ...]]:
    """Return the names of the inputs as `input_names`, then the numbers of the units of every layer."""
    starts = first_units(layers)[1:]
    return [
        input_names(layers, feature_names),
        *(
            tuple(map(str, range(start, start + layer.n_out)))
            for start, layer in zip(starts, layers, strict=True)
        ),
    ]


def numbered(letter: str, *units: int) -> str:
    """Return a letter with the numbers of units, apart if one has two digits: "w14", "w_14_20", "b_12"."""
    between = "" if max(units, default=0) < 10 else "_"
    return between.join([letter, *map(str, units)])


def place_name(layers: Sequence[Layer], place: Place) -> str:
    """Return the name of the parameter at a place."""
    starts = first_units(layers)
    target = starts[place.layer + 1] + place.j
    return numbered("b", target) if place.i is None else numbered("w", starts[place.layer] + place.i, target)


def parameter_place(layers: Sequence[Layer], index: int) -> Place:
    """Return the place of the parameter with an index into the parameter vector (P,)."""
    rest = index
    for number, layer in enumerate(layers):
        if 0 <= rest < layer.n_parameters:
            i, j = divmod(rest, layer.n_out)
            return Place(number, i if i < layer.n_in else None, j)
        rest -= layer.n_parameters
    raise IndexError(f"no parameter has the index {index}")


def parameter_name(layers: Sequence[Layer], index: int) -> str:
    """Return the name of the parameter with an index into the parameter vector (P,)."""
    return place_name(layers, parameter_place(layers, index))


def parameter_index(layers: Sequence[Layer], name: str, argument: str = "name") -> int:
    """Return the index into the parameter vector (P,) of the parameter with this name.

    Raises
    ------
    ParameterError
        It is no such name, or the network has no such parameter.
    """
    weight, bias = (
        pattern.fullmatch(name) if isinstance(name, str) else None for pattern in (_WEIGHT, _BIAS)
    )
    if weight is None and bias is None:
        raise ParameterError(
            f"{argument} is {shown(name)}, expected the name of a parameter, such as "
            f"{parameter_name(layers, 0)!r}: units are numbered through all layers, inputs first"
        )
    found = weight or bias
    assert found is not None
    *source, target = (int(digits) for digits in found.groups() if digits is not None)
    start = 0
    for layer, below, above in zip(layers, first_units(layers), first_units(layers)[1:], strict=False):
        j = target - above
        row = source[0] - below if source else layer.n_in
        rows = range(layer.n_in) if source else range(layer.n_in, layer.n_in + layer.bias)
        if 0 <= j < layer.n_out and row in rows:
            return start + row * layer.n_out + j
        start += layer.n_parameters
    raise ParameterError(
        f"{argument} is {shown(name)}, expected a parameter of the network, from "
        f"{parameter_name(layers, 0)!r} to {parameter_name(layers, start - 1)!r}"
    )
