"""Parts of the page about a network: how it learns, and what keeps it from learning."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fastbp._explain.finding import finding_html
from fastbp._explain.fragments import beside, note, number, paragraph, table
from fastbp._explain.pictures import PAIRED, WIDE, picture
from fastbp._explain.subject import MOST_POINTS, Subject, Topic
from fastbp.inspect._diagnosis.remedies import Finding, Remedy
from fastbp.inspect._names import parameter_name
from fastbp.plot import GradientFlowDisplay, LandscapeDisplay, LearningCurveDisplay, SlopesDisplay

RESOLUTION, COARSE = 41, 21  # points of the landscape along each axis, and for large networks
LARGE = 10**6  # parameters

LAYER_HEAD = (
    "layer",
    "activation",
    "units",
    "RMS dJ/dW",
    "RMS dJ/dz",
    "mean |f'|",
    "saturated",
    "dead",
    "step",
)


# ---- diagnosis ---------------------------------------------------------------------------------------------


def diagnosis(subject: Subject) -> str:
    """Return the verdict, each finding with its remedy, and the measures of the layers."""
    found = subject.diagnosis
    findings = "".join(
        finding_html(finding, beside=_action(subject, finding, i)) for i, finding in enumerate(found.findings)
    )
    if found.is_healthy:
        findings = paragraph(
            "Nothing was found that keeps the network from learning: its gradient neither vanishes nor "
            "explodes, its units react, and inputs, targets and learning rate have sizes that go together."
        )
    rows = [
        (
            state.name,
            state.activation,
            f"{state.units:,}",
            *map(number, (state.gradient_rms, state.delta_rms, state.mean_slope)),
            f"{state.saturated:.1%}",
            f"{state.dead_units:,}",
            number(state.update_ratio),
        )
        for state in found.layers
    ]
    meaning = (
        "J is the loss, z the weighted sum of a unit, f' the derivative of its activation at z. Saturated: "
        "the share of outputs whose derivative is less than a twentieth of its largest. Dead: units with the "
        "derivative 0, or the same output, in all rows. Step: by how much of their size the next step "
        "changes the weights."
    )
    return findings + table(LAYER_HEAD, rows, "Measures of the layers", left=(0, 1)) + note(meaning)


def _action(subject: Subject, finding: Finding, i: int) -> str:
    """Return what the method `apply` of a finding does, as a list of changes."""
    if finding.action is None:
        return note("This remedy is done by hand: the method apply of the finding cannot do it.")
    items = "".join(f"<li>{escape(change)}</li>" for change in changes(finding.action))
    given = "X, y"
    given += ", X_val=X_val, y_val=y_val" * (subject.held_out is not None)
    given += ", sample_weight=sample_weight" * (subject.data.w is not None)
    call = f"<code>net.diagnose({given}).findings[{i}].apply(net)</code>"
    return f'<div class="note">{call} returns a new network:<ul>{items}</ul></div>'


def changes(remedy: Remedy) -> list[str]:
    """Return in words what a remedy changes in a network."""
    if remedy.folds:
        return ["its linear layers are multiplied out, so that there are fewer, with the same outputs"]
    layers: dict[str, list[str]] = {}
    for i, activation in sorted((remedy.activations or {}).items()):
        layers.setdefault(str(activation), []).append(f"{i + 1}")
    found = [
        f"the activation of layer{'s' * (len(which) > 1)} {', '.join(which)} is {name}"
        for name, which in layers.items()
    ]
    if remedy.draws:
        found.append("its weights are drawn again, those of frozen layers excepted")
    if remedy.learning_rate is not None:
        found.append(f"its learning rate is {number(remedy.learning_rate)}")
    if remedy.clip_norm is not None:
        found.append(f"its gradients are clipped to the norm {number(remedy.clip_norm)}")
    if remedy.inputs is not None:
        found.append("it scales its inputs to mean 0 and variance 1")
    if remedy.targets is not None:
        found.append("it scales its targets to mean 0 and variance 1")
    if remedy.l2 is not None:
        found.append(f"its weights have the penalty l2 = {number(remedy.l2)}")
    return found


# ---- the course of learning --------------------------------------------------------------------------------


def learning_curve(subject: Subject) -> str:
    """Return the losses by epoch."""
    epochs = len(subject.net.history)
    return picture(
        lambda ax: LearningCurveDisplay.from_network(subject.net, ax=ax),
        f"Loss after each of {epochs:,} epochs. A fit that has converged ends in a level line.",
        size=WIDE,
    )


def gradient_flow(subject: Subject) -> str:
    """Return the size of the gradient by layer, now and along the recorded path."""
    lead = paragraph(
        "On its way back from the loss, the error is multiplied by f'(z) and by the weights in each layer. "
        "If it arrives much smaller than it set out, the first layers learn last; if it arrives much larger, "
        "their steps are too long."
    )
    is_recorded = subject.path is not None
    now = picture(
        lambda ax: GradientFlowDisplay.from_diagnosis(subject.diagnosis, ax=ax),
        "Size of the derivatives in each layer of the network as it is, on a logarithmic scale.",
        size=PAIRED if is_recorded else WIDE,
    )
    return lead + (beside(now, _flow_over_time(subject)) if is_recorded else now)


def _flow_over_time(subject: Subject) -> str:
    """Return the size of the gradient by layer along the recorded path, which there is."""
    assert subject.path is not None
    assert subject.steps is not None
    at = np.unique(np.linspace(0, len(subject.path) - 1, MOST_POINTS).round().astype(int))
    path, steps = subject.path[at], subject.steps[at]
    data = subject.few(3 * path.size)
    return picture(
        lambda ax: GradientFlowDisplay.from_network(
            subject.net, data.X, data.y, path=path, steps=steps, ax=ax
        ),
        f"Size of the gradient in each layer over the recorded fit.{subject.sampled(data)}",
        size=PAIRED,
    )


def slopes(subject: Subject) -> str:
    """Return the histogram of |f'(z)| per layer."""
    lead = paragraph(
        "These are the factors f'(z) themselves. Where a unit's is about 0, no error passes it, and the "
        f"weights into it stay as they are.{_exception(subject)}"
    )
    height = 1.2 + 1.1 * min(len(subject.layers), 12)
    return lead + picture(
        lambda ax: SlopesDisplay.from_diagnosis(subject.diagnosis, ax=ax),
        "|f'(z)| of all units and rows, layer by layer: share of the outputs by size of the derivative.",
        size=(WIDE[0], height),
    )


