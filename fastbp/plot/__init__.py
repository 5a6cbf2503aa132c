"""Pictures, for which matplotlib has to be there: pip install "fastbp[plot]"."""

from fastbp.plot.curves import digits, loss_curves, training

__all__ = ["digits", "loss_curves", "training"]
