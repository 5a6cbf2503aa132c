"""What a model file contains: a `Model` as tensors and a description."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base import arguments
from fastbp._base.shown import shown
from fastbp._engine.protocol import EngineClass
from fastbp._model import Model
from fastbp._model_file import atomic, container
from fastbp._model_file.callables import AbsentOptimizer, Given, Named
from fastbp._model_file.described import Description, described, description_of
from fastbp._model_file.parts import JSON, MisfitError, check_json, describing
from fastbp.exceptions import ModelFileError, ParameterError
from fastbp.history import History

Array: TypeAlias = NDArray[Any]

Extra: TypeAlias = Mapping[str, JSON]


class Saved(NamedTuple):
    """What a file contains."""

    model: Model
    description: dict[str, Any]
    tensors: dict[str, Array]  # those of a checkpoint and of `extra`, new arrays by name
    extra: Extra  # what a part of fastbp above `Network` has added; {} if none has


# ---- writing -----------------------------------------------------------------------------------------------


def write(
    path: Any,
    model: Model,
    *,
    inference: bool = False,
    fit: Callable[[Named], Mapping[str, Any]] | None = None,
    tensors: Mapping[str, Array] | None = None,
    extra: Extra | Callable[[Named], Extra] | None = None,
) -> None:
    """Write a model to a file; nothing may change the model during the call.

    Parameters
    ----------
    path : str or path-like
    model : Model
    inference : bool
        Whether to leave out what only training needs: optimizer state, step count, history, and what
        callbacks remember.
    fit : callable, optional
        Makes the file a checkpoint: it takes the names of the model's callables and returns part "fit" of the
        description, anything that JSON has.
    tensors : mapping of str to arrays, optional
        Further tensors of a checkpoint, whose names begin with "fit.", or beside `extra`, with "extra.".
    extra : mapping of str to JSON values, or callable, optional
        What the caller adds to the description, with a key of its own: text without lone surrogates, finite
        numbers, integers of at most 64 bits, lists and dicts; no tuples or subclasses. `read` returns it, and
        `Network.load` ignores it. A callable takes the names of the model's callables and returns that.

    Raises
    ------
    ParameterError
        `extra` has something else.
    ModelFileError
        The description is so large that a reader would refuse it.
    OSError
        The file cannot be written. A file that was there before is still the same.
    """
    inference = inference or isinstance(model.optimizer, AbsentOptimizer)  # which has no state
    named = Named()
    description = description_of(model, named, inference)
    if fit is not None:
        description["fit"] = dict(fit(named))
    if extra is not None:
        description["extra"] = _checked(extra(named) if callable(extra) else extra)
    arrays = arrays_of(model)
    if not inference:
        arrays |= _training_arrays(model)
    with atomic.replacing(arguments.path("path", path)) as file:
        container.write(file, arrays | dict(tensors or {}), description)


def _checked(extra: Extra) -> dict[str, JSON]:
    """Return what the caller adds to the description; ParameterError if it is not JSON."""
    found = dict(extra)
    try:
        check_json(found, "extra")
    except MisfitError as error:
        raise ParameterError(str(error)) from None
    return found


def export_arrays(path: Any, model: Model) -> None:
    """Write weights, biases and scaling as a `.npz` file; nothing may change the model during the call."""
    with atomic.replacing(arguments.path("path", path)) as file:
        buffered: Any = io.BufferedWriter(file)
        arrays: Any = arrays_of(model)
        np.savez(buffered, **arrays)
        buffered.flush()
        buffered.detach()  # the file stays open


def callables_of(model: Model) -> dict[str, Any]:
    """Return the user's callables in a model, by the names under which a file of it stores them."""
    named = Named()
    description_of(model, named, inference=False)
    return named.found


def arrays_of(model: Model) -> dict[str, Array]:
    """Return what inference needs: weights, biases and scaling by name, views without copies."""
    arrays = {}
    for i, (W, b) in enumerate(model.architecture.split(model.engine.parameters)):
        arrays[f"layers.{i}.weights"] = W
        if b.size:
            arrays[f"layers.{i}.biases"] = b
    for name, scaling in (("inputs", model.scaling), ("targets", model.target_scaling)):
        if scaling is not None:
            arrays |= {f"{name}.mean": scaling.mean, f"{name}.scale": scaling.scale}
    return arrays


def _training_arrays(model: Model) -> dict[str, Array]:
    """Return what only training needs: state of the optimizer, step count, history."""
    engine = model.engine
    arrays: dict[str, Array] = {"optimizer.steps": np.array(engine.t, np.uint64)}
    if engine.state.size:
        arrays["optimizer.state"] = engine.state
    if engine.memory is not None:
        arrays["optimizer.memory"] = engine.memory
    columns = model.history.to_dict()
    return arrays | {f"history.{name}": np.array(column, np.float64) for name, column in columns.items()}


