"""Networks with penalties, dropout, noise, max-norm and clipping, each alone and all together."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from fastbp import Dense, optimizers

EMPTY = MappingProxyType({})
SIZES = (3, 5, 4, 2)

# all layers narrow; wide ones of odd sizes, one narrower than a vector; copies of W
SHAPES = {"narrow": (3, 16, 5, 2), "wide": (7, 40, 33, 3), "large": (300, 270, 4)}


class Option(NamedTuple):
    """Arguments of every layer, of the hidden layers, of the network and of the optimizer."""

    layer: Mapping = EMPTY
    hidden: Mapping = EMPTY
    network: Mapping = EMPTY
    clipping: Mapping = EMPTY


OPTIONS = {
    "l1": Option(layer={"l1": 0.01}),
    "l2": Option(layer={"l2": 0.1}),
    "dropout": Option(hidden={"dropout": 0.4}),
    "noise": Option(network={"input_noise": 0.3}),
    "max-norm": Option(layer={"max_norm": 0.6}),
    "clip_value": Option(clipping={"clip_value": 0.01}),
    "clip_norm": Option(clipping={"clip_norm": 0.1}),
    "fused": Option({"l1": 0.01, "l2": 0.1, "max_norm": 0.9}, {"dropout": 0.2}, {"input_noise": 0.1}),
    "all": Option(
        {"l1": 0.01, "l2": 0.1, "max_norm": 0.9},
        {"dropout": 0.2},
        {"input_noise": 0.1},
        {"clip_value": 0.05, "clip_norm": 0.2},
    ),
}


def make(network_class, sizes, name, *, activation="tanh", optimizer="adam", dtype="float64", **arguments):
    """Return a network whose layers, inputs and optimizer have the options of this name; none by default."""
    option = OPTIONS.get(name, Option())
    hidden = [Dense(n, activation, **option.layer, **option.hidden) for n in sizes[1:-1]]
    output = Dense(sizes[-1], **option.layer)
    optimizer = replace(optimizers.get(optimizer), **option.clipping)
    arguments = {"seed": 3} | arguments | option.network
    return network_class([sizes[0], *hidden, output], optimizer=optimizer, dtype=dtype, **arguments)
