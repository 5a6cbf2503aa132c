"""Levenberg-Marquardt: least squares in few, large steps, for some thousand parameters at most."""

from __future__ import annotations

from math import nan
from typing import Any, ClassVar

import numpy as np

from fastbp._base.arguments import flag, number
from fastbp.exceptions import ParameterError
from fastbp.losses import MSE, HalfSSE
from fastbp.optimizers._base import Optimizer
from fastbp.schedules import Constant, Schedule

MOST_PARAMETERS = 5000


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

    def check(self, architecture: Any, batch_rows: int, rows: int) -> None:
        super().check(architecture, batch_rows, rows)
        loss, n = architecture.loss, architecture.n_parameters
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
        architecture.check_without(("l1", "l2", "dropout", "max_norm"), f"the optimizer {self}")


class NoRate(Constant):
    """The schedule of an optimizer without learning rate: NaN at every step."""

    def __init__(self, learning_rate: float = nan) -> None:
        self._set(learning_rate=nan)
