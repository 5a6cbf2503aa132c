"""Names of columns: of the features that a network takes, and of the classes that it tells apart."""

from __future__ import annotations

from typing import Any

from fastbp._architecture import Architecture
from fastbp._base.arguments import entries, text
from fastbp._base.shown import shown
from fastbp.exceptions import ParameterError


def checked(argument: str, given: Any, architecture: Architecture) -> tuple[str, ...] | None:
    """Return the "feature_names" or "class_names" of a network as a tuple, or None for None.

    Raises
    ------
    ParameterError
        It is not a list of distinct strings, one per input or output.
    """
    if given is None:
        return None
    is_input = argument == "feature_names"
    n, noun = (architecture.n_in, "input") if is_input else (architecture.n_out, "output")
    names = entries(given, n)
    if names is None or len(names) != n:
        raise ParameterError(
            f"{argument} is {shown(given)}, expected None or a list of {n} string{'s' * (n > 1)}, "
            f"one per {noun}"
        )
    first: dict[str, int] = {}  # of each name its index
    for i, name in enumerate(names):
        plain = str(text(f"{argument}[{i}]", name))
        if plain in first:
            raise ParameterError(
                f"{argument}[{i}] is {shown(plain)}, as {argument}[{first[plain]}] is, expected another"
            )
        first[plain] = i
    return tuple(first)
