"""Fields of immutable value objects, such as losses and optimizers: type, default and bounds in one line.

    class Adam(GradientOptimizer):
        beta1: float = number(default=0.9, at_least=0, below=1)

The constructor of `fastbp._base.value.Value`, its checks, its signature and mypy's view of it follow from
these lines. A test compares them with the docstrings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import frexp, inf, nextafter
from sys import float_info
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeAlias, TypeVar, overload

from fastbp._base import arguments

Given = TypeVar("Given", contravariant=True)
Kept = TypeVar("Kept", covariant=True)

Check: TypeAlias = Callable[[str, Any], Any]  # (argument, value) -> the value to keep, or ParameterError

# above, at least (a number, or the name of a field), below
Bounds: TypeAlias = tuple[float | None, float | str | None, float | None]

MISSING: Any = object()  # the default of a field that must be given
MAX = float_info.max


class Declared:
    """Declaration of a field.

    Parameters
    ----------
    check : callable
        Takes the argument's name and value; returns the value to keep, or raises ParameterError.
    kind : str
        Kind of the accepted values, as written in docstrings: "float".
    default : object
        Value if the argument is not given; never checked. If it is None, None is accepted.
    bounds : tuple
        Numbers that the value is above, at least and below; None for no bound.
    kw_only, init, repr : bool
        As in `dataclasses.field`.

    Attributes
    ----------
    floor : str
        Name of the field that is the lower bound, or "".
    """

    __slots__ = ("bounds", "check", "default", "floor", "init", "kind", "kw_only", "repr")

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
    ) -> None:
        self.check = partial(_unless_none, check) if default is None else check
        self.kind, self.bounds, self.default = kind, bounds, default
        self.kw_only, self.init, self.repr = kw_only, init, repr
        self.floor = bounds[1] if isinstance(bounds[1], str) else ""

    @property
    def text(self) -> str:
        """Accepted values, as written in docstrings: "float, >= 0 and < 1"."""
        bounds = [
            f"{sign} {_written(bound)}"
            for sign, bound in zip((">", ">=", "<"), self.bounds, strict=True)
            if bound is not None
        ]
        parts = [
            self.kind,
            *([" and ".join(bounds)] if bounds else []),
            *(["optional"] if self.default is None else []),
        ]
        return ", ".join(parts)


class Converted(Generic[Given, Kept]):
    """Type of a field whose constructor takes another type than the field has; for type checkers only."""

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type) -> Kept: ...
        def __get__(self, instance: object, owner: type) -> Any: ...
        def __set__(self, instance: object, value: Given) -> None: ...


def checked(check: Check, kind: str, *, default: Any = MISSING, kw_only: bool = False) -> Any:
    """Declare a field by a function that checks it."""
    return Declared(check, kind, default, kw_only=kw_only)


def _unless_none(check: Check, argument: str, value: Any) -> Any:
    return None if value is None else check(argument, value)


def fixed(value: Any, *, init: Literal[False] = False) -> Any:
    """Declare a field that has one value for all of a class: the constructor does not take it."""
    return Declared(anything, "object", value, init=init, repr=False)


def anything(argument: str, value: Any) -> Any:
    """Accept any value."""
    return value


def later(argument: str, value: Any) -> Any:
    """Accept a value that is checked once all fields are known."""
    return value


def number(
    *,
    default: Any = MISSING,
    above: float | None = None,
    at_least: float | str | None = None,
    below: float | None = None,
    kw_only: bool = False,
) -> Any:
    """Declare a finite real number within bounds, kept as a float.

    `at_least` may name another field; it is then the only bound.
    """
    if isinstance(at_least, str):
        return Declared(later, "float", default, bounds=(above, at_least, below), kw_only=kw_only)
    least = at_least
    lowest = -MAX if above is None else nextafter(above, inf)
    lowest = lowest if least is None else float(least)
    highest = MAX if below is None else nextafter(below, -inf)

    def check(argument: str, value: Any) -> float:
        if type(value) is float and lowest <= value <= highest:
            return value
        return arguments.number(argument, value, above=above, at_least=least, below=below)

    return Declared(check, "float", default, bounds=(above, at_least, below), kw_only=kw_only)


def integer(*, default: Any = MISSING, at_least: int, below: int | None = None, kw_only: bool = False) -> Any:
    """Declare an integer within bounds."""
    check = partial(arguments.integer, at_least=at_least, below=below)
    return Declared(check, "int", default, bounds=(None, at_least, below), kw_only=kw_only)


def flag(*, default: Any = MISSING, kw_only: bool = False) -> Any:
    """Declare True or False."""
    return checked(arguments.flag, "bool", default=default, kw_only=kw_only)


def text(*, default: Any = MISSING, kw_only: bool = False) -> Any:
    """Declare a string."""
    return checked(arguments.text, "str", default=default, kw_only=kw_only)


def one_of(*names: str, default: Any = MISSING, kw_only: bool = False) -> Any:
    """Declare one of some strings."""
    check = partial(arguments.choice, table={name: name for name in names})
    written = " or ".join(f'"{name}"' for name in names)
    return checked(check, written, default=default, kw_only=kw_only)


def _written(bound: float | str) -> str:
    if isinstance(bound, str):
        return bound
    mantissa, exponent = frexp(bound)
    return f"2**{exponent - 1}" if mantissa == 0.5 and abs(exponent) > 20 else f"{bound:g}"
