"""The user's callables in a file: they are stored by name, and given to `load` by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import nan
from typing import Any, NoReturn, Self

from fastbp._base import arguments
from fastbp._base.fields import text
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.exceptions import ParameterError
from fastbp.losses import CustomLoss, Loss
from fastbp.optimizers import NoRate, Optimizer
from fastbp.optimizers._base import Trainable
from fastbp.schedules import Schedule


class Named:
    """The callables and values that a file stores by name.

    Attributes
    ----------
    found : dict
        The objects by name; a second object of the same name is "name 2".
    """

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def name_of(self, thing: Any) -> str:
        """Return the name of an object, which it has from now on."""
        given = getattr(thing, "__name__", None)
        base = str(given) if isinstance(given, str) else type(thing).__name__
        name, number = base, 1
        while name in self.found and not _same(self.found[name], thing):
            number += 1
            name = f"{base} {number}"
        self.found[name] = thing
        return name


def _same(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, Value) and type(one) is type(other) and one == other)


class Given:
    """What the user gives for the names in a file.

    Parameters
    ----------
    custom : mapping of str to objects, or None
        The argument of `load`.
    path : str or path-like
        The file.

    Attributes
    ----------
    path : str
    optional : bool
        Whether the file is only for inference, which needs no loss and no optimizer: a stand-in replaces what
        is not given, and raises ParameterError when it is used.
    """

    def __init__(self, custom: Any, path: Any) -> None:
        self.path = arguments.path("path", path)
        if custom is not None and not isinstance(custom, Mapping):
            raise ParameterError(f"custom is {shown(custom)}, expected a mapping of names to callables")
        self._custom: dict[Any, Any] = {} if custom is None else dict(custom)
        self.optional = False
        self._absent: dict[str, Any] = {}  # the stand-ins by name
        for name in self._custom:
            if not isinstance(name, str):
                raise ParameterError(f"custom has the name {shown(name)}, expected a string")

    def function(self, name: str, where: str, is_needed: bool = False) -> Callable[..., Any]:
        """Return the function of this name, or a stand-in unless a network for inference needs it, too."""
        if name in self._custom:
            found: Callable[..., Any] = self._custom[name]
            if not callable(found) or isinstance(found, (type, Loss)):  # a loss returns no derivative
                raise self._unfit(name, where, "a function, or an object that can be called")
            return found
        if is_needed or not self.optional:
            self.refuse(name, where)
        stand_in: Absent = self._absent.setdefault(name, Absent(name, where))
        return stand_in

    def value(self, name: str, where: str, kind: type[Value]) -> Any:
        """Return the value of this name, which has a class of the user's, or a stand-in."""
        if name in self._custom:
            if not isinstance(self._custom[name], kind):
                raise self._unfit(name, where, f"{_article(kind.__name__)} {kind.__name__}")
            return self._custom[name]
        if self.optional and kind is Optimizer:
            return self._absent.setdefault(name, AbsentOptimizer(name, where))
        if self.optional and kind is Loss:
            return AbsentLoss(self._absent.setdefault(name, Absent(name, where)))
        self.refuse(name, where)

    def _unfit(self, name: str, where: str, expected: str) -> ParameterError:
        return ParameterError(
            f"custom[{name!r}] is {shown(self._custom[name])}, expected {expected}: {self.path} has it as "
            f"its {where}"
        )

    def refuse(self, name: str, where: str) -> NoReturn:
        """Raise ParameterError: nothing was given for this name."""
        given = f"has only {', '.join(map(shown, self._custom))}" if self._custom else "is empty"
        raise ParameterError(
            f"custom {given}, expected {shown(name)}: {self.path} has only the name of its {where}; call "
            f"load(path, custom={{{shown(name)}: ...}})"
        )


def _article(noun: str) -> str:
    return "an" if noun[0] in "AEIOU" else "a"


def _refuse_use(name: str, where: str) -> NoReturn:
    raise ParameterError(
        f"{where} is {shown(name)}, which the model file has only by name, expected "
        f"load(path, custom={{{shown(name)}: ...}}) if the network is to be trained or evaluated"
    )


class Absent:
    """Stand-in for a function that was not given: a network for inference does not call it.

    Parameters
    ----------
    name : str
        The function's name, with which the network is saved again.
    where : str
        What the function is for.
    """

    def __init__(self, name: str, where: str) -> None:
        self.__name__, self._where = name, where

    def __call__(self, *_: object) -> NoReturn:
        _refuse_use(self.__name__, self._where)

    def __repr__(self) -> str:
        return f"<{self.__name__}, which was not given>"


class AbsentLoss(CustomLoss):
    """Stand-in for a loss of a class of the user's that was not given; its function is an `Absent`."""

    @property
    def __name__(self) -> str:
        return str(self)


class AbsentOptimizer(Optimizer):
    """Stand-in for an optimizer of a class of the user's that was not given.

    Parameters
    ----------
    name : str
    where : str
    """

    row = "sgd"
    clip_norm = None
    clip_value = None
    name: str = text()
    where: str = text()

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        return (nan,)

    def schedule(self, epoch: int) -> Schedule:
        return NoRate()

    def with_learning_rate(self, rate: float) -> Self:
        _refuse_use(self.name, self.where)

    def check(self, architecture: Trainable, batch_rows: int, rows: int) -> None:
        _refuse_use(self.name, self.where)

    def check_step(self, call: str) -> None:
        _refuse_use(self.name, self.where)
