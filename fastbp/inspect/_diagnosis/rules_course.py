"""Rules about the course of the losses: what only several epochs show."""

from __future__ import annotations

import math

import numpy as np

from fastbp.inspect._diagnosis.evidence import Evidence
from fastbp.inspect._diagnosis.remedies import Finding
from fastbp.inspect._diagnosis.thresholds import limit

EPOCHS = 10  # of a history that can tell anything
WINDOW = 20  # last epochs, in which swings are counted


def loss_not_moving(e: Evidence) -> Finding | None:
    """Find a loss that stays where it was, and where a constant output would have it."""
    losses = e.history["loss"]
    fall, baseline = fall_of(losses), e.measures.baseline
    if not fall < limit("still") or not e.loss > baseline - limit("nothing_learned") * e.to_learn:
        return None
    return Finding(
        "loss not moving",
        None,
        "The network is still no better than one that gives the same answer for all rows: its steps find no "
        "way down, or there is nothing in the inputs that tells the targets.",
        f"In {len(losses)} epochs, the loss has gone from {losses[0]:.3g} to {losses[-1]:.3g}; the largest "
        f"fall was {fall:.2%}. A constant output has {baseline:.3g}.",
        "See whether the rows of X and y belong together; then try another learning rate or another seed.",
        2,
    )


def loss_oscillating(e: Evidence) -> Finding | None:
    """Find a loss that goes up and down from epoch to epoch."""
    losses = e.history["loss"]
    recent = losses[-WINDOW:]
    if len(losses) < EPOCHS or not np.isfinite(losses).all() or not math.isfinite(e.step.rate):
        return None
    least = limit("swing") * scale_of(losses)
    swings = [swing for swing in _swings(recent) if swing > least]
    if len(swings) / 2 < limit("swings") * len(recent):  # up and down
        return None
    rate = float(f"{e.step.rate / 3:.1g}")
    return Finding(
        "loss oscillating",
        None,
        "The steps go from one side of a valley to the other instead of down to its floor, or each batch "
        "pulls in a direction of its own, because it is small or has the noise of dropout.",
        f"In the last {len(recent)} epochs, the loss turned after {len(swings)} rises or falls of more than "
        f"{least:.3g}, the largest of {max(swings):.3g}; the first loss was {losses[0]:.3g}, the least "
        f"{min(losses):.3g}.",
        f"Use a learning rate of about {rate:g}, or larger batches.",
        2,
        e.remedy(learning_rate=rate),
    )


def scale_of(losses: list[float]) -> float:
    """Return the first loss or the largest fall, whichever is larger: a loss can be near 0, or below."""
    return max(abs(losses[0]), losses[0] - min(losses))


def fall_of(losses: list[float]) -> float:
    """Return the largest fall of the loss, over its size at first; NaN if the epochs are too few to tell."""
    if len(losses) < EPOCHS or not np.isfinite(losses).all() or not scale_of(losses):
        return math.nan
    return (losses[0] - min(losses)) / scale_of(losses)


def hardly_falls(losses: list[float]) -> bool:
    """Tell whether a loss has fallen in every epoch, and yet is about where it was."""
    return fall_of(losses) < limit("still") and bool((np.diff(losses) < 0).all())


def _swings(losses: list[float]) -> list[float]:
    """Return the sizes of the rises and falls between two turns of the loss."""
    changes = np.diff(losses)
    changes = changes[changes != 0]
    turns = np.flatnonzero(np.diff(np.sign(changes))) + 1
    return [abs(float(part.sum())) for part in np.split(changes, turns)]
