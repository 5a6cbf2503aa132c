"""Optimizers: frozen values. Their state lives in the network, their formulas (PyTorch's) in the engines."""

from __future__ import annotations

from typing import TypeAlias

from fastbp.exceptions import ParameterError, choice, number
from fastbp.values import Value


class SGD(Value):
    """Gradient descent: p := p - learning_rate g, by default without momentum.

    With momentum, b := momentum b + g and p := p - learning_rate b; Nesterov steps by g + momentum b instead.

    Parameters
    ----------
    learning_rate : float, > 0
    momentum : float, >= 0 and < 1
    nesterov : bool
        Needs a momentum above 0.

    References
    ----------
    I. Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    """

    learning_rate: float
    momentum: float
    nesterov: bool

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False) -> None:
        if not isinstance(nesterov, bool):
            raise ParameterError(f"nesterov is {nesterov!r}, expected True or False")
        self._set(
            learning_rate=number("learning_rate", learning_rate, above=0),
            momentum=number("momentum", momentum, at_least=0, below=1),
            nesterov=nesterov,
        )
        if nesterov and not momentum:
            raise ParameterError("momentum is 0.0 with nesterov=True, expected a momentum > 0")

    @property
    def row(self) -> str:
        """The row of the engines' optimizer tables."""
        if not self.momentum:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        """The numbers of the row, in its order."""
        return (self.learning_rate, self.momentum) if self.momentum else (self.learning_rate,)


class Adam(Value):
    """Adam: steps from running means of the gradient (m) and of its square (v), corrected for starting at 0.

    m := beta1 m + (1 - beta1) g;  v := beta2 v + (1 - beta2) g^2;
    p := p - learning_rate / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon).

    Parameters
    ----------
    learning_rate : float, > 0
    beta1, beta2 : float, >= 0 and < 1
    epsilon : float, >= 2**-126, the smallest normal float32

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015.
    """

    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float

    def __init__(
        self, learning_rate: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        self._set(
            learning_rate=number("learning_rate", learning_rate, above=0),
            beta1=number("beta1", beta1, at_least=0, below=1),
            beta2=number("beta2", beta2, at_least=0, below=1),
            epsilon=number("epsilon", epsilon, at_least=2**-126),  # as 0 it would make 0/0 of an idle weight
        )

    @property
    def row(self) -> str:
        """The row of the engines' optimizer tables."""
        return "adam"

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        """The numbers of the row, in its order."""
        return (self.learning_rate, self.beta1, self.beta2, self.epsilon)


Optimizer: TypeAlias = SGD | Adam

#: Every optimizer with its default parameters, by name.
OPTIMIZERS: dict[str, Optimizer] = {"sgd": SGD(), "adam": Adam()}


def get(optimizer: str | Optimizer) -> Optimizer:
    """Return the optimizer called `optimizer`, or `optimizer` itself; ParameterError lists the names."""
    return optimizer if isinstance(optimizer, Optimizer) else choice("optimizer", optimizer, OPTIMIZERS)
