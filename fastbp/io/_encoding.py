"""From the columns of a file to the inputs and targets of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.shown import shown
from fastbp.exceptions import DataError
from fastbp.io._columns import Columns, is_missing, is_text, listed
from fastbp.io._fields import number_in

if TYPE_CHECKING:
    from fastbp.io._description import ColumnLike

Array: TypeAlias = NDArray[Any]

LARGEST = 2.0**53  # from it on, float64 has one number for several integers
BOOLS = ("true", "false")  # are written as True, TRUE or true


def inputs(wanted: Sequence[ColumnLike], columns: Columns) -> NDArray[np.float64]:
    """Return the inputs (n, n_in) of a network: numbers, and a 1 per category."""
    _check_names([column.name for column in wanted], columns)
    n_in = sum(len(column.feature_names) for column in wanted)
    X = np.zeros((columns.n_rows, n_in))
    j = 0
    for column in wanted:
        if column.categories is None:
            X[:, j] = _numbers(column.name, columns, column.fill)
        else:
            X[np.arange(len(X)), j + _indices(column.name, column.categories, columns, column.fill)] = 1
        j += len(column.feature_names)
    return X


def numbers(names: Sequence[str], columns: Columns) -> NDArray[np.float64]:
    """Return the targets (n, k) of a regression."""
    _check_names(names, columns)
    return np.column_stack([_numbers(name, columns, None, "a target") for name in names])


def labels(name: str, classes: Sequence[str], columns: Columns) -> NDArray[np.int64]:
    """Return the label (n,) of each row's class."""
    _check_names([name], columns)
    found = _indices(name, classes, columns, None, "the class")
    if (found == len(classes)).any():
        row = (found == len(classes)).argmax()
        value = columns[name][row]
        raise columns.error(name, row, f"has the class {shown(value)}, expected one of: {listed(classes)}")
    return found


def check_present(name: str, columns: Columns, what: str = "a value") -> None:
    """Refuse missing values in a column."""
    missing = is_missing(columns[name])
    if missing.any():
        advice = "impute=True (--impute) in training allows missing values"
        if what != "a value":
            advice = "leave such rows out"
        n = int(missing.sum())
        count = f"; {n} rows of {len(missing)} have none" if n > 1 else ""
        raise columns.error(name, missing.argmax(), f"lacks {what}{count}: {advice}")


def names_of(column: Array) -> list[str | None]:
    """Return the values of a column as the names of categories, None for missing ones."""
    if is_text(column):
        return list(column.tolist())
    return [None if x != x else str(int(x)) if x.is_integer() else repr(x) for x in column.tolist()]


def _check_names(names: Sequence[str], columns: Columns) -> None:
    missing = [name for name in names if name not in columns]
    if missing:
        raise DataError(
            f"{columns.path} lacks the column{'s' * (len(missing) > 1)} {listed(missing)}, which training had"
        )


def _numbers(name: str, columns: Columns, fill: Any, what: str = "a value") -> Array:
    """Return a numeric column, with `fill` in the place of missing values."""
    column = columns[name]
    if is_text(column):
        row = next(i for i, value in enumerate(column) if value is not None and number_in(value) is None)
        raise columns.error(name, row, f"has {shown(column[row])}, expected a number")
    if fill is None:
        check_present(name, columns, what)
        return column
    return np.where(np.isnan(column), fill, column)


def _indices(
    name: str, categories: Sequence[str], columns: Columns, fill: Any, what: str = "a value"
) -> NDArray[np.int64]:
    """Return the index (n,) of each row's category; `len(categories)` for values of no category."""
    if fill is None:
        check_present(name, columns, what)
    known = {category: i for i, category in enumerate(categories)}
    by_meaning: dict[float | str, list[int]] = {}
    for i, category in enumerate(categories):
        if (meaning := _meaning(category)) is not None:
            by_meaning.setdefault(meaning, []).append(i)

    def index_of(value: Any) -> int:
        """Look a value up by its text, else by its meaning: 1.0 in one file may be 1 in another."""
        if value in known:
            return known[value]
        meaning = _meaning(value)
        found = [] if meaning is None else by_meaning.get(meaning, [])
        if len(found) > 1 and isinstance(value, float):
            row = (columns[name] == value).argmax()
            several = " and ".join(shown(categories[i]) for i in found[:2])
            raise columns.error(name, row, f"has {value:g}, which may be {several}: training had both")
        return found[0] if len(found) == 1 else len(categories)

    values, inverse = _distinct(columns[name])
    return np.array([index_of(value) for value in values], np.int64)[inverse]


def _meaning(value: Any) -> float | str | None:
    """Return the number, or the bool in lower case, that a value stands for; None for others.

    Numbers that float64 may have rounded to the same one stand for nothing.
    """
    if value is None or (isinstance(value, str) and value.lower() in BOOLS):
        return None if value is None else value.lower()
    number = number_in(value) if isinstance(value, str) else float(value)
    return number if number is not None and abs(number) < LARGEST else None


def _distinct(column: Array) -> tuple[list[Any], Array]:
    """Return the distinct values of a column, and the index (n,) of each row's value."""
    if not is_text(column):
        values, inverse = np.unique(column, return_inverse=True)
        return values.tolist(), inverse
    places: dict[Any, int] = {}
    inverse = np.fromiter((places.setdefault(value, len(places)) for value in column), np.int64, len(column))
    return [*places], inverse
