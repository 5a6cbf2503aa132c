"""Checks of single arguments: each function returns the checked value or raises ParameterError."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Mapping, Set
from itertools import islice
from numbers import Real
from typing import Any, Literal, TypeVar

import numpy as np

from fastbp._base.shown import shown
from fastbp.exceptions import ParameterError

T = TypeVar("T")

NO_LISTS = (str, bytes, bytearray, memoryview, Mapping, Set)  # iterable, but not lists
LONGEST_PATH, LONGEST_NAME = 4095, 255  # bytes that Linux takes as a path, and as a name in one


#: Smallest positive normal number and largest number of each dtype that a network can have.
NORMAL: dict[np.dtype[Any], tuple[float, float]] = {
    np.dtype(t): (float(np.finfo(t).smallest_normal), float(np.finfo(t).max))
    for t in (np.float32, np.float64)
}


def number(
    argument: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
) -> float:
    """Return `value` as a float; it must be a finite real number within the bounds."""
    is_real = type(value) is float or (isinstance(value, Real) and not isinstance(value, bool))
    try:
        x = float(value) if is_real else math.nan
    except OverflowError:  # an integer beyond the largest float
        x = math.inf
    if (
        math.isfinite(x)
        and (above is None or x > above)
        and (at_least is None or x >= at_least)
        and (below is None or x < below)
    ):
        return x
    bounds = " and ".join(
        f"{sign} {bound:g}"
        for sign, bound in ((">", above), (">=", at_least), ("<", below))
        if bound is not None
    )
    raise ParameterError(f"{argument} is {shown(value)}, expected a finite number {bounds}".rstrip())


def held(
    argument: str, x: float, dtype: np.dtype[Any], owner: object = None, *, positive: bool = False
) -> float:
    """Return `x` rounded to dtype; the result must be a normal number, or 0 unless `positive`.

    `owner`, for the message, is the value that the argument belongs to.
    """
    least, most = NORMAL[dtype]
    if (x or positive) and not least <= abs(x) <= most:
        where = "" if owner is None else f" in {owner}"
        magnitude = f"{'' if positive else '0 or '}a magnitude of {least:.3g} to {most:.3g}"
        raise ParameterError(f"{argument} is {x:g}{where}, expected {magnitude}, the range of {dtype}")
    return float(dtype.type(x))


def integer(argument: str, value: Any, *, at_least: int, below: int | None = None) -> int:
    """Return `value` as an int; it must be an integer within the bounds."""
    if type(value) is int and value >= at_least and (below is None or value < below):
        return value  # the usual case, without a detour
    try:
        n = operator.index(value)
    except TypeError:
        n = at_least - 1
    if isinstance(value, bool) or n < at_least or (below is not None and n >= below):
        bounds = f">= {at_least}" if below is None else f">= {at_least} and < {below}"
        raise ParameterError(f"{argument} is {shown(value)}, expected an integer {bounds}")
    return n


def flag(argument: str, value: Any) -> bool:
    """Return `value` as a bool; it must be True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ParameterError(f"{argument} is {shown(value)}, expected True or False")
    return bool(value)


def verbosity(verbose: Any) -> int | Literal["auto"]:
    """Return the verbosity, which must be 0, 1, 2 or "auto"; False is 0 and True is 1."""
    if type(verbose) is int and 0 <= verbose < 3:
        return verbose
    if isinstance(verbose, (bool, np.bool_)):
        return int(verbose)
    if isinstance(verbose, str) and verbose == "auto":
        return "auto"
    try:
        return integer("verbose", verbose, at_least=0, below=3)
    except ParameterError as error:
        raise ParameterError(f"{error}, or 'auto'") from None


def text(argument: str, value: Any) -> str:
    """Return `value`, which must be a string."""
    if not isinstance(value, str):
        raise ParameterError(f"{argument} is {shown(value)}, expected a string")
    return value


def instance(argument: str, value: Any, kind: type[T], name: str) -> T:
    """Return `value`, which must be an instance of a class, whose public name is `name`."""
    if not isinstance(value, kind):
        raise ParameterError(f"{argument} is a {type(value).__name__}, expected a {name}")
    return value


def check_pair(first: str, a: Any, second: str, b: Any) -> None:
    """Raise ParameterError if only one of two arguments is None."""
    if (a is None) != (b is None):
        missing = first if a is None else second
        raise ParameterError(f"{missing} is None, expected both {first} and {second}, or neither")


def entries(given: Any, most: int) -> list[Any] | None:
    """Return the entries of an iterable, at most so many and one more; None for text, mappings and sets."""
    try:
        found = None if isinstance(given, NO_LISTS) else iter(given)
    except TypeError:  # not iterable
        return None
    return None if found is None else list(islice(found, most + 1))


def path(argument: str, value: Any) -> str:
    """Return `value`, the path of a file or folder, as a string."""
    try:
        place = os.fspath(value)
        is_path = isinstance(place, str) and place != "" and b"\0" not in os.fsencode(place)
    except (TypeError, UnicodeEncodeError):
        is_path = False
    if not is_path:
        raise ParameterError(f"{argument} is {shown(value)}, expected a path: a string or an os.PathLike")
    if len(os.fsencode(place)) > LONGEST_PATH:
        raise ParameterError(f"{argument} is {shown(value)}, expected a path of at most {LONGEST_PATH} bytes")
    return str(place)


def choice(argument: str, value: Any, table: Mapping[str, T]) -> T:
    """Return the entry of `table` called `value`; the error lists the names in the table."""
    if isinstance(value, str) and value in table:
        return table[value]
    raise ParameterError(f"{argument} is {shown(value)}, expected one of: {', '.join(table)}")
