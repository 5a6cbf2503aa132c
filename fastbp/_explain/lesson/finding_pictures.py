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
BIN_OF_1 = 33  # of `LayerState.slope_counts`, which has four bins per power of ten


def by_layer(measure: str, y_label: str, caption: str) -> Picture:
    """Return what draws a measure of `LayerState` for each layer, on a logarithmic axis."""

    def draw(both: Comparison) -> str:
        return _pairs(_measured(both, measure), "layer", y_label, caption, log=True)

    return draw


def dead_units(both: Comparison) -> str:
    """Draw how many units of each layer are dead."""
    caption = "Units per layer with f'(z) = 0 in all rows."
    return _pairs(_measured(both, "dead_units"), "layer", "dead units", caption, form="{:.0f}".format)


def broken_units(both: Comparison) -> str:
    """Draw the share of each layer's outputs that is not a number."""
    values = [_broken(net, both.case.X) for net in _before(both)]
    caption = "Outputs that are not a number: one weight spoils its unit, and every unit after that."
    return _pairs(values, "layer", "not a number", caption, form="{:.0%}".format)


def different_units(both: Comparison) -> str:
    """Draw how many units of each layer have weights of their own."""
    values = [[float(np.unique(W, axis=1).shape[1]) for W in net.weights] for net in _before(both)]
    caption = "How many units of each layer have different weights."
    return _pairs(values, "layer", "different units", caption, form="{:.0f}".format)


def slopes(both: Comparison) -> str:
    """Draw how |f'(z)| is distributed in the layer that the finding is about."""
    layer = both.finding.layer or 1
    shares = [_by_decade(each.layers[layer - 1]) for each in (both.found, both.remedied)]
    powers = [f"10{str(power).translate(RAISED)}" if power % 2 == 0 else "" for power in range(-8, 0)]
    names = ["0", *powers, "1"]
    caption = f"Outputs of layers[{layer}] by their |f'(z)|; each bar goes from a power of ten to the next."
    return _pairs(shares, "|f'(z)|", "outputs (%)", caption, names)


def input_sizes(both: Comparison) -> str:
    """Draw the size of each input, as the network computes with it."""
    X, net = both.case.X, both.trained_remedied
    both_X = X, (X - net.input_mean) / net.input_scale
    sizes = [np.sqrt(np.mean(np.square(each), axis=0)).tolist() for each in both_X]
    caption = "Root mean square of each input, as the network computes with it."
    return _pairs(sizes, "input", "RMS", caption, [f"x{i + 1}" for i in range(X.shape[1])], log=True)


def target_counts(both: Comparison) -> str:
    """Draw how many rows each class has."""
    targets = [both.case.y, (both.case.mended or both.case).y]
    kinds = np.unique(targets)
    counts = [[float(np.sum(y == kind)) for kind in kinds] for y in targets]
    caption = "Rows per target, as the targets were read and as they should be."
    return _pairs(counts, "target", "rows", caption, [*map(str, kinds)], form="{:.0f}".format)


def derivative(both: Comparison) -> str:
    """Draw the derivative that an activation comes with, and differences of its function."""
    z = np.linspace(-4, 4, 81)
    given, true = (net.layers[0].activation.derivative(z) for net in _before(both))
    lines = {"as it is given": _points(z, given), "difference quotient": _points(z, true)}
    caption = "The derivative that the activation comes with, and that of its function."
    return _figure(curves(caption, lines, "z", "f'(z)"), caption)


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


def _pairs(
    values: Sequence[Sequence[float]],
    x_label: str,
    y_label: str,
    caption: str,
    groups: Sequence[str] = (),
    *,
    log: bool = False,
    form: Callable[[float], str] | None = None,
) -> str:
    """Return a figure with two bars per group; groups are numbered by default."""
    names = groups or [str(i + 1) for i in range(len(values[0]))]
    series = dict(zip((AS_IT_IS, REMEDIED), values, strict=True))
    return _figure(bars(caption, names, series, x_label, y_label, log=log, form=form), caption)


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _measured(both: Comparison, measure: str) -> list[list[float]]:
    """Return a measure of each layer, before training."""
    return [[float(getattr(state, measure)) for state in each.layers] for each in (both.found, both.remedied)]


def _before(both: Comparison) -> tuple[Network, Network]:
    """Return the network as it is, and remedied, before the training."""
    return both.case.net, both.finding.apply(both.case.net)


def _broken(net: Network, X: Array) -> list[float]:
    """Return the share of the outputs of each layer that are not finite."""
    shares = []
    for layer, W, b in zip(net.layers, net.weights, net.biases, strict=True):
        X = layer.activation(X @ W + b)
        shares.append(float(np.mean(~np.isfinite(X))))
    return shares


def _by_decade(state: LayerState) -> list[float]:
    """Return percentages of the outputs with |f'(z)| below 1e-8, then from each power of ten to the next."""
    edges = [0, *range(1, BIN_OF_1 + 1, 4), len(state.slope_counts)]
    return [100 * float(state.slope_counts[a:b].sum() / state.slope_counts.sum()) for a, b in pairwise(edges)]


def _points(x: Array, y: Array) -> list[tuple[float, float]]:
    return [*zip(x.tolist(), y.tolist(), strict=True)]


def _course(history: History, column: str, baseline: float) -> list[tuple[float, float]]:
    """Return epochs and losses over the baseline, thinned out; nothing if the fit ended before an epoch."""
    values = history[column] if column in [*history] else []
    shown = np.linspace(0, len(values) - 1, min(len(values), POINTS)).astype(int)
    return [(i + 1.0, values[i] / baseline) for i in shown.tolist()]
