"""The description in a model file: a `Model` without its numbers as JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fastbp import _core
from fastbp._architecture import Architecture
from fastbp._base.shown import shown
from fastbp._model import Model, resolve_seed
from fastbp._model_file import container
from fastbp._model_file.callables import Given, Named
from fastbp._model_file.parts import (
    MisfitError,
    check_json,
    describing,
    expect,
    float_of,
    inside,
    refuse_others,
    strings,
    take,
    take_or_none,
)
from fastbp._model_file.values import decode, encode
from fastbp._version import __version__
from fastbp.callbacks._base import plain
from fastbp.layers import Dense
from fastbp.losses import Loss
from fastbp.optimizers import GradientOptimizer, NoRate, Optimizer
from fastbp.schedules import Schedule, check_row

#: Keys that few files have: that of checkpoints, and that of what parts above `Network` add.
FURTHER = ("fit", "extra")
KEYS = (
    "format",
    "version",
    "isa",
    "inference",
    "dtype",
    "n_in",
    "layers",
    "loss",
    "input_noise",
    "seed",
    "optimizer",
    "remembered",
    "history",
    "feature_names",
    "class_names",
    *FURTHER,
)


class Description(NamedTuple):
    """A description that is checked."""

    architecture: Architecture
    seed: int
    optimizers: tuple[Optimizer, Optimizer, Schedule]  # the one that was set, the current one, its schedule
    inference: bool
    columns: list[str]  # names of those of the history; [] for inference
    stopped: str
    remembered: dict[str, dict[str, float | str]]
    names: tuple[list[str] | None, list[str] | None]  # of features and classes
    further: tuple[str, ...]  # what the names of tensors beside those of the network begin with

    @property
    def state_vectors(self) -> int:
        """Number of vectors (P,) that the state of the optimizer has."""
        return dict(_core.OPTIMIZERS).get(self.optimizers[1].row, 0)

    @property
    def may_have_memory(self) -> bool:
        """Whether the optimizer is one whose fits leave `Engine.memory`."""
        return not isinstance(self.optimizers[1], GradientOptimizer)


# ---- from a model to JSON ----------------------------------------------------------------------------------


def description_of(model: Model, named: Named, inference: bool) -> dict[str, Any]:
    """Return the description of a model; its functions get names of `named`."""
    architecture = model.architecture
    history = {"columns": [*model.history], "stopped": model.history.stopped}
    return {
        "format": container.FORMAT,
        "version": __version__,
        "isa": model.engine.isa,
        "inference": inference,
        "dtype": architecture.dtype.name,
        "n_in": architecture.n_in,
        "layers": [encode(dense, named) for dense in _dense_layers(architecture)],
        "loss": encode(architecture.loss, named),
        "input_noise": architecture.input_noise,
        "seed": model.seed,
        "optimizer": {
            "chosen": encode(model.chosen, named),
            "current": encode(model.optimizer, named),
            "schedule": None if type(model.schedule) is NoRate else encode(model.schedule, named),
        },
        "remembered": {} if inference else encode_states(model.remembered, named),
        "history": None if inference else history,
        "feature_names": _listed(model.feature_names),
        "class_names": _listed(model.class_names),
    }


def _dense_layers(architecture: Architecture) -> list[Dense]:
    """Return the layers as the user describes them, with nothing left to a default."""
    layers = []
    for layer, initializer in zip(architecture.layers, architecture.initializers, strict=True):
        options = layer._asdict()
        del options["n_in"]
        layers.append(Dense(options.pop("n_out"), options.pop("activation"), initializer, **options))
    return layers


def encode_states(remembered: Mapping[str, Mapping[str, float | str]], named: Named) -> dict[str, Any]:
    """Return what callbacks remember as JSON."""
    return {
        callback: {name: encode(value, named) for name, value in plain(entries, callback).items()}
        for callback, entries in remembered.items()
    }


def _listed(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)


# ---- from JSON ---------------------------------------------------------------------------------------------


def described(node: dict[str, Any], given: Given) -> Description:
    """Return the checked description.

    Raises
    ------
    MisfitError
        A part is missing, has another type, or does not fit the others; the message names its key.
    ParameterError
        `given` lacks something.
    """
    refuse_others(node, "", KEYS)
    for key in ("version", "isa"):
        take(node, "", key, str)
    inference = given.optional = take(node, "", "inference", bool)
    columns, stopped = _history(node, inference)
    if "fit" in node:
        take(node, "", "fit", dict)
    if "extra" in node:
        check_json(take(node, "", "extra", dict), "extra")
    architecture = _architecture(node, given)
    return Description(
        architecture,
        _seed(node),
        _optimizers(node, architecture, given),
        inference,
        columns,
        stopped,
        decode_states(take(node, "", "remembered", dict), "remembered"),
        (_names(node, "feature_names"), _names(node, "class_names")),
        tuple(f"{key}." for key in FURTHER if key in node),
    )


def _architecture(node: dict[str, Any], given: Given) -> Architecture:
    n_in, dtype = take(node, "", "n_in", int), take(node, "", "dtype", str)
    if dtype not in ("float32", "float64"):
        raise MisfitError(f"dtype is {shown(dtype)}, expected float32 or float64")
    layers = [_layer(layer, f"layers[{i}]", given) for i, layer in enumerate(take(node, "", "layers", list))]
    loss = decode(take(node, "", "loss", dict), "loss", Loss, given)
    noise = float_of(node.get("input_noise"), "input_noise")
    with describing("the network"):
        return Architecture.from_arguments(
            [n_in, *layers],
            activation="identity",  # each layer has its own
            output_activation=None,
            loss=loss,
            dtype=dtype,
            input_noise=noise,
        )


def _layer(node: Any, where: str, given: Given) -> Dense:
    """Return a layer whose activation and initializer are given."""
    layer: Dense = decode(node, where, Dense, given)
    for key, part in (("activation", layer.activation), ("initializer", layer.initializer)):
        if part is None:
            raise MisfitError(f"{inside(where, key)} is null or missing, expected that of the layer")
    return layer


def _seed(node: dict[str, Any]) -> int:
    with describing("the network"):
        return resolve_seed(take(node, "", "seed", int))


def _optimizers(
    node: dict[str, Any], architecture: Architecture, given: Given
) -> tuple[Optimizer, Optimizer, Schedule]:
    part = take(node, "", "optimizer", dict)
    refuse_others(part, "optimizer", ("chosen", "current", "schedule"))
    chosen, current = (
        decode(take(part, "optimizer", key, dict), f"optimizer.{key}", Optimizer, given)
        for key in ("chosen", "current")
    )
    if type(current) is not type(chosen):
        raise MisfitError(
            f"optimizer.current is a value of {type(current).__name__}, expected one of "
            f"{type(chosen).__name__}, as optimizer.chosen"
        )
    found = take_or_none(part, "optimizer", "schedule", dict)
    if found is None and isinstance(current, GradientOptimizer):
        raise MisfitError(f"optimizer.schedule is null, expected that of {type(current).__name__}")
    schedule = NoRate() if found is None else decode(found, "optimizer.schedule", Schedule, given)
    with describing("the optimizer"):
        chosen.check_dtype(architecture.dtype)
        check_row(schedule)
        schedule.check_dtype(architecture.dtype)
    return chosen, current, schedule


def _history(node: dict[str, Any], inference: bool) -> tuple[list[str], str]:
    """Return the names of the columns, and why the last fit ended."""
    part = take_or_none(node, "", "history", dict)
    if (part is None) is not inference:
        raise MisfitError(f"history is {shown(part)}, expected null in a file for inference, else an object")
    if part is None:
        return [], ""
    refuse_others(part, "history", ("columns", "stopped"))
    columns = strings(take(part, "history", "columns", list), "history.columns")
    if "loss" not in columns or len(set(columns)) < len(columns):
        raise MisfitError(f"history.columns is {shown(columns)}, expected distinct names, 'loss' among them")
    return columns, take(part, "history", "stopped", str)


def decode_states(node: dict[str, Any], where: str) -> dict[str, dict[str, float | str]]:
    """Return what callbacks remember, from a part of the description and its place."""
    found: dict[str, dict[str, float | str]] = {}
    for callback, entries in node.items():
        place = inside(where, callback)
        found[callback] = {
            name: value if type(value) in (bool, int, str) else float_of(value, inside(place, name))
            for name, value in expect(entries, place, dict).items()
        }
    return found


def _names(node: dict[str, Any], key: str) -> list[str] | None:
    names = take_or_none(node, "", key, list)
    return None if names is None else strings(names, key)
