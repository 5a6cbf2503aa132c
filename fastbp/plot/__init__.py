"""Plots; they need matplotlib: pip install "fastbp[plot]"."""

from fastbp.plot._display import Display
from fastbp.plot._landscape import LandscapeDisplay
from fastbp.plot._learning_rate import LearningRateDisplay
from fastbp.plot._style import BLUE, GREEN, GREY, PURPLE, VERMILION, style
from fastbp.plot.curves import digits, loss_curves, training

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "PURPLE",
    "VERMILION",
    "Display",
    "LandscapeDisplay",
    "LearningRateDisplay",
    "digits",
    "loss_curves",
    "style",
    "training",
]
