"""The part of the lesson: The signal through many layers."""

from __future__ import annotations

from fastbp._explain.lesson.part import Part

PART = Part("depth", "The signal through many layers", "depth.html")
