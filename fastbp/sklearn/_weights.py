"""Weights of an estimator: scikit-learn's draw, and those that the user has set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.network import Network

Array: TypeAlias = NDArray[Any]
Weights: TypeAlias = tuple[Sequence[Array], Sequence[Array]]  # W (n_in, n_out) and b (n_out,) per layer


def draw(sizes: Sequence[int], activations: Sequence[str], random: np.random.RandomState) -> Weights:
    """Draw weights and biases, the same as scikit-learn.

    They are uniform between -a and a, where a^2 = 6 / (n_in + n_out); for sigmoid units, 2 / (n_in + n_out).

    Parameters
    ----------
    sizes : sequence of int
        Numbers of units, from the inputs to the outputs.
    activations : sequence of str
        Activation of each layer; scikit-learn takes that of the hidden layers for the output layer, too.
    random : RandomState

    References
    ----------
    X. Glorot and Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010,
    equation 16.
    """
    coefs, intercepts = [], []
    for (n_in, n_out), activation in zip(pairwise(sizes), activations, strict=True):
        bound = np.sqrt((2.0 if activation == "sigmoid" else 6.0) / (n_in + n_out))
        coefs.append(random.uniform(-bound, bound, (n_in, n_out)))
        intercepts.append(random.uniform(-bound, bound, n_out))
    return coefs, intercepts


def put(network: Network, weights: Weights) -> None:
    """Copy weights into a network; ValueError if their shapes do not fit."""
    own = network.weights, network.biases
    for name, targets, sources in zip(("coefs_", "intercepts_"), own, weights, strict=True):
        if len(sources) != len(targets):
            raise ValueError(f"{name} has {len(sources)} arrays, expected {len(targets)}, one per layer")
        for i, (target, source) in enumerate(zip(targets, sources, strict=True)):
            if np.shape(source) != target.shape:
                raise ValueError(f"{name}[{i}] has the shape {np.shape(source)}, expected {target.shape}")
    for targets, sources in zip(own, weights, strict=True):
        for target, source in zip(targets, sources, strict=True):
            target[...] = source
