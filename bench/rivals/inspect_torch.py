"""The same derivatives by PyTorch, in every way that its documentation has, and by hand with autograd.

vmap(jacrev) and the like are functions of torch.func over a pure function of the parameters, which costs less
than its `functional_call`. By hand, the gradients of rows are outer products of the inputs of a layer and of
dJ/dz, as Opacus computes them, and their norms products of norms.
"""

import os

import numpy as np
import torch
from torch.func import functional_call, grad, jacfwd, jacrev, jvp, vjp, vmap

from fastbp.cli.bench import Workload
from fastbp.cli.rivals import activations, first_parameters
from inspections import Jobs, direction

VERSION = f"PyTorch {torch.__version__}"
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
torch.set_num_interop_threads(1)


class Net:
    """The network of a workload with its data, and the functions to derive."""

    def __init__(self, shape: Workload) -> None:
        self._names, self._loss = activations(shape), shape.loss
        self.p = tuple(torch.from_numpy(a) for layer in first_parameters(shape) for a in layer)
        self.x, self.t = map(torch.from_numpy, shape.data())
        flat = torch.from_numpy(direction(sum(a.numel() for a in self.p)))
        parts = flat.split([a.numel() for a in self.p])
        self.v = tuple(part.view_as(a) for part, a in zip(parts, self.p, strict=True))

    def zs(self, p, x):
        """Return the weighted sums of all layers, and the inputs of each and the outputs of the last."""
        zs, hs = [], [x]
        for W, b, name in zip(p[::2], p[1::2], self._names, strict=True):
            zs.append(torch.addmm(b, hs[-1], W) if x.dim() == 2 else hs[-1] @ W + b)
            hs.append(ACTIVATIONS[name](zs[-1]) if name in ACTIVATIONS else zs[-1])
        return zs, hs

    def logits(self, p, x):
        return self.zs(p, x)[1][-1]

    def outputs(self, p, x):
        z = self.logits(p, x)
        return z.softmax(-1) if self._loss == "cross_entropy" else z

    def loss(self, p, x, t, reduction="mean"):
        """Return J; "sum" sums the losses of the rows."""
        return self._of(self.logits(p, x), t, reduction)

    def _of(self, z, t, reduction):
        if self._loss == "cross_entropy":
            return torch.nn.functional.cross_entropy(z, t, reduction=reduction)
        squares = (z - t).square()  # jvp(grad) fails on mse_loss
        return squares.mean() if reduction == "mean" else squares.sum() / z.shape[-1]

    def tape(self):
        """Return the inputs of each layer, and dJ/dz of the losses of single rows."""
        p = [a.detach().requires_grad_() for a in self.p]
        zs, hs = self.zs(p, self.x)
        return hs, torch.autograd.grad(self._of(zs[-1], self.t, "sum"), zs)


def module(net: Net) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    """Return the network as a module, as the documentation of torch.func has it, and its parameters."""
    layers = []
    for W, b, name in zip(net.p[::2], net.p[1::2], net._names, strict=True):
        linear = torch.nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(W.T)
            linear.bias.copy_(b)
        layers += [
            linear,
            *([torch.nn.Tanh() if name == "tanh" else torch.nn.ReLU()] if name in ACTIVATIONS else []),
        ]
    made = torch.nn.Sequential(*layers)
    return made, {name: p.detach() for name, p in made.named_parameters()}


def jacobian_by(transform):
    def make(shape):
        net = Net(shape)
        function = vmap(transform(net.outputs, argnums=1), (None, 0))
        return lambda: function(net.p, net.x)

    return make


def jacobian_by_autograd(shape):
    """One backward pass per output: rows do not depend on one another."""
    net = Net(shape)

    def run():
        x = net.x.detach().requires_grad_()
        sums = net.outputs(net.p, x).sum(0)
        rows = [torch.autograd.grad(s, x, retain_graph=True)[0] for s in sums]
        return torch.stack(rows, 1)

    return run


def gradients_by_vmap(shape):
    net = Net(shape)
    function = vmap(grad(net.loss), (None, 0, 0))
    return lambda: function(net.p, net.x, net.t)


def gradients_by_functional_call(shape):
    net = Net(shape)
    made, p = module(net)

    def loss(p, x, t):
        return net._of(functional_call(made, p, (x[None],)), t[None], "mean")

    function = vmap(grad(loss), (None, 0, 0))

    def run():
        found = function(p, net.x, net.t)
        return [g.transpose(1, 2) if g.dim() == 3 else g for g in found.values()]

    return run


def gradients_by_hand(shape):
    net = Net(shape)

    def run():
        hs, deltas = net.tape()
        return [g for h, d in zip(hs, deltas, strict=False) for g in (h[:, :, None] * d[:, None, :], d)]

    return run


def norms_of(gradients):
    def make(shape):
        each = gradients(shape)
        return lambda: sum(g.flatten(1).square().sum(1) for g in each()).sqrt()

    return make


def norms_by_hand(shape):
    net = Net(shape)

    def run():
        hs, deltas = net.tape()
        pairs = zip(hs, deltas, strict=False)
        return sum((h.square().sum(1) + 1) * d.square().sum(1) for h, d in pairs).sqrt()

    return run


def forward_over_reverse(shape):
    net = Net(shape)
    gradient = grad(net.loss)
    return lambda: jvp(lambda p: gradient(p, net.x, net.t), (net.p,), (net.v,))[1]


def reverse_over_reverse(shape):
    net = Net(shape)
    gradient = grad(net.loss)
    return lambda: vjp(lambda p: gradient(p, net.x, net.t), net.p)[1](net.v)[0]


def double_backward(shape):
    net = Net(shape)

    def run():
        p = [a.detach().requires_grad_() for a in net.p]
        gradients = torch.autograd.grad(net.loss(p, net.x, net.t), p, create_graph=True)
        return torch.autograd.grad(gradients, p, net.v)

    return run


GRADIENTS = {
    "vmap(grad)": gradients_by_vmap,
    "vmap(grad), functional_call": gradients_by_functional_call,
    "by hand": gradients_by_hand,
}
MAKERS = {
    "jacobian": {
        "vmap(jacrev)": jacobian_by(jacrev),
        "vmap(jacfwd)": jacobian_by(jacfwd),
        "by hand": jacobian_by_autograd,
    },
    "per-sample gradients": GRADIENTS,
    "per-sample gradients, out": GRADIENTS,
    "per-sample norms": {"vmap(grad)": norms_of(gradients_by_vmap), "by hand": norms_by_hand},
    "Hessian-vector product": {
        "jvp(grad)": forward_over_reverse,
        "vjp(grad)": reverse_over_reverse,
        "by hand": double_backward,
    },
}


def as_array(found) -> np.ndarray:
    """Return the derivatives by the parameters as fastbp orders them, or the tensor itself."""
    if isinstance(found, torch.Tensor):
        return found.detach().numpy()
    rows = found[1].shape[:-1]  # of the bias: (n,) or ()
    return torch.cat([g.reshape(*rows, -1) for g in found], -1).detach().numpy()


jobs = Jobs(MAKERS, as_array)
ways, result, count, seconds = jobs.ways, jobs.result, jobs.count, jobs.seconds
