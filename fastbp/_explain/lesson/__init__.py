"""The page without data: what a derivative does for learning, in parts that the reader can change."""

from __future__ import annotations

from fastbp._explain.lesson import (
    constant_derivative,
    depth,
    descent,
    findings,
    linear_stack,
    worked_example,
)
from fastbp._explain.page import Section, fill, page

PARTS = (
    worked_example.PART,
    descent.PART,
    constant_derivative.PART,
    linear_stack.PART,
    depth.PART,
    findings.PART,
)

#: What the scripts of the parts use.
SHARED = ("network.js", "numbers.js", "elements.js", "axes.js", "controls.js")

TITLE = "Why does the derivative of an activation function matter, and not the function itself?"
LEAD = (
    "The derivative says how much the error changes if something changes: a weighted sum, a weight, an "
    "input. Learning follows it. Most of this page can be changed: take a step, break a derivative, and "
    "watch what happens."
)


def lesson() -> str:
    """Return the page."""
    sections = [Section(part.anchor, part.title, fill(part.template, **part.values())) for part in PARTS]
    scripts = [name for part in PARTS for name in part.scripts]
    return page(
        TITLE,
        LEAD,
        sections,
        scripts=[*SHARED, *scripts],
        data={part.anchor: part.data() for part in PARTS},
    )
