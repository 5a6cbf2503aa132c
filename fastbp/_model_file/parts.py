"""Checked access to the parts of a description: errors name the key, what it has, and what is expected."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any, TypeAlias, TypeVar

from fastbp._base.shown import shown
from fastbp._model_file.header import is_text
from fastbp.exceptions import Error

T = TypeVar("T")
#: What JSON can hold.
JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

_KINDS = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "an integer",
    list: "a list",
    str: "a string",
}
_LONGEST_KEY = 40  # characters; longer ones are abbreviated
_MOST_BITS = 64  # of an integer


class MisfitError(Exception):
    """A part of a file that does not belong there; `contents.read` adds the path."""


def expect(part: Any, where: str, kind: type[T]) -> T:
    """Return a part of exactly this type, one of those that JSON has."""
    if type(part) is not kind:
        raise MisfitError(f"{where} is {shown(part)}, expected {_KINDS[kind]}")
    return part


def take(node: Mapping[str, Any], where: str, key: str, kind: type[T]) -> T:
    """Return the part of an object with this key; `where` is the place of the object, "" at the top."""
    place = inside(where, key)
    if key not in node:
        raise MisfitError(f"{place} is missing, expected {_KINDS[kind]}")
    return expect(node[key], place, kind)


def take_or_none(node: Mapping[str, Any], where: str, key: str, kind: type[T]) -> T | None:
    """Return the part of an object with this key, which may be null but not missing."""
    return None if key in node and node[key] is None else take(node, where, key, kind)


def strings(part: list[Any], where: str) -> list[str]:
    """Return a list of strings."""
    return [expect(entry, f"{where}[{i}]", str) for i, entry in enumerate(part)]


def float_of(part: Any, where: str) -> float:
    """Return a number of JSON, or one that it lacks: {"float": "inf"}, "-inf" or "nan"."""
    if type(part) is dict and list(part) == ["float"] and part["float"] in ("inf", "-inf", "nan"):
        return float(part["float"])
    if type(part) not in (int, float):
        raise MisfitError(f"{where} is {shown(part)}, expected a number")
    try:
        return float(part)
    except OverflowError:
        raise MisfitError(f"{where} is {shown(part)}, expected a number of float64") from None


def refuse_others(node: Collection[str], where: str, known: Collection[str]) -> None:
    """Refuse keys that are not known."""
    for key in node:
        if key not in known:
            raise MisfitError(f"{inside(where, key)} is unexpected, expected only: {', '.join(known)}")


def check_json(part: Any, where: str, depth: int = 50) -> None:
    """Check that a part has only what every JSON parser reads as it was written.

    That is: None, bool, integers of at most 64 bits, finite floats, Unicode strings, and lists and dicts of
    these, at most `depth` of them in one another. Subclasses are refused, too.
    """
    kind = type(part)
    if kind in (list, dict) and depth == 0:
        raise MisfitError(f"{where} is nested too deeply")
    if kind is list:
        for i, entry in enumerate(part):
            check_json(entry, f"{where}[{i}]", depth - 1)
    elif kind is dict:
        for key, entry in part.items():
            if type(key) is not str or not is_text(key):
                raise MisfitError(f"{where} has the key {shown(key)}, expected a string of Unicode")
            check_json(entry, inside(where, key), depth - 1)
    elif not (part is None or kind is bool or _is_plain(part)):
        raise MisfitError(
            f"{where} is {shown(part)}, expected what JSON has: None, a bool, an integer of at most "
            f"{_MOST_BITS} bits, a finite float, a string of Unicode, a list or a dict"
        )


def _is_plain(part: Any) -> bool:
    """Tell whether a part is a string or a number that JSON can hold."""
    if type(part) is str:
        return is_text(part)
    if type(part) is int:
        return part.bit_length() <= _MOST_BITS
    return type(part) is float and isfinite(part)


def inside(where: str, key: str) -> str:
    """Return the place of a part."""
    key = key if key.isidentifier() and len(key) <= _LONGEST_KEY else shown(key)
    return f"{where}.{key}" if where else key


@contextmanager
def describing(where: str) -> Iterator[None]:
    """Turn the errors of a constructor into those of a file that describes such a thing."""
    try:
        yield
    except (Error, TypeError, ValueError, ArithmeticError) as error:
        raise MisfitError(f"{where} is invalid: {error}") from error
