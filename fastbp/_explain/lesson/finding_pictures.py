"""Pictures of what a finding looks like: a network as it is, beside the remedied one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._explain.charts import RAISED, bars, curves, number
from fastbp._explain.lesson.comparison import Comparison
from fastbp.history import History
from fastbp.inspect import LayerState
from fastbp.network import Network

Picture: TypeAlias = Callable[[Comparison], str]
Array: TypeAlias = NDArray[Any]

AS_IT_IS, REMEDIED = "as it is", "remedied"
POINTS = 100  # of a learning curve
BIN_OF_1 = 33  # of `LayerState.slope_counts`


def by_layer(measure: str, y_label: str, caption: str) -> Picture:
    """Return what draws a measure of `LayerState` for each layer, on a logarithmic axis."""

    def draw(both: Comparison) -> str:
        values = [
            [float(getattr(state, measure)) for state in each.layers] for each in (both.found, both.remedied)
        ]
        return _layers(values, y_label, caption, log=True)

    return draw


def dead_units(both: Comparison) -> str:
    """Draw how many units of each layer are dead."""
    values = [[state.dead_units for state in each.layers] for each in (both.found, both.remedied)]
    return _layers(values, "dead units", "Units per layer with f'(z) = 0 in all rows.", form="{:.0f}".format)


def broken_units(both: Comparison) -> str:
    """Draw the share of each layer's outputs that is not a number."""
    values = [_broken(both.case.net, both.case.X), _broken(_remedied(both), both.case.X)]
    caption = "Outputs that are not a number: one weight spoils its unit, and every unit after that."
    return _layers(values, "not a number", caption, form="{:.0%}".format)


def different_units(both: Comparison) -> str:
    """Draw how many units of each layer have weights of their own."""
    values = [[len(np.unique(W, axis=1).T) for W in net.weights] for net in (both.case.net, _remedied(both))]
    caption = "How many units of each layer have different weights."
    return _layers(values, "different units", caption, form="{:.0f}".format)


def slopes(both: Comparison) -> str:
    """Draw how |f'(z)| is distributed in the layer that the finding is about."""
    i = (both.finding.layer or 1) - 1
    shares = [_by_decade(each.layers[i]) for each in (both.found, both.remedied)]
    names = ["0", *(f"10{str(power).translate(RAISED)}" for power in range(-8, 0)), "1"]
    caption = f"Outputs of layers[{i + 1}] by their |f'(z)|, from each number to ten times as much."
    return _figure(
        bars(caption, names, dict(zip((AS_IT_IS, REMEDIED), shares, strict=True)), "|f'(z)|", "outputs (%)"),
        caption,
    )


def derivative(both: Comparison) -> str:
    """Draw the derivative that an activation comes with, and differences of its function."""
    z = np.linspace(-4, 4, 81)
    given, true = (net.layers[0].activation.derivative(z) for net in (both.case.net, _remedied(both)))
    lines = {"as it is given": _points(z, given), "difference quotient": _points(z, true)}
    caption = "The derivative that the activation comes with, and that of its function."
    return _figure(curves(caption, lines, "z", "f'(z)"), caption)


def input_sizes(both: Comparison) -> str:
    """Draw the size of each input, as the network computes with it."""
    net, X = both.trained_remedied, both.case.X
    sizes = [
        np.sqrt(np.mean(np.square(each), axis=0)) for each in (X, (X - net.input_mean) / net.input_scale)
    ]
    caption = "Root mean square of each input, as the network computes with it."
    names = [f"x{i + 1}" for i in range(X.shape[1])]
    series = {AS_IT_IS: [*map(float, sizes[0])], REMEDIED: [*map(float, sizes[1])]}
    return _figure(bars(caption, names, series, "input", "RMS", log=True), caption)


