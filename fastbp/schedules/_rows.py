"""Schedules that change with every step, one class per row of the engines' table."""

from __future__ import annotations

from math import cos, inf, pi, pow

from fastbp._base.fields import integer, number
from fastbp.schedules._base import STEPS, Schedule


class Step(Schedule):
    """Multiply the rate by `factor` after every `every` steps: learning_rate factor^floor(k / every).

    PyTorch's StepLR(step_size=every, gamma=factor).

    Parameters
    ----------
    learning_rate : float, > 0
    every : int, >= 1 and < 2**53
        Steps between two changes.
    factor : float, > 0
    """

    row = "step"
    every: int = integer(at_least=1, below=STEPS)
    factor: float = number(default=0.1, above=0)

    @property
    def reached(self) -> dict[str, float]:
        return super().reached | {"learning_rate factor": self(self.every)}

    @property
    def parameters(self) -> tuple[float, ...]:
        return self.every, self.factor

    @staticmethod
    def formula(step: int, learning_rate: float, every: int, factor: float) -> float:
        return learning_rate * power(factor, step // every)


class Exponential(Schedule):
    """Multiply the rate by `decay` over every `every` steps, evenly: learning_rate decay^(k / every).

    With every=1, PyTorch's ExponentialLR(gamma=decay).

    Parameters
    ----------
    learning_rate : float, > 0
    decay : float, > 0
    every : int, >= 1 and < 2**53
        Steps in which the rate is multiplied by `decay`.
    """

    row = "exponential"
    decay: float = number(above=0)
    every: int = integer(default=1, at_least=1, below=STEPS)

    @property
    def reached(self) -> dict[str, float]:
        return super().reached | {"learning_rate decay": self(self.every)}

    @property
    def parameters(self) -> tuple[float, ...]:
        return self.decay, self.every

    @staticmethod
    def formula(step: int, learning_rate: float, decay: float, every: int) -> float:
        return learning_rate * power(decay, step / every)


class InverseScaling(Schedule):
    """Divide the rate by a power of the number of steps: learning_rate / (k + 1)^power.

    scikit-learn's "invscaling" counts the rows of complete epochs instead of steps:
    ``lambda epoch: learning_rate / (1 + epoch * len(X)) ** power`` does that.

    Parameters
    ----------
    learning_rate : float, > 0
    power : float, >= 0
    """

    row = "inverse_scaling"
    power: float = number(default=0.5, at_least=0)

    @property
    def reached(self) -> dict[str, float]:
        return super().reached | {"learning_rate / 2^power": self(1)}

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.power,)

    @staticmethod
    def formula(step: int, learning_rate: float, exponent: float) -> float:
        return learning_rate / power(step + 1, exponent)


class Cosine(Schedule):
    """Lower the rate along half a cosine, optionally after a warm-up and with restarts.

    In the warm-up it is learning_rate (k + 1) / (warmup + 1). Then, while j = k - warmup counts to `steps`,
    it is final + (learning_rate - final) (1 + cos(pi j / steps)) / 2. With `growth`, a new fall begins where
    the last one ends, and takes `growth` times as many steps.

    PyTorch's CosineAnnealingLR(T_max=steps, eta_min=final), or CosineAnnealingWarmRestarts(T_0=steps,
    T_mult=growth, eta_min=final); the warm-up is LinearLR(1 / (warmup + 1), total_iters=warmup) before it.

    Parameters
    ----------
    learning_rate : float, > 0
        The highest rate.
    steps : int, >= 1 and < 2**53
        Steps of the (first) fall.
    final : float, >= 0
        The lowest rate.
    warmup : int, >= 0 and < 2**53
        Steps before the rate is at its highest.
    growth : int, >= 1 and < 2**53, optional
        Factor between the lengths of two falls. None: there is one fall, and no restart.

    References
    ----------
    I. Loshchilov and F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    """

    row = "cosine"
    steps: int = integer(at_least=1, below=STEPS)
    final: float = number(default=0.0, at_least=0)
    warmup: int = integer(default=0, at_least=0, below=STEPS)
    growth: int | None = integer(default=None, at_least=1, below=STEPS)

    @property
    def reached(self) -> dict[str, float]:
        first = self.learning_rate / (self.warmup + 1)
        end = {"final": self.final} if self.final else {}
        return super().reached | {"learning_rate / (warmup + 1)": first} | end

    @property
    def parameters(self) -> tuple[float, ...]:
        return self.steps, self.final, self.warmup, self.growth or 0

    @staticmethod
    def formula(step: int, learning_rate: float, steps: int, final: float, warmup: int, growth: int) -> float:
        if step < warmup:
            return learning_rate * (step + 1) / (warmup + 1)
        done, fall = step - warmup, steps
        if growth == 1:
            done %= fall
        while growth > 1 and done >= fall > 0:  # ends for all numbers
            done, fall = done - fall, fall * growth
        return cosine(learning_rate, final, min(done / fall, 1))


class OneCycle(Schedule):
    """Raise the rate to `learning_rate` along half a cosine, then lower it far below its start along another.

    From learning_rate / start_divisor it rises until k = warmup_share steps - 1, and falls until the last
    step, k = steps - 1, to learning_rate / (start_divisor final_divisor).

    PyTorch's OneCycleLR(max_lr=learning_rate, total_steps=steps, pct_start=warmup_share,
    div_factor=start_divisor, final_div_factor=final_divisor, cycle_momentum=False).

    Parameters
    ----------
    learning_rate : float, > 0
        The highest rate.
    steps : int, >= 1 and < 2**53
        Steps of the whole cycle.
    warmup_share : float, >= 0 and < 1
        Share of the steps in which the rate rises.
    start_divisor, final_divisor : float, > 0

    References
    ----------
    L. N. Smith and N. Topin, Super-convergence: very fast training of neural networks using large learning
    rates, 2019.
    """

    row = "one_cycle"
    steps: int = integer(at_least=1, below=STEPS)
    warmup_share: float = number(default=0.3, at_least=0, below=1)
    start_divisor: float = number(default=25.0, above=0)
    final_divisor: float = number(default=1e4, above=0)

    @property
    def reached(self) -> dict[str, float]:
        _, _, start, final = self.parameters
        ends = {"learning_rate / start_divisor": start, "that / final_divisor": final}
        return super().reached | ends

    @property
    def parameters(self) -> tuple[float, ...]:
        start = self.learning_rate / self.start_divisor
        return self.warmup_share * self.steps - 1, self.steps - 1, start, start / self.final_divisor

    @staticmethod
    def formula(
        step: int, learning_rate: float, peak: float, last: float, start: float, final: float
    ) -> float:
        if step < peak:
            return cosine(start, learning_rate, step / peak)
        return cosine(learning_rate, final, min((step - peak) / (last - peak), 1))


def cosine(start: float, end: float, share: float) -> float:
    """Return the point between `start` and `end` at this share of half a cosine."""
    return end + (start - end) * (1 + cos(pi * share)) / 2


def power(base: float, exponent: float) -> float:
    """Return a power, or infinity beyond the largest float, as C does."""
    try:
        return pow(base, exponent)
    except OverflowError:
        return inf
