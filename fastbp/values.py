"""Frozen values: dataclasses whose methods are written once.

`dataclasses` compiles the methods of every class anew at each import, which took longer than all the rest.
"""

from __future__ import annotations

from dataclasses import Field, FrozenInstanceError, dataclass, fields
from typing import Any, ClassVar, dataclass_transform


@dataclass_transform(frozen_default=True)
class Value:
    """A value: its fields cannot be changed, and two of a class are equal if their fields are.

    A subclass names its fields as a dataclass does and, where it has any, `_set`s them in its `__init__`.
    `dataclasses.fields` and `dataclasses.replace` know it. A field that is None asks for nothing: repr
    leaves it out.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls) -> None:
        dataclass(init=False, repr=False, eq=False)(cls)

    def _set(self, **values: Any) -> None:
        """Set fields, from `__init__`."""
        vars(self).update(values)

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to {name!r} of {self!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete {name!r} of {self!r}")

    def __eq__(self, other: object) -> bool:
        return self._fields() == other._fields() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._fields()))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{field.name}={value!r}"
            for field, value in zip(fields(self), self._fields(), strict=True)
            if field.repr and value is not None
        )
        return f"{type(self).__name__}({shown})"
