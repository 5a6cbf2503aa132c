"""Losses: immutable values, callable on (output, target), with their gradient.

`output` is the output of the network, so the cross entropies take probabilities. During training, the engines
compute a loss that has its own output activation from the logits, without the logarithm of a rounded
output.
"""

from __future__ import annotations

from fastbp import _core
from fastbp._base.arguments import choice
from fastbp.activations import Activation
from fastbp.exceptions import ParameterError
from fastbp.losses._base import Loss, SumLoss
from fastbp.losses._classification import BinaryCrossEntropy, CrossEntropy, Hinge
from fastbp.losses._custom import CustomLoss, LossFunction
from fastbp.losses._distributions import GaussianNLL, Quantiles
from fastbp.losses._regression import MAE, MSE, HalfSSE, Huber, LogCosh, Poisson, Quantile
from fastbp.losses._targets import check_labels, one_hot

__all__ = [
    "LOSSES",
    "MAE",
    "MSE",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "CustomLoss",
    "GaussianNLL",
    "HalfSSE",
    "Hinge",
    "Huber",
    "LogCosh",
    "Loss",
    "LossFunction",
    "OwnFunction",
    "OwnLoss",
    "Poisson",
    "Quantile",
    "Quantiles",
    "SumLoss",
    "allowed",
    "binary_cross_entropy",
    "check_labels",
    "check_pair",
    "cross_entropy",
    "gaussian_nll",
    "get",
    "half_sse",
    "hinge",
    "huber",
    "log_cosh",
    "mae",
    "mse",
    "one_hot",
    "output_activation",
    "poisson",
    "quantile",
    "quantiles",
]

OwnLoss, OwnFunction = CustomLoss, LossFunction  # the former names

half_sse = HalfSSE()
mse = MSE()
mae = MAE()
huber = Huber()
log_cosh = LogCosh()
quantile = Quantile()
hinge = Hinge()
poisson = Poisson()
binary_cross_entropy = BinaryCrossEntropy()
cross_entropy = CrossEntropy()
gaussian_nll = GaussianNLL()
quantiles = Quantiles()

#: Every loss of the engines' table, with its default parameter, by name.
LOSSES: dict[str, SumLoss] = {name: globals()[name] for name, *_ in _core.LOSSES}


def get(loss: str | Loss | LossFunction) -> Loss:
    """Return the loss of that name, a `CustomLoss` of that function, or `loss` itself.

    ParameterError lists the names.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, type):
        raise ParameterError(f"loss is the class {loss.__name__}, expected a value: {loss.__name__}(...)")
    return CustomLoss(loss) if callable(loss) else choice("loss", loss, LOSSES)


def output_activation(loss: Loss) -> str:
    """Return the name of the default output activation for the loss."""
    return loss.activation or "identity"


def allowed(loss: Loss, activation: Activation) -> bool:
    """Tell whether the loss goes with this output activation."""
    return loss.activation in (None, activation.name)


def check_pair(loss: Loss, activation: Activation) -> None:
    """Raise ParameterError unless the pair is `allowed`."""
    if not allowed(loss, activation):
        raise ParameterError(
            f"output_activation is {activation.name!r} with the loss {loss.name!r}, "
            f"expected {loss.activation!r}, which this loss is computed with"
        )
