"""Validation data of a fit, and the loss and metrics to measure on them after some epochs."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import nan
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._base.arguments import integer, number
from fastbp._base.arrays import are_batches, names_of
from fastbp._base.shown import shown
from fastbp._base.sparse import Rows, SparseRows, check_rows
from fastbp._data.sample_weights import Weights, resolve_weights
from fastbp._engine.inference import evaluate, evaluate_batches
from fastbp._model import Model
from fastbp.exceptions import ParameterError
from fastbp.metrics import Metric, Metrics, resolve
from fastbp.splits import LastRows, Split

if TYPE_CHECKING:
    from fastbp._data.batches import Batch

Array: TypeAlias = NDArray[Any]
HeldOut: TypeAlias = "tuple[Rows, Array, ArrayLike | None]"  # X, y and sample weights
#: (X, y) or (X, y, sample_weight), or an iterable of these.
ValidationData: TypeAlias = "Batch | Iterable[Batch]"
Measure: TypeAlias = Callable[[], dict[str, float]]


class Validation:
    """Data that a fit does not train on, and the metrics to measure on them.

    Parameters
    ----------
    measure : callable
        Returns the loss and these metrics, by name.
    measured : tuple of Metric
    digest : callable
        Returns a digest of the data.
    every : int, >= 1
        Number of epochs between two measurements.
    epochs : int
        Number of epochs of the fit; it is measured after the last, too.
    calls_user : bool
        Whether measuring calls functions of the user.

    Attributes
    ----------
    every : int
        Number of epochs between two measurements.
    columns : dict
        For each column of the history, whether greater is better.
    """

    def __init__(
        self,
        measure: Measure,
        measured: tuple[Metric, ...],
        *,
        digest: Callable[[], str],
        every: int,
        epochs: int,
        calls_user: bool,
    ) -> None:
        self._measure, self.digest, self.calls_user = measure, digest, calls_user
        self.every, self._epochs = every, epochs
        self.columns = {"validation_loss": False} | {
            f"validation_{metric.name}": metric.greater_is_better for metric in measured
        }

    def next_after(self, epoch: int) -> int:
        """Return the number of epochs after which it is measured next, when `epoch` are done."""
        return min((epoch // self.every + 1) * self.every, self._epochs)

    def is_due(self, epoch: int) -> bool:
        """Tell whether to measure after this number of epochs."""
        return epoch % self.every == 0 or epoch == self._epochs

    def measure(self) -> dict[str, float]:
        """Return one entry for each column."""
        return dict(zip(self.columns, self._measure().values(), strict=True))

    def entries(self, n: int, measured: dict[str, float]) -> dict[str, array[float]]:
        """Return the entries of n epochs for each column: only the last may be measured, others are NaN."""
        return {
            name: array("d", [nan]) * (n - 1) + array("d", [measured.get(name, nan)]) for name in self.columns
        }


def held_out(
    model: Model,
    validation_data: Any,
    split_off: HeldOut | None,
    metrics: Metrics | None,
    *,
    every: int,
    epochs: int,
    names: tuple[str, ...] | None = None,
    of_batches: bool = False,
) -> Validation | None:
    """Return the validation of a fit, its arguments checked; None without validation data.

    `split_off` are the rows that `validation_split` holds out, and `names` those of the inputs in this fit.
    `of_batches` tells whether it trains on an iterable, whose first batch may name them.
    """
    every = integer("validation_every", every, at_least=1)
    is_given = validation_data is not None or split_off is not None
    if not is_given:
        for name, given in (("metrics", metrics), ("validation_every", None if every == 1 else every)):
            if given is not None:
                raise ParameterError(
                    f"{name} is {shown(given)} without validation_data, expected validation_data, too, or "
                    "validation_split"
                )
        return None
    measured = resolve(metrics, model.architecture.loss, model.architecture.n_out)
    in_batches = are_batches(validation_data)
    if in_batches:
        measure, digest = _of_batches(model, validation_data, measured)
    else:
        measure, digest = _of_arrays(model, validation_data, split_off, measured, names, of_batches)
    calls_user = in_batches or any(metric.is_custom for metric in measured)
    return Validation(measure, measured, digest=digest, every=every, epochs=epochs, calls_user=calls_user)


def _of_batches(
    model: Model, validation_data: Iterable[Batch], measured: tuple[Metric, ...]
) -> tuple[Measure, Callable[[], str]]:
    """Return what measures loss and metrics on batches, and what returns a digest of them."""
    from fastbp._data.batches import examples_in  # few need it

    if isinstance(validation_data, Iterator):
        raise ParameterError(
            f"validation_data is {shown(validation_data)}, expected an iterable of batches that can be "
            "iterated anew each time, not an iterator"
        )

    def measure() -> dict[str, float]:
        batches = examples_in(model.checks, "validation_data", validation_data)
        return evaluate_batches(model.engine, model.trainer, model.checks, batches, measured)

    return measure, lambda: "batches"


def _of_arrays(
    model: Model,
    validation_data: Any,
    split_off: HeldOut | None,
    measured: tuple[Metric, ...],
    names: tuple[str, ...] | None,
    of_batches: bool,
) -> tuple[Measure, Callable[[], str]]:
    """Return what measures loss and metrics on arrays, and what returns a digest of them."""
    own = None  # names of the columns of X, if the first batch may name the inputs
    if split_off is not None:
        X, y, sample_weight = split_off
        arguments = "y of validation_split", "sample_weight of validation_split"
    else:
        X, y, sample_weight = model.checks.held_out(validation_data, names)
        arguments = "validation_data[1]", "validation_data[2]"
        if of_batches and names_of(validation_data[0]):
            own = model.feature_names or names or model.checks.names_for(validation_data[0])
    weights = resolve_weights(model.checks, y, sample_weight, None, *arguments)

    def measure() -> dict[str, float]:
        nonlocal X, own
        if own and model.feature_names:
            X, own = _in_order(X, own, model.feature_names), model.feature_names
        return evaluate(model.engine, model.trainer, model.checks, X, y, measured, weights)

    return measure, lambda: _digest(_in_order(X, own, sorted(own)) if own else X, y, weights)


def _in_order(X: Rows, own: tuple[str, ...], names: Sequence[str]) -> Rows:
    """Return X, whose columns have their own names, with its columns in the order of the names."""
    from fastbp._base.frames import order_of  # which only frames need

    order = order_of("validation_data[0]", own, tuple(names))
    return X if order is None or isinstance(X, SparseRows) else X[:, order]


def _digest(X: Rows, y: Array, weights: Weights | None) -> str:
    from fastbp._data.digest import digest, digest_of_weights  # which only checkpoints need

    return f"{digest(X)} {digest(y)} {digest_of_weights(weights)}"


def split(
    model: Model,
    X: Rows,
    y: Array,
    sample_weight: ArrayLike | None,
    validation_split: float | Split,
    seed: int,
) -> tuple[HeldOut, HeldOut]:
    """Return the examples to train on and those to validate on; views of the arrays for the last share.

    `seed` is that of the network, or of the file from which it is going to continue.
    """
    chosen = validation_split if isinstance(validation_split, Split) else last_rows(validation_split)
    weights = resolve_weights(model.checks, y, sample_weight, None)
    values = None if sample_weight is None or weights is None else weights.values
    check_rows(X)  # reading sample_weight may have run user code
    _core.check_memory(y)
    training, held = (
        (X[rows], y[rows], None if values is None else values[rows])
        for rows in chosen.parts(y, model.architecture.loss, seed)
    )
    return training, held


def last_rows(validation_split: Any) -> LastRows:
    """Return the split that holds out this share of the rows."""
    try:
        return LastRows(number("validation_split", validation_split, above=0, below=1))
    except ParameterError:
        raise ParameterError(
            f"validation_split is {shown(validation_split)}, expected a number > 0 and < 1, "
            "a StratifiedSplit or a ShuffledSplit"
        ) from None
