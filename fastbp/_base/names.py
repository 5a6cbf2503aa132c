"""Names from models and files, such as those of features, classes and functions, as one line of text."""

from __future__ import annotations

from fastbp._base import arguments

LONGEST = 60  # characters of a name in a table or a sentence
UNPRINTABLE = "\ufffd"  # a question mark in a diamond


def line(name: object, limit: int = 24) -> str:
    """Return a name as one line of text that can be printed.

    Runs of white space become one space, and characters that cannot be printed, such as control characters
    and changes of the writing direction, a replacement character. A long name loses its middle, because
    names of one table often differ at their ends.

    Parameters
    ----------
    name : object
        The name; what is not a string is converted with `str`.
    limit : int, >= 3
        Most characters.

    Raises
    ------
    ParameterError
        The limit is no integer, or less than 3.
    """
    limit = arguments.integer("limit", limit, at_least=3)
    text = " ".join(str(name).split())
    if len(text) > limit:
        tail = (limit - 1) // 2
        text = f"{text[: limit - 1 - tail]}…{text[-tail:]}"
    return "".join(character if character.isprintable() else UNPRINTABLE for character in text)
