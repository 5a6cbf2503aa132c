"""Learning-rate schedules: frozen values, which give the rate of every optimizer step.

Steps k = 0, 1, ... are the optimizer's own: they count on over all fits, and from 0 again once the optimizer
is set or the network reset. What comes to an end stays there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import cos, inf, pi, pow
from typing import Any, ClassVar, TypeAlias

import numpy as np

from fastbp._base.arguments import held, integer, number
from fastbp._base.value import Value


class Schedule(Value, ABC):
    """A learning rate for every step: ``schedule(step)`` is that of the step before which `step` were done.

    Attributes
    ----------
    learning_rate : float
        The one that the schedule changes.
    row : str
        Of the engine's table.
    """

    row: ClassVar[str]
    formula: ClassVar[Callable[..., float]]  # (step, learning_rate, *parameters) -> rate, as in the row
    learning_rate: float

    def __init__(self, learning_rate: float, **own: float | None) -> None:
        """Check and set the rate, and set the fields of one's `own`, which are checked."""
        self._set(learning_rate=number("learning_rate", learning_rate, above=0), **own)

    @property
    @abstractmethod
    def parameters(self) -> tuple[float, ...]:
        """The numbers of the row, in its order."""

    @property
    def reached(self) -> dict[str, float]:
        """The rates above 0 that it starts with, reaches soon or ends at, by formula."""
        return {"learning_rate": self.learning_rate}

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Refuse rates that dtype cannot hold; they are computed in float64."""
        for name, rate in self.reached.items():
            held(name, rate, dtype, self, positive=True)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return self.formula(step, self.learning_rate, *self.parameters)


#: What an optimizer takes: a number, a schedule, or a function of the epochs that the network has done.
LearningRate: TypeAlias = float | Schedule | Callable[[int], float]


class Constant(Schedule):
    """The same rate for ever: what a number stands for, and a function of the epoch within one of these."""

    row = "constant"

    def __init__(self, learning_rate: float) -> None:
        self._set(learning_rate=number("learning_rate", learning_rate, at_least=0))

    def check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Refuse a rate that is too large for dtype; functions and callbacks may let it fall to 0."""
        if self.learning_rate > 1:
            super().check_dtype(dtype)

    @property
    def parameters(self) -> tuple[float, ...]:
        return ()

    @staticmethod
    def formula(step: int, learning_rate: float) -> float:
        return learning_rate


class Step(Schedule):
    """Multiply the rate by `factor` every so many steps: learning_rate factor^floor(k / every).

    PyTorch's StepLR(step_size=every, gamma=factor).

    Parameters
    ----------
    learning_rate : float, > 0
    every : int, >= 1
        Steps.
    factor : float, > 0
    """

    row = "step"
    every: int
    factor: float

    def __init__(self, learning_rate: float, every: int, factor: float = 0.1) -> None:
        super().__init__(learning_rate, every=count("every", every), factor=number("factor", factor, above=0))

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
    """Multiply the rate by `decay` in so many steps, a little in each: learning_rate decay^(k / every).

    PyTorch's ExponentialLR(gamma=decay), where `every` is 1.

    Parameters
    ----------
    learning_rate : float, > 0
    decay : float, > 0
    every : int, >= 1
        Steps.
    """

    row = "exponential"
    decay: float
    every: int

    def __init__(self, learning_rate: float, decay: float, every: int = 1) -> None:
        super().__init__(learning_rate, decay=number("decay", decay, above=0), every=count("every", every))

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
    """Let the rate fall with a power of the steps: learning_rate / (k + 1)^power.

    scikit-learn's "invscaling" counts rows in place of steps, those of complete epochs:
    ``lambda epoch: learning_rate / (1 + epoch * len(X)) ** power`` is that.

    Parameters
    ----------
    learning_rate : float, > 0
    power : float, >= 0
    """

    row = "inverse_scaling"
    power: float

    def __init__(self, learning_rate: float, power: float = 0.5) -> None:
        super().__init__(learning_rate, power=number("power", power, at_least=0))

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
    """Let the rate fall along half a cosine, perhaps after a warm-up, perhaps again and again.

    In the warm-up it is learning_rate (k + 1) / (warmup + 1). Then, as j = k - warmup counts to `steps`, it
    is final + (learning_rate - final) (1 + cos(pi j / steps)) / 2. With `growth`, the next fall begins where
    that one would arrive, and each takes `growth` times as many steps as the one before.

    PyTorch's CosineAnnealingLR(T_max=steps, eta_min=final), or CosineAnnealingWarmRestarts(T_0=steps,
    T_mult=growth, eta_min=final); the warm-up is LinearLR(1 / (warmup + 1), total_iters=warmup) before it.

    Parameters
    ----------
    learning_rate : float, > 0
        The highest.
    steps : int, >= 1
        From there to `final`.
    final : float, >= 0
    warmup : int, >= 0
        Steps before the rate is at its highest.
    growth : int, >= 1, optional
        By default there are no restarts.

    References
    ----------
    I. Loshchilov and F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    """

    row = "cosine"
    steps: int
    final: float
    warmup: int
    growth: int | None

    def __init__(
        self,
        learning_rate: float,
        steps: int,
        final: float = 0.0,
        warmup: int = 0,
        growth: int | None = None,
    ) -> None:
        super().__init__(
            learning_rate,
            steps=count("steps", steps),
            final=number("final", final, at_least=0),
            warmup=count("warmup", warmup, at_least=0),
            growth=None if growth is None else count("growth", growth),
        )

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
        while growth > 1 and done >= fall > 0:  # which ends, whatever they are
            done, fall = done - fall, fall * growth
        return cosine(learning_rate, final, min(done / fall, 1))


