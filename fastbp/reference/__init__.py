"""The same network in plain NumPy: `engine` has the steps, the other modules one table of formulas each."""

from __future__ import annotations

from fastbp.network import Network as _Network
from fastbp.reference.activations import ACTIVATIONS, chain
from fastbp.reference.engine import Engine
from fastbp.reference.losses import JOINT
from fastbp.reference.optimizers import OPTIMIZERS

__all__ = ["ACTIVATIONS", "JOINT", "OPTIMIZERS", "Engine", "Network", "chain"]


class Network(_Network):
    """`fastbp.Network` over the NumPy engine: what the native core is tested against, as a whole."""

    _engine_class = Engine
