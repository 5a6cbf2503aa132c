"""The same network in plain NumPy: `engine` has the steps of training, the other modules the formulas."""

from __future__ import annotations

from fastbp.network import Network as _Network
from fastbp.reference.activations import ACTIVATIONS, chain
from fastbp.reference.engine import Engine
from fastbp.reference.losses import JOINT
from fastbp.reference.optimizers import OPTIMIZERS

__all__ = ["ACTIVATIONS", "JOINT", "OPTIMIZERS", "Engine", "Network", "chain"]


class Network(_Network):
    """`fastbp.Network` over the NumPy engine; tests compare the native engine with it."""

    _engine_class = Engine
