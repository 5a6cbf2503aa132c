"""The point from which a fit continues, read from a checkpoint and compared with the fit."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from fastbp._base.arguments import path as path_of
from fastbp._base.shown import shown
from fastbp._model import Model
from fastbp._model_file import contents
from fastbp._model_file.callables import Given
from fastbp._model_file.described import decode_states
from fastbp._model_file.parts import MisfitError, expect, float_of, take, take_or_none
from fastbp._model_file.values import decode
from fastbp._training.snapshot import is_finite
from fastbp._version import __version__
from fastbp.callbacks._base import is_like
from fastbp.exceptions import DataError, ModelFileError, ParameterError
from fastbp.optimizers import NoRate, Optimizer
from fastbp.schedules import Schedule

if TYPE_CHECKING:
    from fastbp._engine.protocol import Progress

Array: TypeAlias = NDArray[Any]
#: What a fit that continues must have in common with the one before: options, and digests of arrays.
Same: TypeAlias = dict[str, Any]
States: TypeAlias = dict[str, dict[str, float | str]]  # what callbacks remember, by callback

DATA = ("X", "y", "sample_weight or class_weight", "validation_data")  # of which there are digests
LONGEST = 500  # characters of a callback in messages
START_OVER = "to start over, move or delete that file"


class Kept(NamedTuple):
    """The epoch that a callback kept: the arguments of `Snapshot.put`."""

    epoch: int
    extra: tuple[Optimizer, Schedule, States]
    parameters: Array  # (P,)
    state: Array  # (vectors, P)
    steps: int
    memory: NDArray[np.float64] | None


class Point(NamedTuple):
    """Where a fit was.

    Attributes
    ----------
    path : str
    model : Model
        The network, at this point.
    first_epoch : int
        Number of epochs of the network before the fit.
    progress : tuple
        As `Run.progress`.
    is_under_way : bool
        Whether the next epoch, or the rest of one, has begun: `on_epoch_begin` has been called.
    stopped : str
        Why the fit has ended; "" if it goes on.
    watched : dict
        What callbacks remember.
    kept : Kept or None
    average : tuple of int and array (P,), or None
        Number of terms in the mean of the parameters, and the mean.
    """

    path: str
    model: Model
    first_epoch: int
    progress: Progress
    is_under_way: bool
    stopped: str
    watched: States
    kept: Kept | None
    average: tuple[int, Array] | None


class Fitting(NamedTuple):
    """The fit that is to continue.

    Attributes
    ----------
    epochs : int
        Number of epochs, those before the checkpoint included.
    steps_per_epoch : int
        0 if it is not known.
    same : dict
        What `checkpoints.same_of` returns.
    watched : mapping
        What fastbp's own callbacks remember at the start of the fit.
    isa : str
        The instruction set that it uses.
    """

    epochs: int
    steps_per_epoch: int
    same: Same
    watched: Mapping[str, Mapping[str, Any]]
    isa: str


class Present(Given):
    """Gives a checkpoint the functions that the network has under the same names."""

    def refuse(self, name: str, where: str) -> NoReturn:
        """Raise ParameterError: the network has no function of this name."""
        raise ParameterError(
            f"{where} has another name in this network, expected {shown(name)} as in the checkpoint "
            f"{self.path}; {START_OVER}"
        )


class Found(NamedTuple):
    """What is in a file that exists."""

    given: Present  # with the path of the file
    model: Model
    description: dict[str, Any]
    tensors: dict[str, Array]


def read(resume: Any, model: Model) -> Found | None:
    """Return what is in the file of the argument `resume` of `fit`; None if there is no such file.

    Raises
    ------
    ParameterError
        The argument is no path, or the file has functions of other names than the model.
    ModelFileError
        The file is damaged, or no checkpoint.
    """
    given = Present(contents.callables_of(model), path_of("resume", resume))
    try:
        saved = contents.read(given, model.engine_class)
    except FileNotFoundError:
        return None
    if "fit" not in saved.description:
        raise ModelFileError(
            f"{given.path} is a model file, but no checkpoint: the callback Checkpoint writes those"
        )
    return Found(given, saved.model, saved.description, saved.tensors)


def point_of(saved: Found, model: Model, fitting: Fitting) -> Point:
    """Return the point that a checkpoint has for a fit.

    Parameters
    ----------
    saved : Found
        What `read` returned.
    model : Model
        The model to train; it stays as it is.
    fitting : Fitting

    Raises
    ------
    ParameterError, DataError
        The network or the fit is another one.
    ModelFileError
        The file is no checkpoint.
    """
    path = saved.given.path
    try:
        fit = take(saved.description, "", "fit", dict)
        if not is_finite(saved.model.engine):
            raise MisfitError("parameters or optimizer state have NaN or infinity, expected finite numbers")
        _compare_models(path, model, saved.model)
        _compare(path, take(fit, "fit", "same", dict), fitting.same)
        point = _point(saved, fit, fitting)
    except MisfitError as error:
        raise ModelFileError(f"{path} is no checkpoint of this fit: {error}") from error
    _warn(path, saved.description, fitting.isa)
    return point


def _compare_models(path: str, model: Model, saved: Model) -> None:
    """Raise ParameterError unless a checkpoint has the same kind of network."""
    present, before = model.architecture, saved.architecture
    _check_equal(path, "dtype", before.dtype.name, present.dtype.name)
    _check_equal(path, "number of layers", len(before.layers), len(present.layers))
    for i, (layer, own) in enumerate(zip(before.layers, present.layers, strict=True)):
        for option in layer._fields:
            _check_equal(path, f"net.layers[{i}].{option}", getattr(layer, option), getattr(own, option))
        initializers = before.initializers[i], present.initializers[i]
        _check_equal(path, f"initializer of net.layers[{i}]", *initializers)
    for name in ("loss", "input_noise"):
        _check_equal(path, name, getattr(before, name), getattr(present, name))
    _check_equal(path, "optimizer", saved.chosen, model.chosen)


def _compare(path: str, before: Mapping[str, Any], same: Same) -> None:
    """Raise ParameterError or DataError, which names the argument, unless the fit is the same."""
    for name, present in same.items():
        if name in DATA:
            if before.get(name) != present:
                raise DataError(
                    f"{name} is not that of the fit in the checkpoint {path}, expected the same values, "
                    f"shape and dtype; {START_OVER}"
                )
        elif name == "callbacks":
            _compare_callbacks(path, before.get(name), present)
        else:
            _check_equal(path, name, before.get(name), present)


def _compare_callbacks(path: str, before: Any, present: list[str]) -> None:
    """Raise ParameterError unless the callbacks are the same, in the same order; each is a repr."""
    before = before if isinstance(before, list) else []
    for one, other in zip_longest(before, present, fillvalue="no more"):
        if one != other:
            expected = str(one)[:LONGEST]
            raise ParameterError(
                f"callbacks has {other}, expected {expected} as in the checkpoint {path}; {START_OVER}"
            )


def _check_equal(path: str, name: str, before: Any, present: Any) -> None:
    if before != present:
        raise ParameterError(
            f"{name} is {shown(present)}, expected {shown(before)} as in the checkpoint {path}; {START_OVER}"
        )


def _point(saved: Found, fit: Mapping[str, Any], fitting: Fitting) -> Point:
    """Return the point that the part "fit" of a description has."""
    progress = _progress(take(fit, "fit", "progress", list), fitting.steps_per_epoch)
    first_epoch = take(fit, "fit", "first_epoch", int)
    if not 0 <= first_epoch == len(saved.model.history) - progress[0]:
        raise MisfitError(
            f"fit.first_epoch is {shown(first_epoch)}, with a history of {len(saved.model.history)} epochs"
        )
    is_under_way = take(fit, "fit", "under_way", bool)
    if progress[1] and not is_under_way:
        raise MisfitError("fit.under_way is false inside an epoch")
    needed = progress[0] + is_under_way
    if fitting.epochs < needed:
        raise ParameterError(
            f"epochs is {fitting.epochs}, expected at least {needed}, which the fit in the checkpoint "
            f"{saved.given.path} has begun"
        )
    return Point(
        saved.given.path,
        saved.model,
        first_epoch,
        progress,
        is_under_way,
        _stopped(take(fit, "fit", "stopped", str), progress[0], is_under_way, fitting.epochs),
        _watched(take(fit, "fit", "watched", dict), fitting.watched),
        _kept(saved, take_or_none(fit, "fit", "kept", dict), progress[0]),
        _average(saved, take_or_none(fit, "fit", "averaged", int)),
    )


def _progress(found: list[Any], steps_per_epoch: int) -> Progress:
    """Return the progress of a run, as `Run.resume` takes it."""
    if len(found) != 4:
        raise MisfitError(f"fit.progress is {shown(found)}, expected 4 numbers")
    epoch, step = (expect(found[i], f"fit.progress[{i}]", int) for i in (0, 1))
    total, weight = (float_of(found[i], f"fit.progress[{i}]") for i in (2, 3))
    most = steps_per_epoch or inf
    if not (epoch >= 0 and 0 <= step < most and isfinite(total) and 0 <= weight < inf):
        raise MisfitError(f"fit.progress is {shown(found)}, expected that of epochs of {most} steps")
    return epoch, step, total, weight


def _stopped(stopped: str, epoch: int, is_under_way: bool, epochs: int) -> str:
    """Return why the fit has ended; "" if there is more to do.

    A time limit is that of one call, so the next call goes on; and a fit of more epochs does, too.
    """
    if is_under_way:
        return ""
    if stopped in ("", "epochs", "max_seconds"):
        return "epochs" if epoch == epochs else ""
    return stopped


def _watched(found: dict[str, Any], watched: Mapping[str, Mapping[str, Any]]) -> States:
    """Return what callbacks remember; those that the fit has now start with the same names and kinds."""
    states = decode_states(found, "fit.watched")
    for name in states.keys() & watched.keys():
        for entry, first in watched[name].items():
            value = states[name].get(entry)
            if not is_like(value, first):
                raise MisfitError(
                    f"fit.watched: {entry} of {name} is {shown(value)}, expected one like {shown(first)}"
                )
    return states


def _kept(saved: Found, found: dict[str, Any] | None, epochs: int) -> Kept | None:
    """Return the epoch that a callback kept, if there is one."""
    if found is None:
        return None
    where, engine = "fit.kept", saved.model.engine
    optimizer = decode(take(found, where, "optimizer", dict), f"{where}.optimizer", Optimizer, saved.given)
    rate = take_or_none(found, where, "schedule", dict)
    schedule = NoRate() if rate is None else decode(rate, f"{where}.schedule", Schedule, saved.given)
    if type(optimizer) is not type(saved.model.chosen):
        raise MisfitError(f"{where}.optimizer is {optimizer}, expected one like {saved.model.chosen}")
    states = decode_states(take(found, where, "remembered", dict), f"{where}.remembered")
    memory = None
    if "fit.kept.memory" in saved.tensors:
        memory = _tensor(saved, "fit.kept.memory", (engine.parameters.size + 2,), np.dtype(np.float64))
    epoch, steps = take(found, where, "epoch", int), take(found, where, "steps", int)
    if not (0 <= epoch <= epochs and 0 <= steps <= engine.t):
        raise MisfitError(
            f"{where} is epoch {shown(epoch)} after {shown(steps)} steps, expected one before the point"
        )
    return Kept(
        epoch,
        (optimizer, schedule, states),
        _tensor(saved, "fit.kept.parameters", engine.parameters.shape, engine.parameters.dtype),
        _tensor(saved, "fit.kept.state", engine.state.shape, engine.state.dtype),
        steps,
        memory,
    )


def _average(saved: Found, terms: int | None) -> tuple[int, Array] | None:
    """Return the mean of the parameters, if the fit has one."""
    if terms is None:
        return None
    parameters = saved.model.engine.parameters
    if not 0 <= terms <= saved.model.engine.t:
        raise MisfitError(f"fit.averaged is {terms}, expected at most the number of steps")
    return terms, _tensor(saved, "fit.average", parameters.shape, parameters.dtype)


def _tensor(saved: Found, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a tensor of the fit."""
    found = saved.tensors.get(name)
    if found is None or found.shape != shape or found.dtype != dtype:
        what = "missing" if found is None else f"of shape {found.shape} and dtype {found.dtype}"
        raise MisfitError(f"the tensor {name} is {what}, expected {shape} of {dtype}")
    if not np.isfinite(found).all():
        raise MisfitError(f"the tensor {name} has NaN or infinity, expected finite numbers")
    return found


def _warn(path: str, description: Mapping[str, Any], isa: str) -> None:
    """Warn if the last bits of the results may differ from those without a stop."""
    before = description["isa"], description["version"]
    if before != (isa, __version__):
        warn(
            f"the checkpoint {path} was written on {before[0]:.40} by fastbp {before[1]:.40}, and the fit "
            f"continues on {isa} with fastbp {__version__}: the last bits of results may differ from those "
            "without a stop",
            stacklevel=7,  # the caller of `Network.fit`
        )
