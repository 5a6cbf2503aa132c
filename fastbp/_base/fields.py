"""Declarations of fields of immutable values, such as losses and optimizers: type, default and bounds.

    class Adam(GradientOptimizer):
        beta1: float = number(default=0.9, at_least=0, below=1)

The constructor of `fastbp._base.value.Value`, its checks, its signature and mypy's view of it follow from
these lines. A test compares them with the docstrings.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial
from math import inf, nextafter
from sys import float_info
from typing import Any, Literal, NoReturn, TypeAlias

from fastbp._base import arguments

Check: TypeAlias = Callable[[str, Any], Any]  # (argument, value) -> the value to keep, or ParameterError
Bounds: TypeAlias = tuple[float | None, float | None, float | None]  # above, at least, below

MISSING: Any = object()  # the default of a field that must be given
MAX = float_info.max


class Declared:
    """Declaration of a field.

    Where a base class has an attribute of the same name, such as a property, the declaration stays on the
    class and hides it. Values have their fields in their `__dict__`, so an object that was never constructed
    has none.

    Parameters
    ----------
    check : callable
        Takes the argument's name and value; returns the value to keep, or raises ParameterError.
    kind : str
        Kind of the accepted values: "float". Only the test of the docstrings reads `kind` and `bounds`.
    default : object
        Value if the argument is not given; the constructor does not check it. If it is None, None is
        accepted.
    bounds : tuple
        Numbers that the value is above, at least and below; None for no bound.
    kw_only, init, repr : bool
        As in `dataclasses.field`.
    is_quiet : bool
        Whether `repr` of a value leaves the field out if it has its default.
    is_plain : bool
        Whether the class has only a type for the field, and perhaps a default. Then it is not checked, and
        a class with its own `__init__` may set it there.
    """

    __slots__ = (
        "bounds",
        "check",
        "default",
        "init",
        "is_plain",
        "is_quiet",
        "kind",
        "kw_only",
        "name",
        "repr",
    )

    def __init__(
        self,
        check: Check,
        kind: str,
        default: Any = MISSING,
        *,
        bounds: Bounds = (None, None, None),
        kw_only: bool = False,
        init: bool = True,
        repr: bool = True,
        is_plain: bool = False,
        is_quiet: bool = False,
    ) -> None:
        self.check = partial(_unless_none, check) if default is None and not is_plain else check
        self.kind, self.bounds, self.default = kind, bounds, default
        self.kw_only, self.init, self.repr, self.is_plain = kw_only, init, repr, is_plain
        self.is_quiet = is_quiet

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        """Raise AttributeError: neither the class nor this object has a value for the field."""
        raise AttributeError(f"{owner.__name__!r} has no value for the field {self.name!r}")

    def with_default(self, default: Any) -> Declared:
        """Return the same declaration with another default, which is checked."""
        other = copy(self)
        other.default = self.check(self.name, default)
        return other


# ---- the declarations --------------------------------------------------------------------------------------


def number(
    *,
    default: Any = MISSING,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    kw_only: bool = False,
) -> Any:
    """Declare a finite real number within bounds, kept as a float."""
    # A float within the bounds passes by one comparison with the smallest and the largest one; the next float
    # stands for a bound that is excluded.
    lowest = -MAX if above is None else nextafter(above, inf)
    lowest = lowest if at_least is None else float(at_least)
    highest = MAX if below is None else nextafter(below, -inf)

    def check(argument: str, value: Any) -> float:
        if type(value) is float and lowest <= value <= highest:
            return value
        return arguments.number(argument, value, above=above, at_least=at_least, below=below)

    return Declared(check, "float", default, bounds=(above, at_least, below), kw_only=kw_only)


def integer(*, default: Any = MISSING, at_least: int, below: int | None = None, kw_only: bool = False) -> Any:
    """Declare an integer within bounds."""
    check = partial(arguments.integer, at_least=at_least, below=below)
    return Declared(check, "int", default, bounds=(None, at_least, below), kw_only=kw_only)


def flag(*, default: Any = MISSING, kw_only: bool = False, is_quiet: bool = False) -> Any:
    """Declare True or False."""
    return Declared(arguments.flag, "bool", default, kw_only=kw_only, is_quiet=is_quiet)


def text(*, default: Any = MISSING, kw_only: bool = False) -> Any:
    """Declare a string."""
    return Declared(arguments.text, "str", default, kw_only=kw_only)


def one_of(*names: str, default: Any = MISSING, kw_only: bool = False, is_quiet: bool = False) -> Any:
    """Declare one of some strings."""
    check = partial(arguments.choice, table={name: name for name in names})
    kind = " or ".join(f'"{name}"' for name in names)
    return Declared(check, kind, default, kw_only=kw_only, is_quiet=is_quiet)


def checked_by(check: Check, kind: str, *, default: Any = MISSING, kw_only: bool = False) -> Any:
    """Declare a field that a function checks."""
    return Declared(check, kind, default, kw_only=kw_only)


def checked_later(kind: str, *, default: Any = MISSING, kw_only: bool = False) -> Any:
    """Declare a field that `__post_init__` checks."""
    return Declared(_accept, kind, default, kw_only=kw_only)


def fixed(value: Any, *, init: Literal[False] = False) -> Any:
    """Declare a field that has one value for all of a class: the constructor does not take it."""
    return Declared(_accept, "object", value, init=init, repr=False)


def plain(default: Any = MISSING) -> Declared:
    """Declare a field of which the class has only a type, and perhaps a default."""
    return Declared(_accept, "object", default, is_plain=True)


def _accept(argument: str, value: Any) -> Any:
    return value


def _unless_none(check: Check, argument: str, value: Any) -> Any:
    return None if value is None else check(argument, value)
