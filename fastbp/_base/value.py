"""Frozen values: dataclasses whose methods are written once.

`dataclasses` compiles the methods of every class anew at each import, which took longer than all the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, FrozenInstanceError, dataclass, fields, replace
from inspect import Parameter, signature
from typing import Any, ClassVar, Self, dataclass_transform

import numpy as np

from fastbp._base.arguments import held
from fastbp.exceptions import ParameterError, UnknownArgumentError


class Named:
    """A class whose constructor refuses unknown keyword arguments and names those that may be meant.

    It is apart from `Value` so that `inspect.signature` finds the `__init__` of that before this `__new__`.
    """

    _names: ClassVar[dict[str, None]] = {}  # in their order

    def __new__(cls, *_: Any, **named: Any) -> Self:
        """Check the names, and leave the values to `__init__`."""
        if not named.keys() <= cls._names.keys():
            cls._refuse_unknown(named)
        return super().__new__(cls)

    @classmethod
    def _refuse_unknown(cls, named: dict[str, Any]) -> None:
        """Raise UnknownArgumentError unless `__init__` takes all of these names."""
        _, *parameters = signature(cls.__init__).parameters.values()
        if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
            return  # to `_set`
        known = [parameter.name for parameter in parameters]
        for name in named:
            if name not in known:
                raise cls._unknown(name, known)

    @classmethod
    def _unknown(cls, name: str, known: Iterable[str]) -> UnknownArgumentError:
        from fastbp._base.hints import unknown  # which only the error needs

        return unknown(cls.__name__, name, known)


@dataclass_transform(frozen_default=True)
class Value(Named):
    """A value: its fields cannot be changed, and two of a class are equal if their fields are.

    A subclass names its fields as a dataclass does and, where it has any, `_set`s them in its `__init__`,
    which takes and checks them by name: copies, pickles and `dataclasses.replace` call it. One whose
    `__init__` takes something else can be used, but copied and pickled only if it has a `__reduce__` of its
    own. A field that is None asks for nothing: repr leaves it out.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init__(self) -> None:
        """Set nothing: there are no fields."""

    def __init_subclass__(cls) -> None:
        dataclass(init=False, repr=False, eq=False)(cls)
        cls._names = dict.fromkeys(field.name for field in fields(cls) if field.init)

    def _set(self, **values: Any) -> None:
        """Set fields, from `__init__`."""
        if not values.keys() <= self._names.keys():
            raise self._unknown(min(values.keys() - self._names), self._names)
        vars(self).update(values)

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Refuse numbers that dtype cannot hold, or that are out of bounds once rounded to it."""
        ones = check_numbers(self, vars(self), dtype)
        try:
            if ones:
                replace(self, **ones)
        except TypeError:  # `__init__` takes something else
            pass
        except ParameterError as error:
            raise ParameterError(f"{self} is refused in {dtype}, which rounds its numbers: {error}") from None

    def __getstate__(self) -> dict[str, Any]:
        replace(self)  # fail now rather than when the state is read
        return {name: getattr(self, name) for name in self._names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if vars(self):
            raise FrozenInstanceError(f"cannot set the state of {self!r}")
        vars(self).update(vars(type(self)(**state)))

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


def check_numbers(owner: object, values: Mapping[str, Any], dtype: np.dtype[Any]) -> dict[str, float]:
    """Refuse numbers that dtype cannot hold; return those that it rounds to 1, which is often a bound."""
    ones = {}
    for name, x in values.items():
        if isinstance(x, Value):
            x.check_dtype(dtype)
        elif x and isinstance(x, float) and held(name, x, dtype, owner) == 1 != x:
            ones[name] = 1.0
    return ones
