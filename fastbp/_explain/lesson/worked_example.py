"""The part of the lesson: One error, shared out among eleven weights."""

from __future__ import annotations

from itertools import product
from typing import Any

from fastbp._explain.lesson.part import Part

INPUTS = [list(bits) for bits in product((0, 1), repeat=3)]
TARGETS = [[0.9 if x1 != x2 else 0.1] for x1, x2, _ in INPUTS]  # a sigmoid never reaches 0 or 1
# in the order of `Network.parameters`
START = {
    "w14": 0.8,
    "w15": -0.5,
    "w24": -0.6,
    "w25": 0.9,
    "w34": 0.3,
    "w35": -0.2,
    "b4": 0.1,
    "b5": -0.1,
    "w46": 0.7,
    "w56": 0.4,
    "b6": -0.3,
}


def data() -> dict[str, Any]:
    """Return the rows, and the parameters that the network starts from, with their names."""
    return {"inputs": INPUTS, "targets": TARGETS, "names": list(START), "start": list(START.values())}


PART = Part(
    "worked-example",
    "One error, shared out among eleven weights",
    "worked_example.html",
    ("worked_graph.js", "worked_example.js"),
    data,
)
