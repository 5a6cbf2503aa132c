"""Immutable values, such as losses and optimizers, as JSON: {"type": "Adam", "learning_rate": 0.001, ...}.

The classes are those of a fixed table. Nothing is imported by a name from a file, and every value comes from
its public constructor.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from fastbp import activations, losses, optimizers, schedules
from fastbp._base.elementwise import Differences, Elementwise
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp._model_file.callables import Given, Named
from fastbp._model_file.parts import MisfitError, describing, expect, float_of, inside, refuse_others, take
from fastbp.activations import Activation, CustomActivation
from fastbp.layers import Dense
from fastbp.losses import CustomLoss
from fastbp.optimizers import LevenbergMarquardt
from fastbp.schedules import Schedule, Warmup

#: The classes of values in files, by name.
TYPES: dict[str, type[Value]] = {
    kind.__name__: kind
    for kind in (
        *dict.fromkeys(map(type, activations.ACTIVATIONS.values())),
        CustomActivation,
        *map(type, losses.LOSSES.values()),
        CustomLoss,
        *map(type, optimizers.OPTIMIZERS.values()),
        LevenbergMarquardt,
        *schedules.SCHEDULES.values(),
        Warmup,
        Dense,
    )
}

# Fields that hold a value, with its class, and those that may hold a function of the user's.
_NESTED: dict[str, type[Value]] = {"activation": Activation, "learning_rate": Schedule}
_FUNCTIONS = ("function", "learning_rate", "f", "derivative", "second_derivative")
_NEEDED = ("f",)  # those that predictions call

_DEEPEST = 3  # an optimizer has a warm-up, which has a schedule


def encode(value: Any, named: Named) -> Any:
    """Return a value as JSON; what it holds of the user's gets a name of `named`."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else {"float": str(value)}
    if isinstance(value, (tuple, list)):
        return [encode(entry, named) for entry in value]
    if type(value) is Activation and activations.ACTIVATIONS[value.name] == value:
        return value.name
    if isinstance(value, Elementwise):
        return {"custom": named.name_of(value.function)}
    if isinstance(value, Differences):
        return None
    name = type(value).__name__
    if TYPES.get(name) is not type(value):
        return {"custom": named.name_of(value)}
    fields = {field: encode(getattr(value, field), named) for field in value._names}
    return {"type": name} | fields


def decode(node: Any, where: str, kind: type[Value], given: Given, depth: int = _DEEPEST) -> Any:
    """Return the value that JSON describes.

    Parameters
    ----------
    node
        Anything that JSON may hold.
    where : str
        Its place in the description, for errors.
    kind : type
        Base class of the values that are accepted.
    given : Given
        The user's functions, and values of the user's classes.
    depth : int
        Number of values in one another that are accepted.

    Raises
    ------
    MisfitError
        It describes no such value.
    ParameterError
        Something of the user's is missing, or of the wrong kind.
    """
    if kind is Activation and type(node) is str:
        with describing(where):
            return activations.get(node, where)
    node = expect(node, where, dict)
    if "custom" in node:
        return given.value(_custom(node, where), where, kind)
    name = take(node, where, "type", str)
    found = TYPES.get(name)
    if found is None or not issubclass(found, kind):
        known = ", ".join(name for name, one in TYPES.items() if issubclass(one, kind))
        raise MisfitError(f"{where}.type is {shown(name)}, expected one of: {known}")
    if depth == 0:
        raise MisfitError(f"{where} is a value in too many others")
    refuse_others(node, where, ("type", *found._names))
    fields = {
        key: _field(part, inside(where, key), key, given, depth - 1)
        for key, part in node.items()
        if key != "type"
    }
    with describing(where):
        return found(**fields)


def _field(part: Any, where: str, key: str, given: Given, depth: int) -> Any:
    """Return a field: what JSON has, a value, a function of the user's, or a tuple of numbers."""
    if type(part) is list:
        return tuple(float_of(entry, f"{where}[{i}]") for i, entry in enumerate(part))
    if type(part) is not dict:
        return part
    if "float" in part:
        return float_of(part, where)
    if "custom" in part and key in _FUNCTIONS:
        return given.function(_custom(part, where), where, key in _NEEDED)
    if key not in _NESTED:
        raise MisfitError(f"{where} is {shown(part)}, expected no object")
    return decode(part, where, _NESTED[key], given, depth)


def _custom(node: dict[str, Any], where: str) -> str:
    """Return the name of something of the user's."""
    refuse_others(node, where, ("custom",))
    return take(node, where, "custom", str)
