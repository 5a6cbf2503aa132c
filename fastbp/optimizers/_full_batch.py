"""Optimizers that relate each step to the one before, and so need full batches."""

from __future__ import annotations

from typing import ClassVar, Unpack

from fastbp._base.arguments import number
from fastbp.optimizers._base import Clipping, Optimizer, positive
from fastbp.schedules import LearningRate


class IRprop(Optimizer):
    """iRprop-: every parameter has a step size of its own, which the signs of its gradients change.

    size := min(eta_plus size, step_max) where g has the sign of the last step's; where it has the other,
    size := max(eta_minus size, step_min), and g counts as 0, now and in the next step. Then
    p := p - size sign(g). Full batches only.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
        The first step size of all parameters; what a schedule says of later steps has no effect.
    eta_minus : float, > 0 and < 1
    eta_plus : float, > 1
    step_min : float, >= 2**-126, the smallest normal float32
    step_max : float, >= step_min

    References
    ----------
    C. Igel and M. Huesken, Improving the Rprop learning algorithm, 2000.
    """

    row: ClassVar[str] = "irprop"
    full_batch: ClassVar[bool] = True
    eta_minus: float
    eta_plus: float
    step_min: float
    step_max: float

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        eta_minus: float = 0.5,
        eta_plus: float = 1.2,
        step_min: float = 1e-6,
        step_max: float = 50.0,
        **clipping: Unpack[Clipping],
    ) -> None:
        step_min = positive("step_min", step_min)
        super().__init__(
            learning_rate,
            eta_minus=number("eta_minus", eta_minus, above=0, below=1),
            eta_plus=number("eta_plus", eta_plus, above=1),
            step_min=step_min,
            step_max=number("step_max", step_max, at_least=step_min),
            **clipping,
        )


class Quickprop(Optimizer):
    """Quickprop: a jump to the minimum of the parabola through the last two slopes, for every parameter.

    With the last gradient q and the last change d of p, each 0 at first::

        d := a d - b learning_rate g
        a = mu            where g would have d grow by more than that: d g < 0 and |g| > mu / (1 + mu) |q|
        a = g / (q - g)   elsewhere
        b = 0             where the last change went too far: d g > 0
        b = 1             elsewhere
        p := p + d;  q := g

    Full batches only.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
        Fahlman's epsilon.
    mu : float, > 0
        The maximum growth factor.

    References
    ----------
    S. E. Fahlman, Faster-learning variations on back-propagation: an empirical study, 1988.
    """

    row: ClassVar[str] = "quickprop"
    full_batch: ClassVar[bool] = True
    mu: float

    def __init__(
        self, learning_rate: LearningRate = 0.01, mu: float = 1.75, **clipping: Unpack[Clipping]
    ) -> None:
        super().__init__(learning_rate, mu=number("mu", mu, above=0), **clipping)
