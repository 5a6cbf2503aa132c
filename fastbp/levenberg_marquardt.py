"""Levenberg-Marquardt: least squares in few, large steps, for some thousand parameters at most."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp.exceptions import ParameterError, flag, number
from fastbp.losses import MSE, HalfSSE
from fastbp.optimizers import Optimizer
from fastbp.schedules import Constant, Schedule
from fastbp.validation import check_without

if TYPE_CHECKING:
    from fastbp.network import Network
    from fastbp.weights import Weights

Array: TypeAlias = NDArray[np.float64]

MOST_PARAMETERS = 5000
ROUNDING, TINY = float(np.finfo(np.float64).eps), float(np.finfo(np.float64).tiny)


class LevenbergMarquardt(Optimizer):
    """Damped Gauss-Newton steps on all rows at once, for the losses mse and half_sse; an epoch is one step.

    With J the derivatives of all outputs by the P parameters and r the errors h - t, a step d solves
    (J^T J + mu I) d = -J^T r. Steps that raise the loss are not made: mu := mu nu, nu := 2 nu, until one
    lowers it. Then mu := mu max(1/3, 1 - (2 gain - 1)^3), nu := 2, where the gain is the decrease over that
    of the quadratic model. A fit ends ("converged") when the model promises less than float64 can tell.

    All is computed in float64, whatever the network's dtype. A step takes O(n n_out P^2 + P^3) operations
    and 16 P^2 bytes.

    It has no learning rate (the history has NaN) and clips nothing. Refused are other losses, mini-batches,
    more than 5000 parameters, l1, l2, dropout, max_norm and input_noise, sample_weight and class_weight,
    single steps, and `ReduceLROnPlateau`.

    Parameters
    ----------
    bayesian : bool
        Minimise beta E_D + alpha E_W, where E_D is half the sum of the squared errors and E_W that of the
        squared parameters. Before every step, alpha and beta, 1 over the variances of parameters and noise,
        follow from the evidence: with gamma = P - alpha trace((beta J^T J + alpha I)^-1), the number of
        parameters that the data determine, alpha = gamma / (2 E_W) and beta = (n n_out - gamma) / (2 E_D).
        The history has columns of these three; its loss is still that of the errors. Where all parameters
        are 0, alpha is 0, too.
    damping : float, > 0
        The mu to begin with, over the largest diagonal element of J^T J. A later fit goes on with the mu that
        the one before has left, unless that has converged.

    References
    ----------
    K. Levenberg, A method for the solution of certain non-linear problems in least squares, 1944.
    D. W. Marquardt, An algorithm for least-squares estimation of nonlinear parameters, 1963.
    H. B. Nielsen, Damping parameter in Marquardt's method, 1999.
    D. J. C. MacKay, Bayesian interpolation, 1992.
    F. D. Foresee and M. T. Hagan, Gauss-Newton approximation to Bayesian learning, 1997.
    """

    full_batch = True
    why_full_batch = "makes steps of all rows at once"
    fits_only = True
    has_learning_rate = False
    row: ClassVar[str] = "sgd"  # which has no state; the engine's own step is never run
    # no fields, for there is nothing to set
    learning_rate: ClassVar[float] = nan  # type: ignore[misc]
    clip_norm: ClassVar[None] = None  # type: ignore[misc]
    clip_value: ClassVar[None] = None  # type: ignore[misc]
    bayesian: bool
    damping: float

    def __init__(self, bayesian: bool = False, damping: float = 1e-3) -> None:
        self._set(bayesian=flag("bayesian", bayesian), damping=number("damping", damping, above=0))

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        return (nan,)

    def schedule(self, epoch: int) -> Schedule:
        return NoRate()

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        super().check_dtype(np.dtype(np.float64))  # in which all is computed

    def with_learning_rate(self, rate: float) -> Optimizer:
        raise ParameterError(f"learning_rate is {rate} for the optimizer {self}, which has none")

    def begin(self, network: Network, weights: Weights | None) -> Callable[..., Any]:
        loss, n = network.loss, network.parameters.size
        if not isinstance(loss, MSE | HalfSSE):
            raise ParameterError(
                f"loss is {loss} with the optimizer {self}, expected mse or half_sse: its steps are for sums "
                "of squared errors"
            )
        if n > MOST_PARAMETERS:
            raise ParameterError(
                f"the network has {n:,} parameters, expected at most {MOST_PARAMETERS:,} for the optimizer "
                f"{self}: two matrices of so many rows and columns take {16 * n * n:.2g} bytes"
            )
        if weights is not None:
            raise ParameterError(f"sample_weight or class_weight is given, expected none with {self}")
        check_without(network, ("l1", "l2", "dropout", "max_norm"), f"the optimizer {self}")

        def begin(
            X: NDArray[Any],
            y: NDArray[Any],
            *,
            epochs: int,
            stored: bool,
            weights: None,
            batch_size: int,  # all rows, in their order: neither this nor what follows matters
            shuffle: bool,
            seed: int,
            first_epoch: int,
        ) -> Run:
            squares = loss.divide_by(*y.shape) * (1 if isinstance(loss, MSE) else 2)
            return Run(self, network._engine, network._twin("float64"), X, y, squares, epochs, stored)

        return begin


class NoRate(Constant):
    """The schedule of an optimizer without learning rate: NaN at every step."""

    def __init__(self, learning_rate: float = nan) -> None:
        self._set(learning_rate=nan)


class Run:
    """Training under way, like the engines' `Run`: an epoch is one step.

    It works on a twin of the engine, in float64, and copies every step that it makes.

    Parameters
    ----------
    squares : float
        r^T r over the loss.
    stored : bool
        Leave the gradient of the loss where a step begins in engine.gradients.

    Attributes
    ----------
    converged : bool
        Whether nothing is left to gain.
    columns : dict of arrays (epochs,)
        What the history shall have besides `losses`.
    """

    steps_per_epoch, step = 1, 0

    def __init__(
        self,
        optimizer: LevenbergMarquardt,
        engine: _core.Engine,
        twin: _core.Engine,
        X: NDArray[Any],
        y: NDArray[Any],
        squares: float,
        epochs: int,
        stored: bool,
    ) -> None:
        self._engine, self._twin, self._X, self._y = engine, twin, X, y
        self._squares, self._stored, self._bayesian = squares, stored, optimizer.bayesian
        self._w = twin.parameters.copy()
        if engine.memory is not None and np.array_equal(
            engine.memory[2:].astype(engine.parameters.dtype), self._w
        ):
            self._w = engine.memory[2:]  # before they were rounded
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
        else:  # the latter as if all parameters were determined and the errors were nothing but noise
            self._damping = optimizer.damping
            self._ridge = self._alpha(P) * self._errors / self._n if self._bayesian else 0.0
        self.epoch, self.converged = 0, False
        self.losses = np.zeros(epochs)
        names = ("damping", "alpha", "beta", "gamma") if self._bayesian else ("damping",)
        self.columns = {name: np.zeros(epochs) for name in names}

    def advance(self, until_epoch: int, seconds: float) -> bool:
        """Step until so many epochs are done, time is up or nothing is left to gain; False: not finite."""
        deadline = perf_counter() + seconds
        while self.epoch < until_epoch and not self.converged:
            if not self._train():
                return False
            if perf_counter() >= deadline:
                break
        return True

    @np.errstate(all="ignore")  # what overflows is refused, or no gain
    def _train(self) -> bool:
        """Make a step; return False, having made none, where loss or derivatives are not finite."""
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
        if largest == 0:  # no parameter matters
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
        """Return gamma / w^T w, finite; 0 where w is, which tells nothing about its variance."""
        squares = dot(self._w, self._w)
        return gamma / (squares + TINY * gamma) if squares > 0 else 0.0

    def _estimate(self, largest: float) -> None:
        """Estimate gamma, alpha and beta, and with them the ridge, where the step begins."""
        most = largest / ROUNDING  # beside which J^T J is nothing
        self._ridge = min(self._ridge, most)
        gamma = float(self._w.size) if largest > 0 else 0.0
        if self._factorise(self._ridge):
            gamma -= self._ridge * _core.inverse_trace(self._matrix)
        gamma = min(max(gamma, TINY), self._n * (1 - ROUNDING))
        alpha, beta = self._alpha(gamma), (self._n - gamma) / (self._errors + TINY * self._n)
        self._ridge = min(alpha * (self._errors + TINY * self._n) / (self._n - gamma), most)  # alpha / beta
        for name, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
            self.columns[name][self.epoch] = value

    def _step(self) -> bool:
        """Go where the objective is lower, or find that there is no such place; False: not finite."""
        before = self._objective(self._w, self._loss)
        gradient = self._sums[-1, :-1] + self._ridge * self._w
        while np.isfinite(before + self._damping):
            if self._factorise(self._ridge + self._damping):
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

    def _factorise(self, shift: float) -> bool:
        """Leave the Cholesky factor of J^T J + shift I in the matrix; False: it is not positive definite."""
        np.copyto(self._matrix, self._sums[:-1, :-1])
        self._diagonal += shift
        return _core.cholesky(self._matrix)

    def _loss_at(self, w: Array) -> float:
        np.copyto(self._twin.parameters, w)
        return self._twin.loss(self._X, self._y)

    @property
    def _errors(self) -> float:
        """r^T r where the step begins."""
        return self._squares * self._loss

    def _objective(self, w: Array, loss: float) -> float:
        """Half of r^T r + ridge w^T w."""
        return 0.5 * (self._squares * loss + self._ridge * dot(w, w))


def dot(a: Array, b: Array) -> float:
    """Return a^T b, summed by NumPy in a fixed order; `@` would follow the BLAS library."""
    return float((a * b).sum())
