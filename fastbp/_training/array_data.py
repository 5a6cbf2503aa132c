"""Arrays as the data of a fit."""

from __future__ import annotations

from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import flag, integer
from fastbp._base.shown import shown
from fastbp._data.sample_weights import Weights, resolve_weights
from fastbp._model import Model
from fastbp._training.beginning import begin_of
from fastbp._training.data import Data, DataOptions
from fastbp._training.validation import Examples, split
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
    options: DataOptions,
) -> tuple[ArrayData, Examples | None]:
    """Return the data of a fit, checked, and those that `validation_split` holds out.

    `seed` is that of the network, or of the file from which it is going to continue.
    """
    for name, given, default in (
        ("steps_per_epoch", options["steps_per_epoch"], None),
        ("prefetch", options["prefetch"], 0),
    ):
        if given != default:
            raise ParameterError(
                f"{name} is {shown(given)} with arrays X and y, expected it for an iterable of batches"
            )
    X, y = model.checks.examples(X, y)
    sample_weight, split_off = options["sample_weight"], None
    if validation_split is not None:
        (X, y, sample_weight), split_off = split(model, X, y, sample_weight, validation_split, seed)
    weights = resolve_weights(model.checks, y, sample_weight, options["class_weight"])
    return ArrayData(X, y, weights, options["batch_size"], options["shuffle"]), split_off


class ArrayData(Data):
    """Rows of arrays, in batches that the engine gathers.

    Parameters
    ----------
    X, y : arrays (n, n_in), (n, n_targets) or (n,)
        Checked.
    weights : Weights, optional
    batch_size, shuffle
        As for `Network.fit`.
    """

    def __init__(
        self,
        X: Array,
        y: Array,
        weights: Weights | None,
        batch_size: int | EllipsisType | None,
        shuffle: bool | EllipsisType,
    ) -> None:
        self._X, self._y, self._weights = X, y, weights
        self._rows = len(X) if weights is None else weights.n_rows
        self._given = BATCH_SIZE if isinstance(batch_size, EllipsisType) else batch_size
        if self._given is not None:
            self._given = integer("batch_size", self._given, at_least=1)
        self._shuffle = True if isinstance(shuffle, EllipsisType) else flag("shuffle", shuffle)
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
        return begin_of(model, self._weights)(
            self._X,
            self._y,
            weights=self._weights,
            batch_size=self._batch_size,
            shuffle=self._shuffle and self._given is not None,  # one batch needs no random order
            seed=model.seed,
            first_epoch=first_epoch,
            epochs=options.epochs,
            stored=options.gradient_tol is not None,
        )

    def digests(self) -> dict[str, str]:
        """Return a digest of each argument that has data."""
        from fastbp._data.digest import digest, digest_of_weights  # which only checkpoints need

        return {
            "X": digest(self._X),
            "y": digest(self._y),
            "sample_weight or class_weight": digest_of_weights(self._weights),
        }
