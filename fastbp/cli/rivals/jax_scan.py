"""JAX: all epochs in one dispatch of compiled code, with donated buffers for the arrays that change."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn
from numpy.typing import NDArray

import fastbp
from fastbp.cli.bench import Workload, orders
from fastbp.cli.rivals import activations, first_parameters

VERSION = f"JAX {jax.__version__}"
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "tanh": jnp.tanh,
    "relu": nn.relu,
    "sigmoid": nn.sigmoid,
}
LOSSES = {
    "half_sse": lambda h, t: 0.5 * jnp.sum((h - t) ** 2),
    "mse": lambda h, t: jnp.mean((h - t) ** 2),
    "cross_entropy": lambda z, t: -jnp.mean(jnp.take_along_axis(nn.log_softmax(z), t[:, None], axis=1)),
}


def forward(names: list[str], parameters: Any, x: Any) -> Any:
    """Return the outputs, or the logits if the output activation is softmax."""
    for (W, b), name in zip(parameters, names, strict=True):
        z = x @ W + b
        x = z if name == "softmax" else ACTIVATIONS[name](z)
    return x


def sgd(optimizer: Any, parameters: Any, gradients: Any, state: Any) -> tuple[Any, Any]:
    """Return the parameters after a step, and the state, which is empty."""
    return jax.tree.map(lambda p, g: p - optimizer.learning_rate * g, parameters, gradients), state


def adam(optimizer: Any, parameters: Any, gradients: Any, state: Any) -> tuple[Any, Any]:
    """Return the parameters after a step, and the state: the number of steps and both means."""
    t, m, v = state
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    t = t + 1
    m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, gradients)
    v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, gradients)
    rate, root = optimizer.learning_rate / (1 - beta1**t), 1 / jnp.sqrt(1 - beta2**t)
    change = jax.tree.map(lambda m, v: rate * m / (jnp.sqrt(v) * root + optimizer.epsilon), m, v)
    return jax.tree.map(jnp.subtract, parameters, change), (t, m, v)


class Training:
    """Epochs as a loop of scans over the batches."""

    def __init__(self, workload: Workload) -> None:
        jax.config.update("jax_enable_x64", workload.dtype == "float64")
        self._first = first_parameters(workload)
        self._has_moments = isinstance(workload.optimizer, fastbp.Adam)
        self._update = partial(adam if self._has_moments else sgd, workload.optimizer)
        names: Any = activations(workload)
        loss: Any = LOSSES[workload.loss]
        self._loss = jax.value_and_grad(lambda parameters, x, t: loss(forward(names, parameters, x), t))
        X, y = workload.data()
        y = y.astype(np.int32) if workload.loss == "cross_entropy" else y
        batches = workload.batches, workload.batch_size
        self._data: tuple[Any, ...]
        if workload.shuffle:
            self._data = jnp.array(X), jnp.array(y), jnp.array(orders(workload), dtype=jnp.int32)
        else:
            self._data = jnp.array(X.reshape(*batches, -1)), jnp.array(y.reshape(*batches, *y.shape[1:]))
        self.reset()
        start = perf_counter()
        self._compiled = jax.jit(self._epochs, donate_argnums=0).lower(self._carry, 1, self._data).compile()
        self.compile_seconds = perf_counter() - start

    def reset(self) -> None:
        """Go back to the initial weights."""
        parameters = jax.tree.map(jnp.array, self._first)
        zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
        t = jnp.zeros((), parameters[0][0].dtype)
        state = (t, *zeros) if self._has_moments else ()
        self._carry = jax.block_until_ready((parameters, state, jnp.zeros_like(t)))

    def train(self, epochs: int) -> float:
        """Train, and return the loss of the last epoch."""
        self._carry = self._compiled(self._carry, epochs, self._data)
        return float(self._carry[2])

    def _epochs(self, carry: Any, epochs: int, data: Any) -> Any:
        def step(carry: Any, batch: Any) -> Any:
            x, t = batch
            loss, gradients = self._loss(carry[0], x, t)
            return self._update(carry[0], gradients, carry[1]), loss

        def gather(carry: Any, index: Any) -> Any:
            X, y, _ = data
            return step(carry, (X[index], y[index]))

        def epoch(i: Any, carry: Any) -> Any:
            if len(data) == 3:
                carry, losses = lax.scan(gather, carry[:2], data[2][i % len(data[2])])
            else:
                carry, losses = lax.scan(step, carry[:2], data)
            return *carry, losses.mean()

        return lax.fori_loop(0, epochs, epoch, carry)


class Inference:
    """Predictions by a compiled function."""

    def __init__(self, workload: Workload) -> None:
        names = activations(workload)
        finish: Any = partial(nn.softmax, axis=1) if names[-1] == "softmax" else lambda h: h
        self._parameters = jax.tree.map(jnp.array, first_parameters(workload))
        self._X = jnp.array(workload.data()[0])
        start = perf_counter()
        compiled = jax.jit(lambda parameters, x: finish(forward(names, parameters, x)))
        self._compiled = compiled.lower(self._parameters, self._X).compile()
        self.compile_seconds = perf_counter() - start

    def predict(self) -> NDArray[Any]:
        """Return the outputs."""
        return np.asarray(self._compiled(self._parameters, self._X))
