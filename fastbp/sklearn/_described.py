"""Parameters and classes of an estimator as JSON, for its model file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp._model_file import values
from fastbp._model_file.callables import Given, Named
from fastbp._model_file.parts import (
    JSON,
    MisfitError,
    describing,
    expect,
    float_of,
    inside,
    refuse_others,
    strings,
    take,
)
from fastbp.activations import Activation
from fastbp.exceptions import ParameterError
from fastbp.losses import Loss
from fastbp.optimizers import Optimizer
from fastbp.schedules import Schedule

#: The parameters that may be values of fastbp, with their classes.
VALUES: dict[str, type[Value]] = {
    "activation": Activation,
    "output_activation": Activation,
    "loss": Loss,
    "optimizer": Optimizer,
    "learning_rate": Schedule,
}
MOST_CHARACTERS = 1 << 23  # of the classes, as an array of strings of one length

_KINDS = ("binary", "multiclass", "multilabel-indicator")  # of the targets
_NUMBERS = {np.dtype(code).name: np.dtype(code) for code in "?bhilBHILefd"}  # dtypes of classes


# ---- parameters --------------------------------------------------------------------------------------------


def encode(name: str, given: Any, named: Named) -> JSON:
    """Return a parameter as JSON.

    None, text and finite numbers are what they are in JSON, NumPy's included, and lists and arrays are lists.
    The rest is an object with one member, which says what it is: "float" (infinity or NaN), "tuple", "dict"
    (a list of keys and values), "value" (of fastbp), or "custom" (a function, by the name that it gets of
    `named`).

    Raises
    ------
    ParameterError
        A file cannot hold it; the message has the parameter's name.
    """
    if isinstance(given, np.generic):
        given = given.item()
    if given is None or isinstance(given, (bool, int, float, str)):
        plain: JSON = values.encode(given, named)
        return plain
    if isinstance(given, (list, np.ndarray)):
        return [encode(name, entry, named) for entry in given]
    if isinstance(given, tuple):
        return {"tuple": [encode(name, entry, named) for entry in given]}
    if isinstance(given, Mapping):
        return {"dict": [[encode(name, part, named) for part in pair] for pair in given.items()]}
    if name in VALUES and isinstance(given, VALUES[name]):
        return {"value": values.encode(given, named)}
    if callable(given) and not isinstance(given, (type, Value)):
        return {"custom": named.name_of(given)}
    raise ParameterError(
        f"{name} is {shown(given)}, which a model file cannot hold, expected None, numbers, text, lists, "
        "values of fastbp or functions: set another one with set_params before save"
    )


def decode(name: str, node: Any, where: str, given: Given) -> Any:
    """Return the parameter that JSON describes.

    Raises
    ------
    MisfitError
        It describes none.
    ParameterError
        `given` lacks a function, or has something else under its name.
    """
    if type(node) is list:
        return [decode(name, entry, f"{where}[{i}]", given) for i, entry in enumerate(node)]
    if type(node) is not dict:
        return node
    if len(node) != 1:
        raise MisfitError(f"{where} is {shown(node)}, expected an object with one member")
    ((kind, part),) = node.items()
    place = inside(where, kind)
    if kind == "float":
        return float_of(node, where)
    if kind == "tuple":
        return tuple(decode(name, expect(part, place, list), place, given))
    if kind == "dict":
        return dict(
            _pair(name, pair, f"{place}[{i}]", given) for i, pair in enumerate(expect(part, place, list))
        )
    if kind == "value" and name in VALUES:
        return values.decode(part, place, VALUES[name], given)
    if kind == "custom":
        return given.function(expect(part, place, str), where)
    raise MisfitError(f"{place} is unexpected")


def _pair(name: str, pair: Any, where: str, given: Given) -> tuple[Any, Any]:
    """Return a key and its value."""
    if len(expect(pair, where, list)) != 2:
        raise MisfitError(f"{where} is {shown(pair)}, expected a key and its value")
    key = decode(name, pair[0], f"{where}[0]", given)
    if not isinstance(key, (bool, int, float, str)):
        raise MisfitError(f"{where}[0] is {shown(key)}, expected a number or text")
    return key, decode(name, pair[1], f"{where}[1]", given)


# ---- classes -----------------------------------------------------------------------------------------------


def encode_classes(classes: NDArray[Any], kind: str) -> dict[str, JSON]:
    """Return the classes, and the kind of the targets, as JSON.

    Raises
    ------
    ParameterError
        A file cannot hold their dtype, or such long names.
    """
    text = {"U": "str", "O": "object"}
    node: dict[str, JSON] = {
        "kind": kind,
        "dtype": text.get(classes.dtype.kind, classes.dtype.name),
        "values": classes.tolist(),
    }
    try:
        decode_classes(node, "classes_")
    except MisfitError as error:
        raise ParameterError(f"{error}: a model file holds classes that are numbers or text") from None
    return node


def decode_classes(node: dict[str, Any], where: str) -> tuple[NDArray[Any], str]:
    """Return the classes, ascending, and the kind of the targets; MisfitError if they are not valid."""
    refuse_others(node, where, ("kind", "dtype", "values"))
    kind, dtype = take(node, where, "kind", str), take(node, where, "dtype", str)
    if kind not in _KINDS:
        raise MisfitError(f"{where}.kind is {shown(kind)}, expected one of: {', '.join(_KINDS)}")
    found, place = take(node, where, "values", list), f"{where}.values"
    if dtype in ("str", "object"):
        longest = max(map(len, strings(found, place)), default=0)
        if len(found) * longest > MOST_CHARACTERS:
            raise MisfitError(
                f"{place} has {len(found)} names of up to {longest} characters, expected less text"
            )
        classes = np.array(found, dtype)
    elif dtype in _NUMBERS:
        classes = _numbers(found, place, _NUMBERS[dtype])
    else:
        raise MisfitError(f"{where}.dtype is {shown(dtype)}, expected str, object, or one of numbers")
    if not len(found) or (classes[1:] <= classes[:-1]).any():
        raise MisfitError(f"{place} is {shown(found)}, expected different classes in ascending order")
    return classes, kind


def _numbers(found: list[Any], where: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers in a dtype that holds them exactly."""
    one: type = {"b": bool, "f": float}.get(dtype.kind, int)
    for i, number in enumerate(found):
        expect(number, f"{where}[{i}]", one)
    with describing(where), np.errstate(over="ignore"):
        classes = np.array(found, dtype)
    if classes.tolist() != found:
        raise MisfitError(f"{where} is {shown(found)}, expected numbers of {dtype}")
    return classes
