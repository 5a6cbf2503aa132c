"""Pictures of digits with their predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from fastbp.history import History
from fastbp.plot._learning_curve import LearningCurveDisplay
from fastbp.plot._style import GREY, VERMILION

Array: TypeAlias = NDArray[Any]


def digits(figure: SubFigure, images: Array, labels: Array, predictions: Array) -> None:
    """Draw 40 images of digits (n, 64) with their predictions: the mistakes first, in a frame."""
    wrong = predictions != labels
    order = np.argsort(~wrong, kind="stable")
    grid = figure.subplots(5, 8)
    for axes, i in zip(grid.flat, order, strict=False):
        axes.imshow(images[i].reshape(8, 8), cmap="gray_r", vmin=0, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color=VERMILION if wrong[i] else GREY, linewidth=3 if wrong[i] else 0.5)
        if wrong[i]:
            axes.set_title(f"{predictions[i]}, not {labels[i]}", color=VERMILION, fontsize=9, weight="bold")
        else:
            axes.set_title(f"{predictions[i]}", fontsize=9)
    figure.suptitle(
        f"held-out digits and what they were read as: {wrong.sum()} mistakes (framed) in {len(labels)}"
    )


def training(path: Path, history: History, images: Array, labels: Array, predictions: Array) -> None:
    """Write one picture: the losses of a training, beside predictions of held-out digits."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    parts = figure.add_gridspec(1, 2, width_ratios=(2, 3))
    curves = figure.add_subfigure(parts[0]).subplots()
    LearningCurveDisplay(history.loss, history.to_dict().get("validation_loss")).plot(curves)
    curves.set_ylabel("cross entropy (nats per digit)")
    digits(figure.add_subfigure(parts[1]), images, labels, predictions)
    figure.savefig(path, dpi=120)
