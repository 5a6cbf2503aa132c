"""`findings`: all rules applied to the evidence, without the consequences of other findings."""

from __future__ import annotations

from collections.abc import Callable

from fastbp.inspect import _rules_course, _rules_fit, _rules_signal
from fastbp.inspect._evidence import Evidence
from fastbp.inspect._remedies import Finding

#: The most serious first.
RULES: tuple[Callable[[Evidence], Finding | None], ...] = (
    _rules_signal.wrong_derivative,
    _rules_signal.zero_derivative,
    _rules_signal.symmetric_weights,
    _rules_fit.constant_labels,
    _rules_signal.exploding_gradient,
    _rules_signal.dead_relus,
    _rules_signal.saturated_sigmoids,
    _rules_signal.vanishing_gradient,
    _rules_fit.unscaled_inputs,
    _rules_fit.unscaled_targets,
    _rules_fit.learning_rate_too_high,
    _rules_fit.learning_rate_too_low,
    _rules_course.loss_oscillating,
    _rules_course.loss_not_moving,
    _rules_signal.constant_derivative,
    _rules_fit.overfitting,
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
    if (broken := _rules_signal.not_a_number(evidence)) is not None:
        return (broken,)  # all else would be guesses
    found = [finding for rule in RULES if (finding := rule(evidence)) is not None]
    hidden = {kind for finding in found for kind in CONSEQUENCES.get(finding.kind, ())}
    if len(found) > 1:
        hidden.add("loss not moving")  # each of the others may be why
    return tuple(finding for finding in found if finding.kind not in hidden)
