"""Classes of values as the modules `inspect` and `dataclasses` see them, computed on demand."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from fastbp._base.fields import MISSING

if TYPE_CHECKING:
    from dataclasses import Field

    from fastbp._base.field_table import FieldTable


class FieldSignature:
    """The `__signature__` of a class whose constructor is that of `Value`."""

    def __get__(self, instance: object, owner: Any) -> Signature:
        """Return the signature; AttributeError for instances and for classes with their own `__init__`."""
        if instance is not None or owner._table.has_own_init:
            raise AttributeError("__signature__")
        return signature_of(owner._table)


class DataclassFields:
    """The `__dataclass_fields__` of a class of values, made when the module `dataclasses` asks for it."""

    def __get__(self, instance: object, owner: Any) -> dict[str, Field[Any]]:
        """Return the fields, and keep them."""
        import dataclasses

        table: FieldTable = owner._table
        listed: list[tuple[str, Any, Any]] = [
            (
                name,
                table.types[name],
                dataclasses.field(
                    default=dataclasses.MISSING if field.default is MISSING else field.default,
                    init=field.init,
                    repr=field.repr,
                    kw_only=field.kw_only,
                ),
            )
            for name, field in table.declared.items()
        ]
        made: Any = dataclasses.make_dataclass(owner.__name__, listed, init=False, repr=False, eq=False)
        owner.__dataclass_fields__ = found = made.__dataclass_fields__
        owner.__dataclass_params__ = made.__dataclass_params__
        return found  # type: ignore[no-any-return]


def signature_of(table: FieldTable) -> Signature:
    """Return the signature of `Value.__init__` for a class; with its own `__init__`, nothing is required."""
    missing = None if table.has_own_init else Parameter.empty
    return Signature(
        [
            Parameter(
                name,
                Parameter.KEYWORD_ONLY if table.declared[name].kw_only else Parameter.POSITIONAL_OR_KEYWORD,
                default=table.defaults.get(name, missing),
                annotation=table.argument_types.get(name, table.types[name]),
            )
            for name in table.names
        ]
    )
