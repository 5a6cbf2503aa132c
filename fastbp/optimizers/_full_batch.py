"""Optimizers that compare each gradient with the one before, and so need full batches."""

from __future__ import annotations

from fastbp._base import arguments
from fastbp._base.fields import checked_later, number
from fastbp.optimizers._base import TINY, GradientOptimizer, rate
from fastbp.schedules import LearningRate


class IRprop(GradientOptimizer):
    """iRprop-: each parameter has its own step size, which grows or shrinks with the signs of its gradients.

    Where g has the same sign as in the last step, size := min(eta_plus size, step_max). Where the sign has
    changed, size := max(eta_minus size, step_min), and g counts as 0 in this step and as "last" in the next.
    Then p := p - size sign(g). Full batches only.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
        The first step size of all parameters; the later rates of a schedule have no effect.
    eta_minus : float, > 0 and < 1
    eta_plus : float, > 1
    step_min : float, >= 2**-126
        The lower bound is the smallest normal number of float32.
    step_max : float, >= step_min

    References
    ----------
    C. Igel and M. Huesken, Improving the Rprop learning algorithm, 2000.
    """

    row = "irprop"
    full_batch = True
    learning_rate: LearningRate = rate(0.01)
    eta_minus: float = number(default=0.5, above=0, below=1)
    eta_plus: float = number(default=1.2, above=1)
    step_min: float = number(default=1e-6, at_least=TINY)
    step_max: float = checked_later("float, >= step_min", default=50.0)

    def __post_init__(self) -> None:
        self._set(step_max=arguments.number("step_max", self.step_max, at_least=self.step_min))


class Quickprop(GradientOptimizer):
    """Quickprop: each parameter jumps to the minimum of the parabola through its last two slopes.

    With the last gradient q and the last change d of p, each 0 at first::

        d := a d - b learning_rate g
        a = mu            where d would grow by a larger factor: d g < 0 and |g| > mu / (1 + mu) |q|
        a = g / (q - g)   elsewhere
        b = 0             where the last change passed the minimum: d g > 0
        b = 1             elsewhere
        p := p + d;  q := g

    Full batches only.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
        Fahlman's epsilon.
    mu : float, > 0
        Largest factor by which a change grows from step to step.

    References
    ----------
    S. E. Fahlman, Faster-learning variations on back-propagation: an empirical study, 1988.
    """

    row = "quickprop"
    full_batch = True
    learning_rate: LearningRate = rate(0.01)
    mu: float = number(default=1.75, above=0)
