"""How good a network is on some rows: loss, metrics, the baseline of a constant answer, confused classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import fastbp
from fastbp.cli import text
from fastbp.metrics import accuracy, f1, mae, r2

Array: TypeAlias = NDArray[Any]
Scores: TypeAlias = dict[str, float]

LARGEST_MATRIX = 12  # classes; more of them are shown as a list of mistakes
MOST_MISTAKES = 10  # lines of that list
SHARES = ("accuracy", "f1", "r2")  # metrics of which 1 is the best


def of_outputs(net: fastbp.Network, outputs: Array, y: Array, targets: Sequence[str]) -> Scores:
    """Return the metrics of outputs (n, n_out) for labels y (n,), or for targets y (n, k) of these names."""
    if y.ndim == 1:
        return {"accuracy": accuracy(outputs, y), "f1": f1(outputs, y)}
    if len(targets) == 1:
        return {"r2": r2(outputs, y), "mae": mae(outputs, y)}
    return {
        f"{metric.__name__} of {name}": metric(outputs[:, j], y[:, j])
        for j, name in enumerate(targets)
        for metric in (r2, mae)
    }


def measure(net: fastbp.Network, X: Array, y: Array, targets: Sequence[str]) -> Scores:
    """Return the loss and the metrics of a network on rows (X, y)."""
    loss = net.evaluate(X, y, metrics=())["loss"]
    return {"loss": loss} | of_outputs(net, net.predict(X), y, targets)


def baseline(net: fastbp.Network, y_training: Array, y: Array, targets: Sequence[str]) -> Scores:
    """Return the scores on y of a constant answer: the shares of the classes, or the mean of the targets.

    They are those of the training rows. Of the shares, accuracy and F1 read the most frequent class.
    """
    if y.ndim == 1:
        shares = np.bincount(y_training, minlength=net.layers[-1].n_out) / len(y_training)  # (n_out,)
        outputs = np.tile(shares, (len(y), 1))
        return {"loss": net.loss(outputs, y)} | of_outputs(net, outputs, y, targets)
    outputs = np.tile(y_training.mean(axis=0), (len(y), 1))
    mean, scale = np.asarray(net.target_mean), np.asarray(net.target_scale)
    scaled = [(rows - mean) / scale for rows in (outputs, y)]  # as in training, for the loss
    return {"loss": net.loss(*scaled)} | of_outputs(net, outputs, y, targets)


def best_epoch(history: fastbp.History) -> int | None:
    """Return the epoch, from 1 on, with the least validation loss; None without one."""
    losses = history.to_dict().get("validation_loss", [])
    return int(np.nanargmin(losses)) + 1 if np.isfinite(losses).any() else None


def confusion(net: fastbp.Network, X: Array, y: Array) -> Array:
    """Return how many rows of each class (rows) were taken for each class (columns)."""
    k = net.layers[-1].n_out
    return np.bincount(y * k + net.predict_classes(X), minlength=k * k).reshape(k, k)


def loss_name(net: fastbp.Network) -> str:
    """Return what the loss of a network is called, and that it is not in the units of the targets."""
    scaled = "" if net.target_scale is None else ", scaled targets"
    return net.loss.name.replace("_", " ") + scaled


def show(scores: Mapping[str, Scores], net: fastbp.Network) -> str:
    """Return the table of scores: a column for each name, a row for the loss and each metric."""
    names = {"loss": loss_name(net), "f1": "F1", "r2": "R^2", "mae": "mean absolute error"}
    first = next(iter(scores.values()))
    rows = [["", *scores]]
    for key in first:
        name, of, target = key.partition(" of ")
        label = names.get(name, name) + of + (text.plain(target) if of else "")
        show_one = text.share if name in SHARES else text.number
        rows.append([label, *(show_one(column[key]) for column in scores.values())])
    return text.table(rows)


def show_confusion(matrix: Array, classes: Sequence[str]) -> str:
    """Return the matrix of a few classes as a table, else a list of the most frequent mistakes."""
    names = [text.plain(name) for name in classes]
    if len(names) <= LARGEST_MATRIX:
        rows = [["true \\ predicted", *names]]
        rows += [[name, *map(str, row)] for name, row in zip(names, matrix.tolist(), strict=True)]
        return text.table(rows)
    wrong = matrix * (1 - np.eye(len(names), dtype=matrix.dtype))
    worst = np.argsort(-wrong, axis=None, kind="stable")[:MOST_MISTAKES]
    pairs = [(int(wrong.flat[at]), *divmod(int(at), len(names))) for at in worst]
    lines = [f"{names[i]} taken for {names[j]}: {n:,}" for n, i, j in pairs if n]
    return "\n".join(["most frequent mistakes:", *lines] if lines else ["no mistakes"])
