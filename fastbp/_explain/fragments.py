"""Pieces of HTML that pages about networks are made of; texts are escaped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>"


def note(text: str) -> str:
    """Return a paragraph in small print."""
    return f'<p class="note">{escape(text)}</p>'


def wide(html: str, label: str) -> str:
    """Return HTML that scrolls by itself where the page is too narrow for it, also with the keyboard.

    Screen readers say the label, which is escaped.
    """
    return f'<div class="wide" tabindex="0" role="group" aria-label="{escape(label)}">{html}</div>'


def beside(*parts: str) -> str:
    """Return parts side by side, as far as the page is wide enough."""
    return f'<div class="columns">{"".join(parts)}</div>'


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    label: str,
    *,
    left: Collection[int] = (),
    long: Collection[int] = (),
) -> str:
    """Return a table with a name for screen readers.

    The columns in `left` and `long` have words and sentences, the others numbers.
    """
    kinds = ["long text" if i in long else "text" if i in left else "" for i in range(len(head))]
    body = "".join(_row("td", row, kinds) for row in rows)
    start = _row('th scope="col"', head, kinds)
    return wide(f"<table><thead>{start}</thead><tbody>{body}</tbody></table>", label)


def _row(cell: str, texts: Sequence[str], kinds: Sequence[str]) -> str:
    end = cell[:2]
    cells = (
        f'<{cell} class="{kind}">{escape(text)}</{end}>' for text, kind in zip(texts, kinds, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def number(x: float) -> str:
    """Return a number with as many digits as are worth reading."""
    return f"{x:.4g}"


def counted(n: int, noun: str) -> str:
    """Return a number with its noun: "1 row", "1,797 rows"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
