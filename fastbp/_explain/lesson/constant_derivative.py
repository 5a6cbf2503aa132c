"""The part of the lesson: With the derivative of a line, a network learns little more than a line."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp._explain.lesson.part import Part
from fastbp.activations import CustomActivation
from fastbp.network import Network
from fastbp.optimizers import SGD

Array = NDArray[np.float64]

X = np.linspace(-2, 2, 25)[:, np.newaxis]  # (25, 1)
Y = np.sin(2 * X)
UNITS = 8
RATE = 0.1
STEPS = 1000  # of one run
SEEDS = range(5)  # of the starts that the reader can choose among
ACTIVATIONS = ("tanh", "sigmoid", "relu", "identity", "step")


def slope_of_tanh(z: Array) -> Array:
    """Return f'(z) of f = tanh."""
    return 1 - np.tanh(z) ** 2


# What stands for f' in the gradient, by the name it has in network.js.
SLOPES: dict[str, Callable[[Array], Array]] = {
    "own": slope_of_tanh,
    "one": np.ones_like,
    "zero": np.zeros_like,
    "negated": lambda z: -slope_of_tanh(z),
}
LABELS = {"own": "own f'", "one": "1", "zero": "0", "negated": "\N{MINUS SIGN}f'"}


def network(slope: str, seed: int) -> Network:
    """Return an untrained network whose tanh units pass errors back by one of SLOPES."""
    return Network(
        [1, UNITS, 1],
        activation=CustomActivation(np.tanh, SLOPES[slope]),
        output_activation="identity",
        optimizer=SGD(RATE),
        dtype="float64",
        seed=seed,
    )


@cache
def error(slope: str, seed: int) -> float:
    """Return the mean squared error after STEPS steps of gradient descent."""
    net = network(slope, seed)
    net.fit(X, Y, epochs=STEPS, batch_size=len(X), shuffle=False)
    return net.evaluate(X, Y)["loss"]


def best_line() -> tuple[float, float, float]:
    """Return slope, intercept and mean squared error of the line of least squares."""
    slope, intercept = np.polyfit(X[:, 0], Y[:, 0], 1)
    return float(slope), float(intercept), float(np.mean((slope * X + intercept - Y) ** 2))


def data() -> dict[str, Any]:
    """Return what the script starts from."""
    slope, intercept, line_error = best_line()
    return {
        "x": X[:, 0].tolist(),
        "y": Y[:, 0].tolist(),
        "line": {"slope": slope, "intercept": intercept, "error": line_error},
        "starts": [network("own", seed).parameters.tolist() for seed in SEEDS],
        "units": UNITS,
        "rate": RATE,
        "steps": STEPS,
        "labels": LABELS,
        "activations": ACTIVATIONS,
    }


def rows() -> str:
    """Return the rows of the table of errors, from the smallest to the largest over all starts."""

    def row(label: str, errors: list[float]) -> str:
        cells = "".join(f'<td class="number">{number:.3f}</td>' for number in (min(errors), max(errors)))
        return f'<tr><th class="text" scope="row">{label}</th>{cells}</tr>'

    trained = [row(LABELS[slope], [error(slope, seed) for seed in SEEDS]) for slope in SLOPES]
    return "".join([*trained, row("best line", [best_line()[2]])])


def values() -> dict[str, str]:
    """Return the HTML in the places of the template."""
    numbers = {"points": len(X), "units": UNITS, "steps": STEPS, "starts": len(SEEDS)}
    return {"rows": rows(), **{name: str(number) for name, number in numbers.items()}}


PART = Part(
    "constant-derivative",
    "With the derivative of a line, a network learns little more than a line",
    "constant_derivative.html",
    ("constant_derivative.js",),
    data,
    values,
)