class OneCycle(Schedule):
    """Up to `learning_rate` along half a cosine, then down along another one, far below where it began.

    From learning_rate / start_divisor it rises until k = warmup_share steps - 1, and falls until the last
    step, k = steps - 1, to learning_rate / (start_divisor final_divisor).

    PyTorch's OneCycleLR(max_lr=learning_rate, total_steps=steps, pct_start=warmup_share,
    div_factor=start_divisor, final_div_factor=final_divisor, cycle_momentum=False).

    Parameters
    ----------
    learning_rate : float, > 0
        The highest.
    steps : int, >= 1
        Of the whole cycle.
    warmup_share : float, >= 0 and < 1
        Of these.
    start_divisor, final_divisor : float, > 0

    References
    ----------
    L. N. Smith and N. Topin, Super-convergence: very fast training of neural networks using large learning
    rates, 2019.
    """

    row = "one_cycle"
    steps: int
    warmup_share: float
    start_divisor: float
    final_divisor: float

    def __init__(
        self,
        learning_rate: float,
        steps: int,
        warmup_share: float = 0.3,
        start_divisor: float = 25.0,
        final_divisor: float = 1e4,
    ) -> None:
        super().__init__(
            learning_rate,
            steps=count("steps", steps),
            warmup_share=number("warmup_share", warmup_share, at_least=0, below=1),
            start_divisor=number("start_divisor", start_divisor, above=0),
            final_divisor=number("final_divisor", final_divisor, above=0),
        )

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
    """Return where so large a share of the way from `start` to `end` leads, along half a cosine."""
    return end + (start - end) * (1 + cos(pi * share)) / 2


def power(base: float, exponent: float) -> float:
    """Return a power, or infinity beyond the largest float, as C does."""
    try:
        return pow(base, exponent)
    except OverflowError:
        return inf


def count(argument: str, value: Any, at_least: int = 1) -> int:
    """Return a number of steps, which float64 can count; ParameterError names the argument."""
    return integer(argument, value, at_least=at_least, below=2**53)


def checked(learning_rate: Any) -> LearningRate:
    """Return what an optimizer takes as learning rate; ParameterError unless it is one of those."""
    function = callable(learning_rate) and not isinstance(learning_rate, type)
    rate: LearningRate = learning_rate if function else number("learning_rate", learning_rate, above=0)
    return rate


def in_epoch(learning_rate: LearningRate, epoch: int) -> Schedule:
    """Return the schedule of the steps of an epoch; ParameterError if a function gives no rate for it."""
    if isinstance(learning_rate, Schedule):
        return learning_rate
    if isinstance(learning_rate, float):
        return Constant(learning_rate)
    return Constant(number(f"learning_rate({epoch})", learning_rate(epoch), at_least=0))
