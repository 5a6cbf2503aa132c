"""Derivatives of `fastbp.inspect` are those that `torch.func` computes in float64, over the tables."""

import numpy as np
import pytest

import fastbp
from fastbp import inspect, losses
from helpers.noted import noted
from helpers.problems import fitting, problem
from helpers.pytorch import activation_of, functions_of, loss_of
from helpers.tables import ACTIVATIONS

SIZES, ROWS = (3, 5, 4, 2), 6
RTOL = 1e-10  # of the largest number of an array
LOSSES = (  # with their usual parameter, or with another one
    *losses.LOSSES.values(),
    fastbp.HalfSSE("mean"),
    fastbp.Huber(0.3),
    fastbp.Quantile(0.8),
    fastbp.CrossEntropy(label_smoothing=0.1),
    fastbp.BinaryCrossEntropy(outputs="sum"),
    fastbp.Poisson(outputs="sum"),
)
SMOOTH = (
    "half_sse",
    "mse",
    "huber",
    "log_cosh",
    "poisson",
    "binary_cross_entropy",
    "cross_entropy",
    "gaussian_nll",
)


class Pair:
    """A network in float64 with data, and the same in PyTorch."""

    def __init__(self, torch, loss="mse", *, sizes=None, **options):
        sizes = list(sizes or fitting(SIZES, loss))
        options = {"activation": "tanh", "dtype": "float64", "seed": 3} | options
        self.net = net = fastbp.Network(sizes, loss=loss, **options)
        rng = np.random.default_rng(2)
        net.parameters[:] += rng.normal(0, 0.3, net.parameters.size)  # biases, too
        X, y = problem((SIZES[0], net.layers[-1].n_out), ROWS, loss)
        self.X, self.y = X.astype(np.float64), y if y.ndim == 1 else y.astype(np.float64)
        self.v = rng.normal(size=net.parameters.size)
        self.func, self.of, self.J = torch.func, *functions_of(torch, net)
        self.p, self.x, self.t, self.direction = map(torch.tensor, (net.parameters, self.X, self.y, self.v))

    def gradient(self, p):
        return self.func.grad(self.J)(p, self.x, self.t)

    def check(self):
        """Compare everything that both compute."""
        net, func, data = self.net, self.func, (self.net, self.X, self.y)
        J = self.J(self.p, self.x, self.t).item()
        assert net.evaluate(self.X, self.y, [])["loss"] == pytest.approx(J, rel=1e-12)
        close(inspect.input_gradients(*data), func.grad(self.J, argnums=1)(self.p, self.x, self.t))

        def h(p, x):
            return self.of(p, x[None])[1][0]

        close(inspect.jacobian(net, self.X), func.vmap(func.jacrev(h, argnums=1), (None, 0))(self.p, self.x))

        def of_one_row(p, x, t):
            return self.J(p, x[None], t[None])

        each = func.vmap(func.grad(of_one_row), (None, 0, 0))(self.p, self.x, self.t)
        close(inspect.per_sample_gradients(*data), each)
        close(inspect.per_sample_gradient_norms(*data), each.norm(dim=1))
        curved = func.grad(lambda p: self.gradient(p) @ self.direction)(self.p)
        close(inspect.hessian_vector_product(*data, self.v), curved)


def close(ours, theirs):
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=RTOL, atol=RTOL * np.abs(theirs).max())


def among_pytorchs(torch):
    return [each for each in ACTIVATIONS if activation_of(torch, each) is not None]


def test_every_activation(torch):
    known = among_pytorchs(torch)
    assert len(known) > 20
    for activation in known:
        if activation.name != "softmax":  # only for outputs
            with noted(activation):
                Pair(torch, activation=activation).check()


def test_every_output_activation(torch):
    for activation in among_pytorchs(torch):
        with noted(activation):
            Pair(torch, output_activation=activation).check()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_every_loss(torch, loss):
    if loss_of(torch, loss) is None:
        pytest.skip("helpers/pytorch.py has no such loss")
    Pair(torch, loss).check()


def test_layers_without_bias(torch):
    Pair(torch, sizes=[3, fastbp.Dense(5, "tanh", bias=False), fastbp.Dense(2, bias=False)]).check()


@pytest.mark.parametrize("loss", SMOOTH)
def test_gauss_newton(torch, loss):
    """J^T H J v, with the Jacobian J of what the loss sees, and the Hessian H of the loss by that."""
    pair = Pair(torch, loss)
    sees_z = pair.net.loss.activation not in (None, "identity")  # is computed from the last weighted sums
    loss = loss_of(torch, pair.net.loss)

    def seen(p):
        return pair.of(p, pair.x)[0 if sees_z else 1]

    s = seen(pair.p)
    H = pair.func.jacrev(pair.func.grad(lambda s: loss(s, s, pair.t)))(s).reshape(s.numel(), -1)
    J = pair.func.jacrev(seen)(pair.p).reshape(s.numel(), -1)
    close(inspect.gauss_newton_product(pair.net, pair.X, pair.y, pair.v), J.T @ (H @ (J @ pair.direction)))
