"""Arrays as the data of a fit."""

from __future__ import annotations

from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import flag, integer
from fastbp._base.philox import block_rows, some_rows
from fastbp._base.shown import shown
from fastbp._base.sparse import Rows, check_rows
from fastbp._core import check_memory
from fastbp._data.mapped import DeferredChecks, to_train_on
from fastbp._data.sample_weights import Weights, resolve_weights
from fastbp._model import Model
from fastbp._training.beginning import begin_of
from fastbp._training.data import Data, DataOptions, Shuffle
from fastbp._training.validation import HeldOut, split
from fastbp.callbacks import Sample
from fastbp.exceptions import ParameterError
from fastbp.splits import Split

if TYPE_CHECKING:
    from fastbp._engine.protocol import Run
    from fastbp._training.options import Options

Array: TypeAlias = NDArray[Any]

BATCH_SIZE = 32  # unless another one is given


def arrays_of(
    model: Model,
    X: Any,
    y: ArrayLike,
    validation_split: float | Split | None,
    seed: int,
    names: tuple[str, ...] | None,
    options: DataOptions,
) -> tuple[ArrayData, HeldOut | None]:
    """Return the data of a fit, checked, and those that `validation_split` holds out.

    `seed` and `names` are those of the network, or of the file from which it is going to continue.
    """
    steps_per_epoch, prefetch = options["steps_per_epoch"], options["prefetch"]
    if steps_per_epoch is not None or type(prefetch) is not int or prefetch:
        is_steps = steps_per_epoch is not None
        raise ParameterError(
            f"{'steps_per_epoch' if is_steps else 'prefetch'} is "
            f"{shown(steps_per_epoch if is_steps else prefetch)} with arrays X and y, expected it for an "
            "iterable of batches"
        )
    # a split may copy rows, and evaluates those that it holds out
    X, y, checks = to_train_on(model.checks, X, y, names, may_defer=validation_split is None)
    sample_weight, split_off = options["sample_weight"], None
    if validation_split is not None:
        (X, y, sample_weight), split_off = split(model, X, y, sample_weight, validation_split, seed)
    weights = resolve_weights(model.checks, y, sample_weight, options["class_weight"])
    return ArrayData(X, y, weights, options["batch_size"], options["shuffle"], checks), split_off


class ArrayData(Data):
    """Rows of arrays, in batches that the engine gathers.

    Parameters
    ----------
    X, y : arrays (n, n_in), (n, n_targets) or (n,)
        Checked; X may be `SparseRows`.
    weights : Weights, optional
    batch_size, shuffle
        As for `Network.fit`.
    checks : DeferredChecks, optional
        To do on each batch right before its step.
    """

    calls_user = False

    def __init__(
        self,
        X: Rows,
        y: Array,
        weights: Weights | None,
        batch_size: int | EllipsisType | None,
        shuffle: Shuffle | EllipsisType,
        checks: DeferredChecks | None,
    ) -> None:
        self._X, self._y, self._weights, self._checks = X, y, weights, checks
        self._rows = len(X) if weights is None else weights.n_rows
        self._given = BATCH_SIZE if isinstance(batch_size, EllipsisType) else batch_size
        if self._given is not None:
            self._given = integer("batch_size", self._given, at_least=1)
        self._shuffle = True if isinstance(shuffle, EllipsisType) else shuffling(shuffle)
        self._batch_size = self._rows if self._given is None else min(self._given, self._rows)
        self.steps_per_epoch = -(-self._rows // self._batch_size)
        self.options = {"batch_size": self._given, "shuffle": self._shuffle}

    def check(self, model: Model, options: Options) -> None:
        """Raise ParameterError unless the optimizer and the options go with such batches."""
        if options.gradient_tol is not None and self._batch_size < self._rows:
            raise ParameterError(
                f"gradient_tol is {options.gradient_tol} with batch_size={self._given} for {self._rows} "
                "rows, expected batch_size=None: only the full-batch gradient goes to 0 at the minimum"
            )
        model.optimizer.check(model.architecture, self._batch_size, self._rows)

    def begin(self, model: Model, options: Options, first_epoch: int) -> Run:
        """Return a run of the engine, or of the optimizer if it has its own."""
        is_random = self._given is not None and self._shuffle is not False  # one batch needs no order
        return begin_of(model, self._weights, self._checks)(
            self._X,
            self._y,
            weights=self._weights,
            batch_size=self._batch_size,
            shuffle=is_random,
            block_rows=block_rows(model.architecture.n_in) if self._shuffle == "blocks" else 0,
            seed=model.seed,
            first_epoch=first_epoch,
            epochs=options.epochs,
            stored=options.gradient_tol is not None,
        )

    def sample(self, seed: int, rows: int) -> Sample | None:
        """Return up to so many of the rows that are trained on."""
        check_rows(self._X)  # callbacks may have changed them
        check_memory(self._y)
        weights, at = self._weights, some_rows(seed, self._rows, rows)
        if weights is not None and weights.rows is not None:
            at = weights.rows[at]
        if self._checks is not None:
            self._checks.check(self._X, self._y, at)
        X = self._X[at]
        values = None if weights is None or weights.values is None else weights.values[at]
        return (X if isinstance(X, np.ndarray) else X.to_scipy()), self._y[at], values

    def digests(self) -> dict[str, str]:
        """Return a digest of each argument that has data."""
        from fastbp._data.digest import digest, digest_of_weights  # which only checkpoints need

        return {
            "X": digest(self._X),
            "y": digest(self._y),
            "sample_weight or class_weight": digest_of_weights(self._weights),
        }


def shuffling(shuffle: Any) -> Shuffle:
    """Return the argument `shuffle` of a fit, which must be True, False or "blocks"."""
    if isinstance(shuffle, str) and shuffle == "blocks":
        return "blocks"
    try:
        return flag("shuffle", shuffle)
    except ParameterError as error:
        raise ParameterError(f"{error}, or 'blocks'") from None
