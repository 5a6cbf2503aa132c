"""The training of a classifier by fastbp and its rivals, each in its usual fast way.

Every class is called with the rows X (n, n_in) in float32 and their labels (n,), n a multiple of the batch
size; with the initial weights, a list of W (n_in, n_out) in float32, while all biases are 0; and with a seed
for the order of the rows. The network has relu in its hidden layers and softmax with cross entropy above
them. Adam has the constants that all libraries have as their default.

    train(epochs)    train on, in a new random order of the rows per epoch
    classify(X)      return the predicted labels (n,)

A library is imported when its class is made. `bench_accuracy.py` and `bench_memory.py` use these classes, in
one process per library.
"""

import os
from itertools import pairwise
from time import process_time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8  # of Adam
ORDERS = 1 << 18  # rows in the orders that are drawn in advance, 1 MB

Array = NDArray[Any]


def initial_weights(sizes: tuple[int, ...], seed: int) -> list[Array]:
    """Return normal weights with a variance of 2 / n_in, for relu."""
    rng = np.random.default_rng(seed)
    return [
        rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / shape[0]))
        for shape in pairwise(sizes)
    ]


def sizes(weights: list[Array]) -> list[int]:
    """Return the number of inputs and the units of each layer."""
    return [len(weights[0]), *(W.shape[1] for W in weights)]


class Fastbp:
    def __init__(self, X: Array, y: Array, weights: list[Array], batch_size: int, seed: int) -> None:
        import fastbp

        optimizer = fastbp.Adam(RATE, beta1=BETA1, beta2=BETA2, epsilon=EPSILON)
        self._net = fastbp.Network(sizes(weights), loss="cross_entropy", optimizer=optimizer, seed=seed)
        for own, W in zip(self._net.weights, weights, strict=True):
            own[:] = W
        self._X, self._y, self._batch_size = X, y, batch_size

    def train(self, epochs: int) -> None:
        self._net.fit(self._X, self._y, epochs=epochs, batch_size=self._batch_size)

    def classify(self, X: Array) -> Array:
        return self._net.predict_classes(X)


class Torch:
    """An eager loop with fused Adam, which takes batches by index_select, the fastest way.

    For targets (n, n_out) in float32 instead of labels, the loss is the mean squared error.
    """

    def __init__(self, X: Array, y: Array, weights: list[Array], batch_size: int, seed: int) -> None:
        import torch

        self._torch = torch
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        torch.manual_seed(seed)
        layers: list[Any] = []
        for W in weights:
            layers += [torch.nn.Linear(*W.shape), torch.nn.ReLU()]
            with torch.no_grad():
                layers[-2].weight.copy_(torch.from_numpy(W).T)
                layers[-2].bias.zero_()
        self._net = torch.nn.Sequential(*layers[:-1])
        self._optimizer = torch.optim.Adam(
            self._net.parameters(), lr=RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True
        )
        self._X, self._y, self._batch_size = torch.from_numpy(X), torch.from_numpy(y), batch_size
        functional = torch.nn.functional
        self._loss = functional.mse_loss if self._y.is_floating_point() else functional.cross_entropy

    def train(self, epochs: int) -> None:
        for _ in range(epochs):
            for rows in self._torch.randperm(len(self._X)).split(self._batch_size):
                self._optimizer.zero_grad(set_to_none=True)
                output = self._net(self._X.index_select(0, rows))
                self._loss(output, self._y.index_select(0, rows)).backward()
                self._optimizer.step()

    def outputs(self, X: Array) -> Array:
        with self._torch.inference_mode():
            return self._net(self._torch.from_numpy(X)).numpy()

    def classify(self, X: Array) -> Array:
        return self.outputs(X).argmax(axis=1)


