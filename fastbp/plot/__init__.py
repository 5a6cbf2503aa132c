"""Plots; they need matplotlib: pip install "fastbp[plot]"."""

from fastbp.plot.curves import BLUE, GREY, VERMILION, digits, loss_curves, training

__all__ = ["BLUE", "GREY", "VERMILION", "digits", "loss_curves", "training"]
