"""`Part`: a section of the lesson, with the scripts that make it move and the numbers that it starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


def nothing() -> dict[str, Any]:
    """Return no values."""
    return {}


class Part(NamedTuple):
    """A section of the lesson.

    Parameters
    ----------
    anchor : str
        The id of the section, and the name of its numbers in `fastbp.data`.
    title : str
    template : str
        File of the folder `templates` with its HTML.
    scripts : tuple of str
        Files of the folder `assets`, in the order in which they run.
    data : callable
        Returns what the script starts from, such as weights: anything that JSON can hold.
    values : callable
        Returns the HTML in the places of the template.
    """

    anchor: str
    title: str
    template: str
    scripts: tuple[str, ...] = ()
    data: Callable[[], Mapping[str, Any]] = nothing
    values: Callable[[], Mapping[str, str]] = nothing
