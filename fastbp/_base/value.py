"""Immutable value objects, such as losses and optimizers: dataclasses whose constructor checks every field.

The module `dataclasses` is not used because it compiles methods for each class, which took half of the
import time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import Parameter, Signature, get_annotations, signature
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

import numpy as np

from fastbp._base.arguments import held
from fastbp._base.arguments import number as check_number
from fastbp._base.fields import (
    MISSING,
    Check,
    Declared,
    anything,
    checked,
    fixed,
    flag,
    integer,
    number,
    one_of,
    text,
)
from fastbp.exceptions import ParameterError, UnknownArgumentError

if TYPE_CHECKING:
    from dataclasses import Field


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


class FieldSignature:
    """The `__signature__` of a class whose constructor is that of `Value`."""

    def __get__(self, instance: object, owner: type[Value]) -> Signature:
        """Return the signature; AttributeError for instances and for classes with their own `__init__`."""
        if instance is not None or owner.__init__ is not Value.__init__:
            raise AttributeError("__signature__")
        return owner._signature()


class DataclassFields:
    """The `__dataclass_fields__` of a class of values, made when the module `dataclasses` asks for it."""

    def __get__(self, instance: object, owner: type[Value]) -> dict[str, Field[Any]]:
        """Return the fields, and keep them."""
        import dataclasses

        listed: list[tuple[str, Any, Any]] = [
            (
                name,
                owner._types[name],
                dataclasses.field(
                    default=dataclasses.MISSING if field.default is MISSING else field.default,
                    init=field.init,
                    repr=field.repr,
                    kw_only=field.kw_only,
                ),
            )
            for name, field in owner._declared.items()
        ]
        made: Any = dataclasses.make_dataclass(owner.__name__, listed, init=False, repr=False, eq=False)
        owner.__dataclass_fields__ = found = made.__dataclass_fields__
        owner.__dataclass_params__ = made.__dataclass_params__  # type: ignore[attr-defined]
        return found  # type: ignore[no-any-return]


@dataclass_transform(
    frozen_default=True, field_specifiers=(checked, fixed, number, integer, flag, text, one_of)
)
class Value(Named):
    """A value: its fields cannot be changed, and two of a class are equal if their fields are.

    A subclass declares each field in one line, by a function of `fastbp._base.fields`; the constructor, its
    checks and its signature follow. `__post_init__` checks what concerns several fields. For the module
    `dataclasses`, the class is a dataclass.

    A subclass may have its own `__init__`, which calls this one for the declared fields and `_set`s those
    that are only annotated. Copies, pickles and `dataclasses.replace` call it with all fields by name, so an
    `__init__` with other arguments works, but its values can be copied and pickled only with a `__reduce__`.

    A field that is None asks for nothing: repr leaves it out.
    """

    __signature__ = FieldSignature()
    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    _types: ClassVar[dict[str, Any]] = {}  # annotations of all fields
    _declared: ClassVar[dict[str, Declared]] = {}  # all fields, in their order
    _positional: ClassVar[tuple[str, ...]] = ()  # names of the arguments that may be given by position
    _checks: ClassVar[dict[str, Check]] = {}
    _defaults: ClassVar[dict[str, Any]] = {}
    _floors: ClassVar[tuple[tuple[str, str], ...]] = ()  # fields, each with the one that is its lower bound
    _is_related: ClassVar[bool] = False  # whether some fields depend on others

    def __init__(self, *args: Any, **named: Any) -> None:
        """Check the arguments and set the fields; defaults need no check."""
        checks = self._checks
        values = self._defaults.copy()
        if args:
            names = self._positional
            if len(args) > len(names) or (named and not named.keys().isdisjoint(names[: len(args)])):
                self._refuse_call(args, named)
            for name, value in zip(names, args, strict=False):
                values[name] = checks[name](name, value)
        for name, value in named.items():
            if name not in checks:
                raise self._unknown(name, self._names)
            values[name] = checks[name](name, value)
        if len(values) < len(checks):
            self._refuse_call(args, named)
        if self._is_related:
            for name, floor in self._floors:
                values[name] = check_number(name, values[name], at_least=values[floor])
            self.__dict__.update(values)
            self.__post_init__()
        else:
            self.__dict__.update(values)

    def __post_init__(self) -> None:
        """Refuse fields that do not go together."""

    def __init_subclass__(cls) -> None:
        types: dict[str, Any] = {}
        declared: dict[str, Declared] = {}
        for base in cls.__mro__[:0:-1]:
            if "_declared" in base.__dict__:
                types |= base.__dict__["_types"]
                declared |= base.__dict__["_declared"]
        for name, annotation in get_annotations(cls).items():
            if "ClassVar" in str(annotation).partition("[")[0]:
                declared.pop(name, None)
                continue
            field = cls.__dict__.get(name, MISSING)
            types[name] = annotation
            declared[name] = field if isinstance(field, Declared) else Declared(anything, "object", field)
            if not declared[name].init:
                setattr(cls, name, declared[name].default)
            elif field is not MISSING:
                delattr(cls, name)  # an object that was never constructed has no fields
        cls._types, cls._declared = types, declared
        cls._prepare(own_init=cls.__init__ is not Value.__init__)
        if not TYPE_CHECKING:
            cls.__match_args__ = cls._positional
            cls.__dataclass_fields__ = DataclassFields()

    @classmethod
    def _prepare(cls, own_init: bool) -> None:
        """Set what the constructor reads; a class's own `__init__` sets the fields without a check."""
        positional: list[str] = []
        named: list[str] = []
        checks, defaults, floors = {}, {}, []
        for name, field in cls._declared.items():
            if field.init:
                (named if field.kw_only else positional).append(name)
                if own_init and field.check is anything:
                    continue
                checks[name] = field.check
                if field.default is not MISSING:
                    defaults[name] = field.default
                if field.floor:
                    floors.append((name, field.floor))
        cls._names = dict.fromkeys(positional + named)
        cls._positional = (
            tuple(name for name in positional if name in checks) if own_init else tuple(positional)
        )
        cls._checks, cls._defaults, cls._floors = checks, defaults, tuple(floors)
        cls._is_related = bool(floors) or cls.__post_init__ is not Value.__post_init__

    @classmethod
    def _refuse_unknown(cls, named: Mapping[str, Any]) -> None:
        if cls.__init__ is not Value.__init__:
            super()._refuse_unknown(named)

    @classmethod
    def _refuse_call(cls, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        """Raise Python's TypeError for too many, missing or repeated arguments."""
        try:
            cls._signature().bind(*args, **named)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}: {error}") from None

    @classmethod
    def _signature(cls) -> Signature:
        """Return the signature that the declared fields make."""
        return Signature(
            [
                Parameter(
                    name,
                    Parameter.KEYWORD_ONLY if field.kw_only else Parameter.POSITIONAL_OR_KEYWORD,
                    default=Parameter.empty if field.default is MISSING else field.default,
                    annotation=cls._types[name],
                )
                for name, field in ((name, cls._declared[name]) for name in cls._names)
                if name in cls._checks
            ]
        )

    @classmethod
    def _checked(cls, **values: Any) -> dict[str, Any]:
        """Return values of some fields, checked as the fields are declared."""
        return {name: cls._checks[name](name, value) for name, value in values.items()}

    def _set(self, **values: Any) -> None:
        """Set fields, from `__init__`."""
        if not values.keys() <= self._names.keys():
            raise self._unknown(min(values.keys() - self._names), self._names)
        vars(self).update(values)

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._declared)

    def __replace__(self, **changes: Any) -> Self:
        """Return a copy with other values of some fields, through the constructor."""
        fields = {name: getattr(self, name) for name in self._names}
        return type(self)(**fields | changes)

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
        return self._fields() == other._fields() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._fields()))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value!r}"
            for (name, field), value in zip(self._declared.items(), self._fields(), strict=True)
            if field.repr and value is not None
        )
        return f"{type(self).__name__}({shown})"


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
