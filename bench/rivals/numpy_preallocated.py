"""NumPy with all arrays allocated in advance: every product and function writes into its final place."""

import math

import numpy as np

import fastbp
from fastbp.cli.bench import Workload
from fastbp.layers import split
from rivals import activations, blas_kernels
from workloads import orders

VERSION = f"NumPy {np.__version__}, {blas_kernels()}"
CHUNK = 1 << 15  # parameters per chunk, so that all passes of an optimizer stay in cache


class Layer:
    """One layer with its arrays for m rows: x is the output y of the layer below, d_x its d_y."""

    def __init__(self, x, d_x, W, b, d_W, d_b, activation):
        m, n_out = len(x), len(b)
        self.x, self.x_T, self.d_x = x, x.T, d_x
        self.W, self.W_T, self.b, self.d_W, self.d_b = W, W.T, b, d_W, d_b
        self.y, self.d_y, self.slope = (np.empty((m, n_out), W.dtype) for _ in range(3))
        self.ones = np.ones(m, W.dtype)
        self.activate, self.times_slope = (
            getattr(self, activation),
            getattr(self, f"times_slope_{activation}"),
        )

    def forward(self):
        np.dot(self.x, self.W, out=self.y)
        np.add(self.y, self.b, out=self.y)
        self.activate(self.y)

    def backward(self):
        """Compute the gradients and the d_y below from dJ/dz, which is in d_y."""
        np.dot(self.x_T, self.d_y, out=self.d_W)
        np.dot(self.ones, self.d_y, out=self.d_b)
        if self.d_x is not None:
            np.dot(self.d_y, self.W_T, out=self.d_x)

    def identity(self, y):
        pass

    def times_slope_identity(self):
        pass

    def tanh(self, y):
        np.tanh(y, out=y)

    def times_slope_tanh(self):
        np.multiply(self.y, self.y, out=self.slope)
        np.subtract(1, self.slope, out=self.slope)
        np.multiply(self.d_y, self.slope, out=self.d_y)

    def relu(self, y):
        np.maximum(y, 0, out=y)

    def times_slope_relu(self):
        np.sign(self.y, out=self.slope)
        np.multiply(self.d_y, self.slope, out=self.d_y)

    def sigmoid(self, y):
        np.negative(y, out=y)
        np.exp(y, out=y)
        np.add(y, 1, out=y)
        np.reciprocal(y, out=y)

    def times_slope_sigmoid(self):
        np.subtract(1, self.y, out=self.slope)
        np.multiply(self.y, self.slope, out=self.slope)
        np.multiply(self.d_y, self.slope, out=self.d_y)

    def softmax(self, y):
        np.subtract(y, y.max(axis=1, keepdims=True), out=y)
        np.exp(y, out=y)
        np.divide(y, y.sum(axis=1, keepdims=True), out=y)

    def times_slope_softmax(self):
        pass  # d_y already holds h - t, the delta of softmax and cross entropy together


def chain(workload, parameters, gradients, x):
    """Return the layers above x (m, n_in), on flat vectors of parameters and gradients."""
    layers, d_x = [], None
    shapes = workload.network().layers
    weights, d_weights = split(parameters, shapes), split(gradients, shapes)
    for (W, b), (d_W, d_b), activation in zip(weights, d_weights, activations(workload), strict=True):
        layers.append(Layer(x, d_x, W, b, d_W, d_b, activation))
        x, d_x = layers[-1].y, layers[-1].d_y
    return layers


class Training:
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
        optimizer = workload.optimizer
        self._rate = optimizer.learning_rate
        # SGD applies its rate to the small delta instead of the large gradient
        self._is_sgd = isinstance(optimizer, fastbp.SGD)
        self._scale = -self._rate if self._is_sgd else 1.0
        self.reset()

    def reset(self):
        self._parameters[:] = self._first
        self._m, self._v = np.zeros_like(self._first), np.zeros_like(self._first)
        self._step = 0

    def train(self, epochs):
        for epoch in range(epochs):
            total = 0.0
            for i, (_, t, layers) in enumerate(self._batches):
                if self._orders is not None:
                    index = self._orders[epoch % len(self._orders), i]
                    np.take(self._X, index, axis=0, out=self._x, mode="clip")
                    np.take(self._y, index, axis=0, out=self._t, mode="clip")
                total += self._train_on_batch(t, layers)
        return total / len(self._batches)

    def _train_on_batch(self, t, layers):
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

    def _mse(self, last, t):
        np.subtract(last.y, t, out=last.d_y)
        loss = np.vdot(last.d_y, last.d_y) / t.size
        np.multiply(last.d_y, 2 * self._scale / t.size, out=last.d_y)
        return loss

    def _half_sse(self, last, t):
        np.subtract(last.y, t, out=last.d_y)
        loss = 0.5 * np.vdot(last.d_y, last.d_y)
        np.multiply(last.d_y, self._scale, out=last.d_y)
        return loss

    def _cross_entropy(self, last, t):
        chosen = last.y[self._rows, t]
        loss = -np.log(chosen).mean()
        factor = self._scale / len(t)
        np.multiply(last.y, factor, out=last.d_y)
        last.d_y[self._rows, t] -= factor
        return loss

    def _adam(self):
        """Update with means that leave out the factors 1 - beta, corrected in the rate: fewer passes."""
        optimizer = self._workload.optimizer
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
    def __init__(self, workload: Workload) -> None:
        parameters = workload.network().parameters
        self._layers = chain(workload, parameters, np.empty_like(parameters), workload.data()[0])

    def predict(self):
        for layer in self._layers:
            layer.forward()
        return self._layers[-1].y
