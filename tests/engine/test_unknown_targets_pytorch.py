"""Unknown targets and weights of targets: PyTorch's masked means, ignore_index and weights."""

import numpy as np
import pytest

import fastbp
from helpers.pytorch import assert_same_parameters, model_of

FUNCTIONS = {
    "mse": (fastbp.MSE, "mse_loss"),
    "mae": (fastbp.MAE, "l1_loss"),
    "huber": (fastbp.Huber, "huber_loss"),
    "binary_cross_entropy": (fastbp.BinaryCrossEntropy, "binary_cross_entropy_with_logits"),
}


def trained(torch, net, X, loss, steps):
    """Return PyTorch's copy of the network after steps of gradient descent, and its losses."""
    model = model_of(torch, net)
    optimizer = torch.optim.SGD(model.parameters(), lr=net.learning_rate)
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(model(torch.tensor(X)))
        value.backward()
        optimizer.step()
        found.append(value.item())
    return model, found


def make(loss, outputs, network_class):
    return network_class(
        [3, 20, outputs], activation="tanh", loss=loss, optimizer=fastbp.SGD(0.1), dtype="float64", seed=0
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_masked_means(name, network_class, torch, rng):
    kind, theirs = FUNCTIONS[name]
    X, y = rng.normal(size=(30, 3)), rng.random((30, 4))
    y[rng.random(y.shape) < 0.4] = np.nan
    known = torch.tensor(~np.isnan(y))
    function, t = getattr(torch.nn.functional, theirs), torch.tensor(y)
    net = make(kind(ignore_nan=True), 4, network_class)
    model, expected = trained(torch, net, X, lambda h: function(h[known], t[known]), 20)
    history = net.fit(X, y, epochs=20, batch_size=None)
    np.testing.assert_allclose(history.loss, expected, rtol=1e-9)
    assert_same_parameters(net, model)


def test_binary_cross_entropy_with_weights_of_targets(network_class, torch, rng):
    X, y, weights = rng.normal(size=(30, 3)), rng.random((30, 4)), rng.uniform(0, 2, (30, 4))
    function, t, w = (
        torch.nn.functional.binary_cross_entropy_with_logits,
        torch.tensor(y),
        torch.tensor(weights),
    )
    net = make("binary_cross_entropy", 4, network_class)
    model, expected = trained(torch, net, X, lambda h: function(h, t, w, reduction="sum") / w.sum(), 20)
    history = net.fit(X, y, epochs=20, batch_size=None, sample_weight=weights)
    np.testing.assert_allclose(history.loss, expected, rtol=1e-9)
    assert_same_parameters(net, model)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_ignore_index(smoothing, network_class, torch, rng):
    X, y = rng.normal(size=(30, 3)), rng.integers(0, 4, 30)
    y[rng.random(30) < 0.4] = -1
    t, function = torch.tensor(y), torch.nn.functional.cross_entropy
    net = make(fastbp.CrossEntropy(smoothing, ignore_index=-1), 4, network_class)
    model, expected = trained(
        torch, net, X, lambda h: function(h, t, ignore_index=-1, label_smoothing=smoothing), 20
    )
    history = net.fit(X, y, epochs=20, batch_size=None)
    np.testing.assert_allclose(history.loss, expected, rtol=1e-9)
    assert_same_parameters(net, model)