def _exception(subject: Subject) -> str:
    """Return what is different in the last layer if the loss is computed together with its activation."""
    loss, last = subject.net.loss, subject.layers[-1].activation
    if loss.activation in (None, "identity"):
        return ""
    return (
        f" The last layer is an exception: with {last.name} and {loss.name} its f'(z) cancels, and its dJ/dz "
        "is in proportion to output minus target."
    )


def landscape(subject: Subject) -> str:
    """Return the loss around the parameters, or along the recorded path, from above and as a surface."""
    resolution = RESOLUTION if subject.net.n_parameters < LARGE else COARSE
    data = subject.few(resolution**2 * subject.net.n_parameters)
    pair = _pair(subject)
    if subject.path is not None:
        what = "Loss in the plane that contains start and end of the fit, with the recorded path"
    else:
        along = " and ".join(pair) if pair else "two random directions"
        what = f"Loss around the network's parameters, along {along}"
    options: dict[str, Any] = {"directions": pair} if pair else {}
    drawn: list[LandscapeDisplay] = []

    def contour(ax: Axes) -> None:
        display = LandscapeDisplay.from_network(
            subject.net,
            data.X,
            data.y,
            path=subject.path,
            resolution=resolution,
            seed=subject.seed,
            sample_weight=data.w,
            ax=ax,
            **options,
        )
        display.ax_.locator_params("x", nbins=6)
        drawn.append(display)

    above = picture(contour, f"{what}.{subject.sampled(data)}", size=PAIRED)
    surface = picture(lambda ax: drawn[0].plot(ax, kind="surface"), "The same as a surface.", size=PAIRED)
    return beside(above, surface)


def _pair(subject: Subject) -> tuple[str, str] | None:
    """Return the names of the first two parameters if random directions may span no plane, else None.

    They keep the size of the weights into each unit: they are 0 if all weights are, and only their signs
    differ if each unit has one weight.
    """
    differ = any(len(W) > 1 and W.any() for W in subject.net.weights)
    if subject.path is not None or differ:
        return None
    return parameter_name(subject.layers, 0), parameter_name(subject.layers, 1)


def _has_plane(subject: Subject) -> bool:
    return subject.is_finite and subject.net.n_parameters > 1


def _has_history(subject: Subject) -> bool:
    return bool(np.isfinite(subject.net.history.loss).any())


TOPICS = (
    Topic("diagnosis", "Diagnosis", diagnosis, lambda _: True),
    Topic("learning-curve", "Learning curve", learning_curve, _has_history),
    Topic("gradient-flow", "The error on its way back", gradient_flow),
    Topic("slopes", "Derivatives of the activations", slopes),
    Topic("landscape", "The loss around here", landscape, _has_plane),
)
