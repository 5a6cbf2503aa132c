"""Networks of three layers without biases, frozen, or with a learning-rate factor, in many combinations."""

from dataclasses import replace

from fastbp import Dense, optimizers
from helpers.regularized import OPTIONS

PLAIN, NO_BIAS, FROZEN, SLOW = {}, {"bias": False}, {"trainable": False}, {"learning_rate_factor": 0.25}
PENALTIES = {"l1": 0.01, "l2": 0.1, "max_norm": 0.9}

# options of the three layers
LAYERED = {
    "no biases": (NO_BIAS, NO_BIAS, NO_BIAS),
    "one bias": (NO_BIAS, PLAIN, NO_BIAS),
    "frozen first": (FROZEN, PLAIN, PLAIN),
    "frozen body": (FROZEN, FROZEN | NO_BIAS, PLAIN),
    "frozen between": (PLAIN, FROZEN, PLAIN),
    "frozen output": (PLAIN, NO_BIAS, FROZEN),
    "one slow": (PLAIN, SLOW, PLAIN),
    "two slow": (SLOW, SLOW | NO_BIAS, PLAIN),
    "three rates": (SLOW, {"learning_rate_factor": 0.5}, NO_BIAS),
    "regularized": (
        FROZEN | PENALTIES | {"dropout": 0.2},
        SLOW | PENALTIES | {"dropout": 0.3},
        NO_BIAS | PENALTIES,
    ),
    "clipped": (SLOW, FROZEN | PENALTIES, NO_BIAS),
}
CLIPPED = ("clipped", "regularized")

# all layers narrow; wide ones of odd sizes, one narrower than a vector; copies of W
SHAPES = {"narrow": (3, 16, 5, 2), "wide": (7, 40, 33, 3), "large": (300, 270, 20, 4)}


def make(network_class, sizes, name, *, optimizer="adam", dtype="float64", **arguments):
    """Return a network of these sizes, whose layers have the options of this name; of none by default."""
    options = LAYERED.get(name, (PLAIN,) * 3)
    layers = [sizes[0], *(Dense(n, **each) for n, each in zip(sizes[1:], options, strict=True))]
    clipping = OPTIONS["all"].clipping if name in CLIPPED else {}
    optimizer = replace(optimizers.get(optimizer), **clipping)
    return network_class(
        layers, **{"activation": "tanh", "seed": 3, "dtype": dtype, "optimizer": optimizer} | arguments
    )


def parts(net):
    """Return for each layer the slice of its W and b in the parameters."""
    found, start = [], 0
    for W, b in zip(net.weights, net.biases, strict=True):
        found.append(slice(start, start + W.size + b.size))
        start += W.size + b.size
    return found
