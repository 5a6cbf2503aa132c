"""Pictures made without matplotlib: bars and curves as SVG."""

import math
import re
from xml.etree import ElementTree

import pytest

from fastbp._explain.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, bars, curves, number

BASE, SPACE = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
END = WIDTH - RIGHT


def parsed(svg):
    return ElementTree.fromstring(svg)


def texts(svg):
    return [text.text for text in parsed(svg).iter("text")]


def heights(svg, style):
    """Return the heights of the bars of a style; the last one is the key in the legend."""
    *drawn, _key = (r.attrib for r in parsed(svg).iter("rect") if r.attrib["class"] == style)
    assert all(float(bar["y"]) + float(bar["height"]) == pytest.approx(BASE, abs=0.11) for bar in drawn)
    return [float(bar["height"]) for bar in drawn]


def points(svg, style):
    """Return the points of a curve, without its key in the legend."""
    path, _key = (p.attrib["d"] for p in parsed(svg).iter("path") if p.attrib["class"] == style)
    return [tuple(map(float, pair.split())) for pair in re.split("[ML]", path)[1:]]


def test_bars_are_as_high_as_their_numbers():
    svg = bars("label", ["a", "b"], {"one": [1, 4], "two": [2, 0]}, "x", "y", form="{:.1f}".format)
    assert heights(svg, "vermilion") == pytest.approx([SPACE / 4, SPACE], abs=0.1)
    assert heights(svg, "mark") == pytest.approx([SPACE / 2, 0], abs=0.1)
    ticks, above = [f"{y:.1f}" for y in range(5)], ["a", "1.0", "2.0", "b", "4.0", "0.0"]
    assert texts(svg) == [*ticks, "x", "y", *above, "one", "two"]


def test_bars_on_a_logarithmic_axis():
    svg = bars("label", ["a", "b", "c"], {"one": [0.02, 1, 0]}, "x", "y", log=True)
    low, high, nothing = heights(svg, "vermilion")
    assert high == pytest.approx(SPACE, abs=0.1)  # from 0.01 to 1
    assert low == pytest.approx(SPACE * (math.log10(0.02) + 2) / 2, abs=0.1)
    assert nothing == 0
    assert texts(svg) == ["0.01", "0.1", "1", "x", "y", "a", "b", "c", "0", "one"]


def test_numbers_that_are_not_finite_have_no_bar_and_no_point():
    assert heights(bars("label", ["a", "b"], {"one": [math.nan, 2]}, "x", "y"), "vermilion") == [0, SPACE]
    line = [(0, 1), (1, math.inf), (2, math.nan), (3, 3)]
    assert points(curves("label", {"one": line}, "x", "y"), "curve second") == [(LEFT, 134.0), (END, TOP)]
    line = [(0, 1), (1, 0), (2, 10)]
    assert len(points(curves("label", {"one": line}, "x", "y", log=True), "curve second")) == 2


def test_curves_go_through_their_points_and_differ_by_style():
    lines = {"one": [(0, -1), (2, 1)], "two": [(0, 0), (1, 1)], "three": [(2, 0), (1, 1)]}
    svg = curves("label", lines, "x", "y")
    assert points(svg, "curve second") == [(LEFT, BASE), (END, TOP)]
    assert points(svg, "curve") == [(LEFT, BASE - SPACE / 2), ((LEFT + END) / 2, TOP)]
    assert points(svg, "curve third") == [(END, BASE - SPACE / 2), ((LEFT + END) / 2, TOP)]
    minus = "\N{MINUS SIGN}"
    y = [f"{minus}1", f"{minus}0.5", "0", "0.5", "1"]
    assert texts(svg) == [*y, "x", "y", "0", "2", "one", "two", "three"]


def test_nothing_to_draw_is_a_picture_of_axes():
    svg = curves("label", {"one": [], "two": [(0, math.nan)]}, "x", "y", log=True)
    assert texts(svg)[-2:] == ["one", "two"]


def test_text_is_escaped_and_the_picture_has_a_name():
    svg = bars('"<b>', ["<script>"], {"&": [1]}, "<i>", "<u>")
    assert parsed(svg).attrib["role"] == "img"
    assert parsed(svg).attrib["aria-label"] == '"<b>'
    assert {"<script>", "&", "<i>", "<u>"} <= {*texts(svg)}


def test_numbers_have_few_digits():
    minus = "\N{MINUS SIGN}"
    for x, text in [
        (0, "0"),
        (0.25, "0.25"),
        (-1234.4, f"{minus}1,234"),
        (0.001, "0.001"),
        (1e-8, "10⁻⁸"),
        (5.123e-7, "5.12 · 10⁻⁷"),
        (-2e6, f"{minus}2 · 10⁶"),
    ]:
        assert number(x) == text