class ScikitLearn:
    """MLPClassifier.partial_fit, one epoch per call. It computes in float32, the dtype of X."""

    def __init__(self, X: Array, y: Array, weights: list[Array], batch_size: int, seed: int) -> None:
        from sklearn.neural_network import MLPClassifier

        self._net = MLPClassifier(
            sizes(weights)[1:-1],
            alpha=0,
            batch_size=batch_size,
            learning_rate_init=RATE,
            beta_1=BETA1,
            beta_2=BETA2,
            epsilon=EPSILON,
            random_state=np.random.RandomState(seed),  # an int would repeat the order of the rows
        )
        self._net.partial_fit(X[:batch_size], y[:batch_size], classes=np.arange(weights[-1].shape[1]))
        for i, W in enumerate(weights):
            self._net.coefs_[i], self._net.intercepts_[i] = W.copy(), np.zeros_like(W[0])
        del self._net._optimizer  # the next call makes a new one, for these arrays
        self._X, self._y = X, y

    def train(self, epochs: int) -> None:
        for _ in range(epochs):
            self._net.partial_fit(self._X, self._y)

    def classify(self, X: Array) -> Array:
        return self._net.predict(X)


class Jax:
    """All epochs in one call of compiled code, which scans over the batches, with donated buffers.

    X at a multiple of 64 bytes is read in place, otherwise it is copied.
    """

    compiled: ClassVar[dict[Any, Any]] = {}  # by the shapes of the network and the data

    def __init__(self, X: Array, y: Array, weights: list[Array], batch_size: int, seed: int) -> None:
        import jax

        self._jax, jnp = jax, jax.numpy
        parameters = [(jnp.array(W), jnp.zeros(W.shape[1], W.dtype)) for W in weights]
        zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
        self._state = parameters, *zeros, jnp.zeros((), jnp.float32)
        rng = np.random.default_rng(seed)
        # drawn in advance, and repeated by long trainings: to draw them in the loop takes a fifth of the time
        orders = [rng.permutation(len(X)) for _ in range(max(1, ORDERS // len(X)))]
        orders = np.array(orders, np.int32).reshape(len(orders), -1, batch_size)
        self._data = jnp.array(orders), jnp.from_dlpack(X), jnp.asarray(y.astype(np.int32))
        self._epochs = 0
        self._compiled = self._compile((*sizes(weights), orders.shape))

    def _compile(self, key: Any) -> Any:
        start = process_time()
        if key not in self.compiled:
            jitted = self._jax.jit(self._train, donate_argnums=0)
            self.compiled[key] = jitted.lower(self._state, 0, 1, *self._data).compile()
        self.compile_seconds = process_time() - start
        return self.compiled[key]

    def _logits(self, parameters: Any, x: Any) -> Any:
        for W, b in parameters[:-1]:
            x = self._jax.nn.relu(x @ W + b)
        W, b = parameters[-1]
        return x @ W + b

    def _loss(self, parameters: Any, x: Any, y: Any) -> Any:
        logarithms = self._jax.nn.log_softmax(self._logits(parameters, x))
        return -self._jax.numpy.take_along_axis(logarithms, y[:, None], axis=1).mean()

    def _train(self, state: Any, first: Any, epochs: Any, orders: Any, X: Any, y: Any) -> Any:
        tree_map, sqrt, lax = self._jax.tree.map, self._jax.numpy.sqrt, self._jax.lax

        def step(state: Any, rows: Any) -> Any:
            p, m, v, t = state
            g = self._jax.grad(self._loss)(p, X[rows], y[rows])
            t = t + 1
            m = tree_map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
            v = tree_map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
            rate, root = RATE / (1 - BETA1**t), 1 / sqrt(1 - BETA2**t)
            p = tree_map(lambda p, m, v: p - rate * m / (sqrt(v) * root + EPSILON), p, m, v)
            return (p, m, v, t), None

        def epoch(i: Any, state: Any) -> Any:
            return lax.scan(step, state, orders[(first + i) % len(orders)])[0]

        return lax.fori_loop(0, epochs, epoch, state)

    def train(self, epochs: int) -> None:
        state = self._compiled(self._state, self._epochs, epochs, *self._data)
        self._state = self._jax.block_until_ready(state)
        self._epochs += epochs

    def classify(self, X: Array) -> Array:
        return np.asarray(self._logits(self._state[0], X).argmax(axis=1))


LIBRARIES = {"fastbp": Fastbp, "PyTorch": Torch, "JAX": Jax, "scikit-learn": ScikitLearn}
