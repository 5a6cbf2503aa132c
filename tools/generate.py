"""Writes the generated parts of the pages: blocks between `<!-- NAME -->` and `<!-- /NAME -->`, and pictures.

`tests/examples/test_docs.py` fails if a page differs from what this program would write.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from statistics import median, mode, quantiles
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fastbp import activations, schedules
from fastbp.cli.bench import number
from fastbp.plot import BLUE, GREY, VERMILION

ROOT = Path(__file__).parents[1]
# the colors of the rivals, from the palette of Okabe and Ito, in the order of the table
COLORS = {
    "NumPy": GREY,
    "NumPy as installed": "#cccccc",
    "JAX": "#009E73",
    "PyTorch": VERMILION,
    "scikit-learn": "#E69F00",
    "onnxruntime": "#CC79A7",
    "FANN": "#56B4E9",
    "hand-written C": "#000000",
    "fastbp": BLUE,
}
RIVAL_TESTS = ("training", "smallest", "two_threads", "one_sample", "inference")
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


def results(name: str) -> dict[str, Any]:
    """Return the results of the last `make bench`."""
    return json.loads((ROOT / f"bench/results/{name}.json").read_text())


def groups(records: list[dict[str, Any]], *tests: str) -> list[list[dict[str, Any]]]:
    """Return the records of these tests, grouped by the work they timed, in the order of measurement."""
    together: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for test in tests:
        for record in records:
            if record["test"] == test:
                key = [record[name] for name in ("task", "description", "threads", "isa")]
                together.setdefault(tuple(key), []).append(record)
    return list(together.values())


def network(record: dict[str, Any]) -> str:
    """Return layers and activation of the network that was timed."""
    return record["description"].split(",")[0]


def typical(records: list[dict[str, Any]], figure: str) -> float:
    """Return the median of a figure that was measured once per rival."""
    return median(record[figure][1] for record in records)


def work(record: dict[str, Any]) -> str:
    """Return a short description of the work that was timed."""
    if record["task"] == "Inference":
        rows = "one row" if record["batch_size"] == 1 else f"{record['batch_size']} rows"
        return f"prediction of {rows}, {network(record)}"
    threads = f", {record['threads']} threads" if record["threads"] > 1 else ""
    return f"{record['description']}{threads}"


def benchmark_table() -> str:
    """Return the table of results, followed by the versions and the machine they were measured with."""
    measured = results("rivals")
    machine, records = measured["machine_info"], measured["benchmarks"]
    columns = ["NumPy", "JAX", "PyTorch", "scikit-learn"]
    lines = [
        ["workload", "fastbp, µs", "share of the limit", *columns, "others"],
        ["---"] * (4 + len(columns)),
    ]
    for group in groups(records, *RIVAL_TESTS):
        unit = group[0]["limit_unit"].partition(" of ")[2] or "peak"
        times = {record["rival"]: in_words(record["times_faster"]) for record in group}
        others = [f"{rival} {times[rival]}" for rival in times if rival not in columns]
        lines.append(
            [
                work(group[0]),
                number(typical(group, "fastbp_us")),
                f"{typical(group, 'share_of_limit'):.0%} of {unit}",
                *(times.get(rival, "") for rival in columns),
                "<br>".join(others),
            ]
        )
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    rounds = records[0]["rounds"]
    versions = sorted({record["version"] for record in records if record.get("version")})
    return (
        f"{table}\nThe columns of the other libraries show how many times faster fastbp is: the median of "
        f"{rounds} alternating rounds (fewer for the slowest workloads), with the interquartile range in "
        "parentheses. Below 1, the other library is faster. The limit is measured in the same rounds. "
        "Measured with: "
        f"{machine['cpu']}, {machine['isa']} path; "
        f"{machine['built_with']}, Python {machine['python']}; {'; '.join(versions)}. "
        f"{measured['datetime'][:10]}.\n{other_figures(records)}"
    )


def other_figures(records: list[dict[str, Any]]) -> str:
    """Return the figures that were measured without a rival, one sentence per paragraph."""
    sentences = []
    scaling: dict[int, list[str]] = {}
    for (record,) in groups(records, "scaling"):
        times = f"{network(record)} {in_words(record['times_faster'])}"
        scaling.setdefault(record["threads"], []).append(times)
    for threads, times in scaling.items():
        sentences.append(f"Speedup of {threads} threads over one: {', '.join(times)}.")
    for record in records:
        if record["test"] == "two_networks":
            low, middle, high = quantiles(record["times_the_work_of_one"], n=4)
            sentences.append(
                "Two networks (784-128-10 relu), each trained by its own Python thread, do "
                f"{in_words([low, middle, high])} times the work of one: fastbp releases the GIL."
            )
    shares = [
        f"{network(record)} in {record['description'].split()[-1]} on the {record['isa']} path "
        f"{record['share_of_limit'][1]:.0%}"
        for (record,) in groups(records, "float64", "paths")
    ]
    if shares:
        sentences.append(f"Share of the peak for other precisions and instruction sets: {', '.join(shares)}.")
    return "".join(f"\n{sentence}\n" for sentence in sentences)


def in_words(figure: list[float]) -> str:
    """Return a median, with the interquartile range in parentheses."""
    low, middle, high = map(number, figure)
    return f"{middle} ({low} to {high})"


def ratio_picture() -> Figure:
    """Draw how many times faster fastbp is: one bar per rival, starting at 1."""
    shown = groups(results("rivals")["benchmarks"], *RIVAL_TESTS)
    bars = sum(map(len, shown)) + len(shown)
    figure = Figure(figsize=(9, 0.18 * bars + 1), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", xlabel="how many times faster fastbp is, logarithmic")
    position, ticks = 0.0, []
    for group in shown:
        ticks.append((position - (len(group) - 1) / 2, work(group[0]).replace(", ", "\n", 1)))
        for record in group:
            low, times, high = record["times_faster"]
            axes.barh(position, times - 1, left=1, height=0.8, color=COLORS[record["rival"]])
            axes.plot([low, high], [position] * 2, color="black", linewidth=0.8)
            x, side = (1.05 * max(high, 1), "left") if times >= 1 else (min(low, 1) / 1.05, "right")
            axes.text(x, position, number(times), ha=side, va="center", fontsize=7)
            position -= 1
        position -= 1
    axes.axvline(1, color="black", linewidth=1)
    lowest = min(record["times_faster"][0] for group in shown for record in group)
    axes.axvspan(min(0.5, 0.5 * lowest), 1, color=GREY, alpha=0.15, linewidth=0)
    axes.set_xlim(left=min(0.5, 0.5 * lowest))
    for name, x, side in (("the rival is faster ", 1, "right"), (" fastbp is faster", 1, "left")):
        axes.text(x, 1, name, ha=side, va="center", fontsize=9, style="italic")
    axes.set_yticks(*zip(*ticks, strict=True), fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.08)
    axes.set_ylim(position + 1, 2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    names = {record["rival"] for group in shown for record in group}
    keys = [Patch(color=color, label=name) for name, color in COLORS.items() if name in names]
    axes.legend(handles=keys, loc="lower right")
    return figure


def growth_picture() -> Figure:
    """Draw the time of a step and the speed of its arithmetic against the layer width and the batch size."""
    records = results("growth")["benchmarks"]
    width, batch = mode(r["layers"][0] for r in records), mode(r["batch_size"] for r in records)
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    (left, right), below = figure.subplots(2, 2, sharex="col", sharey="row")
    sides = (
        (left, below[0], [(r["layers"][0], r) for r in records if r["batch_size"] == batch]),
        (right, below[1], [(r["batch_size"], r) for r in records if r["layers"][0] == width]),
    )
    for cost, speed, sized in sides:
        sizes = sorted({size for size, _ in sized})
        flops = np.array([next(r["work"] for size, r in sized if size == x) for x in sizes])
        for name in COLORS:
            times = [
                (size, r["fastbp_us" if name == "fastbp" else "rival_us"][1])
                for size, r in sized
                if name in ("fastbp", r["rival"])
            ]
            if times:
                us = np.array([median(us for size, us in times if size == x) for x in sizes])
                style = {"color": COLORS[name], "marker": ".", "linewidth": 2 if name == "fastbp" else 1}
                cost.plot(sizes, us, label=name, **style)
                speed.plot(sizes, 1e-3 * flops / us, **style)
        peak = median(r["limit"][1] for _, r in sized)
        speed.axhline(peak, color="black", linestyle="--", linewidth=1)
        speed.text(sizes[0], peak, "the core's peak", va="bottom", fontsize=9)
        cost.set(xscale="log", yscale="log")
        speed.set_xscale("log", base=2)
        speed.xaxis.set_major_formatter("{x:g}")
        for axes in (cost, speed):
            axes.grid(color=GREY, alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
    left.set(title=f"two square layers, batch {batch}", ylabel="µs per training step")
    right.set_title(f"two layers of {width} units")
    below[0].set(xlabel="width of the layers", ylabel="GFLOP/s", ylim=(0, 1.1 * peak))
    below[1].set_xlabel("rows per batch")
    left.legend(frameon=False)
    return figure


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
    }
    figure = Figure(figsize=(10, 4), layout="constrained")
    grid = figure.subplots(2, 4, sharex=True, sharey=True).flat
    for axes, (name, schedule) in zip(grid, shown.items(), strict=True):
        axes.step(range(100), [schedule(k) for k in range(100)], where="post", color=BLUE)
        axes.set_title(name, fontsize=9)
        axes.set(ylim=(0, 1.05), xlim=(0, 100))
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("step k")
    figure.supylabel("learning rate")
    return figure


BLOCKS: dict[str, tuple[str, Callable[[], str]]] = {
    "docs/guide/activations.md": ("activations", activation_table),
    "README.md": ("benchmark", benchmark_table),
}


def renewed(page: str) -> str:
    """Return the text of the page with a new version of its generated block."""
    name, make = BLOCKS[page]
    block = re.compile(rf"(<!-- {name} -->\n).*(<!-- /{name} -->)", re.DOTALL)
    text, count = block.subn(lambda m: m[1] + make() + m[2], (ROOT / page).read_text())
    assert count == 1, f"{page} has {count} blocks called {name}"
    return text


PICTURES: dict[str, Callable[[], Figure]] = {
    "activations": activation_picture,
    "benchmark": ratio_picture,
    "growth": growth_picture,
    "schedules": schedule_picture,
}

if __name__ == "__main__":
    for page in BLOCKS:
        (ROOT / page).write_text(renewed(page))
    for name, draw in PICTURES.items():
        draw().savefig(ROOT / f"docs/images/{name}.png", dpi=100)
    print(benchmark_table())
