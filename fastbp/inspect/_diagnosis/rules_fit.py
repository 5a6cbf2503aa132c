"""Rules about what training works with: data, learning rate, what the history shows."""

from __future__ import annotations

import math

import numpy as np

from fastbp._base.shown import shown
from fastbp.history import History
from fastbp.inspect._diagnosis.evidence import Evidence
from fastbp.inspect._diagnosis.remedies import Finding
from fastbp.inspect._diagnosis.rules_course import hardly_falls, scale_of
from fastbp.inspect._diagnosis.thresholds import limit

EPOCHS = 5  # of a history that can tell anything
NEW_L2 = 0.1  # of layers with a smaller penalty, against overfitting
NEW_UPDATE = 3e-3  # |change of the weights| over |weights|, to which a remedy brings a step; cs231n: 1e-3


def constant_labels(e: Evidence) -> Finding | None:
    """Find targets that are the same in all rows."""
    targets = e.measures.targets
    if targets is None or e.measures.n_rows < limit("least_rows") or (targets.least < targets.most).any():
        return None
    return Finding(
        "constant targets",
        None,
        "All rows have the same target, so the best network gives one answer and ignores its inputs.",
        f"{e.measures.n_rows:,} rows; the target is {_listed(targets.least)} in all of them.",
        "Look at how the targets are read, and at whether the rows are sorted by them.",
        3,
    )


def unscaled_inputs(e: Evidence) -> Finding | None:
    """Find inputs far from a size of 1."""
    sizes = e.measures.inputs.rms
    worst = int(sizes.argmax())
    if not sizes[worst] > limit("input_large") and not 0 < sizes[worst] < limit("input_small"):
        return None
    names = e.net.feature_names
    name = f"input {worst + 1}" if names is None else f"the input {shown(names[worst])}"
    is_large = sizes[worst] > 1
    return Finding(
        "unscaled inputs",
        1,
        "The inputs are far from a size of 1. They are a factor of z and of dJ/dW in the first layer, so "
        + (
            "steps that suit the other weights are too large for these, and activations saturate."
            if is_large
            else "the first layer sees and learns almost nothing."
        ),
        f"RMS of {name}: {sizes[worst]:.3g}, mean {e.measures.inputs.mean[worst]:.3g}; over all inputs from "
        f"{sizes.min():.3g} to {sizes.max():.3g}.",
        "Scale them: net.adapt(X), before training.",
        2,
        None if (found := e.input_scaling()) is None else e.remedy(inputs=found, draws=True),
    )


def unscaled_targets(e: Evidence) -> Finding | None:
    """Find targets far from a size of 1, where they can be scaled."""
    targets = e.measures.targets
    if targets is None or not e.net.loss.scales_targets:
        return None
    size = float(targets.rms.max())
    if not size > limit("target_large") and not 0 < size < limit("target_small"):
        return None
    return Finding(
        "unscaled targets",
        len(e.layers),
        "The targets are far from a size of 1, that of the outputs of a new network. The error, and every "
        f"gradient, is {'large' if size > 1 else 'small'} as a whole, and so are the steps.",
        f"Largest RMS of a target: {size:.3g}; mean {_listed(targets.mean)}; loss {e.loss:.3g}.",
        "Scale them: net.adapt(X, y), before training.",
        2,
        None if (found := e.target_scaling()) is None else e.remedy(targets=found, draws=True),
    )


def learning_rate_too_high(e: Evidence) -> Finding | None:
    """Find steps longer than the curvature or the weights allow, or a loss that rises."""
    step, rise = e.step, _rise(e.history["loss"])
    relative = step.rate * step.curvature / (1 + step.momentum)
    if relative > limit("curvature_high_momentum" if step.momentum else "curvature_high"):
        new = step.rate * (1 - step.momentum) / relative
        evidence = (
            f"Learning rate {step.rate:.3g}; largest eigenvalue of the Hessian {step.curvature:.3g}. "
            f"On all rows together, rates up to {2 * step.rate / relative:.3g} are stable, on small batches "
            "only smaller ones."
        )
    elif step.ratio > limit("update_high"):
        new = step.rate * NEW_UPDATE / step.ratio
        evidence = f"At learning rate {step.rate:.3g}, the next step changes the weights by {step.ratio:.0%}."
    elif rise > limit("rise") and math.isfinite(step.rate):
        new = step.rate / 10
        evidence = (
            f"The loss has risen from its least value by {rise:.0%} of what it had fallen before, and stays "
            "there."
        )
    else:
        return None
    if not 0 < new < math.inf:
        return None
    return Finding(
        "learning rate too high",
        None,
        "A step against the gradient is so long that it goes past the valley and up the other side.",
        evidence,
        f"Use a learning rate of about {new:.1g}.",
        2,
        e.remedy(learning_rate=float(f"{new:.1g}")),
    )


