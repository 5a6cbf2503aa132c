"""Rules about the signals in a network: weights, activations, derivatives, gradients."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import activations
from fastbp._base.elementwise import Differences, Mismatch
from fastbp.activations import Activation, CustomActivation
from fastbp.inspect._diagnosis.evidence import Evidence
from fastbp.inspect._diagnosis.remedies import Finding
from fastbp.inspect._diagnosis.slopes import consists_of_steps
from fastbp.inspect._diagnosis.thresholds import limit

Array: TypeAlias = NDArray[Any]

FARTHEST = 30  # |z| up to which derivatives are compared with differences; beyond, these lose digits


def not_a_number(e: Evidence) -> Finding | None:
    """Find parameters that are NaN or infinite."""
    wrong = [int((~np.isfinite(W)).sum() + (~np.isfinite(b)).sum()) for W, b in e.weights]
    if not any(wrong):
        return None
    return Finding(
        "not a number",
        1 + int(np.flatnonzero(wrong)[0]),
        "Parameters are NaN or infinite, and so is everything that is computed with them.",
        f"{sum(wrong):,} of {e.net.n_parameters:,} parameters, in {_places(np.flatnonzero(wrong))}.",
        "Draw the weights again; if training made them so, with a smaller learning rate.",
        3,
        e.remedy(draws=True),
    )


def wrong_derivative(e: Evidence) -> Finding | None:
    """Find custom activations whose derivative is not that of their function."""
    wrong: dict[int, Mismatch] = {}
    right: dict[int, Activation] = {}
    for i, (layer, sums) in enumerate(zip(e.layers, e.measures.sums, strict=True)):
        custom, z = layer.activation, sums.z[np.abs(sums.z) <= FARTHEST]
        if isinstance(custom, CustomActivation) and z.size and (found := custom.mismatch(z)) is not None:
            wrong[i] = found
            right[i] = CustomActivation(custom.f, Differences(custom.f), custom.name)
    if not wrong:
        return None
    first, found = next(iter(wrong.items()))
    is_flat = all(consists_of_steps(f) for f in right.values())
    return Finding(
        "wrong derivative",
        first + 1,
        f"The derivative of the activation {e.layers[first].activation} is not that of its function, so "
        "gradients point elsewhere than uphill, and a step down them can go anywhere.",
        f"{_places(wrong)}; at z = {found.z:.4g}, which occurs, the derivative is {found.derivative:.4g}, "
        f"the difference quotient of the function {found.quotient:.4g}.",
        "The function consists of steps, and its own derivative, 0, would be no better. That of a smooth "
        "function in its place can work; with sigmoid or tanh, both are right."
        if is_flat
        else "Correct the derivative, which CustomActivation(..., check=True) tests, or use difference "
        "quotients.",
        3,
        None if is_flat else e.remedy(activations=right, draws=True),
    )


def zero_derivative(e: Evidence) -> Finding | None:
    """Find activations with f' = 0 everywhere, at or above a trained layer."""
    flat = [i for i in e.counted_layers if e.measures.facts[i].is_zero and i >= e.ends[0]]
    if not flat:
        return None
    return Finding(
        "zero derivative",
        flat[0] + 1,
        f"The derivative of {e.layers[flat[0]].activation} is 0 everywhere. It is a factor of every gradient "
        "before it, so all of them are 0.",
        f"{_places(flat)}; |dJ/dW| of layers[{e.ends[0] + 1}] is {e.states[e.ends[0]].gradient_norm:.3g}.",
        "Use an activation that rises smoothly: sigmoid is the smooth step.",
        3,
        e.remedy(activations=dict.fromkeys(flat, activations.get("sigmoid"))),
    )


def symmetric_weights(e: Evidence) -> Finding | None:
    """Find hidden units with the same weights, in and out."""
    weights, worst, share = e.weights, 0, 0.0
    for i in range(len(weights) - 1):
        (W, b), (following, _) = weights[i], weights[i + 1]
        around = np.concatenate([W.T, b.reshape(len(following), -1), following], axis=1)  # a row per unit
        copies = len(around) - len(np.unique(around, axis=0))
        if copies / len(around) > share:
            worst, share = i, copies / len(around)
    if share < limit("symmetric_share"):
        return None
    units = e.layers[worst].n_out
    return Finding(
        "symmetric weights",
        worst + 1,
        "Units of a layer have the same weights, in and out. They compute the same, get the same gradient, "
        "and stay the same forever: together they are one unit.",
        f"{round(share * units):,} of {units:,} units are copies of another.",
        "Draw the weights at random.",
        3,
        e.remedy(draws=True),
    )


def exploding_gradient(e: Evidence) -> Finding | None:
    """Find deltas that grow from the last layer to the first, or that overflow."""
    ratio, is_infinite = e.over_ends("delta_rms"), not np.isfinite(e.measures.gradient).all()
    if not ratio > limit("exploding_ratio") and not is_infinite:
        return None
    first, last = e.ends
    size = float(np.nanmax([np.abs(W).max() for W, _ in e.weights]))
    return Finding(
        "exploding gradient",
        first + 1,
        "On the way back, each layer multiplies the error by its weights and by f'(z). The weights are so "
        "large that the product grows from layer to layer.",
        f"RMS of dJ/dz: {e.states[first].delta_rms:.3g} in layers[{first + 1}], "
        f"{e.states[last].delta_rms:.3g} in layers[{last + 1}], "
        + ("too large for the data type" if is_infinite else f"{ratio:.3g} times as much")
        + f"; the largest weight is {size:.3g}, the loss {e.loss:.3g}.",
        "Draw the weights by the initializers of the activations, and bound the gradient with clip_norm.",
        3,
        e.remedy(draws=True, by_default=True, clip_norm=1.0),
    )


