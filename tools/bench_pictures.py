"""Draws the pictures of the benchmarks, of the machine that the README shows."""

from statistics import median, mode

import numpy as np
from bench_results import Record, beside_rivals, groups, machines, of_times, shown, work
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fastbp.cli.bench import number
from fastbp.plot import BLUE, GREY, VERMILION

# the colors of the rivals, from the palette of Okabe and Ito, in the order of the table
COLORS = {
    "NumPy": GREY,
    "NumPy as installed": "#cccccc",
    "JAX": "#009E73",
    "PyTorch": VERMILION,
    "PyTorch compiled": "#F0B08A",
    "scikit-learn": "#E69F00",
    "onnxruntime": "#CC79A7",
    "FANN": "#56B4E9",
    "hand-written C": "#000000",
    "fastbp": BLUE,
}


def ratio_picture() -> Figure:
    """Draw how many times faster fastbp is: one bar per rival, starting at 1."""
    timed = groups(of_times(beside_rivals(shown().records("rivals")))).values()
    bars = sum(map(len, timed)) + len(timed)
    figure = Figure(figsize=(9, 0.18 * bars + 1), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", xlabel="how many times faster fastbp is, logarithmic")
    position, ticks = 0.0, []
    for group in timed:
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
    lowest = min(record["times_faster"][0] for group in timed for record in group)
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
    names = {record["rival"] for group in timed for record in group}
    keys = [Patch(color=color, label=name) for name, color in COLORS.items() if name in names]
    axes.legend(handles=keys, loc="lower right")
    return figure


def growth_records() -> list[Record]:
    """Return the records of growing sizes: of the machine that is shown, or of the newest that has some."""
    return next(found for machine in machines() if (found := of_times(machine.records("growth"))))


def growth_picture() -> Figure:
    """Draw the time of a step and the speed of its arithmetic against the layer width and the batch size."""
    records = growth_records()
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
