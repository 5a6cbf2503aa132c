"""The part of the lesson about what each finding of `diagnose` looks like, and what its remedy does."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import NamedTuple

from fastbp._explain.finding import finding_html, severity
from fastbp._explain.lesson import finding_pictures as pictures
from fastbp._explain.lesson import sick
from fastbp._explain.lesson.comparison import Comparison, compare
from fastbp._explain.lesson.part import Part
from fastbp._explain.lesson.sick import Case


class Entry(NamedTuple):
    """A kind of finding, and a network that has it.

    Parameters
    ----------
    kind : str
        As `Finding.kind`.
    meaning : str
        What is wrong, in a line.
    example : str
        What was done to the network, in a sentence.
    make : callable
        Returns the network with its data.
    picture : callable
        Returns a figure of it.
    """

    kind: str
    meaning: str
    example: str
    make: Callable[[], Case]
    picture: Callable[[Comparison], str]

    @property
    def anchor(self) -> str:
        """The id of its article."""
        return f"finding-{self.kind.replace(' ', '-')}"


DELTAS = pictures.by_layer(
    "delta_rms", "RMS of dJ/dz", "Root mean square of dJ/dz by layer, before training."
)

#: The most serious kinds first, as in a diagnosis.
ENTRIES = (
    Entry(
        "not a number",
        "a parameter is NaN or infinite",
        "One weight of layers[2] is NaN.",
        sick.not_a_number,
        pictures.broken_units,
    ),
    Entry(
        "wrong derivative",
        "a custom activation's derivative is not that of its function",
        "The hidden units have tanh, and a derivative of the wrong sign.",
        sick.wrong_derivative,
        pictures.derivative,
    ),
    Entry(
        "zero derivative",
        "an activation is flat, so nothing before it learns",
        "The hidden units are steps: 0 or 1.",
        sick.zero_derivative,
        pictures.by_layer(
            "gradient_rms", "RMS of dJ/dW", "Root mean square of dJ/dW by layer, before training."
        ),
    ),
    Entry(
        "symmetric weights",
        "units have equal weights, and stay equal",
        "All weights are 0.1.",
        sick.symmetric_weights,
        pictures.different_units,
    ),
    Entry(
        "constant targets",
        "all rows have the same target",
        "The column of the targets was read wrongly: it has 1 in all rows.",
        sick.constant_targets,
        pictures.target_counts,
    ),
    Entry(
        "exploding gradient",
        "the error grows on its way back",
        "There are five hidden layers, and all weights are ten times as large as usual.",
        sick.exploding_gradient,
        DELTAS,
    ),
    Entry(
        "dead relus",
        "units have the output 0 for all rows",
        "In layers[2], 14 of the 16 biases are -100.",
        sick.dead_relus,
        pictures.dead_units,
    ),
    Entry(
        "saturated sigmoids",
        "most outputs are where the activation is flat",
        "The hidden units are tanh, with weights 200 times as large as usual.",
        sick.saturated_sigmoids,
        pictures.slopes,
    ),
    Entry(
        "vanishing gradient",
        "the error fades on its way back",
        "There are eight hidden layers of sigmoids.",
        sick.vanishing_gradient,
        DELTAS,
    ),
    Entry(
        "unscaled inputs",
        "inputs are much larger or smaller than 1",
        "The sixth input is a number around 4,000, such as a mass in grams.",
        sick.unscaled_inputs,
        pictures.input_sizes,
    ),
    Entry(
        "unscaled targets",
        "targets are much larger or smaller than 1",
        "The targets are numbers around 4,000.",
        sick.unscaled_targets,
        pictures.losses("Losses by epoch, over that of a constant output.", log=True),
    ),
    Entry(
        "learning rate too high",
        "steps go past the valley and up the other side",
        "Gradient descent with the rate 5.",
        sick.rate_too_high,
        pictures.losses("The loss leaps up, and the network ends where it is no better than a constant."),
    ),
    Entry(
        "learning rate too low",
        "steps are so short that nothing happens",
        "Gradient descent with the rate 0.000001.",
        sick.rate_too_low,
        pictures.losses("The loss stays where it began."),
    ),
    Entry(
        "loss oscillating",
        "the loss goes up and down from epoch to epoch",
        "A single layer, the rate 0.2, and batches of four rows.",
        sick.oscillating,
        pictures.losses("Each batch pulls in a direction of its own."),
    ),
    Entry(
        "loss not moving",
        "the loss stays at that of a constant output",
        "The targets are in another order than the inputs.",
        sick.not_moving,
        pictures.losses("Inputs tell nothing about the targets of other rows."),
    ),
    Entry(
        "constant derivative",
        "hidden layers are linear, and add nothing",
        "The hidden units have the identity as their activation.",
        sick.constant_derivative,
        pictures.folded,
    ),
    Entry(
        "overfitting",
        "it learned its rows by heart",
        "64 hidden units learn 60 rows, whose targets have noise, for 400 epochs.",
        sick.overfitting,
        pictures.validation_losses,
    ),
)


def values() -> dict[str, str]:
    """Return the rows of the table, and an article per kind."""
    pairs = [(entry, both) for entry in ENTRIES if (both := compare(entry.make(), entry.kind)) is not None]
    return {
        "n_kinds": str(len(pairs)),
        "rows": "".join(_row(*pair) for pair in pairs),
        "articles": "".join(_article(*pair) for pair in pairs),
    }


def _row(entry: Entry, both: Comparison) -> str:
    before, after = both.losses
    return (
        f'<tr><th class="text brief" scope="row"><a href="#{entry.anchor}">{escape(entry.kind)}</a></th>'
        f'<td class="text brief">{escape(severity(both.finding))}</td>'
        f'<td class="text long">{escape(entry.meaning)}</td><td>{before}</td><td>{after}</td></tr>'
    )


def _article(entry: Entry, both: Comparison) -> str:
    result = f"<dl><dt>Result</dt><dd>{escape(_result(both))}</dd></dl>"
    return finding_html(
        both.finding,
        anchor=entry.anchor,
        example=entry.example,
        beside=f"<div>{entry.picture(both)}{result}</div>",
    )


def _result(both: Comparison) -> str:
    """Return a sentence about the losses after training."""
    (before, after), case, epochs = both.losses, both.case, both.case.epochs
    is_mended = case.mended is not None and case.mended.y is not case.y
    if both.failure:
        return f"Training ends with {before}. Remedied, the relative loss is {after} after {epochs} epochs."
    rows = "on other rows " if case.validation else "on the right targets " if is_mended else ""
    return f"After {epochs} epochs, the relative loss {rows}is {before}; remedied, it is {after}."


PART = Part(
    "findings", "When a network does not learn: findings, causes, remedies", "findings.html", values=values
)
