"""The part of the lesson: When it does not learn: findings, causes, remedies."""

from __future__ import annotations

from fastbp._explain.lesson.part import Part

PART = Part("findings", "When it does not learn: findings, causes, remedies", "findings.html")
