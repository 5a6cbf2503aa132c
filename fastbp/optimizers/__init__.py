"""Optimizers: immutable values. Their state lives in the network, their formulas in the engines.

Where PyTorch has an optimizer, formula and defaults are PyTorch's.
"""

from __future__ import annotations

from fastbp._base.arguments import choice
from fastbp.optimizers._base import GradientOptimizer, Optimizer
from fastbp.optimizers._full_batch import IRprop, Quickprop
from fastbp.optimizers._gradient import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    RAdam,
    RMSprop,
)
from fastbp.optimizers._levenberg_marquardt import LevenbergMarquardt, NoRate

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "GradientOptimizer",
    "IRprop",
    "LevenbergMarquardt",
    "Lion",
    "NAdam",
    "NoRate",
    "Optimizer",
    "Quickprop",
    "RAdam",
    "RMSprop",
    "get",
]

#: Every optimizer with a learning rate, with its default parameters, by name.
OPTIMIZERS: dict[str, GradientOptimizer] = {
    kind.__name__.lower(): kind()
    for kind in (SGD, Adam, AdamW, NAdam, RMSprop, Adagrad, Adadelta, Lion, IRprop, Quickprop, Adamax, RAdam)
}


def get(optimizer: str | Optimizer) -> Optimizer:
    """Return the optimizer called `optimizer`, or `optimizer` itself; ParameterError lists the names."""
    return optimizer if isinstance(optimizer, Optimizer) else choice("optimizer", optimizer, OPTIMIZERS)
