"""Custom activations that compute tanh, and pairs of networks with these and the built-in one."""

import numpy as np

import fastbp
import fastbp.reference
from fastbp.activations import CustomActivation

tanh = fastbp.activations.tanh


def slope(z):
    """The derivative of tanh as the table computes it, from the native tanh."""
    y = tanh(z)
    return 1 - y * y


OWN = CustomActivation(tanh, slope, "own", check=True)
NUMPY = CustomActivation(np.tanh, lambda z: 1 - np.tanh(z) ** 2, "numpy", check=True)
BOTH = (fastbp.Network, fastbp.reference.Network)


def pair(network_class, own=OWN, *, sizes=(20, 30, 18, 3), output=False, **options):
    """Return a network with the custom activation and one with tanh; too wide to be a narrow one."""
    return [
        network_class([*sizes], activation=f, output_activation=f if output else None, seed=5, **options)
        for f in (own, "tanh")
    ]


def assert_same(a, b):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
