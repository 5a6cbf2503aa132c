"""The steps of `fastbp train`: holding rows out, making the network, fitting it, and scoring it."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

import fastbp
from fastbp import io
from fastbp.cli import scores
from fastbp.optimizers import OPTIMIZERS as BY_RATE
from fastbp.optimizers import Optimizer

Array: TypeAlias = NDArray[Any]

#: Optimizers by name. Early stopping is that of the command for all, so `max_fail` is off.
OPTIMIZERS: dict[str, Optimizer] = BY_RATE | {
    "levenberg_marquardt": fastbp.LevenbergMarquardt(max_fail=None),
}
BATCH_SIZE = 32
PATIENCE = 30


class Rows(NamedTuple):
    """Rows to train on, and those held out, if there are any."""

    X: Array  # (n, n_in)
    y: Array  # labels (n,), or targets (n, k)
    held_out: tuple[Array, Array] | None  # X and y of the others


def split(X: Array, y: Array, share: float, seed: int) -> Rows:
    """Hold out a share of the rows, chosen by the seed; of each class, if y are labels."""
    if share == 0:
        return Rows(X, y, None)
    is_labels = y.ndim == 1
    loss: fastbp.losses.Loss = fastbp.CrossEntropy() if is_labels else fastbp.MSE()
    kind = fastbp.StratifiedSplit if is_labels else fastbp.ShuffledSplit
    try:
        training, others = kind(share).parts(y, loss, seed)
    except fastbp.DataError:
        what = "one row per class" if 1 < len(y) == len(np.unique(y)) else f"too few of {len(y)} rows"
        raise fastbp.DataError(
            f"--validation {share:g} leaves {what}, expected more rows, or --validation 0"
        ) from None
    return Rows(X[training], y[training], (X[others], y[others]))


def make_network(options: Namespace, table: io.Table, rows: Rows) -> fastbp.Network:
    """Return a new network for the table, which scales inputs, and targets that are numbers."""
    n_out = rows.y.shape[1] if table.classes is None else len(table.classes)
    hidden = [fastbp.Dense(n, l2=options.l2, dropout=options.dropout) for n in options.hidden]
    optimizer = OPTIMIZERS[options.optimizer]
    if options.learning_rate is not None:
        optimizer = optimizer.with_learning_rate(options.learning_rate)
    net = fastbp.Network(
        [rows.X.shape[1], *hidden, fastbp.Dense(n_out, l2=options.l2)],
        activation=options.activation,
        loss="mse" if table.classes is None else "cross_entropy",
        optimizer=optimizer,
        dtype=options.dtype,
        seed=options.seed,
    )
    net.feature_names = table.feature_names
    if table.classes is None:
        net.adapt(rows.X, rows.y)
    else:
        net.adapt(rows.X)
        net.class_names = table.classes
    # Training leaves the weights of a constant input as they are. Those that were drawn would shift the
    # prediction of a row that differs at random.
    net.weights[0][rows.X.min(axis=0) == rows.X.max(axis=0)] = 0
    io.average_unseen(net, table, rows.X)
    return net


def fit(
    net: fastbp.Network, table: io.Table, rows: Rows, options: Namespace, verbose: Literal[0, "auto"]
) -> None:
    """Train the network; with early stopping, it ends with the parameters of its best epoch.

    Categories that are in no row trained on act as the average one.
    """
    batch_size = options.batch_size
    if batch_size is None and not net.optimizer.full_batch:
        batch_size = BATCH_SIZE
    patience = options.patience
    if patience is None:
        patience = PATIENCE if rows.held_out else 0
    stopping = (
        fastbp.callbacks.EarlyStopping("validation_loss", patience, restore_best=True) if patience else ()
    )
    net.fit(
        rows.X,
        rows.y,
        epochs=options.epochs,
        batch_size=batch_size,
        shuffle=batch_size is not None,
        validation_data=rows.held_out,
        callbacks=stopping,
        verbose=verbose,
    )
    io.average_unseen(net, table, rows.X)


class Result(NamedTuple):
    """What a training led to."""

    net: fastbp.Network
    table: io.Table
    scores: dict[str, scores.Scores]  # "training", "validation" if rows were held out, "baseline"
    best: int | None  # the epoch, from 1 on, with the least loss on the rows held out


def judge(net: fastbp.Network, rows: Rows, table: io.Table) -> Result:
    """Return how good the network is, beside a constant answer on the rows held out, if there are any."""
    found = {"training": scores.measure(net, rows.X, rows.y, table.targets)}
    if rows.held_out:
        found["validation"] = scores.measure(net, *rows.held_out, table.targets)
    y = rows.held_out[1] if rows.held_out else rows.y
    found["baseline"] = scores.baseline(net, rows.y, y, table.targets)
    return Result(net, table, found, scores.best_epoch(net.history))
