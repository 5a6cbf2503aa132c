"""`read_columns`: the columns of a file of any kind that is known."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import PurePath
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base import arguments
from fastbp._base.shown import shown
from fastbp.exceptions import DataError
from fastbp.io._columns import Columns
from fastbp.io._fields import MISSING, SPACES
from fastbp.io._text import read_text

Array: TypeAlias = NDArray[Any]

INDEX = re.compile("__index_level_[0-9]+__")  # pandas' names for row labels that have none


def read_columns(path: str | os.PathLike[str]) -> Columns:
    """Return the columns of a file.

    Parameters
    ----------
    path : str or os.PathLike
        The file. Its suffix, in upper or lower case, says what it is:

        - ``.csv``, ``.txt``: text in UTF-8. The first line has the names of the columns. Fields are separated
          by comma, semicolon, tab or ``|``, the one that makes the most fields of the first line.
        - ``.tsv``: the same, separated by tabs.
        - ``.npy``: an array (n, k), whose columns are called ``"x0"`` to ``"x{k-1}"``, or a structured
          array (n,), whose fields are the columns.
        - ``.npz``: arrays (n,) are columns, by their names; of an array (n, k) called ``X`` the columns are
          ``"X0"`` to ``"X{k-1}"``.
        - ``.parquet``: read by pyarrow. The row labels of a pandas frame are no column, unless they have a
          name.

    Returns
    -------
    Columns
        A mapping of names to columns (n,). A column is numeric, float64 with NaN for missing values, if all
        its values are numbers or missing. Else it has strings, and None for missing values.

    Raises
    ------
    DataError
        The file does not hold a table; the message names the line and the column.
    ParameterError
        `path` is not a path, or has another suffix.
    OSError
        The file cannot be read.
    ImportError
        A Parquet file needs pyarrow, which is not installed.

    Notes
    -----
    In text files, spaces around fields do not count. A field is missing if it is empty or one of
    ``?  NA  na  N/A  n/a  #N/A  <NA>  NaN  nan  NAN  null  NULL  Null``. A number has ASCII digits and a
    decimal point; with a separator of thousands or a decimal comma it is text, and so are true and false.
    Every row must have as many fields as the first line; blank lines do not count. A field has at most 131072
    characters.

    Large plain files are read by pandas or polars where they are installed, all others by Python's csv
    module. The columns are the same.
    """
    place = arguments.path("path", path)
    suffix = PurePath(place).suffix.lower()
    return arguments.choice("the suffix of the file", suffix, READERS)(place)


def _npy(path: str) -> Columns:
    """Read an array."""
    with open(path, "rb") as file:
        array = _checked(path, partial(np.load, file, allow_pickle=False))
        if not isinstance(array, np.ndarray):
            raise DataError(f"{path} is an archive of arrays, expected one array: call it .npz")
    if array.dtype.names:
        if array.ndim != 1:
            raise DataError(f"{path} has an array of shape {array.shape}, expected one dimension")
        return _from_arrays(path, {name: array[name] for name in array.dtype.names})
    if array.ndim != 2:
        raise DataError(f"{path} has an array of shape {array.shape}, expected two dimensions or fields")
    return _from_arrays(path, _split("x", array))


def _npz(path: str) -> Columns:
    """Read an archive of arrays."""
    arrays: dict[str, Array] = {}
    with open(path, "rb") as file:
        archive = _checked(path, partial(np.load, file, allow_pickle=False))
        if isinstance(archive, np.ndarray):
            raise DataError(f"{path} is one array, expected an archive of arrays: call it .npy")
        for name in archive.files:
            array = _checked(path, partial(archive.__getitem__, name))
            found = _split(name, array) if name == "X" and array.ndim == 2 else {name: array}
            if twice := [name for name in found if name in arrays]:
                raise DataError(f"{path} has more than one column {shown(twice[0])}, expected distinct names")
            arrays |= found
    return _from_arrays(path, arrays)


def _checked(path: str, load: Callable[[], Any]) -> Any:
    """Return what a function loads from an open file, without running code in it; DataError if damaged."""
    try:
        return load()
    except Exception as error:  # of NumPy, pyarrow, zipfile, zlib or the parser of headers
        text = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read: {text:.200}") from None


def _split(name: str, array: Array) -> dict[str, Array]:
    return {f"{name}{j}": array[:, j] for j in range(array.shape[1])}


def _from_arrays(path: str, arrays: Mapping[str, Array]) -> Columns:
    """Return columns from arrays of equal length."""
    columns = {name: _column(path, name, array) for name, array in arrays.items()}
    lengths = {len(column): name for name, column in columns.items()}
    if not columns:
        raise DataError(f"{path} has no columns")
    if len(lengths) > 1:
        (n, name), (m, other) = [*lengths.items()][:2]
        raise DataError(
            f"{path}: {shown(name)} has {n} rows and {shown(other)} has {m}, expected the same number"
        )
    return Columns(columns, path)


def _column(path: str, name: str, array: Array) -> Array:
    """Return an array as a column."""
    where = f"{path}: {shown(name)}"
    if array.dtype.kind == "O":  # strings already
        return array
    if array.ndim != 1:
        raise DataError(f"{where} has the shape {array.shape}, expected one value per row")
    if array.dtype.kind in "iuf":
        with np.errstate(over="ignore"):
            column = array.astype(np.float64)
        infinite = np.isinf(column)
        if infinite.any():
            row = infinite.argmax()
            raise DataError(f"{where} has {array[row]} in row {row}, expected a number that float64 can hold")
        return column + 0.0
    if array.dtype.kind not in "bUT":
        raise DataError(f"{where} has dtype {array.dtype}, expected numbers, bool or text")
    return _strings(array.tolist())


def _strings(values: list[Any]) -> Array:
    """Return strings or bool as a column; None and the texts of `MISSING` are missing."""
    column = np.empty(len(values), dtype=object)
    fields = [None if value is None else str(value).strip(SPACES) for value in values]
    column[:] = [None if field in MISSING else field for field in fields]
    return column


def _parquet(path: str) -> Columns:
    """Read a Parquet file."""
    try:
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError as error:
        raise ImportError(
            f'Parquet files need pyarrow ({error}): pip install "fastbp[parquet]", or pip install pyarrow',
            name="pyarrow",
        ) from error
    with open(path, "rb") as file:
        table = _checked(path, lambda: parquet.ParquetFile(file).read())
    columns: dict[str, Array] = {}
    for name, column in zip(_checked(path, lambda: table.schema.names), table.columns, strict=True):
        if INDEX.fullmatch(name):
            continue
        if name in columns:
            raise DataError(f"{path} has more than one column {shown(name)}, expected distinct names")
        columns[name] = _from_arrow(path, name, column)
    return _from_arrays(path, columns)


def _from_arrow(path: str, name: str, column: Any) -> Array:
    """Return a column of pyarrow as numbers or strings, with NaN or None for missing values."""
    types: Any = import_module("pyarrow.types")
    kind = column.type
    if types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return np.array(column.cast("float64", safe=False).to_numpy(), dtype=np.float64)
    if types.is_boolean(kind) or types.is_string(kind) or types.is_large_string(kind):
        return _strings(_checked(path, column.to_pylist))  # fails if a text is not UTF-8
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    raise DataError(f"{path}: {shown(name)} has the type {kind}, expected numbers, bool or text")


READERS: dict[str, Callable[[str], Columns]] = {
    ".csv": read_text,
    ".tsv": partial(read_text, delimiters="\t"),
    ".txt": read_text,
    ".npy": _npy,
    ".npz": _npz,
    ".parquet": _parquet,
}
