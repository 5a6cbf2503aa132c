"""`average_unseen`: weights for categories that no row of the training data has."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fastbp._base.shown import shown
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.io.table import Table
from fastbp.network import Network


def check_network(net: Network, table: Table) -> None:
    """Check that `net` is a Network and `table` a Table with as many inputs."""
    if not isinstance(net, Network):
        raise ParameterError(f"net is {shown(net)}, expected a Network")
    if not isinstance(table, Table):
        raise ParameterError(f"table is {shown(table)}, expected a Table")
    n, n_in = len(table.feature_names), net.layers[0].n_in
    if n != n_in:
        raise ParameterError(f"table has {n} inputs, expected {n_in}, as the network has")
    if net.feature_names is not None and net.feature_names != table.feature_names:
        raise ParameterError(
            f"table has the inputs {shown(table.feature_names)}, expected the network's feature_names, "
            f"{shown(net.feature_names)}"
        )
    _check_answers(net, table)


def _check_answers(net: Network, table: Table) -> None:
    """Refuse a table that does not name what the network predicts."""
    n_out = net.layers[-1].n_out
    if table.classes is None:
        n, n_targets = len(table.targets), n_out // net.loss.outputs_per_target
        if n != n_targets:
            raise ParameterError(
                f"table has {n} target{'s' * (n != 1)}, expected {n_targets}, as the network has"
            )
    elif len(table.classes) != n_out:
        raise ParameterError(
            f"table has {len(table.classes)} classes, expected {n_out}, one per output of the network"
        )
    elif net.class_names is not None and net.class_names != table.classes:
        raise ParameterError(
            f"table has the classes {shown(table.classes)}, expected the network's class_names, "
            f"{shown(net.class_names)}"
        )


def average_unseen(net: Network, table: Table, X: ArrayLike) -> None:
    """Let each category that is in no row of X act as the average category of its column.

    The weights of an input that is 0 in all rows do not change in training, so a category that comes later
    would add the random numbers that they were at the start. Call this after training, and before it if the
    rows for validation may have categories that those for training do not have.

    Parameters
    ----------
    net : Network
        Its first weights change in place, those of inputs that are 0 in all rows of X and belong to a
        categorical column; often that is "(unknown)".
    table : Table
        The table that made X.
    X : array, shape (n, n_in)
        The inputs of the training data, n >= 1.

    Raises
    ------
    ParameterError
        `net` is not a Network, `table` is not a Table, or they have different numbers of inputs.
    ShapeError
        X is not (n, n_in) with n >= 1.

    Notes
    -----
    In the inputs z of the first layer, a one-hot column adds w_c / s_c for category c, with the scale s_c of
    that input, 1 without `adapt`. An unseen category u adds as much as the average row does:
    w_u / s_u = sum over c of share_c w_c / s_c.
    """
    check_network(net, table)
    X = np.asarray(X)
    n_in = len(table.feature_names)
    if X.ndim != 2 or len(X) == 0 or X.shape[1] != n_in:
        raise ShapeError(f"X has shape {X.shape}, expected (n, {n_in}) with n >= 1")
    scale = np.ones(n_in) if net.input_scale is None else net.input_scale
    W = net.weights[0]  # (n_in, n_out)
    end = 0
    for column in table.columns:
        begin, end = end, end + len(column.feature_names)
        if column.categories is None:
            continue
        share = X[:, begin:end].mean(axis=0)
        average = (share / scale[begin:end]) @ W[begin:end]  # (n_out,)
        for j in np.flatnonzero(share == 0):
            W[begin + j] = average * scale[begin + j]
