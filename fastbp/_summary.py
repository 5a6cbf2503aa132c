"""Summary of a network: a table of its layers, and how it is trained, as text and as HTML."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Self

from fastbp._base import markup
from fastbp._base.shown import memory
from fastbp.layers import Layer

if TYPE_CHECKING:
    from fastbp._model import Model

HEAD = ("layer", "inputs", "units", "activation", "initializer", "parameters", "options")
TEXT = (3, 4, 6)  # columns of text; the others have numbers
SHOWN = ("n_in", "n_out", "activation")  # fields of a layer that have columns of their own


class Summary(str):
    """Text that a notebook shows as a table.

    Parameters
    ----------
    text : str
    html : str
    """

    _html: str

    def __new__(cls, text: str, html: str = "") -> Self:
        summary = super().__new__(cls, text)
        summary._html = html
        return summary

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self._html


def summarize(model: Model, name: str) -> Summary:
    """Return the summary of a network whose class has this name."""
    architecture = model.architecture
    title = f"{name}: {architecture.dtype}, seed {model.seed}"
    frozen = sum(layer.n_parameters for layer in architecture.layers if not layer.trainable)
    note = f"{frozen:,} of them frozen" if frozen else ""
    rows, total = layer_rows(model), ("total", "", "", "", "", f"{architecture.n_parameters:,}", note)
    facts = list(facts_of(model).items())
    width = max(len(fact) for fact, _ in facts)
    text = "\n".join(
        [
            title,
            "",
            *aligned([HEAD, *rows, total]),
            "",
            *(f"{fact:{width}}  {value}" for fact, value in facts),
        ]
    )
    html = [markup.paragraph(title), markup.table(HEAD, rows, total, left=TEXT)]
    return Summary(text, "".join([*html, markup.table((), facts, left=(0, 1))]))


def layer_rows(model: Model) -> list[tuple[str, ...]]:
    """Return the cells of each layer, in the columns of `HEAD`."""
    architecture = model.architecture
    named = zip(architecture.layers, architecture.initializers, strict=True)
    return [
        (
            f"{i}",
            f"{layer.n_in:,}",
            f"{layer.n_out:,}",
            str(layer.activation),
            initializer,
            f"{layer.n_parameters:,}",
            options(layer),
        )
        for i, (layer, initializer) in enumerate(named, 1)
    ]


def options(layer: Layer) -> str:
    """Return the options of a layer that differ from their defaults."""
    defaults = signature(Layer).parameters
    chosen = {
        name: value
        for name, value in layer._asdict().items()
        if name not in SHOWN and value != defaults[name].default
    }
    return ", ".join(f"{name}={value}" for name, value in chosen.items())


def facts_of(model: Model) -> dict[str, str]:
    """Return what a summary says below the layers."""
    architecture, engine = model.architecture, model.engine
    inputs = ["scaled"] * (model.scaling is not None)
    inputs += [f"with noise of {architecture.input_noise}"] * bool(architecture.input_noise)
    facts = {
        "loss": str(architecture.loss),
        "optimizer": str(model.optimizer),
        "memory": f"parameters {memory(engine.parameters.nbytes)}, optimizer {memory(engine.state.nbytes)}",
        "trained": f"{len(model.history):,} epochs, {engine.t:,} steps",
    }
    if inputs:
        facts["inputs"] = ", ".join(inputs)
    if model.target_scaling is not None:
        facts["targets"] = "scaled"
    return facts


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows of cells as lines, numbers aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:{'<' if i in TEXT or i == 0 else '>'}{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
