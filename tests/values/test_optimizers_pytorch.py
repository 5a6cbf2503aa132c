"""Optimizers train as PyTorch's do, and have the same defaults."""

import numpy as np
import pytest

import fastbp
from fastbp import (
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    IRprop,
    NAdam,
    RAdam,
    RMSprop,
)
from helpers.optimizers import VARIANTS
from helpers.pytorch import assert_same_parameters, model_of


@pytest.fixture
def torch(torch):
    """PyTorch in double: the dtype in which it keeps NAdam's product, too, is its default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


def betas(o):
    return {"lr": o.learning_rate, "betas": (o.beta1, o.beta2), "eps": o.epsilon}


# the class in torch.optim, and its arguments
TORCH = {
    fastbp.SGD: ("SGD", lambda o: {
        "lr": o.learning_rate, "momentum": o.momentum, "nesterov": o.nesterov, "weight_decay": o.weight_decay
    }),
    Adam: ("Adam", lambda o: betas(o) | {"amsgrad": o.amsgrad}),
    AdamW: ("AdamW", lambda o: betas(o) | {"weight_decay": o.weight_decay}),
    NAdam: ("NAdam", lambda o: betas(o) | {"momentum_decay": o.momentum_decay}),
    RMSprop: ("RMSprop", lambda o: {
        "lr": o.learning_rate, "alpha": o.alpha, "eps": o.epsilon, "momentum": o.momentum,
        "centered": o.centered
    }),
    RAdam: ("RAdam", betas),
    Adamax: ("Adamax", betas),
    Adagrad: ("Adagrad", lambda o: {"lr": o.learning_rate, "eps": o.epsilon}),
    Adadelta: ("Adadelta", lambda o: {"lr": o.learning_rate, "rho": o.rho, "eps": o.epsilon}),
    IRprop: ("Rprop", lambda o: {
        "lr": o.learning_rate, "etas": (o.eta_minus, o.eta_plus), "step_sizes": (o.step_min, o.step_max)
    }),
}  # fmt: skip

SHARED = [optimizer for optimizer in VARIANTS.values() if type(optimizer) in TORCH]


@pytest.mark.parametrize("optimizer", SHARED, ids=repr)
def test_training_is_pytorchs(optimizer, network_class, torch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.integers(0, 4, 20)
    net = network_class(
        [3, 5, 4], activation="tanh", loss="cross_entropy", optimizer=optimizer, dtype="float64", seed=0
    )
    model = model_of(torch, net)
    name, arguments = TORCH[type(optimizer)]
    theirs = getattr(torch.optim, name)(model.parameters(), **arguments(optimizer))
    for _ in range(100):
        theirs.zero_grad()
        their_loss = torch.nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y))
        their_loss.backward()
        theirs.step()
        assert net.train_on_batch(X, y) == pytest.approx(their_loss.item(), rel=1e-9)
    assert_same_parameters(net, model)


@pytest.mark.parametrize("kind", TORCH, ids=lambda kind: kind.__name__)
def test_defaults_are_pytorchs(kind, torch):
    name, arguments = TORCH[kind]
    theirs = getattr(torch.optim, name)([torch.nn.Parameter(torch.zeros(1))]).defaults
    ours = arguments(kind())
    if kind is fastbp.SGD:
        ours.pop("lr")  # theirs is Adam's
    assert ours == {argument: theirs[argument] for argument in ours}
