"""The callbacks of one fit, sorted by the moments at which they are called."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from fastbp._base.shown import shown
from fastbp.callbacks._averaging import WeightAveraging
from fastbp.callbacks._base import AnyCallback, Callback, Columns, Function, Watcher, is_like, plain
from fastbp.callbacks._checkpoint import Checkpoint
from fastbp.callbacks._state import EpochState
from fastbp.exceptions import DataError, ParameterError
from fastbp.optimizers import Optimizer

Callbacks: TypeAlias = AnyCallback | Sequence[AnyCallback]
Remembered: TypeAlias = Mapping[str, Mapping[str, float | str]]  # by callback, the states of their watchers

HOOKS = ("on_fit_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_fit_end")

#: Names of other libraries, which would never be called, and the hook to use instead.
FOREIGN = {
    "on_train_begin": "on_fit_begin",
    "on_train_end": "on_fit_end",
    "on_train_batch_end": "on_batch_end",
    "on_train_epoch_end": "on_epoch_end",
}


class Hooks:
    """The functions to call in one fit, in the order of the callbacks.

    Attributes
    ----------
    on_fit_begin, on_epoch_begin, on_batch_end, on_epoch_end, on_fit_end : list of callables
        Functions of an `EpochState`.
    averaging : WeightAveraging or None
    checkpoints : list of Checkpoint
    restores : bool
        Whether one of the callbacks decides which epoch the fit ends with.
    states : dict
        What the callbacks with ``resume = True`` remember, by the callback: the dicts of their watchers.
    watchers : list
        What checkpoints store of the callbacks: for each that remembers something the callback, or the name
        of an option of `fit`, and the dict of its watcher.
    training : list of Callback
        The callbacks of this package that change the results.
    """

    def __init__(self) -> None:
        self.on_fit_begin: list[Function] = []
        self.on_epoch_begin: list[Function] = []
        self.on_batch_end: list[Function] = []
        self.on_epoch_end: list[Function] = []
        self.on_fit_end: list[Function] = []
        self.averaging: WeightAveraging | None = None
        self.checkpoints: list[Checkpoint] = []
        self.restores = False
        self.states: dict[str, dict[str, float | str]] = {}
        self.watchers: list[tuple[object, dict[str, float | str]]] = []
        self.training: list[Callback] = []

    def __bool__(self) -> bool:
        """Tell whether something has to be done between steps or epochs."""
        between = self.on_epoch_end or self.on_batch_end or self.on_epoch_begin or self.on_fit_begin
        return bool(between or self.averaging)

    def add(self, argument: str, callback: Any, columns: Columns, remembered: Remembered) -> None:
        """Add the hooks of a callback; ParameterError if it has none."""
        watcher = callback
        if isinstance(callback, type):
            own = {}
        else:
            own = _methods(callback)
            if not own and callable(begin := getattr(callback, "begin", None)):
                watcher = begin(columns)
                own = _methods(watcher)
            if not own and callable(watcher):
                own = {"on_epoch_end": watcher}
        if isinstance(callback, Callback) and not callback.only_watches:
            self.training.append(callback)
        if not own or not all(map(callable, own.values())):
            raise ParameterError(
                f"{argument} is {shown(callback)}, expected a function of the state or an object with "
                f"{', '.join(HOOKS[:-1])} or {HOOKS[-1]}"
            )
        for name, hook in FOREIGN.items():
            if callable(getattr(watcher, name, None)):
                raise ParameterError(f"{argument} has a method {name}, expected {hook}: it is never called")
        resumes = getattr(callback, "resume", False) is True
        if resumes:
            self._resume(argument, callback, watcher, remembered)
        if resumes or isinstance(watcher, Watcher):
            self.watchers.append((callback, watcher.state))
        for hook, function in own.items():
            getattr(self, hook).append(function)

    def watched(self, own: bool = False) -> dict[str, dict[str, float | str]]:
        """Return the dicts of `watchers` by name; with `own`, without those of the user's callbacks.

        Those may remember anything from one epoch to the next.
        """
        found: dict[str, dict[str, float | str]] = {}
        for callback, state in self.watchers:
            if not own or isinstance(callback, (Callback, str)):
                found[_unused(_name_of(callback), found)] = state
        return found

    def end(self, state: EpochState, reason: str, error: BaseException | None) -> None:
        """Call the callbacks for the last time, each once; an error of theirs does not hide that of the fit.

        If it is interrupted, the next call goes on with the other callbacks.
        """
        state.reason, first = reason, error
        while self.on_fit_end:
            try:
                self.on_fit_end.pop(0)(state)
            except Exception as raised:
                if first is None:
                    first = raised
                else:
                    first.add_note(f"on_fit_end of a callback raised an error, too: {raised!r}")
        if error is None and first is not None:
            raise first

    def _resume(self, argument: str, callback: Any, watcher: Any, remembered: Remembered) -> None:
        """Let a watcher go on with what the network remembers of an equal callback."""
        state = getattr(watcher, "state", None)
        plain_repr: object = object.__repr__
        if type(callback).__repr__ is plain_repr or not isinstance(state, dict):
            raise ParameterError(
                f"{argument} is {shown(callback)} with resume=True, expected a __repr__ that describes it, "
                "and begin(columns) that returns an object with a dict `state`"
            )
        try:
            plain(state)
        except DataError as error:
            raise ParameterError(f"{argument} is {shown(callback)} with resume=True, but {error}") from error
        key = _unused(repr(callback), self.states)
        before = remembered.get(key, {})
        if isinstance(callback, Callback):  # a file or a copy may have anything
            _check_kinds(argument, callback, before, state)
        state.update(before)
        self.states[key] = state


def _check_kinds(
    argument: str, callback: Callback, before: Mapping[str, Any], start: Mapping[str, Any]
) -> None:
    """Refuse what a callback cannot have remembered, in place of what it starts with; DataError."""
    for name, value in before.items():
        if name in start and not is_like(value, start[name]):
            raise DataError(
                f"{argument} is {shown(callback)}, and the network remembers {shown(value)} as its {name}, "
                f"expected a number like {shown(start[name])}: its file or pickle is damaged"
            )


def _unused(name: str, names: Collection[str]) -> str:
    """Return a name that is none of these yet: equal callbacks remember on their own."""
    while name in names:
        name += "'"
    return name


def _name_of(callback: object) -> str:
    """Return a name that is the same in the next run of a program."""
    if isinstance(callback, str):
        return callback
    plain_repr: object = object.__repr__
    return type(callback).__qualname__ if type(callback).__repr__ is plain_repr else repr(callback)


def _methods(callback: object) -> dict[str, Any]:
    """Return the hooks that an object has, by name."""
    found = {hook: getattr(callback, hook, None) for hook in HOOKS}
    return {hook: method for hook, method in found.items() if method is not None}


def begin(callbacks: Any, columns: Columns, optimizer: Optimizer, remembered: Remembered) -> Hooks:
    """Return the functions to call in a fit, for one callback, a sequence of them, or None.

    Parameters
    ----------
    columns
        What the fit measures, each with whether greater is better.
    remembered
        What the network remembers of callbacks of earlier fits; it stays as it is.
    """
    hooks = Hooks()
    if callbacks is None or (type(callbacks) is tuple and not callbacks):  # the usual case, first
        return hooks
    listed = list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
    restoring = [i for i, callback in enumerate(listed) if _restores(callback)]
    _check_alone("restore an epoch", restoring, listed)
    hooks.restores = bool(restoring)
    means = [i for i, callback in enumerate(listed) if isinstance(callback, WeightAveraging)]
    _check_alone("average the weights", means, listed)
    for i, callback in enumerate(listed):
        if isinstance(callback, Callback):
            callback.check(f"callbacks[{i}]", optimizer)
        if isinstance(callback, WeightAveraging):
            hooks.averaging = callback
            hooks.training.append(callback)
        elif isinstance(callback, Checkpoint):
            hooks.checkpoints.append(callback)
        else:
            hooks.add(f"callbacks[{i}]", callback, columns, remembered)
    return hooks


def _restores(callback: Any) -> bool:
    return not isinstance(callback, type) and getattr(callback, "restores", False) is True


def _check_alone(what: str, found: list[int], listed: list[Any]) -> None:
    """Refuse more than one callback that decides what the fit ends with."""
    if len(found) > 1:
        names = " and ".join(f"callbacks[{i}] ({shown(listed[i])})" for i in found)
        raise ParameterError(f"{names} each {what}, expected one that does")
