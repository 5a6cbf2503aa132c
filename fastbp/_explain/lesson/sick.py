"""Networks that do not learn, or not well, each for one reason: one for each kind of finding of `diagnose`.

All have one task. `diagnose` is tested with them, too.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.activations import CustomActivation
from fastbp.network import Network
from fastbp.optimizers import SGD, Adam

Array: TypeAlias = NDArray[Any]

USUAL: dict[str, Any] = {"seed": 3, "optimizer": Adam(0.01)}


class Case(NamedTuple):
    """A network with its data, and how it is trained for a short time.

    Parameters
    ----------
    net : Network
        New, unless only training shows what is wrong; then it has been trained as below.
    X, y : array
    epochs, batch_size : int
    validation : (array, array) or ()
        Rows that the network is not trained on.
    mended : Case or None
        What someone does by hand about it.
    """

    net: Network
    X: Array
    y: Array
    epochs: int = 60
    batch_size: int = 32
    validation: tuple[Array, Array] | tuple[()] = ()
    mended: Case | None = None

    def train(self, net: Network) -> None:
        """Train a network on these data."""
        net.fit(
            self.X,
            self.y,
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation_data=self.validation or None,
        )


def numbers(n: int = 160, n_in: int = 6, seed: int = 0) -> tuple[Array, Array]:
    """Return inputs (n, n_in) of size 1, and a bent function of them (n, 1), also of size 1."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n_in))
    y = np.tanh(2 * X[:, :1]) + 0.5 * X[:, 1:2] * X[:, 2:3]
    return X, (y - y.mean()) / y.std()


def classes(n: int = 160, n_in: int = 6, seed: int = 0) -> tuple[Array, Array]:
    """Return inputs (n, n_in), and labels (n,) from 0 to 2: whether the number is low, middle or high."""
    X, y = numbers(n, n_in, seed)
    return X, np.digitize(y[:, 0], [-0.5, 0.5])


def classifier(hidden: Any = (16, 16), **options: Any) -> Network:
    """Return a healthy network for `classes`, but for the options."""
    return Network([6, *hidden, 3], **(USUAL | {"loss": "cross_entropy"} | options))


def regression(hidden: Any = (16, 16), **options: Any) -> Network:
    """Return a healthy network for `numbers`, but for the options."""
    return Network([6, *hidden, 1], **(USUAL | options))


def not_a_number() -> Case:
    net = classifier()
    net.weights[1][3, 4] = np.nan
    return Case(net, *classes())


def downhill(z: Array) -> Array:
    """Return the derivative of tanh with the wrong sign."""
    return np.asarray(np.tanh(z) ** 2 - 1)


def wrong_derivative() -> Case:
    return Case(classifier(activation=CustomActivation(np.tanh, downhill, "my_tanh")), *classes())


def zero_derivative() -> Case:
    return Case(classifier(activation="step"), *classes())


def symmetric_weights() -> Case:
    net = classifier()
    for W in net.weights:
        W[:] = 0.1
    return Case(net, *classes())


def constant_targets() -> Case:
    X, y = classes()
    return Case(classifier(), X, np.ones_like(y), mended=Case(classifier(), X, y))


def exploding_gradient() -> Case:
    net = classifier(hidden=[16] * 5, optimizer=SGD(0.01))
    for W in net.weights:
        W *= 10
    return Case(net, *classes())


def dead_relus() -> Case:
    net = classifier()
    net.biases[1][:14] = -100
    net.biases[1][14:] = 0
    return Case(net, *classes())


def saturated_sigmoids() -> Case:
    net = classifier(activation="tanh")
    net.weights[0][:] *= 200
    net.weights[1][:] *= 200
    return Case(net, *classes(), 100)


def vanishing_gradient() -> Case:
    return Case(classifier(hidden=[16] * 8, activation="sigmoid"), *classes())


def unscaled_inputs() -> Case:
    X, y = classes()
    return Case(classifier(), X * [1, 1, 1, 1, 1, 500] + [0, 0, 0, 0, 0, 4000], y)


def unscaled_targets() -> Case:
    X, y = numbers()
    return Case(regression(), X, 500 * y + 4000)


def rate_too_high() -> Case:
    return Case(classifier(optimizer=SGD(5.0)), *classes())


def rate_too_low() -> Case:
    return Case(regression(optimizer=SGD(1e-6)), *numbers())


def oscillating() -> Case:
    """One layer has a convex loss: its fit is not chaotic, and goes the same way on every processor."""
    case = Case(regression(hidden=(), seed=5, optimizer=SGD(0.2)), *numbers(), 30, batch_size=4)
    case.train(case.net)
    return case


def not_moving() -> Case:
    X, y = numbers(2000)

    def almost_constant() -> Network:
        net = regression(hidden=(16,), activation="tanh", optimizer=SGD(0.05))
        net.weights[-1][:] *= 0.01
        return net

    others = y[np.random.default_rng(0).permutation(len(y))]
    mended = Case(almost_constant(), X, y, 15, 50)
    case = Case(almost_constant(), X, others, 15, 50, mended=mended)
    case.train(case.net)
    return case


def constant_derivative() -> Case:
    X, y = classes()
    return Case(classifier(activation="identity"), X, y, mended=Case(classifier(), X, y))


def overfitting() -> Case:
    X, y = numbers(60)
    y += 0.7 * np.random.default_rng(1).standard_normal((60, 1))
    case = Case(regression(hidden=(64,)), X, y, 400, 60, validation=numbers(200, seed=2))
    case.train(case.net)
    return case
