"""A strict JSON parser for files that may be hostile, and a bound of the memory that it needs."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any

# Upper bounds, in bytes, of what CPython needs for one of each, with all that is only needed during parsing.
_ARRAY, _OBJECT, _MEMBER, _ELEMENT, _QUOTE = 112, 120, 170, 44, 28
_WIDEST = 7  # bytes per character of a string in which any character needs 4, and of its parts

_DEEPEST = 100  # arrays and objects in one another; model files have up to 8
_BRACKET = re.compile(  # or the beginning, with what follows up to the next one; strings may have brackets
    r'(?:[][{}]|\A)(?:[^][{}"]++|"(?:[^"\\]++|\\.)*+"?)*+', re.DOTALL
)


def memory_bound(text: str) -> int:
    """Return a bound of the bytes that the values of a JSON text need, from counts of its characters.

    The text may be any ASCII characters: only parsing tells whether it is JSON.
    """
    escapes = text.count("\\u")  # of 6 characters; each stands for at most one
    characters = (len(text) - 5 * escapes) * _WIDEST if escapes else len(text)
    return (
        characters
        + _ARRAY * text.count("[")
        + _OBJECT * text.count("{")
        + _MEMBER * text.count(":")
        + _ELEMENT * text.count(",")
        + _QUOTE * text.count('"')
    )


def parse(text: str) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        The text is not JSON, is nested too deeply, has an object with two members of one name, has NaN or
        infinity, or a number that is too large.
    """
    _check_depth(text)
    return _decoder.decode(text)


def _check_depth(text: str) -> None:
    """Refuse deep nesting before parsing: Python's own limit is no help where the program has lifted it."""
    if text.count("[") + text.count("{") <= _DEEPEST:
        return
    depth = 0
    for found in _BRACKET.finditer(text):
        bracket = text[found.start()]
        depth += (bracket in "[{") - (bracket in "]}")
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("an object has two members of one name")
    return found


def _integer(digits: str) -> int:
    if len(digits) > sys.int_info.default_max_str_digits:  # the program may have lifted Python's own limit
        raise ValueError(f"an integer has {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    x = float(digits)
    if not math.isfinite(x):
        raise ValueError("a number is beyond the largest float64")
    return x


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_finite, parse_constant=_no_number
)
