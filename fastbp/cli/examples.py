"""A model file and the rows of a data file that it is asked about, for the commands that read both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import fastbp
from fastbp import io
from fastbp._base.shown import shown
from fastbp.cli import text
from fastbp.io._columns import is_missing, is_text

Array: TypeAlias = NDArray[Any]

#: Files whose columns may have no names of their own, and which columns are inputs then.
BY_POSITION = {".npy": re.compile("x[0-9]{1,9}"), ".npz": re.compile("X[0-9]{1,9}")}


def inputs(net: fastbp.Network, table: io.Table | None, columns: io.Columns) -> Array:
    """Return the inputs (n, n_in) of the network in a file.

    Raises
    ------
    DataError
        A column is missing, holds text, or lacks a value; or the columns cannot be matched to the inputs.
    """
    if table is not None:
        return table.inputs(columns)
    found = [numbers(columns, name) for name in names_of(net, columns)]
    return np.stack(found, axis=1)


def with_answers(table: io.Table, path: str) -> tuple[Array, Array, dict[str, int]]:
    """Return the inputs (n, n_in) and targets in a file, and how many values training did not have."""
    columns = io.read_columns(path)
    X, y = table.inputs(columns), table.answers(columns)
    return X, y, unknown(table, columns, X)


def unknown(table: io.Table | None, columns: io.Columns, X: Array) -> dict[str, int]:
    """Return how many values of each categorical column training did not have, where there are some.

    X (n, n_in) are the inputs that the table made of the columns. Missing values do not count.
    """
    found, end = {}, 0
    for column in () if table is None else table.columns:
        end += len(column.feature_names)  # the last one is that of unknown categories
        if column.categories is not None:
            n = int(X[:, end - 1].sum()) - int(is_missing(columns[column.name]).sum())
            if n:
                found[column.name] = n
    return found


def print_unknown(unknown: Mapping[str, int]) -> None:
    """Print how many values training did not have, by column, if there are any."""
    if unknown:
        counts = [f"{text.plain(name)} ({n:,})" for name, n in unknown.items()]
        print(f"categories that training did not have: {text.listed(counts)}")


def names_of(net: fastbp.Network, columns: io.Columns) -> list[str]:
    """Return the columns that are the inputs of a network without a table, in their order."""
    if net.feature_names is not None:
        missing = [name for name in net.feature_names if name not in columns]
        if missing:
            raise fastbp.DataError(
                f"{columns.path} lacks the column {shown(missing[0])} of the model's inputs"
            )
        return [*net.feature_names]
    n_in = net.layers[0].n_in
    kind = PurePath(columns.path).suffix.lower()
    if kind not in BY_POSITION:
        raise fastbp.DataError(
            f"{columns.path} has columns by name, but the model has no names for its {n_in} inputs: set "
            "feature_names before saving it, or give the inputs as a .npy file"
        )
    found = [name for name in columns if BY_POSITION[kind].fullmatch(name)]
    found.sort(key=lambda name: int(name[1:]))  # an archive may have X1 before X0
    if len(found) != n_in:
        raise fastbp.DataError(f"{columns.path} has {len(found)} inputs, expected the model's {n_in}")
    return found


def numbers(columns: io.Columns, name: str) -> Array:
    """Return a column (n,) of numbers; DataError if it holds text or lacks a value."""
    column = columns[name]
    if is_text(column):
        raise columns.error(name, None, "holds text, expected numbers")
    missing = is_missing(column)
    if missing.any():
        raise columns.error(name, missing.argmax(), "has no value")
    return column


def need_table(table: io.Table | None, model: str) -> io.Table:
    """Return the table; DataError if the model file has none."""
    if table is None:
        raise fastbp.DataError(
            f"{model} does not say which column is the target, because it was not written by fastbp train"
        )
    return table
