"""An optimizer for every row of the engines' tables."""

import fastbp
from fastbp import optimizers

OPTIMIZERS = {
    "sgd": fastbp.SGD(0.01),
    "momentum": fastbp.SGD(0.02, momentum=0.9),
    "nesterov": fastbp.SGD(0.02, momentum=0.9, nesterov=True),
    "sgd_weight_decay": fastbp.SGD(0.01, weight_decay=0.1),
    "momentum_weight_decay": fastbp.SGD(0.02, momentum=0.9, weight_decay=0.05),
    "nesterov_weight_decay": fastbp.SGD(0.02, momentum=0.9, nesterov=True, weight_decay=0.2),
    "adam": fastbp.Adam(0.01),
    "amsgrad": fastbp.Adam(0.01, beta2=0.8, amsgrad=True),
    "adamw": fastbp.AdamW(0.01, weight_decay=0.1),
    "nadam": fastbp.NAdam(0.01),
    "radam": fastbp.RAdam(0.01),
    "adamax": fastbp.Adamax(0.01),
    "rmsprop": fastbp.RMSprop(0.002, alpha=0.9),
    "rmsprop_momentum": fastbp.RMSprop(0.003, momentum=0.8),
    "rmsprop_centered": fastbp.RMSprop(0.002, alpha=0.9, centered=True),
    "rmsprop_centered_momentum": fastbp.RMSprop(0.003, momentum=0.8, centered=True),
    "adagrad": fastbp.Adagrad(0.05),
    "adadelta": fastbp.Adadelta(),
    "lion": fastbp.Lion(0.003, weight_decay=0.1),
    "irprop": fastbp.IRprop(),
    "quickprop": fastbp.Quickprop(mu=0.8),  # with mu > 1 rounding errors grow like the steps, over and over
}

# these, the ready ones and some with other parameters, by their repr
VARIANTS = {
    repr(optimizer): optimizer
    for optimizer in (
        *OPTIMIZERS.values(),
        *optimizers.OPTIMIZERS.values(),
        fastbp.Adam(0.02, beta1=0.7, beta2=0.9, epsilon=1e-3),
        fastbp.Adam(0.05, beta2=0.6, amsgrad=True),
        fastbp.NAdam(0.02, beta1=0.99, momentum_decay=0.5),
        fastbp.NAdam(momentum_decay=0),
        fastbp.RAdam(0.05, beta1=0.8, beta2=0.9, epsilon=1e-3),  # which divides from the seventh step on
        fastbp.RAdam(beta2=0.5),  # which never does
        fastbp.Adamax(0.02, beta1=0.7, beta2=0.9, epsilon=1e-3),
        fastbp.IRprop(0.1, eta_minus=0.3, eta_plus=1.5, step_min=0.02, step_max=0.2),
    )
}

# those whose state fades away where the gradient is 0
WITH_WEIGHT_DECAY = ("sgd_weight_decay", "momentum_weight_decay", "nesterov_weight_decay")
LASTING = ("sgd", "adagrad", "adamax", "irprop", "quickprop", *WITH_WEIGHT_DECAY)
DECAYING = {row: optimizer for row, optimizer in OPTIMIZERS.items() if row not in LASTING}


def batches(optimizer, batch_size):
    """The batch size that `fit` takes with this optimizer: this one, if it needs no full batches."""
    return None if optimizer.full_batch else batch_size
