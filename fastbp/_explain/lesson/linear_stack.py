"""The part of the lesson: A stack of linear layers is one layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp import inspect
from fastbp._explain.lesson.part import Part
from fastbp.layers import Dense
from fastbp.network import Network

# W and b of the two layers that the page starts from, 2-3-2
FIRST = [[1.5, -0.4, 0.8], [0.7, 1.6, -1.2]], [0.3, -0.2, 0.4]
SECOND = [[0.9, 0.1], [0.2, 0.9], [0.3, -0.4]], [-0.2, 0.1]


def stack(activation: str = "identity") -> Network:
    """Return the network that the page starts from, with an activation in its hidden layer."""
    net = Network([2, Dense(3, activation), 2], output_activation="identity", dtype="float64")
    for part, start in zip(net.weights + net.biases, (FIRST[0], SECOND[0], FIRST[1], SECOND[1]), strict=True):
        part[:] = start
    return net


def _entry(name: str, number: float) -> str:
    return (
        f'<input type="number" min="-9" max="9" step="0.1" value="{number:g}" aria-label="{name}" '
        'autocomplete="off">'
    )


def _result(name: str, number: float) -> str:
    return f'<output aria-label="{name}" aria-live="off">{number:.3f}</output>'


def _rows(W: NDArray[Any], b: NDArray[Any], of: str, cell: Callable[[str, float], str]) -> str:
    """Return the rows of a table: a row of cells per input, then one for the bias."""
    numbers = np.vstack([W, b])
    names = [f"input {i}" for i in range(1, len(W) + 1)] + ["bias"]
    return "\n".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(f"<td>{cell(f'{of}, {name}, unit {j}', number)}</td>" for j, number in enumerate(row, 1))
        + "</tr>"
        for name, row in zip(names, numbers, strict=True)
    )


def values() -> dict[str, str]:
    net = stack()
    one = inspect.fold_linear(net)
    return {
        "first": _rows(net.weights[0], net.biases[0], "layer 1", _entry),
        "second": _rows(net.weights[1], net.biases[1], "layer 2", _entry),
        "one": _rows(one.weights[0], one.biases[0], "one layer", _result),
        "n_stack": str(net.n_parameters),
        "n_one": str(one.n_parameters),
    }


PART = Part(
    "linear-stack",
    "A stack of linear layers is one layer",
    "linear_stack.html",
    ("linear_stack.js",),
    values=values,
)
