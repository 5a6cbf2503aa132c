"""Training on batches that an iterable of the user's yields."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

from fastbp._base.arguments import integer
from fastbp._base.shown import shown
from fastbp._core import checked_progress
from fastbp._data.batches import END, Source, examples_of
from fastbp._data.sample_weights import ClassWeight
from fastbp._engine.stepwise import RunInSteps, weight_of
from fastbp._model import Model
from fastbp._training.data import Data
from fastbp.exceptions import DataError, ParameterError

if TYPE_CHECKING:
    from fastbp._data.ahead import Ahead
    from fastbp._training.options import Options

WITH_BATCHES = "with batches from an iterable"


class BatchData(Data):
    """Batches from an iterable of the user's.

    Parameters
    ----------
    data : iterable of (X, y) or (X, y, sample_weight)
        As for `Network.fit`.
    epochs, validation_split, steps_per_epoch, prefetch, class_weight, sample_weight, batch_size, shuffle
        As for `Network.fit`; some of them are refused.

    Raises
    ------
    ParameterError
        An argument is not as for `Network.fit`.
    """

    def __init__(
        self,
        data: Any,
        epochs: int,
        validation_split: Any,
        *,
        steps_per_epoch: int | None,
        prefetch: int,
        class_weight: ClassWeight | None,
        sample_weight: Any,
        batch_size: Any,
        shuffle: Any,
    ) -> None:
        self._source = Source("X", data, epochs, steps_per_epoch)
        for name, value, default, instead in (
            ("batch_size", batch_size, ..., "the batches have their sizes"),
            ("shuffle", shuffle, ..., "the batches come in their order"),
            ("sample_weight", sample_weight, None, "a batch is (X, y, sample_weight)"),
            ("validation_split", validation_split, None, "use validation_data"),
        ):
            if value is not default:
                raise ParameterError(f"{name} is {shown(value)} {WITH_BATCHES}, expected none: {instead}")
        if class_weight is not None and not isinstance(class_weight, Mapping):
            raise ParameterError(
                f"class_weight is {shown(class_weight)} {WITH_BATCHES}, expected a dict: the classes cannot "
                "be counted before training"
            )
        self._prefetch = integer("prefetch", prefetch, at_least=0, below=2**31)
        self._class_weight = class_weight
        self.steps_per_epoch = self._source.steps or 0
        self.options = {"steps_per_epoch": self._source.steps}

    def check(self, model: Model, options: Options) -> None:
        """Raise ParameterError if the optimizer or `gradient_tol` needs all rows in a batch."""
        if options.gradient_tol is not None:
            raise ParameterError(
                f"gradient_tol is {options.gradient_tol} {WITH_BATCHES}, expected None: only the full-batch "
                "gradient goes to 0 at the minimum"
            )
        optimizer = model.optimizer
        if optimizer.full_batch:
            raise ParameterError(
                f"optimizer is {optimizer} {WITH_BATCHES}, expected arrays X and y: "
                f"{type(optimizer).__name__} {optimizer.why_full_batch}"
            )
        optimizer.check(model.architecture, 1, 1)

    def begin(self, model: Model, options: Options, first_epoch: int) -> BatchRun:
        """Return a run that reads the batches."""
        source = self._source.batches()
        batches: Ahead | Generator[Any] = source
        if self._prefetch:
            from fastbp._data.ahead import Ahead  # which few need

            batches = Ahead(source, self._prefetch)
        self._ends = [batches.close]  # an error would keep the iterable alive with its traceback
        return BatchRun(model, batches, self._source.steps, self._class_weight, options.epochs)

    def digests(self) -> dict[str, str]:
        """Return what stands for data that are not known before they are read."""
        weights = {str(label): str(weight) for label, weight in (self._class_weight or {}).items()}
        return {"X": "batches", "sample_weight or class_weight": str(sorted(weights.items()))}


class BatchRun(RunInSteps):
    """A training run over batches that come one by one.

    Parameters
    ----------
    model : Model
    batches : iterator
        Yields the batches of all epochs, and `END` after those of each epoch.
    steps : int, optional
        Number of batches in an epoch. None: up to `END`.
    class_weight : mapping, optional
    epochs : int

    Attributes
    ----------
    steps_per_epoch : int
        `steps`, or the number of batches in the last complete epoch, 0 before the end of the first.
    """

    def __init__(
        self,
        model: Model,
        batches: Iterator[Any],
        steps: int | None,
        class_weight: ClassWeight | None,
        epochs: int,
    ) -> None:
        super().__init__(model.architecture.loss, epochs)
        self._trainer, self._checks, self._adopt = model.trainer, model.checks, model.adopt
        self._batches, self._steps, self._class_weight = batches, steps, class_weight
        self.steps_per_epoch = steps or 0
        self._next = END  # the batch that was read to see whether the epoch goes on
        self._done = 0, 0  # epochs, and batches of the next one, that an earlier fit has trained on

    def resume(self, progress: tuple[int, int, float, float]) -> None:
        """Continue a run of the same batches, whose `progress` this was; they are read and left out."""
        most = self._steps or progress[1] + 1
        self.epoch, self.step, self._sum, self._weight = checked_progress(self, progress, most)
        self.losses[: self.epoch] = nan
        self._done = self.epoch, self.step

    def _leave_out(self) -> None:
        """Read the batches that an earlier fit has trained on."""
        (epochs, steps), self._done = self._done, (0, 0)
        for epoch in range(epochs):
            step, is_last = 0, False
            while not is_last:
                self._read(epoch, step)
                step += 1
                is_last = self._is_end(step)
            self.steps_per_epoch = step
        for step in range(steps):
            self._read(epochs, step)

    def _read(self, epoch: int, step: int) -> Any:
        """Return the next batch, which is this one; DataError if the epoch ends before it."""
        batch, self._next = (next(self._batches) if self._next is END else self._next), END
        if batch is END:
            expected = f"at least {step + 1}" if self._steps is None else f"{self._steps}"
            raise DataError(
                f"the batches of epoch {epoch + 1} of this fit ended after {step}, expected {expected}"
            )
        return batch

    def _is_end(self, steps: int) -> bool:
        """Tell whether an epoch ends after so many steps; this reads a batch if nothing else tells."""
        if self._steps is not None and steps < self._steps:
            return False
        self._next = next(self._batches)
        return self._next is END

    def _train(self) -> float:
        """Do one step; return its loss."""
        if any(self._done):
            self._leave_out()
        batch = self._read(self.epoch, self.step)
        X, y, weights = examples_of(self._checks, batch, self._class_weight, self._where)
        if self._checks.feature_names is None:
            self._adopt(self._checks.names_for(batch[0]))
        loss = self._trainer.train_on_batch(X, y, weights)
        self._count(loss, weight_of(X, weights, None))
        if isfinite(loss) and self._is_end(self.step):
            self.steps_per_epoch = self.step
            self._end_epoch()
        return loss

    def _where(self) -> str:
        """Return the words that name the present batch."""
        return f"epoch {self.epoch + 1} of this fit, step {self.step + 1}"
