"""What commands print: names, tables, lists of columns, and objects of JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastbp.io import Column

LONGEST_NAME = 40  # characters
MOST_LISTED = 12  # columns, categories or classes


def plain(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a name from a file as text that cannot confuse a terminal, cut if it is long."""
    text = name if name.isprintable() and name.strip() == name != "" else repr(name)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def path(name: str) -> str:
    """Return the path of a file as text that cannot confuse a terminal."""
    return plain(name, longest=len(repr(name)))


def listed(texts: Sequence[str]) -> str:
    """Return texts with commas between them, or the first ones and how many more there are."""
    if len(texts) <= MOST_LISTED:
        return ", ".join(texts)
    return f"{', '.join(texts[: MOST_LISTED - 2])}, ... and {len(texts) - MOST_LISTED + 2:,} more"


def inputs(columns: Iterable[Column]) -> str:
    """Return the numeric inputs and the categorical ones, these with the number of their categories."""
    numeric, categorical = [], []
    for column in columns:
        if column.categories is None:
            numeric.append(plain(column.name))
        else:
            categorical.append(f"{plain(column.name)} ({len(column.categories):,})")
    parts = (("numeric", numeric), ("categorical", categorical))
    return "; ".join(f"{len(found):,} {kind}: {listed(found)}" for kind, found in parts if found)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines: the first column aligned to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(f"{cell:{'>' if j else '<'}{widths[j]}}" for j, cell in enumerate(row)).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def number(x: float) -> str:
    """Format a loss or a metric."""
    return f"{x:.4g}" if x == 0 or not 1e-3 <= abs(x) <= 1 else f"{x:.4f}"


def share(x: float) -> str:
    """Format a metric of which 1 is the best: one near 0 is 0."""
    return f"{x:.4f}".replace("-0.0000", "0.0000") if abs(x) < 1000 else number(x)


def show_json(found: Mapping[str, Any]) -> None:
    """Print one object in a line of JSON, with null for numbers that JSON lacks."""
    import json

    print(json.dumps(finite(found), allow_nan=False))


def finite(found: Any) -> Any:
    """Return what JSON can hold: None for NaN and infinity, also in lists and mappings."""
    if isinstance(found, float):
        return found if math.isfinite(found) else None
    if isinstance(found, Mapping):
        return {str(name): finite(value) for name, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [finite(value) for value in found]
    return found
