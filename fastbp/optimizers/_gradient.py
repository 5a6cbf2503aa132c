"""Optimizers: frozen values. Their state lives in the network, their formulas in the engines.

Where PyTorch has an optimizer, formula and default parameters are PyTorch's. Below, p is a parameter, g its
gradient, and t = 1, 2, ... the step. One more, `fastbp.LevenbergMarquardt`, has a module of its own.
"""

from __future__ import annotations

from typing import ClassVar, Unpack

from fastbp._base.arguments import flag, number
from fastbp.exceptions import ParameterError
from fastbp.optimizers._base import Clipping, Optimizer, fraction, moments, positive
from fastbp.schedules import LearningRate


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
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **clipping: Unpack[Clipping],
    ) -> None:
        super().__init__(
            learning_rate,
            momentum=fraction("momentum", momentum),
            nesterov=flag("nesterov", nesterov),
            **clipping,
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
    amsgrad : bool
        Divide by the largest v so far, in place of v.

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015.
    S. J. Reddi, S. Kale and S. Kumar, On the convergence of Adam and beyond, 2018 (amsgrad).
    """

    beta1: float
    beta2: float
    epsilon: float
    amsgrad: bool

    def __init__(
        self,
        learning_rate: LearningRate = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        amsgrad: bool = False,
        **clipping: Unpack[Clipping],
    ) -> None:
        super().__init__(
            learning_rate, **moments(beta1, beta2, epsilon), amsgrad=flag("amsgrad", amsgrad), **clipping
        )

    @property
    def row(self) -> str:
        return "amsgrad" if self.amsgrad else "adam"

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        return (self.base_rate, self.beta1, self.beta2, self.epsilon)


class AdamW(Optimizer):
    """Adam with decoupled weight decay: p := (1 - learning_rate weight_decay) p, then Adam's step.

    Like PyTorch's it decays all parameters, the biases too. `Adam` has the formula of the step.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    beta1, beta2 : float, >= 0 and < 1
    epsilon : float, >= 2**-126, the smallest normal float32
    weight_decay : float, >= 0

    References
    ----------
    I. Loshchilov and F. Hutter, Decoupled weight decay regularization, 2019.
    """

    row: ClassVar[str] = "adamw"
    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float

    def __init__(
        self,
        learning_rate: LearningRate = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        **clipping: Unpack[Clipping],
    ) -> None:
        decay = number("weight_decay", weight_decay, at_least=0)
        super().__init__(learning_rate, **moments(beta1, beta2, epsilon), weight_decay=decay, **clipping)


class NAdam(Optimizer):
    """Adam with Nesterov's momentum, whose factor mu grows from about beta1 / 2 to beta1.

    m and v as in `Adam`; mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), P_t = mu_1 mu_2 ... mu_t;
    p := p - learning_rate n / (sqrt(v / (1 - beta2^t)) + epsilon), where
    n = (1 - mu_t) g / (1 - P_t) + mu_(t+1) m / (1 - P_(t+1)).

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    beta1, beta2 : float, >= 0 and < 1
    epsilon : float, >= 2**-126, the smallest normal float32
    momentum_decay : float, >= 0

    References
    ----------
    T. Dozat, Incorporating Nesterov momentum into Adam, 2016.
    """

    row: ClassVar[str] = "nadam"
    beta1: float
    beta2: float
    epsilon: float
    momentum_decay: float

    def __init__(
        self,
        learning_rate: LearningRate = 2e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        momentum_decay: float = 4e-3,
        **clipping: Unpack[Clipping],
    ) -> None:
        decay = number("momentum_decay", momentum_decay, at_least=0)
        super().__init__(learning_rate, **moments(beta1, beta2, epsilon), momentum_decay=decay, **clipping)


class RMSprop(Optimizer):
    """RMSprop: the gradient over the root of its running mean square, by default without momentum.

    v := alpha v + (1 - alpha) g^2;  p := p - learning_rate g / (sqrt(v) + epsilon).
    With momentum, b := momentum b + g / (sqrt(v) + epsilon) and p := p - learning_rate b.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    alpha : float, >= 0 and < 1
    epsilon : float, >= 2**-126, the smallest normal float32
    momentum : float, >= 0 and < 1

    References
    ----------
    T. Tieleman and G. Hinton, Lecture 6.5, Neural networks for machine learning, 2012.
    """

    alpha: float
    epsilon: float
    momentum: float

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        alpha: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        **clipping: Unpack[Clipping],
    ) -> None:
        super().__init__(
            learning_rate,
            alpha=fraction("alpha", alpha),
            epsilon=positive("epsilon", epsilon),
            momentum=fraction("momentum", momentum),
            **clipping,
        )

    @property
    def row(self) -> str:
        return "rmsprop_momentum" if self.momentum else "rmsprop"

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        numbers = super().hyperparameters
        return numbers if self.momentum else numbers[:-1]


class Adagrad(Optimizer):
    """Adagrad: the gradient over the root of the sum of its squares so far.

    v := v + g^2;  p := p - learning_rate g / (sqrt(v) + epsilon).

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    epsilon : float, >= 2**-126, the smallest normal float32

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, Adaptive subgradient methods, 2011.
    """

    row: ClassVar[str] = "adagrad"
    epsilon: float

    def __init__(
        self, learning_rate: LearningRate = 0.01, epsilon: float = 1e-10, **clipping: Unpack[Clipping]
    ) -> None:
        super().__init__(learning_rate, epsilon=positive("epsilon", epsilon), **clipping)


class Adadelta(Optimizer):
    """Adadelta: Adagrad with a running mean, in units of the parameter: its changes d have a mean square u.

    v := rho v + (1 - rho) g^2;  d = sqrt(u + epsilon) / sqrt(v + epsilon) g;
    u := rho u + (1 - rho) d^2;  p := p - learning_rate d.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    rho : float, >= 0 and < 1
    epsilon : float, >= 2**-126, the smallest normal float32

    References
    ----------
    M. D. Zeiler, ADADELTA: an adaptive learning rate method, 2012.
    """

    row: ClassVar[str] = "adadelta"
    rho: float
    epsilon: float

    def __init__(
        self,
        learning_rate: LearningRate = 1.0,
        rho: float = 0.9,
        epsilon: float = 1e-6,
        **clipping: Unpack[Clipping],
    ) -> None:
        super().__init__(
            learning_rate, rho=fraction("rho", rho), epsilon=positive("epsilon", epsilon), **clipping
        )


class Lion(Optimizer):
    """Lion: steps of one size, along the sign of a running mean of the gradient, with decoupled weight decay.

    p := (1 - learning_rate weight_decay) p - learning_rate sign(beta1 m + (1 - beta1) g);
    m := beta2 m + (1 - beta2) g. The decay is of all parameters, the biases too.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    beta1, beta2 : float, >= 0 and < 1
    weight_decay : float, >= 0

    References
    ----------
    X. Chen et al., Symbolic discovery of optimization algorithms, 2023.
    """

    row: ClassVar[str] = "lion"
    beta1: float
    beta2: float
    weight_decay: float

    def __init__(
        self,
        learning_rate: LearningRate = 1e-4,
        beta1: float = 0.9,
        beta2: float = 0.99,
        weight_decay: float = 0.0,
        **clipping: Unpack[Clipping],
    ) -> None:
        super().__init__(
            learning_rate,
            beta1=fraction("beta1", beta1),
            beta2=fraction("beta2", beta2),
            weight_decay=number("weight_decay", weight_decay, at_least=0),
            **clipping,
        )
