"""The pictures of `why_the_derivative.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastbp.plot import BLUE, GREY, VERMILION, style

if TYPE_CHECKING:
    from why_the_derivative import Results


def draw_models(axes: Axes, results: Results) -> None:
    """Draw the errors of networks with and without bends, and the least error of a line."""
    best, *models = results.fitted
    bars = axes.barh([model.name for model in models], [model.error for model in models], color=BLUE)
    axes.bar_label(bars, fmt="%.4f", padding=6)
    finish_bars(axes, best.error)


def draw_derivatives(axes: Axes, results: Results) -> None:
    """Draw the error that each derivative has led to, and where nothing reached the first layers."""
    learned = list(results.learned.values())
    colors = [BLUE if net.moved[0] else GREY for net in learned]
    names = [f"{f}, {derivative}" for f, derivative in results.learned]
    bars = axes.barh(names, [net.error for net in learned], color=colors)
    for bar, net in zip(bars, learned, strict=True):
        if net.moved[0] == 0:
            bar.set_hatch("//")
    words = [f"{net.error:.4f}{'' if net.moved[0] else ': only layer 3 moves'}" for net in learned]
    axes.bar_label(bars, words, padding=6)
    axes.set_ylabel("f, and what stands for f'")
    finish_bars(axes, results.fitted[0].error)


def finish_bars(axes: Axes, best: float) -> None:
    """Add the error of the best line to bars, which begin at the top as the rows of a table do."""
    axes.axvline(best, color=VERMILION, linestyle="--", label=f"best line: {best:.4f}")
    axes.invert_yaxis()
    axes.set_xlim(right=1.55 * axes.dataLim.x1)
    axes.set_xlabel("mean squared error on the data")
    axes.legend(loc="lower right")


def draw_depths(axes: Axes, results: Results) -> None:
    """Draw how much of the gradient reaches the first layer."""
    for activation, color, look, above in (("relu", BLUE, "o-", 8), ("sigmoid", VERMILION, "s--", -16)):
        nets = [net for net in results.deep if net.activation == activation]
        axes.plot(
            [net.depth for net in nets], [net.ratio for net in nets], look, color=color, label=activation
        )
        for net in nets:
            place = {"xytext": (0, above), "textcoords": "offset points", "ha": "center"}
            axes.annotate(f"{net.ratio:.2g}", (net.depth, net.ratio), **place)
    axes.set(
        xlabel="hidden layers", ylabel="gradient of layer 1 / of the last", yscale="log", ylim=(1e-7, 10)
    )
    axes.set_xticks([net.depth for net in nets])
    axes.legend(loc="lower left")


def draw_signs(axes: Axes, results: Results) -> None:
    """Draw the error over the steps."""
    axes.plot(results.up, "s--", color=VERMILION, label="f' = -1 in the output layer: up")
    axes.plot(results.down, "o-", color=BLUE, label="f' = 1 in the output layer: down")
    axes.set(xlabel="steps", ylabel="mean squared error", yscale="log")
    axes.legend(loc="upper left")


PICTURES: dict[str, Callable[[Axes, Results], None]] = {
    "why_bends": draw_models,
    "why_derivatives": draw_derivatives,
    "why_depth": draw_depths,
    "why_sign": draw_signs,
}


def draw(results: Results, folder: Path) -> None:
    """Write all pictures to a folder, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in PICTURES.items():
        with style("light"):
            figure = Figure(figsize=(8, 3.2), layout="constrained")
            axes = figure.subplots()
            axes.spines[["top", "right"]].set_visible(False)
            picture(axes, results)
            figure.savefig(folder / f"{name}.png", dpi=100)
