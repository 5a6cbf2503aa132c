"""Loss and metrics over shards: `evaluate`, and the validation of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray

from fastbp._base.arguments import integer
from fastbp._engine.inference import Measured, measure_part, of_parts
from fastbp._model import Model
from fastbp._training.validation import Validation, held_out
from fastbp.dask._census import Census, census, digests
from fastbp.dask._cluster import check_first, executor_of
from fastbp.dask._executor import Executor, names_of_shards
from fastbp.dask._parts import Part
from fastbp.dask._setting import Setting
from fastbp.dask._shards import loads_of
from fastbp.dask._sources import are_sharded
from fastbp.dask._tasks import examples_of
from fastbp.exceptions import ParameterError
from fastbp.metrics import Metric, Metrics, resolve
from fastbp.network import Network

Array: TypeAlias = NDArray[Any]


def evaluate(
    client: Any,
    net: Network,
    X: Any = None,
    y: Any = None,
    metrics: Metrics | None = None,
    *,
    shards: Any = None,
    sample_weight: Any = None,
    target: str | list[str] | None = None,
    weight: str | None = None,
    max_retries: int = 3,
    timeout: float = 300.0,
) -> dict[str, float]:
    """Return the "loss" of all rows of all shards, and metrics by name, as `Network.evaluate` does.

    Each shard is computed by a worker. The losses are combined by the weights of the shards in their order,
    in float64, so the bits depend on the instruction set that all workers have, and on nothing else of the
    cluster. They may differ from those of `Network.evaluate` by
    rounding. The loss of a custom loss function is the mean over the shards, weighted by their rows.

    Metrics are measured by the caller, to whom outputs, targets and weights of all rows travel: n_out numbers
    per row and the targets, but no inputs. ``metrics=()`` measures the loss only, and nothing travels.

    Parameters
    ----------
    client : distributed.Client or None
        The cluster. None: this process computes, one shard after the other.
    net : Network
    X, y, sample_weight, shards, target, weight
        As for `fit`.
    metrics : str, callable, or sequence of these, optional
        As for `Network.evaluate`.
    max_retries, timeout
        As for `fit`.

    Returns
    -------
    dict of str to float

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above, or data are not as for `fit`; the error names the shard.
    ShardError
        A shard was lost with its workers too often, or there are no workers.
    BusyError
        Another thread is changing the network.
    """
    check_first(client, net)
    model: Model = net._model
    measured = resolve(metrics, model.architecture.loss, model.architecture.n_out)
    executor = executor_of(client, model.engine.isa, max_retries, timeout)
    try:
        setting, parameters = model.guard.reading(_taken, model, executor.isa)
        loads = loads_of(executor, model.checks, X, y, sample_weight, shards, target=target, weight=weight)
        measuring = Measuring.begin(executor, executor.place(loads), "shard")
        return measuring.measure(setting, parameters, measured)
    finally:
        executor.close()


def _taken(model: Model, isa: str) -> tuple[Setting, Array]:
    return Setting.of(model, isa), model.engine.parameters.copy()


class Measuring(NamedTuple):
    """Shards on which a network is measured."""

    executor: Executor
    handles: Sequence[Any]  #: Of the shards that have rows.
    names: Sequence[str]  #: What they are called in errors.
    census: Census

    @classmethod
    def begin(cls, executor: Executor, handles: Sequence[Any], what: str) -> Measuring:
        """Load the shards, at least one of which has rows; a shard is called `what` in errors."""
        found = census(executor, handles, what)
        names = names_of_shards(len(handles), what)
        present = [i for i, n in enumerate(found.rows) if n]
        kept = [handles[i] for i in present], [names[i] for i in present]
        return cls(executor, *kept, found)

    def measure(self, setting: Setting, parameters: Array, measured: tuple[Metric, ...]) -> dict[str, float]:
        """Return the loss and these metrics, by name, of the network with these parameters (P,)."""
        common = setting, parameters, bool(measured)
        parts = self.executor.call(measured_on, self.handles, [()] * len(self.handles), common, self.names)
        return of_parts(setting.architecture.loss, parts, measured)

    def digest(self) -> str:
        """Return a digest of the data, which also depends on how they are divided."""
        return f"shards {self.census.rows} {' '.join(digests(self.executor, self.handles).values())}"


def measured_on(part: Part, setting: Setting, parameters: Array, with_answers: bool) -> Measured:
    """Return what a network with these parameters (P,) has for loss and answers on a part that has rows."""
    X, y = examples_of(part)
    model = setting.new_model()
    model.engine.parameters[:] = parameters
    return measure_part(model.engine, model.trainer, model.checks, X, y, part.weights, with_answers)


def validation_of(
    executor: Executor,
    model: Model,
    validation_data: Any,
    validation_shards: Any,
    metrics: Metrics | None,
    *,
    every: int,
    epochs: int,
    names: tuple[str, ...] | None = None,
    target: str | list[str] | None = None,
    weight: str | None = None,
) -> Validation | None:
    """Return the validation of a fit over shards, its arguments checked; None without validation data.

    Parameters
    ----------
    executor : Executor
        That of the fit, which closes it in the end.
    model : Model
    validation_data : tuple or iterable, optional
        (X, y) or (X, y, sample_weight). Dask collections and lists of shards are measured where they are;
        what is in memory is measured by the caller, as in `Network.fit`.
    validation_shards : list, optional
        Callables, delayed objects or files, like the `shards` of the fit.
    metrics, every, epochs
        As for `Network.fit`.
    names : tuple of str, optional
        Those of the inputs in this fit.
    target, weight : str, optional
        Columns of Parquet files.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above; errors of data name the validation shard.
    """
    if validation_shards is None and not _is_sharded(validation_data):
        return held_out(model, validation_data, None, metrics, every=every, epochs=epochs, names=names)
    if validation_shards is not None and validation_data is not None:
        raise ParameterError("validation_shards is given beside validation_data, expected one of them")
    if validation_shards is not None and not isinstance(validation_shards, (list, tuple)):
        raise ParameterError(
            f"validation_shards is a {type(validation_shards).__name__}, expected a list of files, callables "
            "or delayed objects"
        )
    every = integer("validation_every", every, at_least=1)
    measured = resolve(metrics, model.architecture.loss, model.architecture.n_out)
    checks = copy(model.checks)
    checks.feature_names = checks.feature_names or names
    what = "validation shard"
    if validation_shards is None:
        X, y, sample_weight = (*validation_data, None)[:3]
        loads = loads_of(executor, checks, X, y, sample_weight, what=what)
    else:
        loads = loads_of(executor, checks, shards=validation_shards, target=target, weight=weight, what=what)
    measuring = Measuring.begin(executor, executor.place(loads), what)
    return Validation(
        lambda: measuring.measure(*_taken(model, executor.isa), measured),
        measured,
        digest=measuring.digest,
        every=every,
        epochs=epochs,
        calls_user=True,
    )


def _is_sharded(validation_data: Any) -> bool:
    """Tell whether this is (X, y) or (X, y, sample_weight) in shards."""
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
        return False
    return are_sharded(*validation_data)
