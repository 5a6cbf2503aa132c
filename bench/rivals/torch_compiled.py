"""PyTorch with a whole training step, from the forward pass to the update, compiled by torch.compile."""

from time import perf_counter

import torch

import fastbp
from fastbp.cli.bench import Workload
from fastbp.cli.rivals import UnsupportedError, activations, first_parameters, torch_eager

VERSION = f"{torch_eager.VERSION}, compiled"
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}
LARGEST = 1 << 18  # parameters: for larger networks, the products count and not the calls


def sgd(optimizer, p, g, state):
    p.sub_(g, alpha=optimizer.learning_rate)


def adam(optimizer, p, g, state):
    """Update a parameter and its means in place; the number of the step is the first of the state."""
    t, m, v = state
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    m.mul_(beta1).add_((1 - beta1) * g)
    v.mul_(beta2).add_((1 - beta2) * g * g)
    rate, root = optimizer.learning_rate / (1 - beta1**t), torch.rsqrt(1 - beta2**t)
    p.sub_(rate * m / (torch.sqrt(v) * root + optimizer.epsilon))


class Training(torch_eager.Training):
    def __init__(self, workload: Workload) -> None:
        self._first = [torch.from_numpy(a) for layer in first_parameters(workload) for a in layer]
        if sum(a.numel() for a in self._first) > LARGEST:
            raise UnsupportedError("compiled for small networks only")
        self._workload, self._names = workload, activations(workload)
        self._loss = torch_eager.LOSSES[workload.loss]
        self._update = adam if isinstance(workload.optimizer, fastbp.Adam) else sgd
        self._load(workload)
        self.reset()
        start = perf_counter()
        self._compile()
        self.compile_seconds = perf_counter() - start

    def reset(self):
        self._parameters = [first.clone() for first in self._first]
        self._t = torch.zeros((), dtype=self._first[0].dtype)
        self._state = [(self._t, torch.zeros_like(p), torch.zeros_like(p)) for p in self._parameters]

    def _compile(self):
        torch._dynamo.reset()  # of another workload
        torch.compiler.set_stance("default", skip_guard_eval_unsafe=False)
        self._compiled = torch.compile(self._step, fullgraph=True, dynamic=False)
        try:
            self.train(1)
        except torch._inductor.exc.InductorError as error:  # no C++ compiler, for example
            raise UnsupportedError(str(error).strip().splitlines()[0]) from None
        # every call has the same shapes, so there is nothing to check before each
        torch.compiler.set_stance("default", skip_guard_eval_unsafe=True)

    def train(self, epochs):
        with torch.no_grad():
            for epoch in range(epochs):
                batches, step = self._epoch(epoch), self._compiled
                losses = [step(self._parameters, self._state, self._t, x, t) for x, t in batches]
        return sum(losses).item() / len(losses)

    def _step(self, parameters, state, step, x, t):
        gradients, loss = torch.func.grad_and_value(self._loss_of)(parameters, x, t)
        step.add_(1)
        for p, g, s in zip(parameters, gradients, state, strict=True):
            self._update(self._workload.optimizer, p, g, s)
        return loss

    def _loss_of(self, parameters, x, t):
        for W, b, name in zip(parameters[::2], parameters[1::2], self._names, strict=True):
            x = torch.addmm(b, x, W)
            if name in ACTIVATIONS:
                x = ACTIVATIONS[name](x)
        return self._loss(x, t)
