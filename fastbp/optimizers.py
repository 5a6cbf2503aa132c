"""Optimizers: frozen values. Their state lives in the network, their formulas (PyTorch's) in the engines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from fastbp.exceptions import ParameterError, choice, number
from fastbp.schedules import LearningRate, Schedule, checked, in_epoch
from fastbp.values import Value


class Optimizer(Value, ABC):
    """How gradients change the parameters: a row of the engines' optimizer tables, and its numbers."""

    full_batch: ClassVar[bool] = False  # whether every step needs the gradient of all rows
    learning_rate: LearningRate

    def __init__(self, learning_rate: LearningRate, **own: float | bool) -> None:
        """Check and set what all optimizers have, and set the fields of one's `own`, which are checked."""
        self._set(learning_rate=checked(learning_rate), **own)

    @property
    def goes_by_epoch(self) -> bool:
        """Whether the learning rate is a function of the epoch."""
        return not isinstance(self.learning_rate, float | Schedule)

    def schedule(self, epoch: int) -> Schedule:
        """Return the rates of an epoch's steps; ParameterError if a function of the epoch gives none."""
        return in_epoch(self.learning_rate, epoch)

    @property
    def base_rate(self) -> float:
        """The learning rate that the schedule changes."""
        return self.schedule(0).learning_rate

    @property
    @abstractmethod
    def row(self) -> str:
        """The row of the engines' optimizer tables."""

    @property
    @abstractmethod
    def hyperparameters(self) -> tuple[float, ...]:
        """The numbers of the row, in its order: the learning rate comes first."""


class SGD(Optimizer):
    """Gradient descent: p := p - learning_rate g, by default without momentum.

    With momentum, b := momentum b + g and p := p - learning_rate b; Nesterov steps by g + momentum b instead.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    momentum : float, >= 0 and < 1
    nesterov : bool
        Needs a momentum above 0.

    References
    ----------
    I. Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    """

    momentum: float
    nesterov: bool

    def __init__(
        self, learning_rate: LearningRate = 0.01, momentum: float = 0.0, nesterov: bool = False
    ) -> None:
        if not isinstance(nesterov, bool):
            raise ParameterError(f"nesterov is {nesterov!r}, expected True or False")
        super().__init__(
            learning_rate,
            momentum=number("momentum", momentum, at_least=0, below=1),
            nesterov=nesterov,
        )
        if nesterov and not momentum:
            raise ParameterError("momentum is 0.0 with nesterov=True, expected a momentum > 0")

    @property
    def row(self) -> str:
        if not self.momentum:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        return (self.base_rate, self.momentum) if self.momentum else (self.base_rate,)


class Adam(Optimizer):
    """Adam: steps from running means of the gradient (m) and of its square (v), corrected for starting at 0.

    m := beta1 m + (1 - beta1) g;  v := beta2 v + (1 - beta2) g^2;
    p := p - learning_rate / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon).

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    beta1, beta2 : float, >= 0 and < 1
    epsilon : float, >= 2**-126, the smallest normal float32

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015.
    """

    beta1: float
    beta2: float
    epsilon: float

    def __init__(
        self,
        learning_rate: LearningRate = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(
            learning_rate,
            beta1=number("beta1", beta1, at_least=0, below=1),
            beta2=number("beta2", beta2, at_least=0, below=1),
            epsilon=number("epsilon", epsilon, at_least=2**-126),  # as 0 it would make 0/0 of an idle weight
        )

    @property
    def row(self) -> str:
        return "adam"

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        return (self.base_rate, self.beta1, self.beta2, self.epsilon)


#: Every optimizer with its default parameters, by name.
OPTIMIZERS: dict[str, Optimizer] = {"sgd": SGD(), "adam": Adam()}


def get(optimizer: str | Optimizer) -> Optimizer:
    """Return the optimizer called `optimizer`, or `optimizer` itself; ParameterError lists the names."""
    return optimizer if isinstance(optimizer, Optimizer) else choice("optimizer", optimizer, OPTIMIZERS)
