"""Tables in the header of a model file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from fastbp._base.shown import shown
from fastbp.exceptions import DataError, ParameterError

T = TypeVar("T")

MEMBERS = ("columns", "targets", "classes")
COLUMN_MEMBERS = ("name", "categories", "fill")


class ColumnLike(Protocol):
    """A `fastbp.io.Column`."""

    @property
    def name(self) -> str: ...

    @property
    def categories(self) -> tuple[str, ...] | None: ...

    @property
    def fill(self) -> float | str | None: ...

    @property
    def feature_names(self) -> tuple[str, ...]: ...


def describe(
    columns: Sequence[ColumnLike], targets: Sequence[str], classes: Sequence[str] | None
) -> dict[str, Any]:
    """Return the parts of a table as a dict that JSON can hold."""
    return {
        "columns": [
            {
                "name": column.name,
                "categories": None if column.categories is None else [*column.categories],
                "fill": column.fill,
            }
            for column in columns
        ],
        "targets": [*targets],
        "classes": None if classes is None else [*classes],
    }


def described(make_table: Callable[..., T], make_column: Callable[..., Any], description: Any) -> T:
    """Return a table from its description; DataError if it describes none."""
    _check_members("a table", description, MEMBERS)
    columns = description["columns"]
    if not isinstance(columns, (list, tuple)):
        raise DataError(f"the columns of a table are {shown(columns)}, expected a list")
    for column in columns:
        _check_members("a column", column, COLUMN_MEMBERS)
    try:
        return make_table(
            [make_column(**column) for column in columns], description["targets"], description["classes"]
        )
    except ParameterError as error:
        raise DataError(f"no table is described: {error}") from None


def _check_members(what: str, description: Any, members: tuple[str, ...]) -> None:
    if not isinstance(description, Mapping) or sorted(map(repr, description)) != sorted(map(repr, members)):
        raise DataError(f"{what} is described by {shown(description)}, expected {', '.join(members)}")
