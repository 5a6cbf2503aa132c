"""The training run of Levenberg-Marquardt: an epoch is one damped Gauss-Newton step."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._base.sparse import Rows
from fastbp._data.sample_weights import Weights
from fastbp._model import Model
from fastbp.exceptions import ParameterError
from fastbp.losses import SumLoss
from fastbp.optimizers import LevenbergMarquardt

if TYPE_CHECKING:
    from fastbp._data.mapped import DeferredChecks

Array: TypeAlias = NDArray[np.float64]

ROUNDING, TINY = float(np.finfo(np.float64).eps), float(np.finfo(np.float64).tiny)


def check_weights(optimizer: LevenbergMarquardt, weights: Weights | None) -> None:
    """Refuse sample and class weights, and rows of which only some targets are known."""
    if weights is not None and weights.values is not None:
        raise ParameterError(
            "sample_weight or class_weight is given, or y has rows of which only some targets are NaN, "
            f"expected none of these with {optimizer}"
        )


class LevenbergMarquardtRun:
    """A training run, see `fastbp._engine.protocol.Run`, whose epochs are one step each.

    It works on a twin of the model's engine in float64, and copies each step to the engine itself.

    Parameters
    ----------
    model : Model
        Model whose optimizer is a `LevenbergMarquardt`.
    X, y : arrays (n, n_in), (n, n_out)
    weights : Weights, optional
        The rows to train on, without weights.
    epochs, stored, checks
        As in `fastbp._engine.protocol.RunOptions`.
    ignored
        The other options, which concern batches of rows: each step takes all rows.
    """

    steps_per_epoch, step = 1, 0

    def __init__(
        self,
        model: Model,
        X: Rows,
        y: NDArray[Any],
        *,
        weights: Weights | None,
        epochs: int,
        stored: bool,
        checks: DeferredChecks | None = None,
        **ignored: Any,
    ) -> None:
        if checks is not None:  # of all rows, for all steps
            every = slice(0, len(X)) if weights is None or weights.rows is None else weights.rows
            checks.check(X, y, every)
        if weights is not None:
            assert weights.rows is not None  # `check_weights` refused values
            X, y = X[weights.rows], y[weights.rows]
        optimizer, engine, twin = model.optimizer, model.engine, model.twin(np.dtype(np.float64))
        loss = model.architecture.loss
        assert isinstance(optimizer, LevenbergMarquardt)  # `begin_of` chose by that,
        assert isinstance(loss, SumLoss)  # and `optimizer.check` refuses other losses
        self._engine, self._twin, self._X, self._y = engine, twin, X, y
        self._squares = loss.divide_by(*y.shape) * loss.squares  # r^T r / loss
        self._stored, self._bayesian = stored, optimizer.bayesian
        self._w = twin.parameters.copy()
        if engine.memory is not None:
            with np.errstate(over="ignore"):  # those of a file may be any numbers
                rounded = engine.memory[2:].astype(engine.parameters.dtype)
            if np.array_equal(rounded, self._w):
                self._w = engine.memory[2:]  # as they were before they were rounded
        self._loss = self._loss_at(self._w)
        P, self._n = self._w.size, y.size
        self._sums = np.zeros((P + 1, P + 1))  # [J r]^T [J r], its lower triangle
        self._matrix = np.empty((P, P))  # J^T J + shift I, then its Cholesky factor: lower triangles
        self._diagonal = self._matrix.reshape(-1)[:: P + 1]  # a view
        self._damping: float
        self._ridge: float
        self._growth = 2.0  # nu
        if engine.memory is not None:  # mu and alpha / beta
            self._damping, self._ridge = engine.memory[:2].tolist()
        else:  # alpha / beta as if the data determined all parameters and the errors were only noise
            self._damping = optimizer.damping
            self._ridge = self._alpha(P) * self._errors / self._n if self._bayesian else 0.0
        self.epoch, self.converged = 0, False
        self.losses = np.zeros(epochs)
        names = ("damping", "alpha", "beta", "gamma") if self._bayesian else ("damping",)
        self.columns = {name: np.zeros(epochs) for name in names}

    @property
    def batch_loss(self) -> float:
        """Loss before the last step."""
        return float(self.losses[max(self.epoch - 1, 0)])

    @property
    def progress(self) -> tuple[int, int, float, float]:
        """Complete epochs, and zeros: there is no step within an epoch."""
        return self.epoch, 0, 0.0, 0.0

    def resume(self, progress: tuple[int, int, float, float]) -> None:
        """Continue a run of the same rows, whose `progress` this was; damping and ridge are in the memory."""
        self.epoch, *_ = _core.checked_progress(self, progress)
        for column in (self.losses, *self.columns.values()):
            column[: self.epoch] = np.nan

    def advance(self, until_epoch: int, seconds: float) -> bool:
        """Train until `until_epoch` epochs are complete, the time is up or the run has converged.

        Return False right after a step whose loss or derivatives were not finite.
        """
        deadline = perf_counter() + seconds
        while self.epoch < until_epoch and not self.converged:
            if not self._train():
                return False
            if perf_counter() >= deadline:
                break
        return True

    @np.errstate(all="ignore")  # overflow is refused, or counts as no gain
    def _train(self) -> bool:
        """Make a step; if loss or derivatives are not finite, make none and return False."""
        if self._stored:
            self._engine.loss_and_gradients(self._X, self._y)
        np.copyto(self._twin.parameters, self._w)
        self._twin.normal_equations(self._X, self._y, self._sums)
        largest = float(self._sums.diagonal()[:-1].max())
        self.step = 1  # the bad one counts
        if not np.isfinite(self._errors + largest):
            return False
        if self._engine.memory is None:
            self._damping *= largest
        self._damping = max(self._damping, ROUNDING * largest, TINY)
        self.losses[self.epoch] = self._loss
        if self._bayesian:
            self._estimate(largest)
        self.columns["damping"][self.epoch] = self._damping
        if largest == 0:  # the outputs depend on no parameter
            self.converged = True
        elif not self._step():
            return False
        self.step = 0
        self._engine.t += 1
        numbers = self._damping, self._ridge
        self._engine.memory = None if self.converged else np.concatenate([numbers, self._w])
        self.epoch += 1
        return True

    def _alpha(self, gamma: float) -> float:
        """Return gamma / w^T w, finite; 0 if w is 0, which says nothing about its variance."""
        squares = dot(self._w, self._w)
        return gamma / (squares + TINY * gamma) if squares > 0 else 0.0

    def _estimate(self, largest: float) -> None:
        """Estimate gamma, alpha and beta at the start of the step, and the ridge from them."""
        most = largest / ROUNDING  # J^T J is negligible beside more
        self._ridge = min(self._ridge, most)
        gamma = float(self._w.size) if largest > 0 else 0.0
        if self._factorize(self._ridge):
            gamma -= self._ridge * _core.inverse_trace(self._matrix)
        gamma = min(max(gamma, TINY), self._n * (1 - ROUNDING))
        alpha, beta = self._alpha(gamma), (self._n - gamma) / (self._errors + TINY * self._n)
        self._ridge = min(alpha * (self._errors + TINY * self._n) / (self._n - gamma), most)  # alpha / beta
        for name, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
            self.columns[name][self.epoch] = value

    def _step(self) -> bool:
        """Make a step to a lower objective, or set `converged`; return False if numbers are not finite."""
        before = self._objective(self._w, self._loss)
        gradient = self._sums[-1, :-1] + self._ridge * self._w
        while np.isfinite(before + self._damping):
            if self._factorize(self._ridge + self._damping):
                d = _core.cholesky_solve(self._matrix, -gradient)
                promised = 0.5 * dot(d, self._damping * d - gradient)
                if promised <= ROUNDING * before:
                    self.converged = True
                    return True
                w = self._w + d
                loss = self._loss_at(w)
                gain = (before - self._objective(w, loss)) / promised
                if gain > 0:
                    self._w, self._loss = w, loss
                    self._engine.parameters[:] = w
                    excess = 2 * gain - 1
                    self._damping *= max(1 / 3, 1 - excess * excess * excess)
                    self._growth = 2.0
                    return True
            self._damping *= self._growth
            self._growth *= 2
        return False

    def _factorize(self, shift: float) -> bool:
        """Write the Cholesky factor of J^T J + shift I to the matrix; False if not positive definite."""
        np.copyto(self._matrix, self._sums[:-1, :-1])
        self._diagonal += shift
        return _core.cholesky(self._matrix)

    def _loss_at(self, w: Array) -> float:
        np.copyto(self._twin.parameters, w)
        return self._twin.loss(self._X, self._y)

    @property
    def _errors(self) -> float:
        """r^T r at the start of the step."""
        return self._squares * self._loss

    def _objective(self, w: Array, loss: float) -> float:
        """Half of r^T r + ridge w^T w."""
        return 0.5 * (self._squares * loss + self._ridge * dot(w, w))


def dot(a: Array, b: Array) -> float:
    """Return a^T b, summed by NumPy in a fixed order; that of `@` depends on the BLAS library."""
    return float((a * b).sum())
