"""Tables of results, as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,)) -> list[str]:
    """Return rows of cells as lines: columns in `left` aligned to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:{'<' if i in left else '>'}{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def percent(share: float) -> str:
    """Return a share of the whole, such as "12.3 %"."""
    return f"{100 * share:.1f} %"


def largest(noun: str, shown: int, total: int) -> str:
    """Return the title of a list that may be cut: "the 10 largest of 26 units", or "all 3 units"."""
    return f"all {total:,} {noun}" if shown == total else f"the {shown:,} largest of {total:,} {noun}"
