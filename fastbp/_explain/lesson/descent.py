"""The part of the lesson: Downhill, until nothing changes."""

from __future__ import annotations

from fastbp._explain.lesson.part import Part

PART = Part("descent", "Downhill, until nothing changes", "descent.html")
