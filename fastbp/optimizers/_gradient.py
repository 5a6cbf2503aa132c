"""Optimizers with a learning rate that train in batches of any size.

Where PyTorch has an optimizer, formula and defaults are PyTorch's. In the docstrings, p is a parameter, g its
gradient, and t = 1, 2, ... the step.
"""

from __future__ import annotations

from fastbp._base.fields import flag, number
from fastbp.exceptions import ParameterError
from fastbp.optimizers._base import TINY, GradientOptimizer, rate
from fastbp.schedules import LearningRate


class SGD(GradientOptimizer):
    """Gradient descent: p := p - learning_rate g, by default without momentum.

    With momentum, b := momentum b + g and p := p - learning_rate b; Nesterov steps by g + momentum b instead.
    With weight decay, g + weight_decay p takes the place of g, after clipping; all parameters decay, biases
    included.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    momentum : float, >= 0 and < 1
    nesterov : bool
        Whether to use Nesterov's momentum; needs a momentum > 0.
    weight_decay : float, >= 0

    References
    ----------
    I. Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    """

    learning_rate: LearningRate = rate(0.01)
    momentum: float = number(default=0.0, at_least=0, below=1)
    nesterov: bool = flag(default=False)
    weight_decay: float = number(default=0.0, at_least=0)

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ParameterError("momentum is 0.0 with nesterov=True, expected a momentum > 0")

    @property
    def row(self) -> str:
        name = "nesterov" if self.nesterov else "momentum" if self.momentum else "sgd"
        return f"{name}_weight_decay" if self.weight_decay else name

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        used = (number for number in (self.momentum, self.weight_decay) if number)
        return (self.base_rate, *used)


class Adam(GradientOptimizer):
    """Adam: steps from running means of the gradient (m) and its square (v), corrected for the start at 0.

    m := beta1 m + (1 - beta1) g;  v := beta2 v + (1 - beta2) g^2;
    p := p - learning_rate / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon).

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    beta1, beta2 : float, >= 0 and < 1
    epsilon : float, >= 2**-126
        The lower bound is the smallest normal number of float32.
    amsgrad : bool
        Whether to divide by the largest v so far instead of v.

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015.
    S. J. Reddi, S. Kale and S. Kumar, On the convergence of Adam and beyond, 2018 (amsgrad).
    """

    learning_rate: LearningRate = rate(1e-3)
    beta1: float = number(default=0.9, at_least=0, below=1)
    beta2: float = number(default=0.999, at_least=0, below=1)
    epsilon: float = number(default=1e-8, at_least=TINY)
    amsgrad: bool = flag(default=False)

    @property
    def row(self) -> str:
        return "amsgrad" if self.amsgrad else "adam"

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        return (self.base_rate, self.beta1, self.beta2, self.epsilon)


class AdamW(GradientOptimizer):
    """Adam with decoupled weight decay: p := (1 - learning_rate weight_decay) p, then Adam's step.

    As in PyTorch, all parameters decay, biases included. `Adam` has the formula of the step.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    beta1, beta2 : float, >= 0 and < 1
    epsilon : float, >= 2**-126
        The lower bound is the smallest normal number of float32.
    weight_decay : float, >= 0

    References
    ----------
    I. Loshchilov and F. Hutter, Decoupled weight decay regularization, 2019.
    """

    row = "adamw"
    learning_rate: LearningRate = rate(1e-3)
    beta1: float = number(default=0.9, at_least=0, below=1)
    beta2: float = number(default=0.999, at_least=0, below=1)
    epsilon: float = number(default=1e-8, at_least=TINY)
    weight_decay: float = number(default=0.01, at_least=0)


class NAdam(GradientOptimizer):
    """Adam with Nesterov momentum, whose factor mu grows from about beta1 / 2 to beta1.

    m and v as in `Adam`; mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), P_t = mu_1 mu_2 ... mu_t;
    p := p - learning_rate n / (sqrt(v / (1 - beta2^t)) + epsilon), where
    n = (1 - mu_t) g / (1 - P_t) + mu_(t+1) m / (1 - P_(t+1)).

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    beta1, beta2 : float, >= 0 and < 1
    epsilon : float, >= 2**-126
        The lower bound is the smallest normal number of float32.
    momentum_decay : float, >= 0

    References
    ----------
    T. Dozat, Incorporating Nesterov momentum into Adam, 2016.
    """

    row = "nadam"
    learning_rate: LearningRate = rate(2e-3)
    beta1: float = number(default=0.9, at_least=0, below=1)
    beta2: float = number(default=0.999, at_least=0, below=1)
    epsilon: float = number(default=1e-8, at_least=TINY)
    momentum_decay: float = number(default=4e-3, at_least=0)


