"""Writes the generated parts of the pages: blocks between `<!-- NAME -->` and `<!-- /NAME -->`, and pictures.

`tests/examples/test_docs.py` fails if a page differs from what this program would write.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench_pictures import growth_picture, ratio_picture
from bench_tables import machines_block, readme_block
from cluster_table import cluster_block
from estimator_table import estimators_block
from matplotlib.figure import Figure
from plot_gallery import gallery

from fastbp import activations, schedules
from fastbp.plot import BLUE, VERMILION

ROOT = Path(__file__).parents[1]
SHOWN_SLOPES = (-4.0, -1.0, 0.0, 1.0, 4.0)


def activation_table() -> str:
    """Return the table of activations: definition, parameter, and the derivative at some points."""
    columns = ["name", "definition", "parameter", *(f"f'({z:g})" for z in SHOWN_SLOPES)]
    lines = [columns, ["---"] * len(columns)]
    for name, activation in activations.ACTIVATIONS.items():
        definition = activation.formula.replace("|", "\\|")
        parameter = f"alpha = {activation.alpha:g}" if activation.alpha else ""
        slopes = (activation.derivative(np.array([z])).item() for z in SHOWN_SLOPES)
        shown = [f"{round(slope, 3) + 0.0:.3f}" for slope in slopes]  # + 0.0 turns -0.0 into 0.0
        lines.append([f"`{name}`", definition, parameter, *shown])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def activation_picture() -> Figure:
    """Draw every activation that acts on single numbers, with its derivative."""
    shown = [activation for name, activation in activations.ACTIVATIONS.items() if name != "softmax"]
    figure = Figure(figsize=(10, 7), layout="constrained")
    grid = figure.subplots(4, 6, sharex=True, sharey=True).flat
    z = np.linspace(-4, 4, 801)
    for axes, activation in zip(grid, shown, strict=False):
        axes.plot(z, activation(z), color=BLUE, label="f(z)")
        axes.plot(z, activation.derivative(z), color=VERMILION, linestyle="--", label="f'(z)")
        axes.set(title=activation.name, xticks=(-4, 0, 4), ylim=(-1.8, 3))
        axes.axhline(0, color="black", linewidth=0.5)
        axes.axvline(0, color="black", linewidth=0.5)
    for axes in figure.axes[len(shown) :]:
        axes.set_axis_off()
    figure.supxlabel("z")
    figure.axes[-1].legend(*figure.axes[0].get_legend_handles_labels(), loc="center")
    return figure


def schedule_picture() -> Figure:
    """Draw every schedule over 100 steps, with a highest rate of 1."""
    shown = {
        "constant": schedules.Constant(1),
        "Step(1, every=20, factor=0.5)": schedules.Step(1, every=20, factor=0.5),
        "Exponential(1, decay=0.97)": schedules.Exponential(1, decay=0.97),
        "InverseScaling(1)": schedules.InverseScaling(1),
        "Cosine(1, steps=90, warmup=10)": schedules.Cosine(1, steps=90, warmup=10),
        "Cosine(1, steps=25, growth=1)": schedules.Cosine(1, steps=25, growth=1),
        "Cosine(1, steps=14, growth=2)": schedules.Cosine(1, steps=14, growth=2),
        "OneCycle(1, steps=100)": schedules.OneCycle(1, steps=100),
        "Warmup(Exponential(1, decay=0.97), steps=20)": schedules.Warmup(schedules.Exponential(1, 0.97), 20),
    }
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    grid = figure.subplots(3, 3, sharex=True, sharey=True).flat
    for axes, (name, schedule) in zip(grid, shown.items(), strict=True):
        axes.step(range(100), [schedule(k) for k in range(100)], where="post", color=BLUE)
        axes.set_title(name, fontsize=9)
        axes.set(ylim=(0, 1.05), xlim=(0, 100))
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("step k")
    figure.supylabel("learning rate")
    return figure


BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/guide/activations.md": {"activations": activation_table},
    "docs/guide/dask.md": {"cluster": cluster_block},
    "README.md": {"benchmark": readme_block, "estimators": estimators_block},
    "docs/internals/performance.md": {"machines": machines_block},
}


def renewed(page: str) -> str:
    """Return the text of the page with new versions of its generated blocks."""
    text = (ROOT / page).read_text()
    for name, make in BLOCKS[page].items():
        block = re.compile(rf"(<!-- {name} -->\n).*(<!-- /{name} -->)", re.DOTALL)
        content = make()
        text, count = block.subn(lambda m, content=content: m[1] + content + m[2], text)
        assert count == 1, f"{page} has {count} blocks called {name}"
    return text


PICTURES: dict[str, Callable[[], Figure]] = {
    "activations": activation_picture,
    "benchmark": ratio_picture,
    "growth": growth_picture,
    "plots_dark": lambda: gallery("dark"),
    "plots_light": lambda: gallery("light"),
    "schedules": schedule_picture,
}

if __name__ == "__main__":
    for page in BLOCKS:
        (ROOT / page).write_text(renewed(page))
    for name, draw in PICTURES.items():
        draw().savefig(ROOT / f"docs/images/{name}.png", dpi="figure")
    print(readme_block())