def target_counts(both: Comparison) -> str:
    """Draw how many rows each class has."""
    right = both.case.mended or both.case
    kinds = np.unique(right.y)
    series = {
        name: [float(np.sum(y == kind)) for kind in kinds]
        for name, y in ((AS_IT_IS, both.case.y), (REMEDIED, right.y))
    }
    caption = "Rows per target, as the targets were read and as they should be."
    return _figure(bars(caption, [*map(str, kinds)], series, "target", "rows", form="{:.0f}".format), caption)


def losses(caption: str, *, log: bool = False) -> Picture:
    """Return what draws the losses by epoch, relative to that of a constant output."""

    def draw(both: Comparison) -> str:
        lines = {
            AS_IT_IS: _course(both.trained.history, "loss", both.found.baseline),
            REMEDIED: _course(both.trained_remedied.history, "loss", both.remedied.baseline),
            "constant output": [(1.0, 1.0), (float(both.case.epochs), 1.0)],
        }
        return _figure(curves(caption, lines, "epoch", "relative loss", log=log), caption)

    return draw


def validation_losses(both: Comparison) -> str:
    """Draw the losses of rows that were trained on, and of others."""
    baseline = both.result.baseline
    lines = {
        "others": _course(both.trained.history, "validation_loss", baseline),
        "others, remedied": _course(both.trained_remedied.history, "validation_loss", baseline),
        "own rows": _course(both.trained.history, "loss", both.found.baseline),
    }
    caption = (
        "The loss of its own rows falls to almost 0; that of others, which it was not trained on, rises."
    )
    return _figure(curves(caption, lines, "epoch", "relative loss"), caption)


def folded(both: Comparison) -> str:
    """Draw the losses as `losses` does, and say what the layers are when they are made one."""
    net = both.trained
    one = both.finding.apply(net)
    apart = np.abs(one.predict(both.case.X) - net.predict(both.case.X)).max()
    return losses(
        "Remedied means relu here. The other remedy, finding.apply(net), makes one layer of the trained "
        f"network: {one.n_parameters} parameters in place of {net.n_parameters}, and outputs that differ by "
        f"at most {number(float(f'{apart:.1g}'))}."
    )(both)


def _layers(
    values: Sequence[Sequence[float]],
    y_label: str,
    caption: str,
    *,
    log: bool = False,
    form: Callable[[float], str] | None = None,
) -> str:
    """Return a figure with two bars per layer."""
    names = [str(i + 1) for i in range(len(values[0]))]
    series = dict(zip((AS_IT_IS, REMEDIED), values, strict=True))
    return _figure(bars(caption, names, series, "layer", y_label, log=log, form=form), caption)


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _remedied(both: Comparison) -> Network:
    """Return the remedied network before its training."""
    return both.finding.apply(both.case.net)


def _broken(net: Network, X: Array) -> list[float]:
    """Return the share of the outputs of each layer that are not finite."""
    shares = []
    for layer, W, b in zip(net.layers, net.weights, net.biases, strict=True):
        X = layer.activation(X @ W + b)
        shares.append(float(np.mean(~np.isfinite(X))))
    return shares


def _by_decade(state: LayerState) -> list[float]:
    """Return percentages of the outputs with |f'(z)| below 1e-8, then from each power of ten to the next."""
    edges = [0, *range(1, BIN_OF_1, 4), BIN_OF_1, len(state.slope_counts)]
    return [100 * float(state.slope_counts[a:b].sum() / state.slope_counts.sum()) for a, b in pairwise(edges)]


def _points(x: Array, y: Array) -> list[tuple[float, float]]:
    return [*zip(x.tolist(), y.tolist(), strict=True)]


def _course(history: History, column: str, baseline: float) -> list[tuple[float, float]]:
    """Return epochs and losses over the baseline, thinned out; nothing if the fit ended before an epoch."""
    values = history[column] if column in [*history] else []
    shown = np.linspace(0, len(values) - 1, min(len(values), POINTS)).astype(int)
    return [(i + 1.0, values[i] / baseline) for i in shown.tolist()]
