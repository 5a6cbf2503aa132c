"""Optimizers: frozen values. Their state lives in the network, their formulas in the engines.

Where PyTorch has an optimizer, formula and default parameters are PyTorch's. Below, p is a parameter, g its
gradient, and t = 1, 2, ... the step. One more, `fastbp.LevenbergMarquardt`, has a module of its own.
"""

from __future__ import annotations

from typing import ClassVar, Unpack

from fastbp.exceptions import ParameterError, choice, flag, number
from fastbp.optimizer import Clipping
from fastbp.optimizer import Optimizer as Optimizer
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
            momentum=_fraction("momentum", momentum),
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
            learning_rate, **_moments(beta1, beta2, epsilon), amsgrad=flag("amsgrad", amsgrad), **clipping
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
        super().__init__(learning_rate, **_moments(beta1, beta2, epsilon), weight_decay=decay, **clipping)


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
        super().__init__(learning_rate, **_moments(beta1, beta2, epsilon), momentum_decay=decay, **clipping)


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
            alpha=_fraction("alpha", alpha),
            epsilon=_positive("epsilon", epsilon),
            momentum=_fraction("momentum", momentum),
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
        super().__init__(learning_rate, epsilon=_positive("epsilon", epsilon), **clipping)


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
            learning_rate, rho=_fraction("rho", rho), epsilon=_positive("epsilon", epsilon), **clipping
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
            beta1=_fraction("beta1", beta1),
            beta2=_fraction("beta2", beta2),
            weight_decay=number("weight_decay", weight_decay, at_least=0),
            **clipping,
        )


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
        step_min = _positive("step_min", step_min)
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


def _fraction(argument: str, value: float) -> float:
    return number(argument, value, at_least=0, below=1)


def _positive(argument: str, value: float) -> float:
    """Check a number that must not be 0 in float32, lest there be 0/0 of an idle weight."""
    return number(argument, value, at_least=2**-126)


def _moments(beta1: float, beta2: float, epsilon: float) -> dict[str, float]:
    """Check what Adam and its kin have."""
    return {
        "beta1": _fraction("beta1", beta1),
        "beta2": _fraction("beta2", beta2),
        "epsilon": _positive("epsilon", epsilon),
    }


#: Every optimizer with its default parameters, by name.
OPTIMIZERS: dict[str, Optimizer] = {
    kind.__name__.lower(): kind()
    for kind in (SGD, Adam, AdamW, NAdam, RMSprop, Adagrad, Adadelta, Lion, IRprop, Quickprop)
}


def get(optimizer: str | Optimizer) -> Optimizer:
    """Return the optimizer called `optimizer`, or `optimizer` itself; ParameterError lists the names."""
    return optimizer if isinstance(optimizer, Optimizer) else choice("optimizer", optimizer, OPTIMIZERS)
