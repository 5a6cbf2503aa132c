"""`adapt`: scales a network to the inputs and targets of all shards."""

from __future__ import annotations

from functools import reduce
from typing import Any

from fastbp._data import scaling
from fastbp._data.checks import InputChecks
from fastbp._data.scaling import Moments, Scaling
from fastbp._model import NOTHING, Model
from fastbp.dask._census import common_names
from fastbp.dask._cluster import check_first, executor_of
from fastbp.dask._executor import Executor, names_of_shards
from fastbp.dask._parts import is_empty
from fastbp.dask._shards import itself, made_of, own_checks
from fastbp.dask._sources import sources_of
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.network import Network


def adapt(
    client: Any,
    net: Network,
    X: Any = ...,
    y: Any = ...,
    *,
    shards: Any = None,
    targets: bool = False,
    center: bool = True,
    scale: Any = None,
    target: str | list[str] | None = None,
    weight: str | None = None,
    max_retries: int = 3,
    timeout: float = 300.0,
) -> None:
    """Measure mean and standard deviation over all shards, by which the network scales from now on.

    It is `Network.adapt` for data that need not be on one machine. Each shard is read once and not kept: only
    sums of its columns, in float64, come to the caller, who combines them in the order of the shards (Chan,
    Golub and LeVeque 1983). So the bits do not depend on the cluster; they may differ from those of
    `Network.adapt` on the same rows by rounding, since the sums have other parts.

    Parameters
    ----------
    client : distributed.Client or None
        The cluster, whose workers read the shards. None: this process does, one after the other, to the same
        bits.
    net : Network
        Changes only when all is measured.
    X, y : as for `fit`, or None, optional
        Inputs, targets or both. None: they are not scaled. Default: they are scaled as before. Targets may be
        NaN, for unknown, if the loss takes it. Weights of rows do not count.
    shards : int or list, optional
        As for `fit`. From a list, the inputs are measured.
    targets : bool
        Whether the targets of a list of shards are measured, too.
    center, scale
        As for `Network.adapt`.
    target, weight : str, optional
        As for `fit`.
    max_retries, timeout
        As for `fit`.

    Raises
    ------
    ShapeError, DTypeError, DataError
        Data are not as for `fit`, or so large that squares overflow; the error names the shard.
    ParameterError
        Arguments do not go together, or the targets of the loss cannot be scaled.
    ShardError
        A shard was lost with its workers too often, or there are no workers.
    BusyError
        Another call is using the network.
    """
    check_first(client, net)
    model: Model = net._model
    is_list = isinstance(shards, (list, tuple))
    if is_list and (X is not ... or y is not ...):
        raise ParameterError("X or y is given with a list of shards, expected one of them")
    if not is_list and targets:
        raise ParameterError("targets is True without a list of shards, expected y")
    which = {"X": is_list or _is_data(X), "y": bool(targets) or _is_data(y)}
    if not any(which.values()) and shards is target is weight is None:
        net.adapt(X, y, center=center, scale=scale)
        return
    scaling.check_choice(is_list or X is not ..., which["X"], center, scale)
    checks = own_checks(model.checks, X if which["X"] and not is_list else None)
    given = (None, None) if is_list else (X if which["X"] else None, y if which["y"] else None)
    sources = sources_of(checks, *given, shards=shards, target=target, weight=weight)
    executor = executor_of(client, model.engine.isa, max_retries, timeout)
    try:
        inputs, outputs, names = _measured(executor, made_of(sources, _moments, checks, which))
    finally:
        executor.close()
    found: list[Any] = [inputs if which["X"] else X, outputs if which["y"] else y]
    if inputs is not None and not center:
        found[0] = scaling.without_mean(inputs)
    elif scale is not None:
        found[0] = scaling.factors(scale, checks.n_in, checks.feature_names)
    model.guard.changing("adapt", NOTHING, model.scale, *found, names)


def _is_data(value: Any) -> bool:
    return value is not None and value is not ...


def _moments(
    X: Any, y: Any, sample_weight: Any, checks: InputChecks, which: dict[str, bool]
) -> tuple[tuple[str, ...] | None, dict[str, Moments]]:
    """Return the names of the columns of a shard, and the moments of what is measured; none without rows."""
    X, y = (value if which[name] else None for name, value in (("X", X), ("y", y)))
    names = None if X is None else checks.names_for(X)
    if is_empty(X, y):
        return names, {}
    found: dict[str, Moments] = {}
    if X is not None:
        X = checks.inputs("X", X, names)
        found["X"] = scaling.moments(X)
    if y is not None:
        y = checks.scalable(y, None if X is None else len(X))
        found["y"] = scaling.moments(y, "y", skip_nan=checks.loss.takes_nan)
    return names, found


def _measured(
    executor: Executor, loads: list[Any]
) -> tuple[Scaling | None, Scaling | None, tuple[str, ...] | None]:
    """Return the scalings of inputs and targets over all shards, None of what is not measured, and names."""
    shards = names_of_shards(len(loads))
    columns, found = zip(
        *executor.call(itself, executor.place(loads), [()] * len(loads), names=shards), strict=True
    )
    names = common_names(columns, shards)
    if not any(found):
        raise ShapeError(f"{len(shards)} shards have no rows, expected at least one")
    scalings = []
    for argument in ("X", "y"):
        moments = [each[argument] for each in found if argument in each]
        whole = reduce(Moments.joined, moments) if moments else None
        scalings.append(None if whole is None else scaling.scaling_of(whole, argument))
    return scalings[0], scalings[1], names
