"""Immutable value objects, such as losses and optimizers: dataclasses whose constructor checks every field.

The module `dataclasses` is not used because it compiles methods for each class, which took half of the
import time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, dataclass_transform

import numpy as np

from fastbp._base.arguments import held
from fastbp._base.dataclass_view import DataclassFields, FieldSignature, signature_of
from fastbp._base.field_table import FieldTable, read_fields
from fastbp._base.fields import checked_by, checked_later, fixed, flag, integer, number, one_of, text
from fastbp.exceptions import ParameterError, UnknownArgumentError

if TYPE_CHECKING:
    from dataclasses import Field

    from fastbp._base.fields import Declared


class Named:
    """A class whose constructor refuses unknown keyword arguments and suggests known ones.

    It is separate from `Value` so that `inspect.signature` finds the `__init__` of a subclass before this
    `__new__`.
    """

    _names: ClassVar[dict[str, None]] = {}  # names of the arguments, in their order

    def __new__(cls, *_: Any, **named: Any) -> Self:
        """Check the keyword names; `__init__` checks the values."""
        if named and not named.keys() <= cls._names.keys():
            cls._refuse_unknown(named)
        return super().__new__(cls)

    @classmethod
    def _refuse_unknown(cls, named: Mapping[str, Any]) -> None:
        """Raise UnknownArgumentError unless `__init__` takes all of these names."""
        _, *parameters = signature(cls.__init__).parameters.values()
        if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
            return  # the constructor of `Value` sees them
        known = [parameter.name for parameter in parameters]
        for name in named:
            if name not in known:
                raise cls._unknown(name, known)

    @classmethod
    def _unknown(cls, name: str, known: Iterable[str]) -> UnknownArgumentError:
        from fastbp._base.hints import unknown  # which only the error needs

        return unknown(cls.__name__, name, known)


@dataclass_transform(
    frozen_default=True,
    field_specifiers=(number, integer, flag, text, one_of, checked_by, checked_later, fixed),
)
class Value(Named):
    """A value: its fields cannot be changed, and two of a class are equal if their fields are.

    A subclass declares each field in one line, by a function of `fastbp._base.fields`; the constructor, its
    checks and its signature follow. A field may also have a type alone, or a type and a default, as in
    dataclasses; then it is not checked, unless a base class has a check for it. `__post_init__` checks what
    concerns several fields. For the module `dataclasses`, the class is a dataclass.

    A subclass may have its own `__init__`, which calls this one with declared fields. It passes fields that
    have a type alone on by name, or `_set`s them. Copies, pickles and `dataclasses.replace` call it with all
    fields by name, so an `__init__` with other arguments works, but its values can be copied and pickled only
    with a `__reduce__`.

    A field that is None asks for nothing: repr leaves it out.
    """

    __signature__ = FieldSignature()
    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    _table: ClassVar[FieldTable] = FieldTable({}, {}, {})

    def __init__(self, *args: Any, **named: Any) -> None:
        """Check the arguments and set the fields; defaults need no check."""
        table = self._table
        values = table.defaults.copy()
        if args:
            positional = table.positional
            if len(args) > len(positional):
                self._refuse_call(args, named)
            for i, value in enumerate(args):
                name, check = positional[i]
                if name in named:
                    self._refuse_call(args, named)
                values[name] = check(name, value)
        for name, value in named.items():
            if name not in table.checks:
                raise self._unknown(name, self._names)
            values[name] = table.checks[name](name, value)
        for name in table.required:
            if name not in values:
                self._refuse_call(args, named)
        if values:
            self.__dict__.update(values)
        if table.has_post_init:
            self.__post_init__()

    def __post_init__(self) -> None:
        """Refuse fields that do not go together."""

    def __init_subclass__(cls) -> None:
        cls._table = table = read_fields(
            cls,
            [base.__dict__["_table"] for base in cls.__mro__[:0:-1] if "_table" in base.__dict__],
            has_own_init=cls.__init__ is not Value.__init__,
            has_post_init=cls.__post_init__ is not Value.__post_init__,
        )
        cls._names = table.names
        if not TYPE_CHECKING:
            if "__match_args__" not in cls.__dict__:
                cls.__match_args__ = tuple(name for name, _ in table.positional)
            cls.__dataclass_fields__ = DataclassFields()

    @classmethod
    def _refuse_unknown(cls, named: Mapping[str, Any]) -> None:
        if cls._table.has_own_init:
            super()._refuse_unknown(named)

    @classmethod
    def _refuse_call(cls, args: tuple[Any, ...], named: Mapping[str, Any]) -> NoReturn:
        """Raise Python's TypeError for too many, missing or repeated arguments."""
        table = cls._table
        try:
            bound = signature_of(table).bind(*args, **named)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}: {error}") from None
        missing = next(name for name in table.required if name not in bound.arguments)
        raise TypeError(f"{cls.__name__}: missing a required argument: {missing!r}")

    @classmethod
    def _check_fields(cls, **values: Any) -> dict[str, Any]:
        """Return values of some fields, checked as the fields are declared."""
        checks = cls._table.checks
        return {name: checks[name](name, value) for name, value in values.items()}

    def _set(self, **values: Any) -> None:
        """Set fields, from `__init__`."""
        if not values.keys() <= self._names.keys():
            raise self._unknown(min(values.keys() - self._names), self._names)
        vars(self).update(values)

    # An attribute `_fields` would make `help` show all private names, as it does for named tuples.
    def _content(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._table.declared])

    def __replace__(self, **changes: Any) -> Self:
        """Return a copy with other values of some fields, through the constructor."""
        fields = {name: getattr(self, name) for name in self._names}
        return type(self)(**fields | changes)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the fields by name, as estimators of scikit-learn do, so that its `clone` copies values.

        With `deep`, the fields of a value in the field "name" follow as "name__field".
        """
        found = {name: getattr(self, name) for name in self._names}
        for name, value in [*found.items()] if deep else ():
            if isinstance(value, Value):
                found |= {f"{name}__{field}": inner for field, inner in value.get_params().items()}
        return found

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Refuse numbers that dtype cannot hold, or that are out of bounds once rounded to it."""
        ones = check_numbers(self, vars(self), dtype)
        try:
            if ones:
                self.__replace__(**ones)
        except TypeError:  # `__init__` takes something else
            pass
        except ParameterError as error:
            raise ParameterError(f"{self} is refused in {dtype}, which rounds its numbers: {error}") from None

    def __getstate__(self) -> dict[str, Any]:
        self.__replace__()  # fail now rather than when the state is read
        return {name: getattr(self, name) for name in self._names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if vars(self):
            raise frozen(f"cannot set the state of {self!r}")
        vars(self).update(vars(type(self)(**state)))

    def __setattr__(self, name: str, value: Any) -> None:
        raise frozen(f"cannot assign to {name!r} of {self!r}")

    def __delattr__(self, name: str) -> None:
        raise frozen(f"cannot delete {name!r} of {self!r}")

    def __eq__(self, other: object) -> bool:
        return self._content() == other._content() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._content()))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value!r}"
            for (name, field), value in zip(self._table.declared.items(), self._content(), strict=True)
            if field.repr and not _is_left_out(field, value)
        )
        return f"{type(self).__name__}({shown})"


def _is_left_out(field: Declared, value: object) -> bool:
    """Tell whether `repr` leaves out a field that has its default: None, or that of a quiet field."""
    return (value is None or field.is_quiet) and value == field.default


def frozen(message: str) -> AttributeError:
    """Return the FrozenInstanceError of dataclasses."""
    from dataclasses import FrozenInstanceError  # which only the error needs

    return FrozenInstanceError(message)


def check_numbers(owner: object, values: Mapping[str, Any], dtype: np.dtype[Any]) -> dict[str, float]:
    """Refuse numbers that dtype cannot hold; return those that it rounds to 1, which is often a bound."""
    ones = {}
    for name, x in values.items():
        if isinstance(x, Value):
            x.check_dtype(dtype)
        elif x and isinstance(x, float) and held(name, x, dtype, owner) == 1 != x:
            ones[name] = 1.0
    return ones
