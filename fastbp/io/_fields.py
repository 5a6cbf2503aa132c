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
MOST_KEPT = 1 << 16  # distinct fields of a column that are kept to be found again
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


class Cleaned(dict[str, str | None]):
    """Fields without spaces around them, None for missing ones, by the fields as they are in a file.

    Of a column with few distinct fields, equal ones become one object.
    """

    def __missing__(self, raw: str) -> str | None:
        field = raw.strip(SPACES)
        if field in MISSING:
            return None
        if len(self) < MOST_KEPT:
            field = self.setdefault(field, field) or field
            self[raw] = field
        return field

    def text_in(self, fields: Sequence[str]) -> Array:
        """Return fields (n,) as an object array."""
        text = np.empty(len(fields), dtype=object)
        text[:] = [*map(self.__getitem__, fields)]
        return text


def number_in(field: str) -> float | None:
    """Return the number that a field holds; None if it is text or missing."""
    found = numbers_in([field])
    return None if found is None or np.isnan(found[0]) else float(found[0])
