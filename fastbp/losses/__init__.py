"""Losses: frozen values, callable on (output, target), with their gradient.

The output is what the network puts out, so the cross entropies take probabilities here. During training the
engines compute the pairs of `JOINT` from the logits instead, and take no logarithm of a rounded output.
"""

from __future__ import annotations

from fastbp._base.arguments import choice
from fastbp.activations import Activation
from fastbp.exceptions import ParameterError
from fastbp.losses._base import Loss, SumLoss
from fastbp.losses._classification import BinaryCrossEntropy, CrossEntropy, Hinge, check_labels, one_hot
from fastbp.losses._custom import CustomLoss, LossFunction
from fastbp.losses._regression import MAE, MSE, HalfSSE, Huber, LogCosh, Poisson, Quantile

__all__ = [
    "JOINT",
    "LOSSES",
    "MAE",
    "MSE",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "CustomLoss",
    "HalfSSE",
    "Hinge",
    "Huber",
    "LogCosh",
    "Loss",
    "LossFunction",
    "OwnLoss",
    "Poisson",
    "Quantile",
    "SumLoss",
    "allowed",
    "binary_cross_entropy",
    "check_labels",
    "check_pair",
    "cross_entropy",
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
]

OwnLoss = CustomLoss  # its name before

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

#: Every loss with its default parameter, by name.
LOSSES: dict[str, SumLoss] = {
    loss.name: loss
    for loss in (
        half_sse,
        mse,
        mae,
        huber,
        log_cosh,
        quantile,
        hinge,
        poisson,
        binary_cross_entropy,
        cross_entropy,
    )
}

#: The losses that take the logarithm of the output, each with the one output activation that makes it: the
#: joint delta is (h - y) / divisor, and the loss comes from the logits. Other losses go with any activation.
JOINT: dict[str, str] = {
    "poisson": "exponential",
    "binary_cross_entropy": "sigmoid",
    "cross_entropy": "softmax",
}


def get(loss: str | Loss | LossFunction) -> Loss:
    """Return the loss of that name, or of that function, or itself; ParameterError lists the names."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, type):
        raise ParameterError(f"loss is the class {loss.__name__}, expected a value: {loss.__name__}(...)")
    return CustomLoss(loss) if callable(loss) else choice("loss", loss, LOSSES)


def output_activation(loss: Loss) -> str:
    """Return the name of the output activation that goes with the loss unless the user names one."""
    return JOINT.get(loss.name, "identity")


def allowed(loss: Loss, activation: Activation) -> bool:
    """Tell whether the loss makes sense of what an output layer with this activation puts out."""
    return JOINT.get(loss.name, activation.name) == activation.name


def check_pair(loss: Loss, activation: Activation) -> None:
    """Raise ParameterError unless the pair is `allowed`."""
    if not allowed(loss, activation):
        raise ParameterError(
            f"output_activation is {activation.name!r} with the loss {loss.name!r}, "
            f"expected {JOINT[loss.name]!r} (the loss takes the logarithm of the output)"
        )
