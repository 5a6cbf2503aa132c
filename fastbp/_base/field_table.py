"""The table of a class's fields, read from its annotations and from the tables of its bases."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import get_annotations
from typing import TYPE_CHECKING, Any

from fastbp._base.fields import MISSING, Declared, plain

if TYPE_CHECKING:
    from fastbp._base.fields import Check


class FieldTable:
    """Fields of a class of values, arranged as its constructor reads them.

    Parameters
    ----------
    declared : dict
        All fields, in their order.
    types : dict
        Types of all fields.
    argument_types : dict
        Types of the constructor's arguments, of those that differ from the field's type.
    has_own_init : bool
        Whether the class has its own `__init__`, in which it may set the plain fields.
    has_post_init : bool
        Whether the class has a `__post_init__`.

    Attributes
    ----------
    names : dict
        Names of the arguments, in their order.
    positional : tuple of (str, callable)
        Names and checks of the arguments that may be given by position.
    checks : dict
        Checks of all arguments.
    defaults : dict
    required : tuple of str
        Names of the arguments without a default.
    """

    __slots__ = (
        "argument_types",
        "checks",
        "declared",
        "defaults",
        "has_own_init",
        "has_post_init",
        "names",
        "positional",
        "required",
        "types",
    )

    def __init__(
        self,
        declared: dict[str, Declared],
        types: dict[str, Any],
        argument_types: dict[str, Any],
        *,
        has_own_init: bool = False,
        has_post_init: bool = False,
    ) -> None:
        self.declared, self.types, self.argument_types = declared, types, argument_types
        self.has_own_init, self.has_post_init = has_own_init, has_post_init
        checks, defaults, required = {}, {}, []
        positional: list[tuple[str, Check]] = []
        named: list[str] = []
        for name, field in declared.items():
            if not field.init:
                continue
            checks[name] = field.check
            if field.kw_only:
                named.append(name)
            else:
                positional.append((name, field.check))
            if has_own_init and field.is_plain:
                continue
            if field.default is MISSING:
                required.append(name)
            else:
                defaults[name] = field.default
        self.names = dict.fromkeys([name for name, _ in positional] + named)
        self.positional, self.required = tuple(positional), tuple(required)
        self.checks, self.defaults = checks, defaults

    def check_order(self, owner: str) -> None:
        """Refuse a positional argument without a default after one that has a default."""
        earlier = None
        for name, _ in self.positional:
            if name in self.defaults:
                earlier = name
            elif earlier is not None:
                raise TypeError(
                    f"the field {name} of {owner} has no default, but follows {earlier}, which has one: "
                    "expected a default, or an __init__"
                )


def read_fields(
    cls: type, bases: Iterable[FieldTable], *, has_own_init: bool, has_post_init: bool
) -> FieldTable:
    """Return the table of a class; a default that is written as in dataclasses stays on the class.

    Raises
    ------
    TypeError
        A field is written in a way that only `dataclasses` knows.
    """
    declared: dict[str, Declared] = {}
    types: dict[str, Any] = {}
    argument_types: dict[str, Any] = {}
    for base in bases:
        declared |= base.declared
        types |= base.types
        argument_types |= base.argument_types
    for name, annotation in get_annotations(cls).items():
        outer = _outer_name(annotation)
        if outer == "ClassVar":
            declared.pop(name, None)
            continue
        if not isinstance(cls.__dict__.get(name), Declared):
            _refuse_foreign(cls, name, annotation, outer)
        types[name] = annotation
        argument_types.pop(name, None)
        if outer == "Converted":
            argument_types[name], _, types[name] = annotation[len("Converted[") : -1].partition(", ")
            cls.__annotations__[name] = types[name]
        declared[name] = _declare(cls, name, declared.get(name))
    table = FieldTable(
        declared, types, argument_types, has_own_init=has_own_init, has_post_init=has_post_init
    )
    if not has_own_init:
        table.check_order(cls.__name__)
    return table


def _declare(cls: type, name: str, inherited: Declared | None) -> Declared:
    """Return the declaration of an annotated field, and set what the class has under its name."""
    value = cls.__dict__.get(name, MISSING)
    if isinstance(value, Declared):
        delattr(cls, name)  # `help` would list it as a method
        if not value.init:
            setattr(cls, name, value.default)
        elif hasattr(cls, name):  # an attribute of a base, which it hides
            setattr(cls, name, value)
        return value
    if value is MISSING and inherited is not None:
        return inherited  # the class has another type only
    default = getattr(cls, name, MISSING)  # of the class or a base
    is_hiding = value is MISSING and hasattr(type(default), "__get__")  # a property or a method of a base
    if is_hiding:
        default = MISSING
    field = plain(default) if inherited is None else inherited.with_default(default)
    field.__set_name__(cls, name)
    if is_hiding:
        setattr(cls, name, field)
    elif value is not MISSING:
        setattr(cls, name, field.default)
    return field


def _outer_name(annotation: Any) -> str:
    """Return the name of a type without module and parameters: "ClassVar" of "typing.ClassVar[int]"."""
    written = annotation if isinstance(annotation, str) else repr(annotation)
    return written.partition("[")[0].rpartition(".")[2].strip(" '\"<>")


def _refuse_foreign(cls: type, name: str, annotation: Any, outer: str) -> None:
    """Refuse what `dataclasses` reads in its own way, and defaults that could be changed."""
    value = cls.__dict__.get(name)
    field = f"{cls.__name__}.{name}"
    if outer in ("KW_ONLY", "InitVar") or type(annotation).__module__ == "dataclasses":
        raise TypeError(
            f"{field} is written with KW_ONLY or InitVar of dataclasses, expected an __init__ that takes "
            "such arguments"
        )
    if type(value).__module__ == "dataclasses":
        raise TypeError(f"{field} is a dataclasses.field, expected a type and a default: {name}: float = 1.0")
    if type(value).__hash__ is None:
        raise TypeError(
            f"{field} has the default {value!r}, which can be changed, expected a constant such as a tuple, "
            "or an __init__ that makes it"
        )
