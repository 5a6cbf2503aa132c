"""The part of the lesson: Gradient descent: downhill until nothing changes."""

from __future__ import annotations

from typing import Any

from fastbp._explain.lesson.part import Part

# Six points near 1.7 tanh(0.65 x), to be fitted by v tanh(w x): both bottoms of the landscape are on the map.
X = (-3.0, -2.0, -1.0, 0.5, 1.5, 2.5)
Y = (-1.6, -1.4, -1.0, 0.6, 1.2, 1.7)
START = (2.5, -0.5)  # w and v
SPAN = (-3.0, 3.0)  # of w and of v
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # the values of J that get a contour line

# What each learning rate does from START on; the limit of stability at the bottom is 0.80.
RATES = {"too small": 0.01, "right": 0.6, "too large": 1.0, "diverging": 1.5}
TOLERANCE = 1e-5  # converged: every derivative is below it
MOST_STEPS = 1000  # of one run
DIVERGED = 1e6  # J from which on the descent is given up


def data() -> dict[str, Any]:
    """Return what the script starts from."""
    return {
        "x": X,
        "y": Y,
        "start": START,
        "span": SPAN,
        "levels": LEVELS,
        "rates": RATES,
        "tolerance": TOLERANCE,
        "most_steps": MOST_STEPS,
        "diverged": DIVERGED,
    }


PART = Part(
    "descent",
    "Gradient descent: downhill until nothing changes",
    "descent.html",
    ("contours.js", "descent.js"),
    data,
)
