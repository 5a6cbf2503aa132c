"""Parts of the page about a network: single rows, single weights, and the graph of a small network."""

from __future__ import annotations

import numpy as np

from fastbp._explain.fragments import note, number, paragraph, table, wide
from fastbp._explain.pictures import WIDE, picture
from fastbp._explain.subject import Data, Subject, Topic
from fastbp.inspect import blame, chain_rule
from fastbp.plot import GradientNormsDisplay, NetworkDisplay, SaliencyDisplay

MOST_LISTED = 8  # rows in the table
MOST_IMAGES, SALIENCY_SIZE = 6, (WIDE[0], 3.1)
MOST_INPUTS = 6  # columns for inputs; of more, those that are far from their means are named
MOST_TERMS = 3  # of a sum in the chain rule, and units per layer whose delta is written out
MOST_UNITS, MOST_LAYERS = 16, 5  # of the graph


# ---- rows --------------------------------------------------------------------------------------------------


def teaching_rows(subject: Subject) -> str:
    """Return the norms of the gradients of single rows, and those with the largest."""
    lead = paragraph(
        "Each row has a gradient of its own: a small step of the weights against it serves this row best. "
        "Its norm says how much the row still has to teach. The rows with the largest norms often are hard, "
        "unusual or wrongly labeled: look at them first."
    )
    norms = subject.norms
    if np.isnan(norms).any():
        curve = note(
            f"The loss is a function of your own, which is called row by row.{subject.sampled(subject.few())}"
        )
    else:
        display = GradientNormsDisplay(norms)
        curve = picture(display.plot, "Norm of the gradient of each row's own loss.", size=WIDE)
    top = subject.teaching(min(MOST_LISTED, len(subject.few().y)))
    return lead + curve + _table(subject, top) + _images(subject, top)


def _table(subject: Subject, top: Data) -> str:
    """Return the table of the rows with the largest norms."""
    targets, predictions = subject.answers(top)
    norms = map(number, subject.norms[top.numbers])
    cells = zip([f"{row:,}" for row in top.numbers], targets, predictions, norms, strict=True)
    inputs = _inputs(subject, top)
    rows = [[*known, *more] for known, more in zip(cells, inputs, strict=True)]
    head, label = ["row", "target", "prediction", "norm"], "Rows with the largest gradients"
    if subject.image_shape is not None:
        shown = table(head, rows, label, left=(1, 2))
    elif len(subject.names) <= MOST_INPUTS:
        shown = table([*head, *subject.names], rows, label, left=(1, 2))
    else:
        far = "inputs farthest from their means, but those that are 0"
        shown = table([*head, far], rows, label, left=(1, 2), long=(4,))
    return shown + note("Rows are counted from 0. Norm: of the gradient of the row.")


def _inputs(subject: Subject, top: Data) -> list[list[str]]:
    """Return the cells of each row that show its inputs: all of few, none of an image."""
    values, names = top.dense(), subject.names
    if subject.image_shape is not None:
        return [[] for _ in values]
    if len(names) <= MOST_INPUTS:
        return [[*map(number, x)] for x in values]
    means, scales = _usual(subject)
    cells = []
    for x in values:
        order = np.argsort(-np.abs(x - means) / scales, kind="stable")
        far = sorted(order[x[order] != 0][:MOST_INPUTS])
        cells.append(["; ".join(f"{names[j]}: {number(x[j])}" for j in far)])
    return cells


def _usual(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each input (n_in,); infinity instead of 0."""
    rows = subject.few(subject.layers[0].n_in * 1000).dense().astype(np.float64)
    scales = rows.std(axis=0)
    return rows.mean(axis=0), np.where(scales == 0, np.inf, scales)


def _images(subject: Subject, top: Data) -> str:
    """Return the rows as images, with what they were taken for; "" if they are no images."""
    if subject.image_shape is None:
        return ""
    return picture(
        lambda ax: SaliencyDisplay.from_network(
            subject.net, top.X, top.y, image_shape=subject.image_shape, limit=MOST_IMAGES, ax=ax
        ),
        "The rows with the largest gradients as images, and how strongly the answer depends on each pixel.",
        size=SALIENCY_SIZE,
    )


# ---- weights -----------------------------------------------------------------------------------------------


def one_weight(subject: Subject) -> str:
    """Return the chain rule of the weight of the first layer that the most instructive row blames most."""
    row = subject.teaching(1)
    x, y = row.dense(), row.y
    shares = blame(subject.net, x, y).weight_shares[0]
    i, j = np.unravel_index(np.nanargmax(np.nan_to_num(shares)), shares.shape)
    chain = chain_rule(subject.net, 1, int(i), int(j), x, y, limit=MOST_TERMS)
    named = "" if subject.net.feature_names is None else f", {subject.names[i]},"
    lead = paragraph(
        f"Row {row.numbers[0]:,} has the largest gradient. Of the weights of the first layer, it would "
        f"change {chain.name} most, which leads from input {i + 1}{named} to unit "
        f"{len(subject.names) + j + 1}. The derivative of its loss by this weight is the product of what "
        "each step on the way back contributes:"
    )
    return lead + wide(chain.html(), "The chain rule with its numbers")


def graph(subject: Subject) -> str:
    """Return the graph of the network."""
    data = subject.few(subject.net.n_parameters)
    return picture(
        lambda ax: NetworkDisplay.from_network(subject.net, data.X, data.y, ax=ax),
        "All weights, and how the error is shared out among them; dashed lines are negative."
        f"{subject.sampled(data)}",
        size=(WIDE[0], 5.0),
    )


def _is_small(subject: Subject) -> bool:
    sizes = [subject.layers[0].n_in, *(layer.n_out for layer in subject.layers)]
    return subject.is_finite and len(subject.layers) <= MOST_LAYERS and max(sizes) <= MOST_UNITS


TOPICS = (
    Topic("rows", "Which rows teach most", teaching_rows),
    Topic("chain-rule", "One weight, by the chain rule", one_weight),
    Topic("graph", "All units and weights", graph, _is_small),
)
