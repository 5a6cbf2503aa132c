"""Small pictures as SVG that take the colors of the page: `bars` and `curves`; they need no matplotlib.

Series differ by more than their color: bars are filled, then outlined; curves have dashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from math import ceil, floor, isfinite, log10

WIDTH, HEIGHT = 360, 220  # no wider, so that text is large enough on a phone
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 42, 40  # margins; the legend is in the one at the top
TICKS = 5  # on the vertical axis, about
CURVES = ("curve second", "curve", "curve third")
BARS = ("vermilion", "mark")
MINUS = "\N{MINUS SIGN}"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Points = Sequence[tuple[float, float]]


def curves(label: str, series: Mapping[str, Points], x_label: str, y_label: str, *, log: bool = False) -> str:
    """Return a picture of curves.

    Parameters
    ----------
    label : str
        What screen readers say the picture is.
    series : mapping of str to sequences of (x, y)
        At most three, by the names in the legend. Points that are not finite are left out.
    x_label, y_label : str
        What the axes show.
    log : bool
        Whether the vertical axis is logarithmic; then points at or below 0 are left out.
    """
    shown = {
        name: [(x, y) for x, y in points if isfinite(y) and (y > 0 or not log)]
        for name, points in series.items()
    }
    points = [point for line in shown.values() for point in line] or [(0.0, 1.0)]
    xs, ys = ([point[k] for point in points] for k in (0, 1))
    height = _Height(min(ys) if log else min(0.0, *ys), max(ys), log=log)
    low, high = min(xs), max(xs)

    def across(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (x - low) / (high - low or 1)

    base = HEIGHT - BOTTOM + 16
    parts = [_text(LEFT, base, number(low), "start"), _text(WIDTH - RIGHT, base, number(high), "end")]
    for style, line in zip(CURVES, shown.values(), strict=False):
        path = "L".join(f"{across(x):.1f} {height(y):.1f}" for x, y in line)
        parts += [f'<path class="{style}" d="M{path}"/>'] if path else []
    keys = [f'<path class="{style}" d="M0 0h24"/>' for style in CURVES]
    return _picture(label, parts, height, x_label, y_label, _legend(shown, keys))


def bars(
    label: str,
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    x_label: str,
    y_label: str,
    *,
    log: bool = False,
    form: Callable[[float], str] | None = None,
) -> str:
    """Return a picture of one or two bars per group.

    Parameters
    ----------
    label, x_label, y_label, log
        As for `curves`; on a logarithmic axis, a bar of 0 has no height.
    groups : sequence of str
        Names below the bars.
    series : mapping of str to sequences of float
        At most two, by the names in the legend, with a number per group.
    form : callable, optional
        Returns a number as text. Then it is written above each bar, and stands on the axis.
    """
    numbers = [y for values in series.values() for y in values if isfinite(y) and (y > 0 or not log)] or [1.0]
    height = _Height(min(numbers) / 2 if log else 0.0, max(numbers), log=log, form=form or number)
    base, slot = HEIGHT - BOTTOM, (WIDTH - LEFT - RIGHT) / len(groups)
    thick = min(0.8 * slot / len(series), 44)
    parts = []
    for k, name in enumerate(groups):
        middle = LEFT + (k + 0.5) * slot
        parts.append(_text(middle, base + 16, name))
        for i, (style, values) in enumerate(zip(BARS, series.values(), strict=False)):
            x = middle + (i - len(series) / 2) * thick
            top = min(height(values[k]), base) if isfinite(values[k]) else base
            parts.append(_bar(style, x + 1, top, thick - 2, base - top))
            above = form(values[k]) if form else "0" if log and values[k] == 0 else ""
            parts += [_text(x + thick / 2, top - 5, above)] if above else []
    keys = [_bar(style, 4, -5, 16, 10) for style in BARS]
    return _picture(label, parts, height, x_label, y_label, _legend(series, keys))


def number(x: float) -> str:
    """Return a number with up to three digits, such as 0.25, 1,000, 5.12 · 10⁻⁷ or 10⁻⁸."""
    if x == 0 or 1e-3 <= abs(x) < 1e4:
        return (f"{x:.3g}" if abs(x) < 1e3 else f"{x:,.0f}").replace("-", MINUS)
    digits, power = f"{x:.2e}".split("e")
    raised = f"10{str(int(power)).translate(RAISED)}"
    return raised if float(digits) == 1 else f"{float(digits):g} · {raised}".replace("-", MINUS)


def _round(x: float) -> float:
    """Return 1, 2, 2.5 or 5 times a power of ten, not less than x > 0."""
    power = 10.0 ** floor(log10(x))
    return next(digit for digit in (1, 2, 2.5, 5, 10) if digit * power >= x) * power


class _Height:
    """The vertical position of numbers, and the numbers that are written at the axis."""

    def __init__(self, low: float, high: float, *, log: bool, form: Callable[[float], str] = number) -> None:
        self.scaled: Callable[[float], float] = log10 if log else float
        self.log, self.form = log, form
        if log:  # whole powers of ten
            first = floor(log10(low))
            last = max(ceil(log10(high)), first + 1)
            self.ends = (float(first), float(last))
            self.ticks = [10.0**power for power in range(first, last + 1, ceil((last - first) / (TICKS - 1)))]
        else:
            high = high if high > low else low + 1
            step = _round((high - low) / (TICKS - 1))
            self.ends = (low, high)
            self.ticks = [step * k for k in range(ceil(low / step), floor(high / step) + 1)]

    def __call__(self, y: float) -> float:
        """Return the position; below the axis for 0 on a logarithmic one."""
        low, high = self.ends
        if self.log and y <= 0:
            return HEIGHT
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (self.scaled(y) - low) / (high - low)


def _picture(
    label: str, parts: Iterable[str], height: _Height, x_label: str, y_label: str, legend: str
) -> str:
    """Return an svg element with axes around the parts."""
    base, end, middle = HEIGHT - BOTTOM, WIDTH - RIGHT, (HEIGHT + TOP - BOTTOM) / 2
    ticks = (
        f'<path class="axis" d="M{LEFT - 4} {height(y):.1f}h4"/>'
        + _text(LEFT - 7, height(y) + 4, height.form(y), "end")
        for y in height.ticks
    )
    axes = (
        f'<path class="axis" d="M{LEFT} {TOP}V{base}H{end}"/>{"".join(ticks)}'
        + _text((LEFT + end) / 2, HEIGHT - 6, x_label)
        + _text(13, middle, y_label, turned=True)
    )
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12">'
        f"{axes}{''.join(parts)}{legend}</svg>"
    )


def _legend(series: Mapping[str, object], keys: Sequence[str]) -> str:
    """Return keys and names in the top margin, side by side."""
    parts, x = [], 8.0
    for name, key in zip(series, keys, strict=False):
        parts.append(f'<g transform="translate({x:.0f} 10)">{key}{_text(30, 4, name, "start")}</g>')
        x += 44 + 6.6 * len(name)  # about the width of the letters
    return "".join(parts)


def _bar(style: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}"/>'
    )


def _text(x: float, y: float, words: str, anchor: str = "middle", *, turned: bool = False) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>{escape(words)}</text>'
