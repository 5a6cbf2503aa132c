"""Checked access to the parts of a description: errors name the key, what it has, and what is expected."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from fastbp._base.shown import shown
from fastbp.exceptions import Error

T = TypeVar("T")

_KINDS = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "an integer",
    list: "a list",
    str: "a string",
}
_LONGEST_KEY = 40  # characters; longer ones are abbreviated


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
