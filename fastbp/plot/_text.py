"""Names from models and files, such as those of features and classes, as text of a plot."""

from __future__ import annotations

from fastbp._base import arguments

UNPRINTABLE = "\ufffd"  # a question mark in a diamond


def plain(name: object, limit: int = 24) -> str:
    """Return a name as one line of text that matplotlib draws as it is.

    Runs of white space become one space, and characters that cannot be printed, such as control characters
    and changes of the writing direction, a replacement character. A long name loses its middle, because
    names of one table often differ at their ends. Dollar signs are escaped, as matplotlib reads what is
    between two of them as a formula.

    Parameters
    ----------
    name : object
        The name; what is not a string is converted with `str`.
    limit : int, >= 3
        Most characters in the picture.

    Returns
    -------
    str
        The text for matplotlib. A legend leaves out labels that begin with "_": draw such names with
        ``legend(handles, labels)`` or put something in front.

    Raises
    ------
    ParameterError
        The limit is no integer, or less than 3.
    """
    limit = arguments.integer("limit", limit, at_least=3)
    line = " ".join(str(name).split())
    if len(line) > limit:
        tail = (limit - 1) // 2
        line = f"{line[: limit - 1 - tail]}…{line[-tail:]}"
    line = "".join(character if character.isprintable() else UNPRINTABLE for character in line)
    return line.replace("$", r"\$")
