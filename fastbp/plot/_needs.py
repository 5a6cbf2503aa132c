"""Says how to install matplotlib if it is missing, before the other modules import it."""

from fastbp._base.optional import load

load("matplotlib", "matplotlib", "fastbp.plot")
