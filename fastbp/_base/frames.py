"""Data frames of pandas, polars and pyarrow: the names of their columns, and their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.shown import shown
from fastbp.exceptions import DataError, DTypeError, ShapeError

Array: TypeAlias = NDArray[Any]
Order: TypeAlias = list[int]  # indices of columns of a frame

NUMERIC = "fiub"  # kinds of the dtypes that are read
MOST = 5  # names in a message

#: Types of pyarrow that are read.
PYARROW = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)) | {
    "bool",
    "halffloat",
    "float",
    "double",
}


def numbers(library: str, argument: str, value: Any, names: tuple[str, ...] | None = None) -> Any:
    """Return the numbers of a frame, (rows, columns) in the common dtype of its columns, or of one column.

    Parameters
    ----------
    library : str
        The library of the frame: a key of `FRAMES` in `fastbp._base.arrays`.
    argument : str
        Name of the frame in error messages.
    value : DataFrame, Table, RecordBatch, or pandas Series or Index
    names : tuple of str, optional
        Names of the columns in the order to return them in. Columns without names keep theirs. A Series of
        so many numbers with these names in its index is one row.

    Raises
    ------
    DTypeError
        A column does not hold numbers or bool.
    DataError
        A nullable column has a missing value.
    ShapeError
        The frame has names, and they are not distinct, or others than `names`.
    """
    reader = _reader(library, value)
    if names is not None and isinstance(reader, PandasColumn) and len(value) != len(names):
        names = None  # not one row: the caller refuses its shape
    order = None if names is None else order_of(argument, reader.names(), names)
    return reader.numbers(argument, order)


def names_of(library: str, value: Any) -> tuple[str, ...] | None:
    """Return the names of a frame's columns; None if they are not distinct strings, or it is one column."""
    reader = _reader(library, value)
    if isinstance(reader, PandasColumn):
        return None
    found = reader.names()
    names = tuple(str(name) for name in found if isinstance(name, str))
    return names if len(set(names)) == len(found) else None


def rows_of(library: str, frame: Any, rows: Array) -> Any:
    """Return the rows of a frame with these indices (m,), as a frame of its library."""
    if library == "pandas":
        return frame.iloc[rows]
    return frame[rows] if library == "polars" else frame.take(rows)


# ---- names -------------------------------------------------------------------------------------------------


def order_of(argument: str, found: Sequence[Any], names: tuple[str, ...]) -> Order | None:
    """Return the index of each of the `names` among those found; None if the columns stay as they are.

    They do if no column has a string for its name, or if the order is right.
    """
    if tuple(found) == names:
        return None
    texts = [isinstance(name, str) for name in found]
    if not any(texts):
        return None
    expected = "expected the names in net.feature_names"
    if not all(texts):
        other = shown(found[texts.index(False)])
        raise ShapeError(f"{argument} has the column {other} beside columns named by strings, {expected}")
    places = {name: i for i, name in enumerate(found)}
    if len(places) < len(found):
        twice = next(name for i, name in enumerate(found) if places[name] != i)
        raise ShapeError(f"{argument} has more than one column {shown(twice)}, {expected}, each once")
    wanted = set(names)
    missing = [name for name in names if name not in places]
    extra = [name for name in found if name not in wanted]
    if missing:
        beside = f"; it has {_listed(extra)}, which the network does not know" if extra else ""
        raise ShapeError(f"{argument} lacks the {_listed(missing)}, {expected}{beside}")
    if extra:
        raise ShapeError(
            f"{argument} has the {_listed(extra)}, which the network does not know, {expected}: select them, "
            "for instance with X[list(net.feature_names)]"
        )
    return [places[name] for name in names]


def _listed(names: Sequence[str]) -> str:
    """Return 'column' or 'columns' and the names, of many only the first."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"column{'s' * (len(names) > 1)} {', '.join(map(shown, names[:MOST]))}{more}"


# ---- numbers -----------------------------------------------------------------------------------------------


def _no_numbers(column: str, dtype: Any, advice: str) -> DTypeError:
    return DTypeError(f"{column} has dtype {dtype!s:.60}, expected real numbers or bool: {advice}")


def _missing(column: str, row: Any, advice: str) -> DataError:
    return DataError(
        f"{column} has no value in row {row}, expected a number: fill it, for instance with {advice}, "
        "or leave the row out"
    )


def _joined(columns: Sequence[Array], rows: int) -> Array:
    """Return the columns side by side, (rows, columns) in their common dtype; this copies once."""
    joined = np.empty((rows, len(columns)), np.result_type(np.bool_, *columns), order="F")
    for j, column in enumerate(columns):
        joined[:, j] = column
    return joined


class Frame:
    """A frame; there is a class for those of each library."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame


