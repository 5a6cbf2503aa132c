"""The part of the lesson: How much of the error reaches the first layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp import inspect
from fastbp._base import philox
from fastbp._explain.lesson.part import Part
from fastbp.initializers import draw
from fastbp.layers import Dense
from fastbp.network import Network

WIDTH, DEEPEST, ROWS = 16, 10, 16
SHOWN = (1, 2, 5, 10)  # depths of the table
INITIALIZERS = {"glorot": "glorot_normal", "he": "he_normal"}
SUITED = {"sigmoid": "glorot", "tanh": "glorot", "relu": "he"}  # what the page chooses for each activation
SEED = 11  # most others give about the same ratios


def weights(initializer: str) -> list[NDArray[Any]]:
    """Return a matrix (WIDTH, WIDTH) per layer of the deepest network, the output layer last.

    They have four decimals, so that the page stays small and computes with the same numbers.
    """
    name = INITIALIZERS[initializer]
    return [draw(name, SEED, index, WIDTH, WIDTH).round(4) for index in range(DEEPEST + 1)]


def examples() -> tuple[NDArray[Any], NDArray[Any]]:
    """Return inputs and targets, each (ROWS, WIDTH), from a normal distribution."""
    numbers = philox.normal(SEED, philox.WEIGHTS, 0, DEEPEST + 1, 2 * ROWS * WIDTH).round(4)
    X, y = numbers.reshape(2, ROWS, WIDTH)
    return X, y


def network(activation: str, depth: int, initializer: str) -> Network:
    """Return a network whose hidden layers are the first of `weights`; biases are 0."""
    layers = [*(Dense(WIDTH, activation) for _ in range(depth)), Dense(WIDTH, "identity")]
    net = Network([WIDTH, *layers], loss="mse", dtype="float64")
    drawn = weights(initializer)
    net.parameters[:] = 0
    for W, start in zip(net.weights, [*drawn[:depth], drawn[-1]], strict=True):
        W[:] = start
    return net


def ratio(activation: str, depth: int) -> float:
    """Return the RMS of dJ/dz in the first layer over that in the output layer."""
    deltas = inspect.deltas(network(activation, depth, SUITED[activation]), *examples())
    first, last = (float(np.sqrt(np.mean(delta**2))) for delta in (deltas[0], deltas[-1]))
    return first / last


def _short(number: float) -> str:
    """Return two digits, as the script writes them."""
    return f"{number:.2g}".replace("e-0", "e-").replace("-", "\N{MINUS SIGN}")


def data() -> dict[str, Any]:
    X, y = examples()
    return {
        "weights": {name: [W.tolist() for W in weights(name)] for name in INITIALIZERS},
        "suited": SUITED,
        "X": X.tolist(),
        "y": y.tolist(),
    }


def values() -> dict[str, str]:
    heads = "".join(f'<th scope="col">{activation}</th>' for activation in SUITED)
    rows = "\n".join(
        f'<tr><th scope="row">{depth}</th>'
        + "".join(f"<td>{_short(ratio(activation, depth))}</td>" for activation in SUITED)
        + "</tr>"
        for depth in SHOWN
    )
    return {"heads": heads, "rows": rows, "width": str(WIDTH), "deepest": str(DEEPEST)}


PART = Part(
    "depth",
    "How much of the error reaches the first layer",
    "depth.html",
    ("depth.js",),
    data,
    values,
)
