"""Short representations of values for messages, and of numbers of things and sizes."""

from __future__ import annotations

import math
from reprlib import Repr
from typing import Any

import numpy as np


class Short(Repr):
    """`repr` in one line of a few hundred characters; arrays show type, shape, dtype and first values."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlong, self.maxstring, self.maxother = 500, 80, 200

    def repr1(self, x: Any, level: int) -> str:
        return self.array(x, level) if isinstance(x, np.ndarray) else super().repr1(x, level)

    def array(self, x: np.ndarray[Any, Any], level: int) -> str:
        """Show an array."""
        array = np.asarray(x)  # the attributes of a subclass could be anything
        first = array.flat[: self.maxlist if level > 0 else 0].tolist()
        values = [self.repr1(value, level - 1) for value in first]
        if array.size > len(values):
            values.append("...")
        listed = f": {', '.join(values)}" if values else ""
        return f"<{type(x).__name__} of shape {array.shape} and dtype {array.dtype}{listed}>"

    def repr_int(self, x: int, level: int) -> str:
        """Show an integer, or only its number of digits if Python refuses to print it."""
        if abs(x) < 10**self.maxlong:
            return repr(x)
        return f"<int of about {math.floor(math.log10(abs(x))) + 1} digits>"

    def repr_instance(self, x: object, level: int) -> str:
        return " ".join(super().repr_instance(x, level).split())


shown = Short().repr


def counted(n: int, noun: str) -> str:
    """Return a number with its noun: "1 row", "1,797 rows"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def memory(size: int) -> str:
    """Return a number of bytes in KB or MB."""
    unit, name = (2**20, "MB") if size >= 2**20 else (2**10, "KB")
    return f"{round(size / unit, 2):g} {name}"
