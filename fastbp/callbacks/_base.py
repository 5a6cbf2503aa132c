"""The base class of the callbacks of this package, and the protocols of the user's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from fastbp._base.value import Value
from fastbp.callbacks._state import EpochState
from fastbp.optimizers import Optimizer

Function: TypeAlias = Callable[[EpochState], object]
Columns: TypeAlias = Mapping[str, bool]  # what a fit measures, each with whether greater is better


class OnEpochEnd(Protocol):
    """An object with a method that is called after each epoch.

    It may have any of the other hooks, too; one of them is enough: `on_fit_begin`, `on_epoch_begin`,
    `on_batch_end`, `on_fit_end`.
    """

    def on_epoch_end(self, state: EpochState, /) -> object:
        """Look at the state; the return value is ignored."""


class Watcher:
    """Object with the hooks of a callback for one fit, as `begin` returns it; it stores what they remember.

    Attributes
    ----------
    state : dict
        All that it remembers, numbers and strings by name. If the callback has ``resume = True``, the
        network keeps the dict, and so do its copies and pickles; the next fit's watcher gets what it holds.
    """

    def __init__(self) -> None:
        self.state: dict[str, float | str] = {}


class Callback(Value, ABC):
    """Base class of the callbacks of this package: a value that starts again in each fit, or resumes.

    Attributes
    ----------
    resume : bool
        Whether the next fit with an equal callback goes on with what this one remembers.
    restores : bool
        Whether it decides which epoch the fit ends with; of several such callbacks, all but one are refused.
    """

    @property
    def restores(self) -> bool:
        """Whether it decides which epoch the fit ends with."""
        return False

    @abstractmethod
    def begin(self, columns: Columns) -> Watcher:
        """Return the object with the hooks to call; ParameterError if the fit lacks a column."""

    def check(self, argument: str, optimizer: Optimizer) -> None:
        """Raise ParameterError for an optimizer that it cannot work with."""
