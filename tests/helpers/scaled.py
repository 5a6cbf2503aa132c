"""Networks with scaled inputs or targets, and data for them."""

import numpy as np

from fastbp import losses

NETS = {"narrow": [5, 7, 3], "wide": [5, 40, 3], "deep": [5, 17, 4, 3], "one layer": [5, 3]}
SCALED = [name for name, loss in losses.LOSSES.items() if loss.scales_targets]


def problem(rng, rows=60):
    """Inputs, and targets with offsets and scales of their own that follow from them."""
    X = rng.normal(size=(rows, 5))
    return X, np.tanh(X @ rng.normal(size=(5, 3))) * [3000, 0.01, 7] + [9000, -0.5, 0]


def scaled_inputs(X, net):
    """X as the first layer of the network gets it."""
    return ((X.astype(np.float64) - net.input_mean) * (1 / net.input_scale)).astype(net.dtype)


def scaled(y, net):
    """y as the loss gets it, in the network's dtype."""
    return ((y.astype(np.float64) - net.target_mean) * (1 / net.target_scale)).astype(net.dtype)


def raw(output, net):
    """Outputs of a network of scaled targets in raw units."""
    return (net.target_scale * output + net.target_mean).astype(net.dtype)


def pair(network_class, sizes, X, y, **options):
    """A network that scales its targets, and an equal one that does not."""
    net = network_class(sizes, **{"seed": 0, "activation": "tanh"} | options)
    plain = net.clone()
    net.adapt(None, y)
    return net, plain


def squares(output, target):
    """The mean squared error, of float arrays of one shape and dtype."""
    assert output.shape == target.shape
    assert output.dtype == target.dtype
    error = output - target
    return float(np.mean(error * error, dtype=np.float64)), 2 * error / error.size
