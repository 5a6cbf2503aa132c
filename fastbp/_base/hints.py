"""Errors for unknown keyword arguments, with suggestions."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from fastbp.exceptions import UnknownArgumentError

#: Names of arguments in other libraries, with their names in fastbp.
ELSEWHERE: dict[str, tuple[str, ...]] = {
    # optimizers
    "lr": ("learning_rate",),
    "alpha": ("rho", "learning_rate", "l2"),
    "eta": ("learning_rate",),
    "eta0": ("learning_rate",),
    "betas": ("beta1", "beta2"),
    "b1": ("beta1",),
    "b2": ("beta2",),
    "eps": ("epsilon",),
    "momentum": ("beta1",),
    "rho": ("alpha", "beta2"),
    "wd": ("weight_decay",),
    "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("step_min", "step_max"),
    "global_clipnorm": ("clip_norm",),
    "max_grad_norm": ("clip_norm",),
    # schedules
    "max_lr": ("learning_rate",),
    "base_lr": ("learning_rate",),
    "initial_learning_rate": ("learning_rate",),
    "gamma": ("factor", "decay"),
    "step_size": ("every",),
    "decay_rate": ("decay",),
    "decay_steps": ("every", "steps"),
    "T_max": ("steps",),
    "T_0": ("steps",),
    "total_steps": ("steps",),
    "T_mult": ("growth",),
    "eta_min": ("final",),
    "warmup_steps": ("warmup", "steps"),
    "total_iters": ("steps",),
    "pct_start": ("warmup_share",),
    "div_factor": ("start_divisor",),
    "final_div_factor": ("final_divisor",),
    "power_t": ("power",),
    # networks
    "hidden_layer_sizes": ("layers",),
    "random_state": ("seed",),
    "noise": ("input_noise",),
    # layers, activations and losses
    "size": ("units",),
    "out_features": ("units",),
    "kernel_initializer": ("initializer",),
    "kernel_regularizer": ("l1", "l2"),
    "weight_decay": ("l2",),
    "kernel_constraint": ("max_norm",),
    "use_bias": ("bias",),
    "requires_grad": ("trainable",),
    "frozen": ("trainable",),
    "lr_factor": ("learning_rate_factor",),
    "lr_scale": ("learning_rate_factor",),
    "p": ("dropout",),
    "rate": ("dropout",),
    "negative_slope": ("alpha",),
    "beta": ("delta",),
    "tau": ("q",),
    "smoothing": ("label_smoothing",),
    "ignore_class": ("ignore_index",),
    # callbacks
    "min_lr": ("min_learning_rate",),
    "threshold": ("min_delta",),
    "tol": ("min_delta",),
    "filename": ("path",),
    "ema_momentum": ("decay",),
    "swa_start": ("start_epoch",),
    # splits
    "test_size": ("share",),
    "test_fraction": ("share",),
    "validation_fraction": ("share",),
}

#: Names of arguments that only some classes or calls have, with these classes and calls.
OWNERS = {
    "lr": "optimizer=Adam(learning_rate=...)",
    "learning_rate": "optimizer=Adam(learning_rate=...)",
    "epochs": "fit",
    "batch_size": "fit",
    "metrics": "fit",
    "callbacks": "fit",
    "verbose": "fit",
    "weight_decay": "SGD, AdamW, Lion, or l2 of Dense",
    "momentum": "SGD or RMSprop",
    "nesterov": "SGD, or NAdam",
    "amsgrad": "Adam",
    "centered": "RMSprop",
}


def unknown(taker: str, name: str, known: Iterable[str]) -> UnknownArgumentError:
    """Return the error for an unknown argument of `taker`; it suggests similar known names."""
    listed = list(known)
    meant = [other for other in ELSEWHERE.get(name, ()) if other in listed]
    if not meant and name in OWNERS:
        hint = f": {OWNERS[name]} has it"
    else:
        meant = meant or get_close_matches(name, listed, n=2)
        hint = f": did you mean {' or '.join(meant)}?" if meant else ""
    expected = f"one of: {', '.join(listed)}" if listed else "none"
    return UnknownArgumentError(f"{taker} has no argument {name}, expected {expected}{hint}")
