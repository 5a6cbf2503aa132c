"""What a network says about rows of data, and what is true."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs, SparseRows
from fastbp._data.checks import check_labels
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.inspect._probe import Probe
from fastbp.losses._answers import OF_ACTIVATION, Answers, Argmax
from fastbp.network import Network, check_network

Array: TypeAlias = NDArray[Any]

MOST_NAMES = 1000  # too many; an endless iterable is read no further


class Answered(NamedTuple):
    """Outputs and targets of the rows with a weight and a known target."""

    outputs: Array  # (m, n_out)
    targets: Array  # (m, n_targets), or labels (m,)
    weights: NDArray[np.float64]  # (m, 1) or (m, n_targets); 0: this target is unknown, or does not count


class Classified(NamedTuple):
    """Predicted and true classes of these rows, as indices into the names of the classes."""

    names: tuple[str, ...]
    predicted: NDArray[np.intp]  # (m,)
    true: NDArray[np.intp]  # (m,)
    weights: NDArray[np.float64]  # (m,)


def answered(net: Network, X: Inputs, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Answered:
    """Return what the network says; errors as of `Network.evaluate`, and DataError if an output is NaN."""
    examples = Probe(net).examples(X, y, sample_weight)
    outputs = net.predict(examples.X.to_scipy() if isinstance(examples.X, SparseRows) else examples.X)
    is_nan = np.isnan(outputs).any(axis=1)
    if is_nan.any():
        raise DataError(f"the outputs for X[{is_nan.argmax()}] are NaN, expected numbers to plot")
    counts = examples.w.any(axis=1)
    return Answered(outputs[counts], examples.y[counts], examples.w[counts])


def names_of(noun: str, names: Iterable[object], n: int) -> tuple[str, ...]:
    """Return `names`, the argument of that name, which are n, one per `noun`."""
    listed = arguments.entries(names, n + MOST_NAMES)
    if listed is None:
        raise ParameterError(f"names is {shown(names)}, expected {n} names, one per {noun}")
    if len(listed) != n:
        raise ShapeError(f"names has {len(listed)} entries, expected {n}, one per {noun}")
    return tuple(map(str, listed))


def reading(net: Network) -> Answers | None:
    """Return how the outputs are read as classes or as yes and no; None: they are numbers."""
    check_network(net)
    if net.loss.outputs_per_target > 1:
        return None
    return net.loss.answers or OF_ACTIVATION.get(net.layers[-1].activation.name)


def class_names(net: Network, answers: Answers) -> tuple[str, ...]:
    """Return the names of the classes, by default the labels; of one output no and yes.

    Raises
    ------
    ParameterError
        There are several outputs, each of which says yes or no.
    """
    n_out, names = net.layers[-1].n_out, net.class_names
    if isinstance(answers, Argmax):
        return names or tuple(map(str, range(n_out)))
    if n_out > 1:
        raise ParameterError(f"net has {n_out} outputs that each say yes or no, expected one of these")
    no, yes = answers.classes(np.array([-1.0, 1.0]))
    return (str(no), str(yes)) if names is None else (f"not {names[0]}", names[0])


def classified(net: Network, X: Inputs, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Classified:
    """Return predicted and true classes; errors as of `answered` and `class_names`.

    Raises
    ------
    ParameterError
        The outputs of the network are no classes.
    ShapeError
        The targets of a custom loss are neither labels nor one number per output.
    """
    answers = reading(net)
    if answers is None:
        raise ParameterError(
            f"net has the loss {net.loss.name!r} and the output activation "
            f"{net.layers[-1].activation.name!r}, expected a network whose outputs are classes"
        )
    names = class_names(net, answers)
    found = answered(net, X, y, sample_weight)
    check_classes(answers, found)
    predicted, true = (
        answers.read(rows).reshape(-1).astype(np.intp) for rows in (found.outputs, found.targets)
    )
    return Classified(names, predicted, true, found.weights.mean(axis=1))


def check_classes(answers: Answers, found: Answered) -> None:
    """Refuse targets of a custom loss, which may be anything, unless they are classes as the outputs are."""
    shape = found.outputs.shape
    if found.targets.shape not in (shape, shape[:1]):
        raise ShapeError(f"y has shape {found.targets.shape}, expected labels {shape[:1]} or {shape}")
    if isinstance(answers, Argmax) and found.targets.ndim == 1:
        check_labels("y", found.targets, shape[1])
