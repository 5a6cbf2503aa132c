"""The thresholds of `diagnose`: one table, with the source of each and what was changed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Threshold(NamedTuple):
    """A number beyond which `diagnose` reports a finding."""

    value: float
    unit: str
    source: str
    change: str  # what was too loose or too strict, and what stands instead; "": nothing changed


_AUTOTRAINER = (
    "X. Zhang et al., AutoTrainer: an automatic DNN training problem detection and repair system, ICSE 2021"
)
_SAGEMAKER = "Amazon SageMaker Debugger, built-in rules"
_CS231N = "Stanford cs231n, Neural networks part 3: learning and evaluation"
_LECUN = "Y. LeCun et al., Efficient BackProp, 1998"
_OWN = "fastbp: no finding on healthy networks, see tests/inspect/test_diagnose_healthy.py"

_TABLE = {
    "vanishing_ratio": Threshold(
        1e-3,
        "RMS of dJ/dz, first over last trained layer",
        _AUTOTRAINER,
        "AutoTrainer compares norms of dJ/dW, which has the layer's inputs as a factor. That calls small "
        "inputs a vanishing gradient, and misses small weights, which shrink the last layer's inputs as well",
    ),
    "vanishing_first": Threshold(
        1e-4,
        "RMS of dJ/dW of the first trained layer",
        _AUTOTRAINER,
        "AutoTrainer takes the norm, which grows with the size of the layer",
    ),
    "exploding_ratio": Threshold(
        70.0,
        "RMS of dJ/dz, first over last trained layer",
        _AUTOTRAINER,
        "AutoTrainer compares norms of dJ/dW, which calls large inputs an exploding gradient; they are a "
        "finding of their own",
    ),
    "dead_share": Threshold(
        0.7,
        "units of a layer with f'(z) = 0 in all rows",
        f"{_AUTOTRAINER}: 70 % of the gradients are 0; {_SAGEMAKER}, DeadRelu: 50 % of the units",
        "zeros among the gradients also come from inputs that are 0, such as the margins of images; so it is "
        "units that count",
    ),
    "saturated_slope": Threshold(
        0.05,
        "|f'(z)| over the largest |f'|; less is saturated",
        f"{_SAGEMAKER}, SaturatedActivation: 1e-7, |z| > 9.5 for tanh",
        "too loose: at a twentieth, a layer passes on next to nothing",
    ),
    "saturated_share": Threshold(
        0.75,
        "saturated outputs of a layer",
        f"{_SAGEMAKER}, SaturatedActivation: 50 % of the units",
        "too strict with the slope above: well trained networks reach 67 % with tanh, 64 % with sigmoid. "
        "It is no finding where the network has learned (explained)",
    ),
    "curvature_high": Threshold(
        4.0,
        "learning rate times the largest eigenvalue of the Hessian, over 1 + momentum; 2 is the limit of "
        "stability",
        f"{_LECUN}; A. Lewkowycz et al., The large learning rate phase of deep learning, 2020",
        "2 is too strict: full-batch training hovers there (Cohen et al., 2021), and up to 4, networks find "
        "flatter places by themselves, with relu up to about 12 (Lewkowycz et al.). At 6, however, "
        "half of 72 fits of squared errors without momentum diverged",
    ),
    "curvature_high_momentum": Threshold(
        2.0,
        "as curvature_high, with momentum",
        "J. Cohen et al., Gradient descent on neural networks typically occurs at the edge of stability, "
        "2021: the limit with momentum",
        "momentum carries on past the limit: of 36 fits of squared errors in batches of 32, with momentum "
        "0.9, 22 diverged at 2",
    ),
    "curvature_low": Threshold(
        1e-3,
        "learning rate times the largest eigenvalue of the Hessian, over 2 (1 - momentum)",
        f"{_OWN}: a thousand steps to go down the steepest direction",
        "",
    ),
    "update_high": Threshold(
        0.3,
        "|change of the weights| over |weights|, of the next step",
        f"{_CS231N}: about 1e-3; {_SAGEMAKER}, WeightUpdateRatio: 10",
        "10 is too loose: at 0.3, each step replaces a third of the weights. 1e-3 is too strict: Adam's "
        "first steps in small networks that learn well reach 0.08",
    ),
    "update_low": Threshold(
        1e-5,
        "|change of the weights| over |weights|, of the next step",
        f"{_CS231N}: about 1e-3; {_SAGEMAKER}, WeightUpdateRatio: 1e-8",
        "1e-8 is too loose: at 1e-5, weights need 100,000 steps to change by their own size",
    ),
    "explained": Threshold(
        0.5,
        "loss over that of a constant output, the mean of the targets, both less that of perfect outputs; "
        "with a smaller one, the network has learned, and neither small steps nor saturation are findings",
        _OWN,
        "",
    ),
    "rise": Threshold(
        0.3,
        "rise from the least loss to the least of the last three epochs, over the fall before; a rise "
        "smaller than a swing is none",
        _OWN,
        "0.1 is too strict: losses of deep networks on small data sets vary as much while they fall",
    ),
    "still": Threshold(
        0.01,
        "fall of the loss in ten epochs or more, over its first value, or over the fall if that is larger",
        f"{_AUTOTRAINER}, slow convergence: accuracy gains less than 0.01; {_SAGEMAKER}, LossNotDecreasing",
        "alone, it also finds networks that have converged. The loss must be that of a constant output, too "
        "(nothing_learned)",
    ),
    "nothing_learned": Threshold(
        0.05,
        "loss below that of a constant output, over the latter less the loss of perfect outputs",
        _OWN,
        "",
    ),
    "swing": Threshold(
        0.1,
        "rise or fall of the loss between two turns, over the first loss or over its whole fall, whichever "
        "is larger",
        f"{_AUTOTRAINER}, oscillating loss: 0.03 of the accuracy",
        "too strict: with dropout, or with few rows, the loss of an epoch has as much noise",
    ),
    "swings": Threshold(
        0.2, "rises with falls of such a size, over the epochs", f"{_AUTOTRAINER}, oscillating loss", ""
    ),
    "input_large": Threshold(
        20.0,
        "RMS of an input, as the network computes with it",
        f"{_LECUN}: mean 0, standard deviation 1",
        "1 is too strict: images of 17 gray levels, 0 to 16, are learned well",
    ),
    "input_small": Threshold(
        0.01, "largest RMS of the inputs, as the network computes with them", f"{_LECUN}: 1", "as above"
    ),
    "target_large": Threshold(
        20.0, "largest RMS of the targets, as the network computes with them", f"{_LECUN}: 1", "as above"
    ),
    "target_small": Threshold(
        0.01, "largest RMS of the targets, as the network computes with them", f"{_LECUN}: 1", "as above"
    ),
    "symmetric_share": Threshold(
        0.1, "units of a layer with the same weights as another, in and out", _OWN, ""
    ),
    "wrong_derivative": Threshold(
        1e-5,
        "|f'(z) - difference quotient| over max(1, |f'|), at a z that occurs",
        "fastbp: that of `CustomActivation.check`",
        "",
    ),
    "overfit_gap": Threshold(
        0.25,
        "validation loss minus loss, over the loss of a constant output less that of perfect outputs",
        f"{_SAGEMAKER}, Overfit: (validation loss - loss) / loss > 0.1",
        "too strict: a loss near 0 makes any ratio large. The gap is measured by what there was to learn",
    ),
    "overfit_rise": Threshold(
        0.1,
        "rise of the validation loss since its least value, over the first one or over its fall, if larger",
        _OWN,
        "",
    ),
    "least_rows": Threshold(
        32,
        "rows; shares of units, gradients that are 0 and constant targets are not judged on fewer",
        _OWN,
        "",
    ),
}

#: Every threshold by name; read-only.
THRESHOLDS: Mapping[str, Threshold] = MappingProxyType(_TABLE)


def limit(name: str) -> float:
    """Return the value of a threshold."""
    return THRESHOLDS[name].value
