"""The optimizer `LevenbergMarquardt`: few, large least-squares steps, for up to 5000 parameters."""

from __future__ import annotations

from math import nan
from typing import Any, ClassVar, Self

import numpy as np

from fastbp._base import arguments
from fastbp._base.fields import checked_by, flag, number
from fastbp.exceptions import ParameterError
from fastbp.losses import SumLoss
from fastbp.optimizers._base import Optimizer, Trainable
from fastbp.schedules import Constant, Schedule

MOST_PARAMETERS = 5000
REFUSED = ("l1", "l2", "dropout", "max_norm", "trainable", "learning_rate_factor")  # options of layers


def _count_or_none(argument: str, value: Any) -> int | None:
    return None if value is None else arguments.integer(argument, value, at_least=1)


class LevenbergMarquardt(Optimizer):
    """Damped Gauss-Newton steps on all rows at once, for the losses mse and half_sse; an epoch is one step.

    With J the derivatives of all outputs by the P parameters and r the errors h - t, a step d solves
    (J^T J + mu I) d = -J^T r. A step that would raise the loss is not made: mu := mu nu and nu := 2 nu, until
    a step lowers it. Then mu := mu max(1/3, 1 - (2 gain - 1)^3) and nu := 2, where the gain is the actual
    decrease over the decrease that the quadratic model predicts. A fit ends ("converged") when the predicted
    decrease is below the resolution of float64.

    Everything is computed in float64, for networks of either dtype. A step takes O(n n_out P^2 + P^3)
    operations and 16 P^2 bytes.

    There is no learning rate (the history has NaN), and nothing is clipped. Not supported are other losses,
    mini-batches, more than 5000 parameters, l1, l2, dropout, max_norm, frozen layers,
    learning-rate factors, input_noise, sample_weight, class_weight, single steps and `ReduceLROnPlateau`.

    Parameters
    ----------
    bayesian : bool
        Whether to minimize beta E_D + alpha E_W, where E_D is half the sum of the squared errors and E_W half
        the sum of the squared parameters. Before each step, alpha and beta, the inverse variances of
        parameters and noise, are estimated from the evidence: with gamma, the number of parameters that the
        data determine, gamma = P - alpha trace((beta J^T J + alpha I)^-1), alpha = gamma / (2 E_W) and
        beta = (n n_out - gamma) / (2 E_D). The history has columns of these three; its loss is still that of
        the errors. While all parameters are 0, so is alpha.
    damping : float, > 0
        The initial mu, relative to the largest diagonal element of J^T J. A later fit continues with the last
        mu of the fit before, unless that one converged.
    max_fail : int, >= 1, or None
        Number of epochs without a lower validation loss after which a fit with validation data stops
        ("early_stopping"); it ends with the parameters of the epoch with the lowest one. As the callback
        ``EarlyStopping("validation_loss", max_fail, restore_best=True)``. Not with `bayesian`, nor beside a
        callback EarlyStopping that restores. None: train on.

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
    learning_rate: ClassVar[float] = nan
    base_rate: ClassVar[float] = nan
    bayesian: bool = flag(default=False)
    damping: float = number(default=1e-3, above=0)
    max_fail: int | None = checked_by(_count_or_none, "int, >= 1, or None", default=6)

    def check_dtype(self, dtype: np.dtype[np.floating]) -> None:
        super().check_dtype(np.dtype(np.float64))  # in which everything is computed

    def check(self, architecture: Trainable, batch_rows: int, rows: int) -> None:
        super().check(architecture, batch_rows, rows)
        loss, n = architecture.loss, architecture.n_parameters
        if not (isinstance(loss, SumLoss) and loss.squares):
            raise ParameterError(
                f"loss is {loss} with the optimizer {self}, expected mse or half_sse: its steps are for sums "
                "of squared errors"
            )
        if n > MOST_PARAMETERS:
            raise ParameterError(
                f"the network has {n:,} parameters, expected at most {MOST_PARAMETERS:,} for the optimizer "
                f"{self}: two matrices of so many rows and columns take {16 * n * n:.2g} bytes"
            )
        architecture.check_without(REFUSED, f"the optimizer {self}")

    def check_step(self, call: str) -> None:
        raise ParameterError(f"optimizer is {self}, which works in fit alone, expected another for {call}")

    # ---- the engines get these values, but their own step never runs

    row = "sgd"
    clip_norm = None
    clip_value = None

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        return (nan,)

    def schedule(self, epoch: int) -> Schedule:
        return NoRate()

    def with_learning_rate(self, rate: float) -> Self:
        raise ParameterError(f"learning_rate is {rate} for the optimizer {self}, which has none")


class NoRate(Constant):
    """The schedule of an optimizer without learning rate: NaN at every step."""

    def __init__(self, learning_rate: float = nan) -> None:
        self._set(learning_rate=nan)