# ---- reading -----------------------------------------------------------------------------------------------


def read(given: Given, engine_class: EngineClass) -> Saved:
    """Return what a file contains, with a model that computes with this kind of engine.

    Parameters
    ----------
    given : Given
        The file, and the user's functions.
    engine_class : type

    Raises
    ------
    ModelFileError
        The file is damaged, or describes no network; nothing large was allocated.
    ParameterError
        `given` lacks something that the file stores by name, or has something else under its name.
    OSError
        The file cannot be opened.
    """
    with container.Reader(given.path) as reader:
        try:
            found = described(reader.description, given)
            _check_tensors(reader.tensors, found)
            model = _filled(reader, found, engine_class)
        except MisfitError as error:
            raise ModelFileError(f"{given.path} contains no valid network: {error}") from error
        tensors = {name: reader.read(name) for name in reader.tensors if name.startswith(found.further)}
        return Saved(model, reader.description, tensors, reader.description.get("extra", {}))


def _expected_tensors(found: Description, present: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return dtype and shape of each tensor that belongs to the network of the description."""
    architecture, columns = found.architecture, found.columns
    n, double = architecture.n_parameters, np.dtype(np.float64)
    expected: dict[str, tuple[Any, Any]] = {}
    for i, layer in enumerate(architecture.layers):
        expected[f"layers.{i}.weights"] = architecture.dtype, (layer.n_in, layer.n_out)
        if layer.bias:
            expected[f"layers.{i}.biases"] = architecture.dtype, (layer.n_out,)
    for name, size in (("inputs", architecture.n_in), ("targets", architecture.n_targets)):
        if present.keys() & {f"{name}.mean", f"{name}.scale"}:
            expected |= {f"{name}.{part}": (double, (size,)) for part in ("mean", "scale")}
    if found.inference:
        return expected
    expected["optimizer.steps"] = np.dtype(np.uint64), ()
    if found.state_vectors:
        expected["optimizer.state"] = architecture.dtype, (found.state_vectors, n)
    if found.may_have_memory and "optimizer.memory" in present:
        expected["optimizer.memory"] = double, (n + 2,)
    first = present.get(f"history.{columns[0]}")
    epochs = first.shape if first is not None and len(first.shape) == 1 else ("epochs",)
    return expected | {f"history.{name}": (double, epochs) for name in columns}


def _check_tensors(present: Mapping[str, container.Tensor], found: Description) -> None:
    """Refuse tensors that are missing, unexpected, or of another dtype or shape than the description's."""
    expected = _expected_tensors(found, present)
    for name, (dtype, shape) in expected.items():
        if name not in present:
            raise MisfitError(f"the tensor {shown(name)} is missing, expected {dtype} {shape}")
        tensor = present[name]
        if tensor.dtype != dtype or tensor.shape != shape:
            raise MisfitError(
                f"the tensor {shown(name)} has the dtype {tensor.dtype} and the shape {shown(tensor.shape)}, "
                f"expected {dtype} {shape}"
            )
    for name in present:
        if name not in expected and not name.startswith(found.further):
            raise MisfitError(f"the tensor {shown(name)} is unexpected")


def _filled(reader: container.Reader, found: Description, engine_class: EngineClass) -> Model:
    """Return the model with the numbers of the file; sizes have been checked."""
    with describing("the network"):
        model = Model.described(found.architecture, found.seed, *found.optimizers, engine_class)
    for name, array in arrays_of(model).items():  # not yet scaled: weights and biases
        reader.read_into(name, array)
    steps, memory, history = 0, None, History()
    if not found.inference:
        steps = int(reader.read("optimizer.steps"))
        if found.state_vectors:
            reader.read_into("optimizer.state", model.engine.state)
        if "optimizer.memory" in reader.tensors:
            memory = reader.read("optimizer.memory")
        columns = {name: reader.read(f"history.{name}") for name in found.columns}
        with describing("the history"):
            history = History(columns, found.stopped)
    scalings = (_scaling(reader, "inputs"), _scaling(reader, "targets"))
    with describing("the network"):
        model.complete(steps, memory, scalings, history, found.remembered, found.names)
    return model


def _scaling(reader: container.Reader, name: str) -> tuple[Array, Array] | None:
    """Return mean and scale of the inputs or targets, if the file has them."""
    if f"{name}.mean" not in reader.tensors:
        return None
    return reader.read(f"{name}.mean"), reader.read(f"{name}.scale")
