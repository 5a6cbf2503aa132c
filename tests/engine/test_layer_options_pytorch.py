"""Layers train as PyTorch's: bias=False, requires_grad=False, and parameter groups with their own rates."""

import numpy as np
import pytest

import fastbp
from fastbp import Dense
from helpers.pytorch import assert_same_parameters, model_of
from helpers.tables import ENGINES

BETAS = {"betas": (0.9, 0.999), "eps": 1e-8}

# The optimizer, and PyTorch's class with its arguments. Rates are low and steps few: near the minimum, steps
# of one size jump over it, and rounding errors grow from step to step.
OPTIMIZERS = {
    "sgd": (fastbp.SGD(0.1), "SGD", {}),
    "momentum": (fastbp.SGD(0.05, momentum=0.9, nesterov=True), "SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": (fastbp.Adam(0.003), "Adam", BETAS),
    "adamw": (fastbp.AdamW(0.003, weight_decay=0.3), "AdamW", BETAS | {"weight_decay": 0.3}),
    "nadam": (fastbp.NAdam(0.001), "NAdam", BETAS),
    "rmsprop": (fastbp.RMSprop(0.001), "RMSprop", {}),
    "adagrad": (fastbp.Adagrad(0.01), "Adagrad", {}),
    "adadelta": (fastbp.Adadelta(0.5), "Adadelta", {}),
    "irprop": (fastbp.IRprop(0.001), "Rprop", {"etas": (0.5, 1.2), "step_sizes": (1e-6, 50)}),
}

LAYERS = {
    "no biases": ({"bias": False}, {"bias": False}),
    "frozen body": ({"trainable": False}, {}),
    "frozen output": ({"bias": False}, {"trainable": False}),
    "slow body": ({"learning_rate_factor": 0.1}, {}),
    "two rates": ({"learning_rate_factor": 0.5}, {"learning_rate_factor": 2.0, "bias": False}),
}
CLIPPINGS = [{}, {"clip_norm": 0.05}, {"clip_value": 0.01}]


@pytest.fixture
def torch(torch):
    """PyTorch in double: the dtype in which it keeps NAdam's product, too, is its default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


def theirs_of(torch, net, model, name, arguments):
    """Return PyTorch's optimizer, with a group per layer; frozen layers ask for no gradient."""
    rate = net.optimizer.learning_rate
    for layer, module in zip(net.layers, model[::2], strict=True):
        module.requires_grad_(layer.trainable)
    groups = [
        {
            "params": [p for p in module.parameters() if p.requires_grad],
            "lr": rate * layer.learning_rate_factor,
        }
        for layer, module in zip(net.layers, model[::2], strict=True)
        if layer.trainable
    ]
    return getattr(torch.optim, name)(groups, lr=rate, **arguments)


def train_both(torch, nets, model, theirs, X, y, steps):
    """Train all networks and the model step by step, and compare the losses."""
    clip, optimizer = torch.nn.utils, nets[0].optimizer
    for _ in range(steps):
        theirs.zero_grad()
        their_loss = torch.nn.functional.mse_loss(model(torch.tensor(X)), torch.tensor(y))
        their_loss.backward()
        if optimizer.clip_value is not None:
            clip.clip_grad_value_(model.parameters(), optimizer.clip_value)
        if optimizer.clip_norm is not None:
            clip.clip_grad_norm_(model.parameters(), optimizer.clip_norm)
        theirs.step()
        for net in nets:
            assert net.train_on_batch(X, y) == pytest.approx(their_loss.item(), rel=1e-9), type(net)


def make(network_class, sizes, options, optimizer):
    hidden, output = (Dense(n, **each) for n, each in zip(sizes[1:], options, strict=True))
    return network_class(
        [sizes[0], hidden, output], activation="tanh", optimizer=optimizer, dtype="float64", seed=0
    )


@pytest.mark.parametrize("clipping", CLIPPINGS, ids=str)
@pytest.mark.parametrize("row", OPTIMIZERS)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("sizes", [(3, 5, 2), (3, 40, 19)], ids=["narrow", "wide"])
def test_training_is_pytorchs(sizes, name, row, clipping, torch, rng):
    """Both engines take the steps of one model."""
    optimizer, kind, arguments = OPTIMIZERS[row]
    optimizer = optimizer.__replace__(**clipping)
    nets = [make(network_class, sizes, LAYERS[name], optimizer) for network_class in ENGINES]
    model = model_of(torch, nets[0])
    X, y = rng.normal(size=(20, sizes[0])), rng.normal(size=(20, sizes[-1]))
    train_both(torch, nets, model, theirs_of(torch, nets[0], model, kind, arguments), X, y, steps=40)
    for net in nets:
        assert_same_parameters(net, model)


def test_a_head_first_then_all(network_class, torch, rng):
    """Transfer learning: the head on a frozen body, then all layers with a low rate."""
    X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    old = network_class([3, 5, 4], activation="tanh", dtype="float64", seed=0)
    old.fit(X, rng.normal(size=(20, 4)), epochs=5)
    net = old.replace_output(2, freeze=True)
    model = model_of(torch, net)
    theirs = theirs_of(torch, net, model, "Adam", BETAS)
    train_both(torch, [net], model, theirs, X, y, steps=30)
    net.trainable = True
    net.optimizer = fastbp.AdamW(1e-4)
    theirs = theirs_of(torch, net, model, "AdamW", BETAS | {"weight_decay": 0.01})
    train_both(torch, [net], model, theirs, X, y, steps=30)
    assert_same_parameters(net, model)
    assert np.abs(net.weights[0] - old.weights[0]).max() > 0