class Pandas(Frame):
    """A DataFrame of pandas."""

    def names(self) -> list[Any]:
        """Return the names of the columns."""
        return list(self.frame.columns)

    def numbers(self, argument: str, order: Order | None) -> Any:
        """Return the columns as one array; a block of equal dtypes that stays in order is not copied."""
        columns = [column for _, column in self.frame.items()]
        dtypes = [
            _pandas_dtype(f"column {name!r} of {argument}", column)
            for name, column in zip(self.names(), columns, strict=True)
        ]
        if order is None:
            return self.frame.to_numpy(dtype=np.result_type(np.bool_, *dtypes))
        return _joined([columns[i].to_numpy(dtype=dtypes[i]) for i in order], len(self.frame))


class PandasColumn:
    """A Series or Index of pandas: one column, or a Series that is one row."""

    def __init__(self, column: Any) -> None:
        self.column = column

    def names(self) -> list[Any]:
        """Return the names of a row's elements; an Index has none."""
        return list(getattr(self.column, "index", ()))

    def numbers(self, argument: str, order: Order | None) -> Any:
        """Return the elements."""
        values = self.column if order is None else self.column.iloc[order]
        return values.to_numpy(dtype=_pandas_dtype(argument, values))


def _pandas_dtype(column: str, values: Any) -> np.dtype[Any]:
    """Return the NumPy dtype for a Series or Index; refuse text and missing values."""
    dtype = values.dtype
    if dtype.kind not in NUMERIC:
        advice = (
            "encode classes and text, inputs for instance with pandas.get_dummies and labels with "
            "pandas.factorize, convert numbers with astype(float)"
        )
        raise _no_numbers(column, dtype, advice)
    if not isinstance(dtype, np.dtype):
        missing = np.asarray(values.isna())
        if missing.any():
            raise _missing(column, missing.argmax(), "fillna(...)")
    found: np.dtype[Any] = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))  # nullable, sparse
    return found


class Polars(Frame):
    """A DataFrame of polars."""

    def names(self) -> list[str]:
        """Return the names of the columns."""
        return list(self.frame.columns)

    def numbers(self, argument: str, order: Order | None) -> Any:
        """Return the columns as one array."""
        for column in self.frame.get_columns():
            self.check(f"column {column.name!r} of {argument}", column)
        return (self.frame if order is None else self.frame[:, order]).to_numpy()

    @staticmethod
    def check(name: str, column: Any) -> None:
        """Refuse all but numbers that NumPy has, and missing values."""
        dtype = column.dtype
        is_number = dtype.is_integer() or dtype.is_float() or str(dtype) == "Boolean"
        if not is_number or str(dtype).endswith("128"):
            advice = (
                "encode classes and text, inputs for instance with to_dummies and labels with to_physical, "
                "convert numbers with cast(polars.Float64)"
            )
            raise _no_numbers(name, dtype, advice)
        if column.null_count():
            raise _missing(name, column.is_null().arg_max(), "fill_null(...)")


class PyArrow(Frame):
    """A Table or RecordBatch of pyarrow."""

    def names(self) -> list[str]:
        """Return the names of the columns."""
        return list(self.frame.schema.names)

    def numbers(self, argument: str, order: Order | None) -> Array:
        """Return the columns as one array."""
        columns = [
            self.column(f"column {name!r} of {argument}", column)
            for name, column in zip(self.names(), self.frame.columns, strict=True)
        ]
        return _joined(columns if order is None else [columns[i] for i in order], len(self.frame))

    @staticmethod
    def column(name: str, column: Any) -> Array:
        """Return the numbers of a column; without a copy if its dtype and its chunks allow it."""
        if str(column.type) not in PYARROW:
            advice = (
                "encode classes and text, inputs for instance with polars.from_arrow(...).to_dummies() and "
                "labels with the indices of dictionary_encode, convert numbers with cast"
            )
            raise _no_numbers(name, column.type, advice)
        if column.null_count:
            raise _missing(name, column.is_null().index(True), "fill_null(...)")
        return np.asarray(column)


def _reader(library: str, value: Any) -> Pandas | PandasColumn | Polars | PyArrow:
    """Return what reads a value of a library."""
    if library == "pandas":
        return Pandas(value) if hasattr(type(value), "columns") else PandasColumn(value)
    return Polars(value) if library == "polars" else PyArrow(value)
