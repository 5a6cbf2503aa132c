"""The part of the lesson: A constant derivative learns no more than a line."""

from __future__ import annotations

from fastbp._explain.lesson.part import Part

PART = Part(
    "constant-derivative", "A constant derivative learns no more than a line", "constant_derivative.html"
)
