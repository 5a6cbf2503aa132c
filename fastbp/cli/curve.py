"""The learning curve as a picture, which needs matplotlib."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import fastbp
from fastbp.cli import scores
from fastbp.cli.learning import Result


def can_draw() -> bool:
    """Tell whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def check() -> None:
    """Raise Error if a picture cannot be drawn: then the work need not begin."""
    if not can_draw():
        raise fastbp.Error('a picture needs matplotlib: pip install "fastbp[plot]"')
    try:
        import_module("matplotlib.figure")
    except Exception as error:  # such as an unknown name in MPLBACKEND
        raise fastbp.Error(f"matplotlib cannot be imported for a picture: {error}") from None


def draw(path: Path, title: str, result: Result) -> None:
    """Write a picture of the loss, and of the metric on rows held out, over the epochs."""
    from matplotlib.figure import Figure

    from fastbp.plot import GREY, VERMILION, loss_curves

    history, best, baseline = result.net.history, result.best, result.scores["baseline"]
    metric = next((name for name in ("accuracy", "r2") if f"validation_{name}" in history), None)
    figure = Figure(figsize=(11 if metric else 6, 4.5), layout="constrained")
    axes = figure.subplots(1, 2 if metric else 1, squeeze=False)[0]
    loss_curves(axes[0], history)
    axes[0].set_ylabel(f"loss ({scores.loss_name(result.net)})")
    label = "the same answer for all rows"
    axes[0].axhline(baseline["loss"], color=GREY, linestyle=":", label=label)
    if metric:
        epochs = range(1, len(history) + 1)
        axes[1].plot(
            epochs, history[f"validation_{metric}"], color=VERMILION, linestyle="--", label="held out"
        )
        name = "R²" if metric == "r2" else metric
        axes[1].set(xlabel="epoch", ylabel=f"{name} of rows held out")
        if metric in baseline:
            axes[1].axhline(baseline[metric], color=GREY, linestyle=":", label=label)
        axes[1].grid(color=GREY, alpha=0.3)
    if best is not None:
        for each in axes:
            each.axvline(best, color="black", linewidth=0.8, label=f"best epoch: {best}")
    for each in axes:
        each.legend()
    figure.suptitle(title.replace("$", r"\$"))  # which would begin a formula
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about characters that the font lacks
        figure.savefig(path, dpi=120)
