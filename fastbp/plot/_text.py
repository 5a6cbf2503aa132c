"""Names from models and files, such as those of features and classes, as text of a plot."""

from __future__ import annotations

from fastbp._base.names import line


def plain(name: object, limit: int = 24) -> str:
    """Return a name as `line` does, for matplotlib.

    Dollar signs are escaped, as matplotlib reads what is between two of them as a formula. A legend leaves
    out labels that begin with "_": draw such names with ``legend(handles, labels)``, or put something in
    front.
    """
    return line(name, limit).replace("$", r"\$")
