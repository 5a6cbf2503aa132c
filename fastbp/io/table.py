"""What the columns of a table mean to a network: `Column` and `Table`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base import arguments
from fastbp._base.fields import checked_by, text
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.exceptions import ParameterError
from fastbp.io import _description, _encoding, _learning
from fastbp.io._columns import UNKNOWN, Columns, checked

Task: TypeAlias = Literal["auto", "classification", "regression"]

MOST = 5  # names in a repr


def _texts(argument: str, value: Any, at_least: int) -> tuple[str, ...]:
    """Return distinct strings as a tuple."""
    is_list = isinstance(value, (tuple, list))
    if not is_list or len(value) < at_least or not all(isinstance(entry, str) for entry in value):
        raise ParameterError(f"{argument} is {shown(value)}, expected {at_least} or more strings")
    if len(set(value)) < len(value):
        twice = next(entry for i, entry in enumerate(value) if entry in value[:i])
        raise ParameterError(f"{argument} has {shown(twice)} twice, expected distinct strings")
    return tuple(value)


def _categories(argument: str, value: Any) -> tuple[str, ...]:
    categories = _texts(argument, value, 1)
    if UNKNOWN in categories:
        raise ParameterError(f"{argument} has {UNKNOWN!r}, which stands for all other values")
    return categories


def _classes(argument: str, value: Any) -> tuple[str, ...]:
    return _texts(argument, value, 2)


def _targets(argument: str, value: Any) -> tuple[str, ...]:
    return _texts(argument, value, 1)


def _fill(argument: str, value: Any) -> float | str:
    return UNKNOWN if isinstance(value, str) and value == UNKNOWN else arguments.number(argument, value)


def _columns(argument: str, value: Any) -> tuple[Column, ...]:
    is_list = isinstance(value, (tuple, list)) and len(value) > 0
    if not is_list or not all(isinstance(entry, Column) for entry in value):
        raise ParameterError(f"{argument} is {shown(value)}, expected one or more Column")
    return tuple(value)


class Column(Value):
    """What a column of a table means to a network.

    Parameters
    ----------
    name : str
    categories : sequence of str, optional
        The values of a categorical column that have an input each; distinct, and none is "(unknown)". None if
        the column is numeric.
    fill : float or str, optional
        What takes the place of missing values: a number, or "(unknown)" if the column is categorical. None if
        missing values are an error.

    Raises
    ------
    ParameterError
        An argument is not as above.

    Examples
    --------
    >>> fastbp.io.Column("island", categories=["Biscoe", "Dream"]).feature_names
    ('island=Biscoe', 'island=Dream', 'island=(unknown)')
    """

    name: str = text()
    categories: tuple[str, ...] | None = checked_by(_categories, "sequence of str", default=None)
    fill: float | str | None = checked_by(_fill, "float or str", default=None)

    def __post_init__(self) -> None:
        if self.fill is not None and isinstance(self.fill, str) != (self.categories is not None):
            expected = "a number" if self.categories is None else repr(UNKNOWN)
            raise ParameterError(f"fill is {shown(self.fill)}, expected {expected} for {shown(self.name)}")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the inputs that the column becomes."""
        if self.categories is None:
            return (self.name,)
        return tuple(f"{self.name}={category}" for category in (*self.categories, UNKNOWN))

    def __repr__(self) -> str:
        categories = "" if self.categories is None else f", categories={shown(self.categories)}"
        fill = "" if self.fill is None else f", fill={self.fill!r}"
        return f"Column({shown(self.name)}{categories}{fill})"


