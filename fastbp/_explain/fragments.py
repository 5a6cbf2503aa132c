"""Pieces of HTML that pages about networks are made of; texts are escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from fastbp._base import markup


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>"


def note(text: str) -> str:
    """Return a paragraph in small print."""
    return f'<p class="note">{escape(text)}</p>'


def wide(html: str) -> str:
    """Return HTML that scrolls by itself where the page is too narrow for it."""
    return f'<div class="wide" tabindex="0">{html}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: Iterable[int] = (0,)) -> str:
    """Return a table; the columns in `left` have text, the others numbers."""
    return wide(markup.table(head, rows, left=left))


def number(x: float) -> str:
    """Return a number with as many digits as are worth reading."""
    return f"{x:.4g}"


def counted(n: int, noun: str) -> str:
    """Return a number with its noun: "1 row", "1,797 rows"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
