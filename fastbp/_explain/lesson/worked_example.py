"""The part of the lesson: One error, shared out among eleven weights."""

from __future__ import annotations

from fastbp._explain.lesson.part import Part

PART = Part("worked-example", "One error, shared out among eleven weights", "worked_example.html")
