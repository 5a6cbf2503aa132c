"""What `fastbp bench` has found, as a picture, which needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fastbp.cli.bench import Workload, number

# from Okabe and Ito's palette, as in `fastbp.plot`
COLORS = {"NumPy": "#999999", "JAX": "#009E73", "PyTorch": "#D55E00", "scikit-learn": "#E69F00"}


class Figures(NamedTuple):
    """What was measured for one library on one workload."""

    name: str
    microseconds: float  # per training step
    faster: tuple[float, float, float]  # how many times fastbp is: lower quartile, median, upper quartile


def draw(title: str, found: Mapping[Workload, Sequence[Figures]], output: Path) -> None:
    """Write a picture of how many times faster fastbp, the first of each workload, is than the others."""
    from matplotlib.figure import Figure

    lines = sum(map(len, found.values()))
    figure = Figure(figsize=(9, 1.2 + 0.32 * lines), layout="constrained")
    axes = figure.subplots()
    y, names = 0, {}
    for workload, (ours, *others) in found.items():
        heading = f"{workload}: {number(ours.microseconds)} µs per step"
        axes.text(0.01, y, heading, va="center", weight="bold", transform=axes.get_yaxis_transform())
        if others:
            axes.plot([1, 1], [y + 0.5, y + len(others) + 0.5], color="black", linewidth=0.8)
        for y, each in enumerate(others, start=y + 1):  # noqa: B020
            low, middle, high = each.faster
            axes.barh(y, middle - 1, left=1, color=COLORS[each.name], height=0.7)
            axes.plot([low, high], [y, y], color="black", linewidth=1.5)
            axes.text(1.05 * max(1, high), y, f"{middle:.3g}", va="center", fontsize=9)
            names[y] = each.name
        y += 1
    axes.set(
        xscale="log",
        xlabel="times faster than the other library; the lines are the middle half of the rounds",
    )
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    least, most = axes.get_xlim()
    axes.set_xlim(min(0.9, least), max(12, most))
    axes.set_yticks(list(names), names.values())
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(y - 0.3, -0.7)
    axes.spines[["left", "top", "right"]].set_visible(False)
    figure.suptitle(title)
    figure.savefig(output, dpi=120)
