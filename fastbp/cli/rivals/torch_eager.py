"""PyTorch in eager mode, with preloaded tensors, a fused optimizer, and losses read once per epoch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

import fastbp
from fastbp.cli.bench import Workload, orders
from fastbp.cli.rivals import activations, first_parameters

VERSION = f"PyTorch {torch.__version__}"
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
torch.set_num_interop_threads(1)

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
LOSSES = {
    "half_sse": lambda h, t: 0.5 * nn.functional.mse_loss(h, t, reduction="sum"),
    "mse": nn.functional.mse_loss,
    "cross_entropy": nn.functional.cross_entropy,
}


def network(workload: Workload) -> nn.Sequential:
    """Return the layers, without a softmax at the end."""
    modules = []
    for (W, b), name in zip(first_parameters(workload), activations(workload), strict=True):
        layer = nn.Linear(*W.shape, dtype=getattr(torch, workload.dtype))
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(W).T)
            layer.bias.copy_(torch.from_numpy(b))
        modules.append(layer)
        if name in ACTIVATIONS:
            modules.append(ACTIVATIONS[name]())
    return nn.Sequential(*modules)


class Training:
    """Steps of a module and a fused optimizer."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._network = network(workload)
        self._first = [p.detach().clone() for p in self._network.parameters()]
        self._loss = LOSSES[workload.loss]
        self._load(workload)

    def _load(self, workload: Workload) -> None:
        self._X, self._y = map(torch.from_numpy, workload.data())
        self._batches = list(
            zip(self._X.split(workload.batch_size), self._y.split(workload.batch_size), strict=True)
        )
        self._orders = torch.from_numpy(orders(workload)) if workload.shuffle else None

    def reset(self) -> None:
        """Go back to the initial weights."""
        with torch.no_grad():
            for p, first in zip(self._network.parameters(), self._first, strict=True):
                p.copy_(first)
        parameters, optimizer = self._network.parameters(), self._workload.optimizer
        if isinstance(optimizer, fastbp.SGD):
            self._optimizer = torch.optim.SGD(parameters, lr=optimizer.learning_rate, fused=True)
        else:
            betas = optimizer.beta1, optimizer.beta2
            self._optimizer = torch.optim.Adam(
                parameters, lr=optimizer.learning_rate, betas=betas, eps=optimizer.epsilon, fused=True
            )

    def train(self, epochs: int) -> float:
        """Train, and return the loss of the last epoch."""
        for epoch in range(epochs):
            losses = [self._train_on_batch(x, t) for x, t in self._epoch(epoch)]
        return float(sum(losses)) / len(losses)

    def _epoch(self, epoch: int) -> Iterable[tuple[Any, Any]]:
        if self._orders is None:
            return self._batches
        return ((self._X[index], self._y[index]) for index in self._orders[epoch % len(self._orders)])

    def _train_on_batch(self, x: Any, t: Any) -> Any:
        self._optimizer.zero_grad()
        loss = self._loss(self._network(x), t)
        loss.backward()
        self._optimizer.step()
        return loss.detach()


class Inference:
    """Predictions without gradients."""

    def __init__(self, workload: Workload) -> None:
        self._network = network(workload)
        if activations(workload)[-1] == "softmax":
            self._network.append(nn.Softmax(dim=1))
        self._X = torch.from_numpy(workload.data()[0])

    def predict(self) -> NDArray[Any]:
        """Return the outputs."""
        with torch.inference_mode():
            outputs: NDArray[Any] = self._network(self._X).numpy()
            return outputs
