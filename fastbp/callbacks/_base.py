"""The base class of the callbacks of this package, and the protocols of the user's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.callbacks._state import EpochState
from fastbp.exceptions import DataError
from fastbp.optimizers import Optimizer

Function: TypeAlias = Callable[[EpochState], object]
Columns: TypeAlias = Mapping[str, bool]  # what a fit measures, each with whether greater is better


class OnFitBegin(Protocol):
    """An object with a method that is called before the first step; it may have the other hooks, too."""

    def on_fit_begin(self, state: EpochState, /) -> object:
        """Look at the state; the return value is ignored."""


class OnEpochBegin(Protocol):
    """An object with a method that is called before each epoch; it may have the other hooks, too."""

    def on_epoch_begin(self, state: EpochState, /) -> object:
        """Look at the state; the return value is ignored."""


class OnBatchEnd(Protocol):
    """An object with a method that is called after each step; it may have the other hooks, too."""

    def on_batch_end(self, state: EpochState, /) -> object:
        """Look at the state; the return value is ignored."""


class OnEpochEnd(Protocol):
    """An object with a method that is called after each epoch; it may have the other hooks, too."""

    def on_epoch_end(self, state: EpochState, /) -> object:
        """Look at the state; the return value is ignored."""


class OnFitEnd(Protocol):
    """An object with a method that is called when the fit ends; it may have the other hooks, too."""

    def on_fit_end(self, state: EpochState, /) -> object:
        """Look at the state; the return value is ignored."""


class Begins(Protocol):
    """An object that makes the object with the hooks, one for each fit, as every `Callback` does."""

    def begin(self, columns: Columns, /) -> object:
        """Return the object with the hooks to call."""


#: What `fit` takes as a callback.
AnyCallback: TypeAlias = Function | OnFitBegin | OnEpochBegin | OnBatchEnd | OnEpochEnd | OnFitEnd | Begins


class Watcher:
    """Object with the hooks of a callback for one fit, as `begin` returns it; it stores what they remember.

    Attributes
    ----------
    state : dict
        All that it remembers, numbers and strings by name. If the callback has ``resume = True``, the
        network keeps the dict, and so do its copies and pickles, which DataError refuses for other objects;
        the next fit's watcher gets what it holds. Checkpoints store it in any case, and a fit that continues
        from one has it again before `on_fit_begin`.
    """

    def __init__(self) -> None:
        self.state: dict[str, float | str] = {}


def plain(state: Any, callback: str = "a callback") -> dict[str, float | str]:
    """Return a copy of the `state` of a watcher, with Python's numbers for NumPy's.

    `callback` is what errors call the callback.

    Raises
    ------
    DataError
        It has something else than numbers and strings by name, which a copied network could not keep.
    """
    found = {}
    for name, given in state.items():
        value = given.item() if isinstance(given, np.generic) else given
        if not isinstance(name, str) or not isinstance(value, (int, float, str)):
            raise DataError(
                f"{callback} remembers {shown(value)} as {shown(name)}, expected numbers and strings by name"
            )
        found[name] = value
    return found


def is_like(value: object, first: object) -> bool:
    """Tell whether a callback may remember this where it first remembers that; a count is finite."""
    if isinstance(first, str) or not isinstance(value, (int, float)):
        return isinstance(first, str) and isinstance(value, str)
    try:
        return isfinite(value) or isinstance(first, float)
    except OverflowError:  # an integer beyond the largest float
        return not isinstance(first, float)


class Callback(Value, ABC):
    """Base class of the callbacks of this package: a value that starts again in each fit, or resumes.

    Attributes
    ----------
    resume : bool
        Whether the next fit with an equal callback goes on with what this one remembers.
    restores : bool
        Whether it decides which epoch the fit ends with; of several such callbacks, all but one are refused.
    only_watches : bool
        Whether the fit has the same results without it. A fit that is continued from a checkpoint may have
        other callbacks of this kind.
    """

    only_watches: ClassVar[bool] = False

    @property
    def restores(self) -> bool:
        """Whether it decides which epoch the fit ends with."""
        return False

    @abstractmethod
    def begin(self, columns: Columns) -> Watcher:
        """Return the object with the hooks to call; ParameterError if the fit lacks a column."""

    def check(self, argument: str, optimizer: Optimizer) -> None:
        """Raise ParameterError for an optimizer that it cannot work with."""
