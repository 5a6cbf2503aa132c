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

    from fastbp.plot import LearningCurveDisplay

    columns, baseline = result.net.history.to_dict(), result.scores["baseline"]
    metric = next((name for name in ("accuracy", "r2") if f"validation_{name}" in columns), None)
    metrics = {metric: columns[f"validation_{metric}"]} if metric else {}
    losses = columns["loss"], columns.get("validation_loss")
    display = LearningCurveDisplay(*losses, metrics, best=result.best, baseline=baseline)
    figure = Figure(figsize=(11 if metric else 6, 4.5), layout="constrained")
    display.plot(figure.subplots()).ax_.set_ylabel(f"loss ({scores.loss_name(result.net)})")
    figure.suptitle(title.replace("$", r"\$"))  # which would begin a formula
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about characters that the font lacks
        figure.savefig(path, dpi=120)