def learning_rate_too_low(e: Evidence) -> Finding | None:
    """Find steps so short that nothing happens, of a network that has not learned."""
    step, rows = e.step, e.measures.n_rows
    if e.is_learned or not math.isfinite(e.measures.baseline) or rows < limit("least_rows"):
        return None
    relative = step.rate * step.curvature / (2 * (1 - step.momentum))
    is_curved = e.has_curved_loss and math.isfinite(step.curvature)
    if is_curved and 0 < relative < limit("curvature_low"):
        new = step.rate * 0.25 / relative
        evidence = (
            f"Learning rate {step.rate:.3g}; largest eigenvalue of the Hessian {step.curvature:.3g}. The "
            f"steepest direction takes about {1 / relative:,.0f} steps, all others more."
        )
    elif not is_curved and 0 < step.ratio < limit("update_low"):
        new = step.rate * NEW_UPDATE / step.ratio
        evidence = (
            f"At learning rate {step.rate:.3g}, the next step changes the weights by {step.ratio:.1g} of "
            "their size."
        )
    elif hardly_falls(losses := e.history["loss"]) and math.isfinite(step.rate):
        new = 10 * step.rate
        evidence = (
            f"The loss has fallen in each of {len(losses)} epochs, but only from {losses[0]:.5g} to "
            f"{losses[-1]:.5g}."
        )
    else:
        return None
    return Finding(
        "learning rate too low",
        None,
        "Steps are so short that very many are needed, and the network has not learned yet.",
        f"{evidence} Loss {e.loss:.3g}, of a constant output {e.measures.baseline:.3g}.",
        f"Use a learning rate of about {new:.1g}.",
        2,
        e.remedy(learning_rate=float(f"{new:.1g}")),
    )


def overfitting(e: Evidence) -> Finding | None:
    """Find a validation loss far above the loss, or one that rises while the loss falls."""
    gap, baseline = e.validation_loss - e.loss, e.measures.baseline
    rise = _late_rise(e.history)
    if gap > limit("overfit_gap") * e.to_learn:
        evidence = (
            f"Loss {e.loss:.3g}, validation loss {e.validation_loss:.3g}; of a constant output "
            f"{baseline:.3g}."
        )
    elif rise > limit("overfit_rise") and not math.isfinite(e.validation_loss):
        evidence = (
            f"The validation loss has risen since its least value, by {rise:.0%} of the first one or of its "
            "fall, whichever is larger, while the loss fell."
        )
    else:
        return None
    l2 = max(NEW_L2, 3 * max(layer.l2 for layer in e.layers))
    return Finding(
        "overfitting",
        None,
        "The network has learned its rows by heart: more than they have in common with others.",
        evidence,
        f"Penalize large weights, l2={l2:g}, and train anew; or use fewer units, dropout, more rows, or "
        "EarlyStopping.",
        1,
        e.remedy(l2=l2, draws=True),
    )


def _rise(losses: list[float]) -> float:
    """Return how much losses have risen since the least one, over their fall until then; 0 if they fell."""
    if len(losses) < EPOCHS or not np.isfinite(losses).all():
        return 0.0
    least, last = min(losses), min(losses[-3:])  # the least of three: noise goes up and down
    if last - least <= limit("swing") * scale_of(losses):
        return 0.0  # a loss that has hardly fallen: any noise is large beside its fall
    return (last - least) / (losses[0] - least or abs(losses[0]))


def _late_rise(history: History) -> float:
    """Return the rise of the validation loss since its least value, over its size; 0 if the loss rose."""
    if "validation_loss" not in [*history]:
        return 0.0
    measured = np.asarray(history["validation_loss"])
    losses = np.asarray(history["loss"])[np.isfinite(measured)]
    measured = measured[np.isfinite(measured)]
    if len(measured) < EPOCHS:
        return 0.0
    best = int(measured.argmin())
    has_fallen = losses[-1] < losses[best]
    last = float(np.median(measured[-3:]))
    size = scale_of([*measured])
    return (last - measured[best]) / size if has_fallen and size else 0.0


def _listed(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    """Return the first numbers as text."""
    shown = ", ".join(f"{x:.3g}" for x in numbers[:5])
    return f"{shown}, ..." if len(numbers) > 5 else shown
