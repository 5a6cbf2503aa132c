"""What callbacks get: the state of a fit, and the part of the network that they may use."""

from __future__ import annotations

from _thread import get_ident  # not `threading`, which takes longer to import
from collections.abc import Callable, Collection
from math import nan
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.sparse import Inputs
from fastbp.exceptions import BusyError, DivergenceError, Error
from fastbp.history import History
from fastbp.layers import Layer
from fastbp.losses import Loss
from fastbp.optimizers import Optimizer

#: Some rows of a fit's data: X (m, n_in), y (m, n_targets) or labels (m,), and their weights or None.
Sample: TypeAlias = tuple[Any, NDArray[Any], NDArray[np.float64] | None]


class FittedNetwork(Protocol):
    """The part of a network that callbacks may use during a fit; `fastbp.Network` documents it.

    All calls that change the network raise BusyError during the fit.
    """

    @property
    def history(self) -> History:
        """All epochs since the network was made or reset, those of this fit included."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers with their defaults filled in."""

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""

    @property
    def trainable(self) -> tuple[bool, ...]:
        """Whether training changes W and b, one bool per layer; to read."""

    @property
    def loss(self) -> Loss:
        """Loss that the fit minimizes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the parameters."""

    @property
    def optimizer(self) -> Optimizer:
        """Current optimizer, to read."""

    @property
    def parameters(self) -> NDArray[Any]:
        """All weights and biases (P,), to read; a write changes the fit."""

    @property
    def weights(self) -> tuple[NDArray[Any], ...]:
        """Matrix W (n_in, n_out) per layer, views into `parameters`."""

    @property
    def biases(self) -> tuple[NDArray[Any], ...]:
        """Vector b (n_out,) per layer, views into `parameters`."""

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step, to read; `EpochState.learning_rate` can be set."""

    def predict(self, X: Inputs, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the outputs for X."""

    def predict_classes(self, X: Inputs) -> NDArray[np.int64]:
        """Return the most probable class per row of X."""

    def evaluate(
        self, X: Inputs, y: ArrayLike, metrics: Any = None, *, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Return the loss and metrics of (X, y) by name."""

    def clone(self) -> Self:
        """Return an independent copy, which may be trained on."""

    def diagnose(
        self,
        X: Inputs,
        y: ArrayLike,
        *,
        history: History | None = None,
        X_val: Inputs | None = None,
        y_val: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Any:
        """Return what the derivatives of the loss of (X, y) say, a `fastbp.inspect.Diagnosis`."""


class HasLearningRate(Protocol):
    """An object whose learning rate can be set."""

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None: ...


class EpochState:
    """The state of a fit, which all hooks of the callbacks get.

    A callback may use the network as `FittedNetwork` lists: predict, evaluate and copy it, and read its
    history; calls that change the network raise BusyError. `keep` and setting `learning_rate` work in the
    fit's own thread and during the fit: they raise BusyError in another thread, and Error after the fit.

    Attributes
    ----------
    network : Network
        The network that is being trained, typed as `FittedNetwork`.
    history : History
        Record of the complete epochs of this fit; `network.history` contains them, too.
    epochs : int
        Number of epochs requested.
    step : int
        Number of steps done in this epoch.
    steps_per_epoch : int
        Number of steps in an epoch; 0 in the first epoch over batches whose number is not known.
    batch_loss : float
        Loss of the last batch, before its step; set for `on_batch_end` alone, NaN until then.
    measured : collection of str
        Columns of the history that were measured in the last epoch; the others have NaN there.
    is_resumed : bool
        Whether the fit was continued from a checkpoint.
    is_under_way : bool
        Whether an epoch is: from `on_epoch_begin` to `on_epoch_end`, where it is complete.
    reason : str
        Why the fit is going to stop; "" if it is not.
    final_reason : str
        Why the fit is complete, so that no later call continues it; "" if it is not.
    """

    def __init__(
        self,
        network: FittedNetwork,
        model: HasLearningRate,
        history: History,
        epochs: int,
        keep: Callable[[int], bool],
        steps_per_epoch: int = 1,
        sample: Callable[[int], Sample | None] | None = None,
    ) -> None:
        self.network, self.history, self.epochs = network, history, epochs
        self.step, self.steps_per_epoch, self.batch_loss = 0, steps_per_epoch, nan
        self.measured: Collection[str] = ()
        self.is_resumed, self.is_under_way, self.reason, self.final_reason = False, False, "", ""
        self._model, self._keep, self._sample = model, keep, sample
        self._thread, self._is_over = get_ident(), False

    def __repr__(self) -> str:
        measured = {name: value for name, value in self.metrics.items() if name in self.measured}
        return (
            f"EpochState(epoch={self.epoch} of {self.epochs}, step={self.step} of {self.steps_per_epoch}, "
            f"metrics={measured})"
        )

    @property
    def epoch(self) -> int:
        """Index of the epoch, 0 for the first of the fit; in `on_fit_end` that of the last complete one."""
        return max(len(self.history) - (not self.is_under_way), 0)

    @property
    def metrics(self) -> dict[str, float]:
        """Entries of the last complete epoch in the history: "loss" and so on; empty before the first one."""
        return self.history.row(-1) if len(self.history) else {}

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step; setting it ends a schedule and keeps the optimizer's state."""
        return self._model.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._check("setting the learning rate")
        self._model.learning_rate = rate

    def stop(self, reason: str = "callback") -> None:
        """Stop the fit; the first `reason` given becomes `history.stopped`.

        The fit ends as soon as all callbacks have seen this moment: in `on_batch_end` after this step. The
        history has the complete epochs only. After a stop in `on_epoch_end` the fit is complete; after one in
        another hook, ``fit(resume=...)`` goes on.
        """
        given = arguments.text("reason", reason) or "callback"
        self.reason = self.reason or given
        if 0 < self.step == self.steps_per_epoch and not self.is_under_way:
            self.final_reason = self.final_reason or given

    def keep(self) -> None:
        """Keep the parameters, optimizer state and step count of this moment as those that the fit ends with.

        The last call counts, whatever ends the fit. If an error does, the optimizer and its learning rate
        become those of that moment, too.

        Raises
        ------
        DivergenceError
            They are not finite.
        """
        self._check("keep")
        if not self._keep(len(self.history)):
            raise DivergenceError(f"the network's state is NaN or infinite after epoch {len(self.history)}")

    def sample(self, rows: int = 512) -> Sample | None:
        """Return X, y and weights of up to `rows` of the rows that are trained on, always the same in a fit.

        Each of as many stretches of the data gives a random row, by the network's seed; rows of weight 0 are
        left out. All are returned if there are not more. X is an array, or sparse like the fit's X, not
        scaled; y is as the network reads targets; the weights (m,) or (m, n_targets) include those of
        classes, and are None if all are 1.

        Returns
        -------
        tuple (X, y, sample_weight), or None
            Copies, as for `Network.evaluate`. None if the fit reads batches from an iterable.
        """
        self._check("sample")
        rows = arguments.integer("rows", rows, at_least=1)
        return None if self._sample is None else self._sample(rows)

    def resume(self, step: int, is_under_way: bool, stopped: str) -> None:
        """Note that the fit continues from a checkpoint, after this number of steps of an epoch.

        `stopped` is the reason why the fit is complete; "" if it is not.
        """
        self.is_resumed, self.step, self.is_under_way = True, step, is_under_way
        self.reason = self.final_reason = stopped

    def begin_epoch(self) -> None:
        """Note that the next epoch is under way."""
        self.step, self.is_under_way = 0, True

    def end_epoch(self, steps: int) -> None:
        """Note that the epoch is complete, after so many steps."""
        self.step = self.steps_per_epoch = steps
        self.is_under_way = False

    def close(self) -> None:
        """Refuse changes from now on, because the fit is over."""
        self._is_over, self.is_under_way = True, False

    def _check(self, what: str) -> None:
        if self._is_over:
            raise Error(f"{what} of a fit that is over, expected it during the fit, from a callback")
        if get_ident() != self._thread:
            raise BusyError(f"{what} of a fit in another thread, expected it from that fit's callbacks")
