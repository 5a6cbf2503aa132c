"""What scikit-learn does at the end of an epoch: losses, scores, learning rates, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastbp.callbacks import EpochState
from fastbp.sklearn._parameters import Settings

LOWEST_RATE = 1e-6  # at which "adaptive" learning rates end
DIVISOR = 5.0  # of "adaptive" learning rates


class EpochRules:
    """Callback of one fit, which keeps the attributes of its estimator up to date.

    Training stops after more than `n_iter_no_change` epochs in a row without an improvement by at least
    `tol`: of the training loss, or with early stopping of the validation score.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    settings : Settings
    n_rows : int
        Number of training rows.
    offset : float
        Constant that is part of scikit-learn's loss and not of fastbp's.
    score : callable, optional
        Takes the `EpochState`; returns the validation score, higher is better. None without validation data.
    score_offset : float
        The same constant for the validation data.
    is_incremental : bool
        Whether the fit is a call of `partial_fit`, after which the weights are not those of the best epoch.
    tasks : EpochTasks, optional
        The callbacks of scikit-learn.
    """

    def __init__(
        self,
        estimator: Any,
        settings: Settings,
        n_rows: int,
        *,
        offset: float = 0.0,
        score: Callable[[EpochState], float] | None = None,
        score_offset: float = 0.0,
        is_incremental: bool = False,
        tasks: Any = None,
    ) -> None:
        self._estimator, self._settings, self._n_rows = estimator, settings, n_rows
        self._offset, self._score, self._score_offset = offset, score, score_offset
        self._is_incremental, self._tasks = is_incremental, tasks
        self.has_converged = self.was_stopped = False

    def on_fit_begin(self, state: EpochState) -> None:
        """Keep the present weights, in case no epoch is better."""
        if self._settings.early_stopping and not self._is_incremental:
            state.keep()

    def on_epoch_begin(self, state: EpochState) -> None:
        """Tell the callbacks of scikit-learn."""
        if self._tasks is not None:
            self._tasks.begin()

    def on_epoch_end(self, state: EpochState) -> None:
        """Note what the epoch has measured, and decide whether to stop."""
        estimator, settings = self._estimator, self._settings
        measured = state.metrics
        estimator.n_iter_ += 1
        estimator.t_ += self._n_rows
        estimator.loss_ = measured["loss"] + self._offset
        estimator.loss_curve_.append(estimator.loss_)
        if settings.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        if self._score is not None:
            self._note_score(state, self._score(state), measured["validation_loss"])
        if settings.early_stopping:
            self._count(estimator.validation_scores_[-1] < self._score_to_beat)
        else:
            self._count(estimator.loss_ > estimator.best_loss_ - settings.tol)
            estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)
        if settings.rule == "invscaling":
            rate = settings.optimizer.base_rate  # type: ignore[union-attr]  # SGD's
            set_rate(state, rate / (estimator.t_ + 1) ** settings.power)
        if estimator._no_improvement_count > settings.n_iter_no_change:
            self._end_plateau(state)
        if self._tasks is not None and self._tasks.end():
            self.was_stopped = True
            state.stop("callback")

    def _note_score(self, state: EpochState, score: float, loss: float) -> None:
        """Record the validation score and loss; keep the network if it is the best so far."""
        estimator, settings = self._estimator, self._settings
        if settings.verbose:
            print(f"Validation score: {score:f}")
        estimator.validation_scores_.append(score)
        estimator.validation_loss_curve_.append(loss + self._score_offset)
        self._score_to_beat = estimator.best_validation_score_ + settings.tol
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            if settings.early_stopping and self._is_incremental:
                estimator._best_parameters = state.network.parameters.copy()
            elif settings.early_stopping:
                state.keep()

    def _count(self, is_worse: bool) -> None:
        estimator = self._estimator
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if is_worse else 0

    def _end_plateau(self, state: EpochState) -> None:
        """Stop, or lower an adaptive learning rate."""
        settings = self._settings
        what = "Validation score" if settings.early_stopping else "Training loss"
        message = (
            f"{what} did not improve more than tol={settings.tol:f} for {settings.n_iter_no_change} "
            "consecutive epochs."
        )
        if settings.rule == "adaptive" and state.learning_rate > LOWEST_RATE:
            self._estimator._no_improvement_count = 0
            set_rate(state, state.learning_rate / DIVISOR)
            message += f" Setting learning rate to {state.learning_rate:f}"
        else:
            self.has_converged = self.was_stopped = True
            message += " Learning rate too small." if settings.rule == "adaptive" else ""
            message += " Stopping."
            state.stop("early_stopping" if settings.early_stopping else "tol")
        if settings.verbose:
            print(message)


def set_rate(state: EpochState, rate: float) -> None:
    """Set the learning rate as scikit-learn does: the momentum so far keeps the rates of its steps.

    fastbp's momentum is a sum of gradients, which the new rate multiplies as a whole; scikit-learn's is a sum
    of steps. So the sum is divided by what the rate is multiplied by.
    """
    old, network = state.learning_rate, state.network
    if rate != old:
        momentum = network._model.engine.state  # type: ignore[attr-defined]  # (0 or 1, P)
        momentum *= old / rate
        state.learning_rate = rate
