"""Renew what is generated in the docs: blocks between `<!-- NAME -->` and `<!-- /NAME -->`, and a picture.

`tests/test_docs.py` holds the pages to what this program writes.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure

from fastbp import activations
from fastbp.plot import BLUE, VERMILION

ROOT = Path(__file__).parents[1]
SHOWN_SLOPES = (-4.0, -1.0, 0.0, 1.0, 4.0)


def activation_table() -> str:
    """Every activation of the native table: its definition, its parameter, and some slopes."""
    columns = ["name", "definition", "parameter", *(f"f'({z:g})" for z in SHOWN_SLOPES)]
    lines = [columns, ["---"] * len(columns)]
    for name, activation in activations.ACTIVATIONS.items():
        definition = activation.formula.replace("|", "\\|")
        parameter = f"alpha = {activation.alpha:g}" if activation.alpha else ""
        slopes = (activation.derivative(np.array([z])).item() for z in SHOWN_SLOPES)
        shown = [f"{round(slope, 3) + 0.0:.3f}" for slope in slopes]  # + 0.0 turns -0.0 into 0.0
        lines.append([f"`{name}`", definition, parameter, *shown])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def benchmark_table() -> str:
    """The last results of `make bench`, and what they were measured with."""
    results = json.loads((ROOT / "bench/results/training.json").read_text())
    machine = results["machine_info"]
    lines = [
        "| workload | training | fastbp, µs a step | NumPy, µs a step | times faster (range) |\n",
        "|---|---|---|---|---|\n",
    ]
    shown = [result for result in results["benchmarks"] if "rival" not in result]
    *trainings, threads = sorted(shown, key=lambda result: "times_the_work_of_one" in result)
    for result in trainings:
        native, reference = result["native_us"], result["reference_us"]
        ratios = [b / a for a, b in zip(native, reference, strict=True)]
        spread = f"{number(min(ratios))} to {number(max(ratios))}"
        cells = [result["name"], result["training"], number(median(native)), number(median(reference))]
        lines.append(f"| {' | '.join(cells)} | **{number(median(ratios))}** ({spread}) |\n")
    lines.append(
        f"\nOne thread of {machine['cpu']}, {machine['isa']} path; {machine['compiler']}, "
        f"Python {machine['python']}, NumPy {machine['numpy']} with the fastest kernels of its OpenBLAS. "
        f"Medians of {len(ratios)} alternating rounds, {results['datetime'][:10]}.\n"
    )
    work = threads["times_the_work_of_one"]
    lines.append(
        f"\nTwo networks (mnist) trained by two threads at once do {number(median(work))} times the work of "
        f"one alone ({number(min(work))} to {number(max(work))}): the GIL is released.\n"
    )
    return "".join(lines)


def number(x: float) -> str:
    """Three digits, or the whole number where that is longer."""
    return f"{x:,.0f}" if x >= 100 else f"{x:#.3g}"


def activation_picture() -> Figure:
    """Every activation of a single number, and its derivative."""
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


BLOCKS: dict[str, tuple[str, Callable[[], str]]] = {
    "docs/activations.md": ("activations", activation_table),
    "README.md": ("benchmark", benchmark_table),
}


def renewed(page: str) -> str:
    """Return the text of the page with its block made anew."""
    name, make = BLOCKS[page]
    block = re.compile(rf"(<!-- {name} -->\n).*(<!-- /{name} -->)", re.DOTALL)
    text, count = block.subn(lambda m: m[1] + make() + m[2], (ROOT / page).read_text())
    assert count == 1, f"{page} has {count} blocks called {name}"
    return text


if __name__ == "__main__":
    for page in BLOCKS:
        (ROOT / page).write_text(renewed(page))
    activation_picture().savefig(ROOT / "docs/activations.png", dpi=100)
    print(benchmark_table())
