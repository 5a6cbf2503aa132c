"""Pictures, for which matplotlib has to be there: pip install "fastbp[plot]"."""

from fastbp.plot.curves import BLUE, GREY, VERMILION, digits, loss_curves, training

__all__ = ["BLUE", "GREY", "VERMILION", "digits", "loss_curves", "training"]