class RAdam(GradientOptimizer):
    """Rectified Adam: it divides by the mean square v only once v is an average of enough gradients.

    m and v as in `Adam`; rho = 2 / (1 - beta2) - 1 and rho_t = rho - 2 t beta2^t / (1 - beta2^t).
    While rho_t <= 5: p := p - learning_rate / (1 - beta1^t) m. Afterwards
    p := p - learning_rate r_t / (1 - beta1^t) * m sqrt(1 - beta2^t) / (sqrt(v) + epsilon), where
    r_t^2 = (rho_t - 4) (rho_t - 2) rho / ((rho - 4) (rho - 2) rho_t).

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    beta1, beta2 : float, >= 0 and < 1
    epsilon : float, >= 2**-126
        The lower bound is the smallest normal number of float32.

    References
    ----------
    L. Liu et al., On the variance of the adaptive learning rate and beyond, 2020.
    """

    row = "radam"
    learning_rate: LearningRate = rate(1e-3)
    beta1: float = number(default=0.9, at_least=0, below=1)
    beta2: float = number(default=0.999, at_least=0, below=1)
    epsilon: float = number(default=1e-8, at_least=TINY)


class Adamax(GradientOptimizer):
    """Adam with the largest of the decayed magnitudes of the gradient (u) in place of its mean square.

    m as in `Adam`; u := max(beta2 u, |g| + epsilon);  p := p - learning_rate / (1 - beta1^t) * m / u.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    beta1, beta2 : float, >= 0 and < 1
    epsilon : float, >= 2**-126
        The lower bound is the smallest normal number of float32.

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015.
    """

    row = "adamax"
    learning_rate: LearningRate = rate(2e-3)
    beta1: float = number(default=0.9, at_least=0, below=1)
    beta2: float = number(default=0.999, at_least=0, below=1)
    epsilon: float = number(default=1e-8, at_least=TINY)


class RMSprop(GradientOptimizer):
    """RMSprop: the gradient divided by the root of its running mean square, by default without momentum.

    v := alpha v + (1 - alpha) g^2;  p := p - learning_rate g / (sqrt(v) + epsilon).
    With momentum, b := momentum b + g / (sqrt(v) + epsilon) and p := p - learning_rate b.
    Centered, u := alpha u + (1 - alpha) g, and the root is that of the variance max(v - u^2, 0) instead of v.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    alpha : float, >= 0 and < 1
    epsilon : float, >= 2**-126
        The lower bound is the smallest normal number of float32.
    momentum : float, >= 0 and < 1
    centered : bool
        Whether to divide by the root of the gradient's running variance instead of its mean square.

    References
    ----------
    T. Tieleman and G. Hinton, Lecture 6.5, Neural networks for machine learning, 2012.
    A. Graves, Generating sequences with recurrent neural networks, 2013 (centered).
    """

    learning_rate: LearningRate = rate(0.01)
    alpha: float = number(default=0.99, at_least=0, below=1)
    epsilon: float = number(default=1e-8, at_least=TINY)
    momentum: float = number(default=0.0, at_least=0, below=1)
    centered: bool = flag(default=False)

    @property
    def row(self) -> str:
        name = "rmsprop_centered" if self.centered else "rmsprop"
        return f"{name}_momentum" if self.momentum else name

    @property
    def hyperparameters(self) -> tuple[float, ...]:
        numbers = (self.base_rate, self.alpha, self.epsilon)
        return (*numbers, self.momentum) if self.momentum else numbers


class Adagrad(GradientOptimizer):
    """Adagrad: the gradient divided by the root of the sum of its squares so far.

    v := v + g^2;  p := p - learning_rate g / (sqrt(v) + epsilon).

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    epsilon : float, >= 2**-126
        The lower bound is the smallest normal number of float32.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, Adaptive subgradient methods, 2011.
    """

    row = "adagrad"
    learning_rate: LearningRate = rate(0.01)
    epsilon: float = number(default=1e-10, at_least=TINY)


class Adadelta(GradientOptimizer):
    """Adadelta: steps in the units of p, from running mean squares of g (v) and of the changes of p (u).

    v := rho v + (1 - rho) g^2;  d = sqrt(u + epsilon) / sqrt(v + epsilon) g;
    u := rho u + (1 - rho) d^2;  p := p - learning_rate d.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    rho : float, >= 0 and < 1
    epsilon : float, >= 2**-126
        The lower bound is the smallest normal number of float32.

    References
    ----------
    M. D. Zeiler, ADADELTA: an adaptive learning rate method, 2012.
    """

    row = "adadelta"
    learning_rate: LearningRate = rate(1.0)
    rho: float = number(default=0.9, at_least=0, below=1)
    epsilon: float = number(default=1e-6, at_least=TINY)


class Lion(GradientOptimizer):
    """Lion: steps of one size along the sign of a running mean of the gradient, with decoupled weight decay.

    p := (1 - learning_rate weight_decay) p - learning_rate sign(beta1 m + (1 - beta1) g);
    m := beta2 m + (1 - beta2) g. All parameters decay, biases included.

    Parameters
    ----------
    learning_rate : float, > 0, or a schedule, or a function of the epoch
    beta1, beta2 : float, >= 0 and < 1
    weight_decay : float, >= 0

    References
    ----------
    X. Chen et al., Symbolic discovery of optimization algorithms, 2023.
    """

    row = "lion"
    learning_rate: LearningRate = rate(1e-4)
    beta1: float = number(default=0.9, at_least=0, below=1)
    beta2: float = number(default=0.99, at_least=0, below=1)
    weight_decay: float = number(default=0.0, at_least=0)
