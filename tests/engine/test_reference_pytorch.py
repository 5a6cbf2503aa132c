"""The reference's activations and losses are PyTorch's."""

import numpy as np
import pytest

from fastbp import activations, losses
from fastbp.losses import CrossEntropy
from fastbp.reference import ACTIVATIONS, chain
from helpers.engines import make_data, make_engine

TORCH_ACTIVATIONS = {
    "sigmoid": "sigmoid", "log_sigmoid": "logsigmoid", "tanh": "tanh", "relu": "relu", "relu6": "relu6",
    "leaky_relu": "leaky_relu", "elu": "elu", "selu": "selu", "celu": "celu", "gelu": "gelu", "silu": "silu",
    "mish": "mish", "softplus": "softplus", "softsign": "softsign", "hard_sigmoid": "hardsigmoid",
    "hard_swish": "hardswish", "hard_tanh": "hardtanh", "gelu_tanh": "gelu", "softmax": "softmax",
}  # fmt: skip


@pytest.mark.parametrize("name", TORCH_ACTIVATIONS)
def test_activation_is_pytorchs(name, torch):
    alpha = activations.get(name).alpha
    z = np.random.default_rng(0).normal(0, 4, (50, 7))
    d_y = np.random.default_rng(1).normal(size=z.shape)
    keywords = {"gelu_tanh": {"approximate": "tanh"}, "softmax": {"dim": 1}}.get(name, {})
    their_z = torch.tensor(z, requires_grad=True)
    their_y = getattr(torch.nn.functional, TORCH_ACTIVATIONS[name])(their_z, **keywords)
    their_y.backward(torch.tensor(d_y))
    y = ACTIVATIONS[name].function(z, alpha)
    np.testing.assert_allclose(y, their_y.detach().numpy(), rtol=1e-9, atol=1e-13)
    d_z = chain(activations.get(name), z, y, d_y)
    rounded = name == "hard_sigmoid"  # PyTorch rounds its slope of 1/6 to float32
    np.testing.assert_allclose(d_z, their_z.grad.numpy(), rtol=1e-7 if rounded else 1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("loss", "theirs"),
    [
        (losses.mse, "mse_loss"),
        (losses.mae, "l1_loss"),
        (losses.huber, "huber_loss"),
        (losses.binary_cross_entropy, "binary_cross_entropy"),
    ],
    ids=repr,
)
def test_loss_is_pytorchs(loss, theirs, torch):
    rng = np.random.default_rng(0)
    h, t = rng.uniform(size=(20, 3)), rng.uniform(size=(20, 3))
    if loss.name != "binary_cross_entropy":
        h, t = 3 * h, 3 * t
    their_h = torch.tensor(h, requires_grad=True)
    their_loss = getattr(torch.nn.functional, theirs)(their_h, torch.tensor(t))
    their_loss.backward()
    assert loss(h, t) == pytest.approx(their_loss.item(), rel=1e-12)
    np.testing.assert_allclose(loss.gradient(h, t), their_h.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("label_smoothing", [0, 0.1])
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_cross_entropy_is_pytorchs(kind, label_smoothing, torch):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 5, (20, 4))
    y = rng.integers(0, 4, 20) if kind == "labels" else rng.dirichlet(np.ones(4), 20)
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor(y), label_smoothing=label_smoothing
    )
    h = ACTIVATIONS["softmax"].function(logits, 0.0)
    assert CrossEntropy(label_smoothing)(h, y) == pytest.approx(theirs.item(), rel=1e-12)


TORCH_ON_LOGITS = {
    "poisson": ("poisson_nll_loss", {"log_input": True, "full": False}),
    "binary_cross_entropy": ("binary_cross_entropy_with_logits", {}),
    "cross_entropy": ("cross_entropy", {}),
    "smoothed": ("cross_entropy", {"label_smoothing": 0.1}),
}


@pytest.mark.parametrize("name", TORCH_ON_LOGITS)
def test_joined_loss_is_pytorchs(name, torch):
    """Loss and gradient are PyTorch's, computed as in training."""
    rng = np.random.default_rng(0)
    loss = CrossEntropy(0.1) if name == "smoothed" else losses.get(name)
    output = activations.get(losses.output_activation(loss))
    engine = make_engine((3, 4), None, output, loss, rng)
    X, y = make_data(loss, 20, 3, 4, rng)
    W, b = (torch.tensor(array, requires_grad=True) for array in engine._weights[0])
    function, keywords = TORCH_ON_LOGITS[name]
    theirs = getattr(torch.nn.functional, function)(torch.tensor(X) @ W + b, torch.tensor(y), **keywords)
    theirs.backward()
    assert engine.loss_and_gradients(X, y) == pytest.approx(theirs.item(), rel=1e-12)
    d_W, d_b = engine._d_weights[0]
    np.testing.assert_allclose(d_W, W.grad.numpy(), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(d_b, b.grad.numpy(), rtol=1e-10, atol=1e-14)
