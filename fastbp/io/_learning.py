"""How a table is learned from the columns of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastbp._base.arguments import entries
from fastbp._base.shown import shown
from fastbp.exceptions import DataError, ParameterError
from fastbp.io._columns import UNKNOWN, Columns, is_missing, is_text, listed
from fastbp.io._encoding import LARGEST, check_present, names_of
from fastbp.io._fields import number_in

Array: TypeAlias = NDArray[Any]
C = TypeVar("C")
T = TypeVar("T")

MOST_CATEGORIES = 1000  # of a text column; more make too many inputs
FEW = 20  # distinct integers that may be classes, and categories of which a column may have any share
SHARE = 10  # rows per distinct integer for them to be classes
MOST_NAMES = 1 << 20


def names_in(argument: str, given: Any, columns: Columns) -> tuple[str, ...]:
    """Return distinct names of columns; ParameterError for anything else."""
    found = entries(given, MOST_NAMES)
    if found is None or not all(isinstance(name, str) for name in found):
        raise ParameterError(f"{argument} is {shown(given)}, expected a list of names of columns")
    for name in found:
        if name not in columns:
            close = get_close_matches(name, [*columns], n=2)
            hint = (
                f"did you mean {' or '.join(map(shown, close))}?" if close else f"it has {listed([*columns])}"
            )
            raise ParameterError(f"{argument} is {shown(name)}, expected a column of {columns.path}: {hint}")
    return tuple(dict.fromkeys(found))


def learn(
    make_table: Callable[..., T],
    make_column: Callable[..., C],
    columns: Columns,
    *,
    targets: tuple[str, ...],
    task: str,
    categorical: tuple[str, ...],
    dropped: tuple[str, ...],
    impute: bool,
) -> T:
    """Return a table; `Table.learn` describes the arguments, which name columns."""
    if not targets:
        raise ParameterError("target is empty, expected the names of one or more columns")
    if both := [name for name in targets if name in dropped]:
        raise ParameterError(f"drop has {shown(both[0])}, which is a target")
    if both := [name for name in categorical if name in (*targets, *dropped)]:
        raise ParameterError(f"categorical has {shown(both[0])}, which is a target or dropped")
    if columns.n_rows == 0:
        raise DataError(f"{columns.path} has no rows, expected at least one below the header")
    left_out = {*targets, *dropped}
    names = [name for name in columns if name not in left_out]
    if not names:
        raise DataError(f"{columns.path} has no columns beside {listed([*left_out])}, expected inputs")
    for name in targets:
        are_classes = task == "classification" or (
            task == "auto" and len(targets) == 1 and is_text(columns[name])
        )
        check_present(name, columns, "the class" if are_classes else "a target")
    classes = _classes(columns, targets, task)
    categories = {
        name: _distinct_names(columns, name)
        for name in names
        if name in categorical or is_text(columns[name])
    }
    _check_categories(categories, columns)
    learned = [_column(make_column, columns, name, categories.get(name), impute) for name in names]
    return make_table(learned, targets, classes)


def _check_categories(categories: Mapping[str, list[str]], columns: Columns) -> None:
    """Refuse columns with too many categories; one message names them all."""
    present = {name: int((~is_missing(columns[name])).sum()) for name in categories}
    wide = {
        name: len(found) for name, found in categories.items() if len(found) > most_categories(present[name])
    }
    if len(wide) == 1:
        ((name, n),) = wide.items()
        problem = f"has {n} categories in {columns.n_rows} rows: leave it out with drop (--drop)"
        raise columns.error(name, None, problem)
    if wide:
        raise DataError(
            f"{columns.path}: columns {listed([*wide])} have up to {max(wide.values())} categories in "
            f"{columns.n_rows} rows: leave them out with drop (--drop)"
        )


def _column(
    make: Callable[..., C], columns: Columns, name: str, categories: list[str] | None, impute: bool
) -> C:
    """Return what a column means: its categories, None for numbers, and what fills its missing values."""
    column = columns[name]
    missing = is_missing(column)
    if missing.all():
        raise columns.error(name, None, "has no value in any row: leave it out with drop (--drop)")
    if not impute:
        check_present(name, columns)
    if categories is None:
        return make(name, fill=float(np.median(column[~missing])) if impute else None)
    known = [category for category in categories if category != UNKNOWN]
    if not known:
        raise columns.error(name, None, f"has no value but {UNKNOWN}: leave it out with drop (--drop)")
    return make(name, known, UNKNOWN if impute else None)


def most_categories(n_rows: int) -> int:
    """Return how many categories a column of so many rows may have."""
    return min(MOST_CATEGORIES, max(FEW, n_rows // 2))


def _distinct_names(columns: Columns, name: str) -> list[str]:
    """Return the distinct values of a column as names, in their order."""
    column = columns[name]
    if not is_text(column):
        too_large = np.abs(column) >= LARGEST
        if too_large.any():
            raise columns.error(
                name,
                too_large.argmax(),
                "has an integer of 2**53 or more, too large for a category: write it as text",
            )
        column = np.unique(column)  # NaN once, at the end
    return _sorted({value for value in names_of(column) if value is not None})


def _sorted(names: Iterable[str]) -> list[str]:
    """Return names in the order of their numbers, if all are numbers, else in that of their characters."""
    numbers = {name: number_in(name) for name in names}
    if None in numbers.values():
        return sorted(numbers)
    return sorted(numbers, key=lambda name: (numbers[name], name))


def _classes(columns: Columns, targets: Sequence[str], task: str) -> list[str] | None:
    """Return the names of the classes; None if the targets are numbers."""
    if task == "classification" and len(targets) > 1:
        raise ParameterError(f"target has {len(targets)} columns, expected one with the classes")
    text = [name for name in targets if is_text(columns[name])]
    if text and (task == "regression" or len(targets) > 1):
        raise ParameterError(
            f"target has {shown(text[0])}, which holds text, expected numbers for regression"
        )
    name = targets[0]
    if len(targets) > 1 or task == "regression":
        return None
    if task == "auto" and not text and not _are_labels(columns[name]):
        return None
    classes = _distinct_names(columns, name)
    if len(classes) < 2:
        raise columns.error(name, None, f"has only the class {shown(classes[0])}, expected two")
    if len(classes) > most_categories(columns.n_rows):
        raise columns.error(
            name,
            None,
            f"has {len(classes)} classes in {columns.n_rows} rows, expected fewer: is it a measurement "
            "(--task regression) or a name?",
        )
    return classes


def _are_labels(column: Array) -> bool:
    """Tell whether numbers (n,) are rather classes than measurements."""
    distinct = np.unique(column)
    if len(distinct) < 2 or not (distinct == np.rint(distinct)).all():
        return False
    return len(distinct) == 2 or len(distinct) <= min(FEW, len(column) // SHARE)
