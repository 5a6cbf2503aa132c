"""Data of all kinds as shards: the calls that read them, each on the machine that works on the shard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from fastbp._data.checks import InputChecks
from fastbp._data.sample_weights import ClassWeight, balanced, class_counts, resolve_weights
from fastbp.dask._executor import Executor, Load, is_dask
from fastbp.dask._files import Raw
from fastbp.dask._parts import is_empty, part_of
from fastbp.dask._sources import are_sharded, sources_of
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError


def loads_of(
    executor: Executor,
    checks: InputChecks,
    X: Any = None,
    y: Any = None,
    sample_weight: Any = None,
    shards: Any = None,
    *,
    target: Any = None,
    weight: str | None = None,
    class_weight: ClassWeight | None = None,
    what: str = "shard",
) -> list[Load]:
    """Return the loads of the shards, each of which becomes a `Part`.

    With ``class_weight="balanced"``, all shards are read once to count the rows of the classes.

    Parameters
    ----------
    executor : Executor
        What counts the classes.
    checks : InputChecks
        Those of the network; later changes of them do not count.
    X, y, sample_weight, shards, target, weight
        See `sources_of`.
    class_weight : mapping or "balanced", optional
        As for `Network.fit`.
    what : str
        What a shard is called in errors.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above, or arrays in memory are not as for `Network.fit`. What is wrong with
        other data is found when they are read; these errors name the shard.
    """
    if (X is None) != (y is None):
        missing, given = ("X", "y") if X is None else ("y", "X")
        raise ParameterError(f"{missing} is None beside {given}, expected both, or a list of shards instead")
    checks = own_checks(checks, X)
    if X is not None and not are_sharded(X, y, sample_weight):
        X, y = checks.examples(X, y)
        resolve_weights(checks, y, sample_weight, class_weight)  # errors with rows of the whole data
    sources = sources_of(checks, X, y, sample_weight, shards, target=target, weight=weight)
    if isinstance(class_weight, str) and class_weight == "balanced":
        class_weight = balanced_over(executor, sources, checks)
    return made_of(sources, part_of, checks, class_weight, what=what)


def own_checks(checks: InputChecks, X: Any) -> InputChecks:
    """Return a copy of the checks, with the names of the columns of X if the caller can tell them."""
    checks = copy(checks)
    if checks.feature_names is None and X is not None:
        if not is_dask(X):
            checks.feature_names = checks.names_for(X)  # none for a list of shards
        elif hasattr(type(X), "columns"):
            names = tuple(X.columns)
            are_names = len(set(names)) == len(names) and all(isinstance(name, str) for name in names)
            checks.feature_names = names if are_names and len(names) == checks.n_in else None
    return checks


def made_of(sources: Sequence[Load], make: Callable[..., Any], *own: Any, what: str = "shard") -> list[Load]:
    """Return loads of what ``make(X, y, sample_weight, *own)`` returns for each shard."""
    names = names_of_shards(len(sources), what)
    return [
        Load(_made, (make, own, name, source.function, *source.arguments))
        for name, source in zip(names, sources, strict=True)
    ]


def _made(
    make: Callable[..., Any], own: tuple[Any, ...], name: str, read: Callable[..., Raw], *of: Any
) -> Any:
    try:
        return make(*read(*of), *own)
    except (ShapeError, DTypeError, DataError, ParameterError) as error:
        raise type(error)(f"{name}: {error}") from error


def names_of_shards(n: int, what: str = "shard") -> list[str]:
    """Return what n shards are called in errors."""
    return [f"{what} {i + 1} of {n}" for i in range(n)]


def balanced_over(executor: Executor, sources: Sequence[Load], checks: InputChecks) -> dict[int, float]:
    """Return the weights of the classes for ``class_weight="balanced"``, counted over all shards."""
    handles = executor.place(made_of(sources, _class_counts, checks))
    names = names_of_shards(len(sources))
    total: dict[int, int] = {}
    for counts in executor.call(itself, handles, [()] * len(names), names=names):
        for label, n in counts.items():
            total[label] = total.get(label, 0) + n
    return balanced(total)


def _class_counts(X: Any, y: Any, sample_weight: Any, checks: InputChecks) -> dict[int, int]:
    if is_empty(X, y, sample_weight):
        return {}
    _, y = checks.examples(X, y)
    return class_counts(checks, y, sample_weight)


def itself(value: Any) -> Any:
    """Return what was loaded, which is small."""
    return value
