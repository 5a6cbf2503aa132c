"""The part of the lesson: A stack of linear layers is one layer."""

from __future__ import annotations

from fastbp._explain.lesson.part import Part

PART = Part("linear-stack", "A stack of linear layers is one layer", "linear_stack.html")