class Table(Value):
    """What the columns of a file mean to a network: its inputs, and its targets or classes.

    A numeric column is one input. A categorical column is one input per category, which is 1 in the rows with
    this category, and a last one for "(unknown)": categories that are not in `categories`, and missing values
    where the column fills them. The columns are found by their names; others are ignored.

    Parameters
    ----------
    columns : sequence of Column
        The columns that become inputs, with distinct names.
    targets : sequence of str
        The columns to predict: one for classification, one or more for regression.
    classes : sequence of str, optional
        The names of the classes, two or more, distinct, by their labels; None for regression.

    Raises
    ------
    ParameterError
        An argument is not as above, a target is an input, or two inputs would have the same name.

    See Also
    --------
    Table.learn : makes a table from the columns of a file.
    average_unseen : lets categories that training did not see act as the average one.
    """

    columns: tuple[Column, ...] = checked_by(_columns, "sequence of Column")
    targets: tuple[str, ...] = checked_by(_targets, "sequence of str")
    classes: tuple[str, ...] | None = checked_by(_classes, "sequence of str", default=None)

    def __post_init__(self) -> None:
        names = _texts("the names of columns", [column.name for column in self.columns], 1)
        _texts("the inputs", self.feature_names, 1)
        both = [name for name in self.targets if name in names]
        if both:
            raise ParameterError(f"targets has {shown(both[0])}, which is an input, too")
        if self.classes is not None and len(self.targets) > 1:
            raise ParameterError(f"targets has {len(self.targets)} columns, expected one with the classes")

    @classmethod
    def learn(
        cls,
        columns: Columns,
        *,
        target: Sequence[str],
        task: Task = "auto",
        categorical: Sequence[str] = (),
        drop: Sequence[str] = (),
        impute: bool = False,
    ) -> Table:
        """Return the table that fits the columns of a file: categories, classes, and values to impute.

        Parameters
        ----------
        columns : Columns
            What `fastbp.io.read_columns` returned.
        target : sequence of str
            The columns to predict.
        task : {"auto", "classification", "regression"}
            What the targets are. "auto" takes one column for classes if it has text, or integers of which two
            are distinct, or at most 20 and a tenth of the rows; else the targets are numbers.
        categorical : sequence of str
            Numeric columns whose values are categories, such as codes of regions.
        drop : sequence of str
            Columns that become no inputs.
        impute : bool
            Whether missing values are allowed, in `columns` and later: the median takes their place in
            numeric columns, "(unknown)" in categorical ones.

        Returns
        -------
        Table

        Raises
        ------
        DataError
            There are no rows; an input is missing and `impute` is False; a target is missing; a column has no
            value at all; a text column has more than 1000 categories, or more than 20 that are more than
            half of its rows, as columns of names and dates have.
        ParameterError
            `columns` is not a `Columns`; a name is not that of a column, or is given for two purposes; the
            targets do not fit the task.

        Notes
        -----
        Categories and classes are in the order of their numbers, if all are numbers, else in that of their
        characters. Text stays as it is in the file; a number is written as an integer if it is one.
        """
        columns = checked(columns)
        task = arguments.choice("task", task, {t: t for t in ("auto", "classification", "regression")})
        return _learning.learn(
            cls,
            Column,
            columns,
            targets=_learning.names_in("target", target, columns),
            task=task,
            categorical=_learning.names_in("categorical", categorical, columns),
            dropped=_learning.names_in("drop", drop, columns),
            impute=arguments.flag("impute", impute),
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the inputs, such as "bill_length_mm", "island=Biscoe" and "island=(unknown)"."""
        return tuple(chain.from_iterable(column.feature_names for column in self.columns))

    def inputs(self, columns: Columns) -> NDArray[np.float64]:
        """Return the inputs of a network (n, n_in), in the order of `feature_names`.

        Raises
        ------
        ParameterError
            `columns` is not a `Columns`.
        DataError
            A column is missing, a numeric one holds text, or a value is missing that the table does not fill;
            the message names the column and the line.
        """
        return _encoding.inputs(self.columns, checked(columns))

    def answers(self, columns: Columns) -> NDArray[Any]:
        """Return labels (n,) as int64, or targets (n, k) as float64 if the table has no classes.

        Raises
        ------
        ParameterError
            `columns` is not a `Columns`.
        DataError
            A target is missing, has a missing value, a class that the table does not have, or text instead of
            a number; the message names the column and the line.
        """
        if self.classes is None:
            return _encoding.numbers(self.targets, checked(columns))
        return _encoding.labels(self.targets[0], self.classes, checked(columns))

    def describe(self) -> dict[str, Any]:
        """Return the table as a dict that JSON can hold."""
        return _description.describe(self.columns, self.targets, self.classes)

    @classmethod
    def described(cls, description: Any) -> Table:
        """Return the table with a description, as `describe` returns it; DataError if it is not valid."""
        return _description.described(cls, Column, description)

    def __repr__(self) -> str:
        names = ", ".join(shown(column.name) for column in self.columns[:MOST])
        more = f" and {len(self.columns) - MOST} more" if len(self.columns) > MOST else ""
        targets = ", ".join(map(shown, self.targets[:MOST])) + (", ..." if len(self.targets) > MOST else "")
        what = "regression" if self.classes is None else f"{len(self.classes)} classes"
        return f"<Table: {names}{more} -> {targets} ({what})>"
