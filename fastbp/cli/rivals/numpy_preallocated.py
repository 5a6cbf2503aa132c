"""NumPy with all arrays allocated in advance: every product and function writes into its final place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastbp
from fastbp.cli.bench import Workload, orders
from fastbp.cli.rivals import activations, blas
from fastbp.layers import split

VERSION = f"NumPy {np.__version__}, {blas.described()}"
CHUNK = 1 << 15  # parameters per chunk, so that all passes of an optimizer stay in cache

Array = NDArray[Any]


class Layer:
    """One layer with its arrays for m rows: x is the output y of the layer below, d_x its d_y."""

    def __init__(
        self, x: Array, d_x: Array | None, W: Array, b: Array, d_W: Array, d_b: Array, activation: str
    ) -> None:
        m, n_out = len(x), len(b)
        self.x, self.x_T, self.d_x = x, x.T, d_x
        self.W, self.W_T, self.b, self.d_W, self.d_b = W, W.T, b, d_W, d_b
        self.y, self.d_y, self.slope = (np.empty((m, n_out), W.dtype) for _ in range(3))
        self.ones = np.ones(m, W.dtype)
        self.activate, self.times_slope = (
            getattr(self, activation),
            getattr(self, f"times_slope_{activation}"),
        )

    def forward(self) -> None:
        """Compute y."""
        np.dot(self.x, self.W, out=self.y)
        np.add(self.y, self.b, out=self.y)
        self.activate(self.y)

    def backward(self) -> None:
        """Compute the gradients and the d_y below from dJ/dz, which is in d_y."""
        np.dot(self.x_T, self.d_y, out=self.d_W)
        np.dot(self.ones, self.d_y, out=self.d_b)
        if self.d_x is not None:
            np.dot(self.d_y, self.W_T, out=self.d_x)

    def identity(self, y: Array) -> None:
        pass

    def times_slope_identity(self) -> None:
        pass

    def tanh(self, y: Array) -> None:
        np.tanh(y, out=y)

    def times_slope_tanh(self) -> None:
        np.multiply(self.y, self.y, out=self.slope)
        np.subtract(1, self.slope, out=self.slope)
        np.multiply(self.d_y, self.slope, out=self.d_y)

    def relu(self, y: Array) -> None:
        np.maximum(y, 0, out=y)

    def times_slope_relu(self) -> None:
        np.sign(self.y, out=self.slope)
        np.multiply(self.d_y, self.slope, out=self.d_y)

    def sigmoid(self, y: Array) -> None:
        np.negative(y, out=y)
        np.exp(y, out=y)
        np.add(y, 1, out=y)
        np.reciprocal(y, out=y)

    def times_slope_sigmoid(self) -> None:
        np.subtract(1, self.y, out=self.slope)
        np.multiply(self.y, self.slope, out=self.slope)
        np.multiply(self.d_y, self.slope, out=self.d_y)

    def softmax(self, y: Array) -> None:
        np.subtract(y, y.max(axis=1, keepdims=True), out=y)
        np.exp(y, out=y)
        np.divide(y, y.sum(axis=1, keepdims=True), out=y)

    def times_slope_softmax(self) -> None:
        pass  # d_y already holds h - t, the delta of softmax and cross entropy together


def chain(workload: Workload, parameters: Array, gradients: Array, x: Array) -> list[Layer]:
    """Return the layers above x (m, n_in), on flat vectors of parameters and gradients."""
    layers: list[Layer] = []
    d_x: Array | None = None
    shapes = workload.network().layers
    weights, d_weights = split(parameters, shapes), split(gradients, shapes)
    for (W, b), (d_W, d_b), activation in zip(weights, d_weights, activations(workload), strict=True):
        layers.append(Layer(x, d_x, W, b, d_W, d_b, activation))
        x, d_x = layers[-1].y, layers[-1].d_y
    return layers


class Training:
    """Training steps, written by hand."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._first = workload.network().parameters.copy()
        self._parameters, self._gradients = np.empty_like(self._first), np.empty_like(self._first)
        X, y = workload.data()
        m = workload.batch_size
        self._X, self._y = X, y
        self._x, self._t = np.empty_like(X[:m]), np.empty_like(y[:m])
        self._orders = orders(workload) if workload.shuffle else None
        starts = range(0, len(X), m)
        if workload.shuffle:
            self._batches = [(self._x, self._t, chain(workload, self._parameters, self._gradients, self._x))]
            self._batches *= len(starts)
        else:  # the first layer reads the rows in place; all batches share the layers above it
            self._batches = []
            layers = chain(workload, self._parameters, self._gradients, X[:m])
            for i in starts:
                first = chain(workload, self._parameters, self._gradients, X[i : i + m])[0]
                first.y, first.d_y, first.slope = layers[0].y, layers[0].d_y, layers[0].slope
                self._batches.append((X[i : i + m], y[i : i + m], [first, *layers[1:]]))
        self._rows = np.arange(m)
        self._loss = getattr(self, f"_{workload.loss}")
        optimizer: Any = workload.optimizer
        self._rate = optimizer.learning_rate
        # SGD applies its rate to the small delta instead of the large gradient
        self._is_sgd = isinstance(optimizer, fastbp.SGD)
        self._scale = -self._rate if self._is_sgd else 1.0
        self.reset()

    def reset(self) -> None:
        """Go back to the initial weights."""
        self._parameters[:] = self._first
        self._m, self._v = np.zeros_like(self._first), np.zeros_like(self._first)
        self._step = 0

    def train(self, epochs: int) -> float:
        """Train, and return the loss of the last epoch."""
        for epoch in range(epochs):
            total = 0.0
            for i, (_, t, layers) in enumerate(self._batches):
                if self._orders is not None:
                    index = self._orders[epoch % len(self._orders), i]
                    np.take(self._X, index, axis=0, out=self._x, mode="clip")
                    np.take(self._y, index, axis=0, out=self._t, mode="clip")
                total += self._train_on_batch(t, layers)
        return total / len(self._batches)

    def _train_on_batch(self, t: Array, layers: list[Layer]) -> Any:
        for layer in layers:
            layer.forward()
        loss = self._loss(layers[-1], t)
        layers[-1].times_slope()
        layers[-1].backward()
        for layer in layers[-2::-1]:
            layer.times_slope()
            layer.backward()
        if self._is_sgd:
            np.add(self._parameters, self._gradients, out=self._parameters)
        else:
            self._adam()
        return loss

    # each loss leaves dJ/dy (cross_entropy: dJ/dz) times `scale` in d_y

    def _mse(self, last: Layer, t: Array) -> Any:
        np.subtract(last.y, t, out=last.d_y)
        loss = np.vdot(last.d_y, last.d_y) / t.size
        np.multiply(last.d_y, 2 * self._scale / t.size, out=last.d_y)
        return loss

    def _half_sse(self, last: Layer, t: Array) -> Any:
        np.subtract(last.y, t, out=last.d_y)
        loss = 0.5 * np.vdot(last.d_y, last.d_y)
        np.multiply(last.d_y, self._scale, out=last.d_y)
        return loss

    def _cross_entropy(self, last: Layer, t: Array) -> Any:
        chosen = last.y[self._rows, t]
        loss = -np.log(chosen).mean()
        factor = self._scale / len(t)
        np.multiply(last.y, factor, out=last.d_y)
        last.d_y[self._rows, t] -= factor
        return loss

    def _adam(self) -> None:
        """Update with means that leave out the factors 1 - beta, corrected in the rate: fewer passes."""
        optimizer: Any = self._workload.optimizer
        self._step += 1
        beta1, beta2 = optimizer.beta1, optimizer.beta2
        root = math.sqrt((1 - beta2) / (1 - beta2**self._step))
        rate = self._rate * (1 - beta1) / (1 - beta1**self._step) / root
        epsilon = optimizer.epsilon / root
        for i in range(0, self._first.size, CHUNK):
            p, g, m, v = (a[i : i + CHUNK] for a in (self._parameters, self._gradients, self._m, self._v))
            np.multiply(m, beta1, out=m)
            np.add(m, g, out=m)
            np.multiply(g, g, out=g)
            np.multiply(v, beta2, out=v)
            np.add(v, g, out=v)
            np.sqrt(v, out=g)
            np.add(g, epsilon, out=g)
            np.divide(m, g, out=g)
            np.multiply(g, rate, out=g)
            np.subtract(p, g, out=p)


class Inference:
    """Predictions by the same layers."""

    def __init__(self, workload: Workload) -> None:
        parameters = workload.network().parameters
        self._layers = chain(workload, parameters, np.empty_like(parameters), workload.data()[0])

    def predict(self) -> Array:
        """Return the outputs."""
        for layer in self._layers:
            layer.forward()
        return self._layers[-1].y
