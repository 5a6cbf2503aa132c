"""The fields of text files: which are missing, which are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

#: Fields that stand for a missing value, after spaces around them were taken away.
MISSING = frozenset(
    ("", "?", "NA", "na", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "null", "NULL", "Null")
)
SPACES = " \t"  # are taken away at both ends of a field
LONGEST = 131072  # characters of a field: the limit of Python's csv module


def numbers_in(fields: Sequence[str]) -> Array | None:
    """Return the numbers in fields (n,) as float64, NaN for missing ones; None if a field is neither.

    A number is one in ASCII as Python's `float` reads it, without underscores. One that is too large is
    infinite here, as is "inf": whether that is an error only the whole column tells.
    """
    joined = "".join(fields)
    if not joined.isascii() or "_" in joined:
        return None
    try:
        return np.array([*map(float, fields)])
    except ValueError:
        pass
    try:
        return np.array([nan if (field := raw.strip(SPACES)) in MISSING else float(field) for raw in fields])
    except ValueError:
        return None


def text_in(fields: Sequence[str], known: dict[str, str]) -> Array:
    """Return fields (n,) as strings without spaces around them, None for missing ones.

    Equal strings become one object; `known` has those so far.
    """
    text = np.empty(len(fields), dtype=object)
    text[:] = [
        None if (field := raw.strip(SPACES)) in MISSING else known.setdefault(field, field) for raw in fields
    ]
    return text


def number_in(field: str) -> float | None:
    """Return the number that a field holds; None if it is text or missing."""
    found = numbers_in([field])
    return None if found is None or np.isnan(found[0]) else float(found[0])
