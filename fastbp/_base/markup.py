"""HTML that notebooks show: tables, and curves as SVG.

All colors go with light and dark pages: text has the color of the page, and lines are halfway between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite, log10

BLUE, VERMILION = "#2b8cc4", "#d9631e"  # like those of `fastbp.plot`, but lighter: 3:1 on white and on black
LINE = "rgba(128, 128, 128, 0.5)"

WIDTH, HEIGHT = 480, 200  # of a picture
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 26, 24  # margins in it
MOST = 400  # points per curve
LOGARITHMIC = 20  # positive numbers whose largest ratio is more than this are drawn on a logarithmic axis


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    total: Sequence[str] = (),
    *,
    left: Iterable[int] = (),
) -> str:
    """Return a table of texts, which are escaped.

    Parameters
    ----------
    head, total : sequence of str
        First and last row; no cells: no row.
    rows : iterable of sequences of str
    left : iterable of int
        Indices of the columns with text, which are aligned to the left. All others have numbers.
    """
    aligned = set(left)
    parts = (
        ("thead", 'th scope="col"', [head], f"border-bottom: 1px solid {LINE}"),
        ("tbody", "td", rows, ""),
        ("tfoot", "td", [total], f"border-top: 1px solid {LINE}"),
    )
    body = "".join(
        f'<{part} style="{style}">{"".join(_row(cell, row, aligned) for row in lines if row)}</{part}>'
        for part, cell, lines, style in parts
    )
    return f'<table style="border-collapse: collapse; margin: 0.5em 0; width: auto">{body}</table>'


def _row(cell: str, texts: Sequence[str], left: set[int]) -> str:
    cells = (
        f'<{cell} style="text-align: {"left" if i in left else "right"}; padding: 0.2em 0.7em; '
        f'white-space: {"normal" if i in left else "nowrap"}">{escape(text)}</{cell[:2]}>'
        for i, text in enumerate(texts)
    )
    return f"<tr>{''.join(cells)}</tr>"


def paragraph(text: str) -> str:
    """Return a line of text, which is escaped."""
    return f'<div style="margin: 0.5em 0">{escape(text)}</div>'


def curves(columns: Mapping[str, Sequence[float]]) -> str:
    """Return a picture of one or two columns of equal length by epoch; "" if there is nothing to draw.

    A curve goes from one finite number to the next. Long ones are thinned out.
    """
    n = max(map(len, columns.values()))
    finite = {name: _thin([i for i, y in enumerate(ys) if isfinite(y)]) for name, ys in columns.items()}
    numbers = [columns[name][i] for name, epochs in finite.items() for i in epochs]
    if n < 2 or not numbers:
        return ""
    height = _Height(min(numbers), max(numbers))
    parts = [_axes(height, n)]
    styles = ((BLUE, ""), (VERMILION, ' stroke-dasharray="6 3"'))
    for i, (style, (name, epochs)) in enumerate(zip(styles, finite.items(), strict=False)):
        x = [LEFT + (WIDTH - LEFT - RIGHT) * epoch / (n - 1) for epoch in epochs]
        y = [height(columns[name][epoch]) for epoch in epochs]
        parts += [_legend(i, name, *style), _curve(list(zip(x, y, strict=True)), *style)]
    label = escape(", ".join(columns))
    return (
        f'<svg role="img" aria-label="{label} by epoch" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'style="width: {WIDTH}px; max-width: 100%; font: 12px sans-serif">{"".join(parts)}</svg>'
    )


def _thin(epochs: list[int]) -> list[int]:
    """Return at most `MOST` + 1 epochs at equal distances, the last one among them."""
    return epochs[:: -max(1, -(-len(epochs) // MOST))][::-1]


class _Height:
    """The vertical position of numbers between `low` and `high`, which are finite."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.is_logarithmic = low > 0 and high / LOGARITHMIC > low
        self._unit = max(abs(low), abs(high)) or 1.0  # keeps differences of large numbers finite

    def _scaled(self, x: float) -> float:
        return log10(x) if self.is_logarithmic else x / self._unit

    def __call__(self, x: float) -> float:
        low, high = self._scaled(self.low), self._scaled(self.high)
        share = (self._scaled(x) - low) / (high - low) if high > low else 0.5
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _axes(height: _Height, n: int) -> str:
    """Return the axes, labeled at their ends."""
    base, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    below, ends = HEIGHT - 7, {height.low, height.high}
    labels: list[tuple[float, float, str, str]]
    labels = [(LEFT - 6, height(y) + 4, "end", f"{y:.3g}") for y in sorted(ends)]
    labels += [((LEFT + end) / 2, below, "middle", "epoch")]
    labels += [(LEFT - 6, (TOP + base) / 2 + 4, "end", "log")] if height.is_logarithmic else []
    labels += [(LEFT, below, "start", "1"), (end, below, "end", f"{n:,}")]
    return f'<path d="M{LEFT} {TOP}V{base}H{end}" fill="none" stroke="{LINE}"/>' + "".join(
        _text(x, y, anchor, text) for x, y, anchor, text in labels
    )


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">{escape(text)}</text>'


def _legend(i: int, name: str, color: str, dashes: str) -> str:
    """Return the line and the name of curve i, in the top margin."""
    x = LEFT + 8 + i * (WIDTH - LEFT - RIGHT) / 2
    line = f'<path d="M{x:.1f} 12h24" stroke="{color}" stroke-width="2"{dashes}/>'
    return line + _text(x + 30, 16, "start", name)


def _curve(points: Sequence[tuple[float, float]], color: str, dashes: str) -> str:
    """Return a curve through points, or a dot for one."""
    if len(points) == 1:
        x, y = points[0]
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>'
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{line}" fill="none" stroke="{color}" stroke-width="2"{dashes}/>' if points else ""
