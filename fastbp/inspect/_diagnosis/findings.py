"""`findings`: all rules applied to the evidence, without the consequences of other findings."""

from __future__ import annotations

from collections.abc import Callable

from fastbp.inspect._diagnosis import rules_course, rules_fit, rules_signal
from fastbp.inspect._diagnosis.evidence import Evidence
from fastbp.inspect._diagnosis.remedies import Finding

#: The most serious first.
RULES: tuple[Callable[[Evidence], Finding | None], ...] = (
    rules_signal.wrong_derivative,
    rules_signal.zero_derivative,
    rules_signal.symmetric_weights,
    rules_fit.constant_labels,
    rules_signal.exploding_gradient,
    rules_signal.dead_relus,
    rules_signal.saturated_sigmoids,
    rules_signal.vanishing_gradient,
    rules_fit.unscaled_inputs,
    rules_fit.unscaled_targets,
    rules_fit.learning_rate_too_high,
    rules_fit.learning_rate_too_low,
    rules_course.loss_oscillating,
    rules_course.loss_not_moving,
    rules_signal.constant_derivative,
    rules_fit.overfitting,
)

_RATES = ("learning rate too high", "learning rate too low")
_SMALL = ("vanishing gradient", "learning rate too low")

#: Findings that follow from another one, and are not reported beside it.
CONSEQUENCES: dict[str, tuple[str, ...]] = {
    "wrong derivative": ("zero derivative", "constant derivative", "exploding gradient", *_RATES, *_SMALL),
    "zero derivative": _SMALL,
    "symmetric weights": ("dead relus", "saturated sigmoids", *_SMALL),
    "constant targets": _SMALL,
    "exploding gradient": ("learning rate too high",),
    "vanishing gradient": _RATES,
    "dead relus": _SMALL,
    "saturated sigmoids": ("learning rate too low",),
    "unscaled inputs": ("dead relus", "saturated sigmoids", *_RATES),
    "unscaled targets": _RATES,
    "learning rate too high": ("loss oscillating",),
}


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return the findings, the most serious first."""
    if (broken := rules_signal.not_a_number(evidence)) is not None:
        return (broken,)  # all else would be guesses
    found = [finding for rule in RULES if (finding := rule(evidence)) is not None]
    hidden = {kind for finding in found for kind in CONSEQUENCES.get(finding.kind, ())}
    if len(found) > 1:
        hidden.add("loss not moving")  # each of the others may be why
    return tuple(finding for finding in found if finding.kind not in hidden)