def vanishing_gradient(e: Evidence) -> Finding | None:
    """Find gradients that all but disappear from the last layer to the first."""
    first, last = e.ends
    ratio, size = e.over_ends("delta_rms"), e.states[first].gradient_rms
    if not (ratio < limit("vanishing_ratio") and size < limit("vanishing_first")):
        return None
    if size == 0 and e.measures.n_rows < limit("least_rows"):  # where all relus of a layer may be 0
        return None
    if saturated_sigmoids(e) is not None and not ratio < limit("vanishing_ratio") * _passed_on(e):
        return None  # saturation alone makes the gradient vanish
    hidden = range(len(e.layers) - 1)
    fading = [i for i in hidden if e.measures.facts[i].is_sigmoidal]
    slopes = ", ".join(f"{state.mean_slope:.2g}" for state in (e.states[i] for i in e.counted_layers))
    return Finding(
        "vanishing gradient",
        first + 1,
        "On the way back, each layer multiplies the error by f'(z) and by its weights. These factors are "
        "small, so their product is almost 0 in the first layer, which does not learn.",
        f"RMS of dJ/dz: {e.states[first].delta_rms:.3g} in layers[{first + 1}], "
        f"{e.states[last].delta_rms:.3g} in layers[{last + 1}], a ratio of {ratio:.2g}; RMS of dJ/dW in "
        f"layers[{first + 1}]: {size:.2g}; mean |f'(z)| per layer: {slopes}.",
        "Use relu in the hidden layers, with He's initial weights."
        if fading
        else "Draw the weights by the initializers of the activations.",
        3,
        e.remedy(activations=dict.fromkeys(fading, activations.get("relu")), draws=True, by_default=True),
    )


def dead_relus(e: Evidence) -> Finding | None:
    """Find layers most of whose units have f'(z) = 0 in all rows."""
    shares = {
        i: 1 - float(e.measures.sums[i].has_slope.mean())
        for i in e.counted_layers
        if not e.measures.facts[i].is_sigmoidal and not e.measures.facts[i].is_zero
    }
    dead = [i for i, share in shares.items() if share >= limit("dead_share")]
    if not dead or e.measures.n_rows < limit("least_rows"):
        return None
    worst = max(dead, key=shares.__getitem__)
    return Finding(
        "dead relus",
        worst + 1,
        "Units whose z is negative in all rows have the output 0 and f'(z) = 0. No gradient gets through "
        "them, so they stay as they are. A step too large, or biases far below 0, make them so.",
        f"{round(shares[worst] * e.layers[worst].n_out):,} of {e.layers[worst].n_out:,} units of "
        f"layers[{worst + 1}]; in {_places(dead)} at least {limit('dead_share'):.0%} are dead.",
        "Use leaky_relu there, whose derivative is never 0, and draw the weights again; a smaller learning "
        "rate keeps units alive.",
        3,
        e.remedy(activations=dict.fromkeys(dead, activations.get("leaky_relu")), draws=True),
    )


def _passed_on(e: Evidence) -> float:
    """Return mean |f'(z)| over the largest |f'|, multiplied over the saturated layers."""
    share = 1.0
    for i in _saturated(e):
        share *= e.states[i].mean_slope / e.measures.facts[i].largest
    return share


def saturated_sigmoids(e: Evidence) -> Finding | None:
    """Find layers of sigmoids or the like, most of whose outputs are where f' is almost 0."""
    found = _saturated(e)
    if not found or e.is_learned or e.measures.n_rows < limit("least_rows"):
        return None
    worst = max(found, key=lambda i: e.states[i].saturated)
    return Finding(
        "saturated sigmoids",
        worst + 1,
        "The weights are so large that the sums z are far from 0, where the activation is flat. Its "
        "derivative is a factor of the gradient, which it makes almost 0.",
        f"{e.states[worst].saturated:.0%} of the outputs of layers[{worst + 1}] have less than "
        f"{limit('saturated_slope'):.0%} of the largest |f'|; mean |f'(z)| {e.states[worst].mean_slope:.2g}, "
        f"largest possible {e.measures.facts[worst].largest:.2g}.",
        "Draw the weights by the initializers of the activations.",
        3,
        e.remedy(draws=True, by_default=True),
    )


def _saturated(e: Evidence) -> list[int]:
    return [
        i
        for i in e.counted_layers
        if e.measures.facts[i].is_sigmoidal and e.states[i].saturated >= limit("saturated_share")
    ]


def constant_derivative(e: Evidence) -> Finding | None:
    """Find linear hidden layers that a single layer can replace."""
    linear = [
        i
        for i, (layer, after) in enumerate(zip(e.layers, e.layers[1:], strict=False))
        if e.measures.facts[i].is_constant
        and not e.measures.facts[i].is_zero
        and layer.n_out >= min(layer.n_in, after.n_out)
    ]
    if not linear:
        return None
    can_fold = all(e.layers[i].activation.name == "identity" for i in linear)
    return Finding(
        "constant derivative",
        linear[0] + 1,
        "The derivative of the activation is the same everywhere: the layer is linear, and with the layer "
        "after it, it is one linear layer. It adds parameters and nothing that one layer could not compute.",
        f"{_places(linear)}: {', '.join(str(e.layers[i].activation) for i in linear)}.",
        "Give the layer a bent activation such as relu or tanh, or make one layer of both: "
        "fastbp.inspect.fold_linear(net).",
        2,
        e.remedy(folds=True) if can_fold else None,
    )


def _places(indices: Any) -> str:
    return ", ".join(f"layers[{i + 1}]" for i in indices)
