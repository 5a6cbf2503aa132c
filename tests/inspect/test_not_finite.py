"""Networks whose numbers are NaN, infinite or huge: results say so, without warnings."""

import numpy as np
import pytest

import fastbp
from fastbp import inspect
from helpers.noted import noted

CALLS = {
    "jacobian": lambda net, X, y, v: inspect.jacobian(net, X),
    "input_gradients": lambda net, X, y, v: inspect.input_gradients(net, X, y),
    "deltas": lambda net, X, y, v: inspect.deltas(net, X, y),
    "per_sample_gradients": lambda net, X, y, v: inspect.per_sample_gradients(net, X, y),
    "gradient_blocks": lambda net, X, y, v: list(inspect.gradient_blocks(net, X, y)),
    "norms": lambda net, X, y, v: inspect.per_sample_gradient_norms(net, X, y),
    "hessian_vector_product": lambda net, X, y, v: inspect.hessian_vector_product(net, X, y, v),
    "gauss_newton_product": lambda net, X, y, v: inspect.gauss_newton_product(net, X, y, v),
    "blame": lambda net, X, y, v: str(inspect.blame(net, X, y)),
    "chain_rule": lambda net, X, y, v: str(inspect.chain_rule(net, 1, 0, 0, X[0], y[0])),
    "landscape": lambda net, X, y, v: str(inspect.landscape(net, X, y, resolution=3)),
    "permutation": lambda net, X, y, v: inspect.feature_importance(net, X, y, n_repeats=1),
    "integrals": lambda net, X, y, v: inspect.feature_importance(
        net, X, method="integrated_gradients", output=0
    ),
}


@pytest.mark.filterwarnings("error")
def test_all_functions(network_class, data):
    X, y = data
    for bad in (np.nan, np.inf, 1e30):
        net = network_class([4, 3, 2], activation="gelu", output_activation="softmax", seed=1)
        net.parameters[:3] *= bad
        vector = np.full(net.n_parameters, 1e30)
        for name, call in CALLS.items():
            with noted(name):
                call(net, X, y, vector)


def test_a_plane_past_a_number_that_is_nan(network_class, data):
    net = network_class([4, 3, 2], seed=1)
    net.parameters[-1] = np.nan
    found = inspect.landscape(net, *data, resolution=3, directions=("w15", "w25"))
    first = float(net.weights[0][0, 0])
    np.testing.assert_allclose(found.a, [first - 1, first, first + 1])


@pytest.mark.filterwarnings("error")
def test_a_path_that_diverged(data):
    found = inspect.landscape(fastbp.Network([4, 3, 2], seed=1), *data, resolution=2)
    path = np.stack([found.center, np.full(23, 1e308), np.full(23, np.inf)])
    coordinates = found.project(path)
    np.testing.assert_array_equal(coordinates[0], 0)
    assert not np.isfinite(coordinates[2]).any()
    assert not np.isfinite(found.at(np.inf, 0)).all()
