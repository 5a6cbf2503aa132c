"""Networks that do not learn, or not well, each for one reason: what `fastbp.inspect.diagnose` is to find."""

from typing import NamedTuple

import numpy as np

from fastbp import SGD, Adam, CustomActivation, Network


class Case(NamedTuple):
    """A network with its data, and how it is trained for a short time."""

    net: object
    X: object
    y: object
    epochs: int = 60
    validation: tuple = ()


def numbers(n=160, n_in=6, seed=0):
    """Return inputs (n, n_in) of size 1, and a bent function of them (n, 1), also of size 1."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n_in))
    y = np.tanh(2 * X[:, :1]) + 0.5 * X[:, 1:2] * X[:, 2:3]
    return X, (y - y.mean()) / y.std()


def classes(n=160, n_in=6, seed=0):
    """Return inputs (n, n_in), and labels (n,) from 0 to 2."""
    X, y = numbers(n, n_in, seed)
    return X, np.digitize(y[:, 0], [-0.5, 0.5])


def classifier(hidden=(16, 16), **options):
    options = {"loss": "cross_entropy", "seed": 3, "optimizer": Adam(0.01)} | options
    return Network([6, *hidden, 3], **options)


def regression(hidden=(16, 16), **options):
    return Network([6, *hidden, 1], **{"seed": 3, "optimizer": Adam(0.01)} | options)


def not_a_number():
    net = classifier()
    net.weights[1][3, 4] = np.nan
    return Case(net, *classes())


def downhill(z):
    return np.tanh(z) ** 2 - 1


def wrong_derivative():
    return Case(classifier(activation=CustomActivation(np.tanh, downhill)), *classes())


def no_derivative():
    return Case(classifier(activation=CustomActivation(np.sin, np.zeros_like)), *classes())


def zero_derivative():
    return Case(classifier(activation="step"), *classes())


def symmetric_weights():
    net = classifier()
    for W in net.weights:
        W[:] = 0.1
    return Case(net, *classes())


def exploding_gradient():
    net = classifier(hidden=[16] * 5, optimizer=SGD(0.01))
    for W in net.weights:
        W *= 10
    return Case(net, *classes())


def vanishing_gradient():
    return Case(classifier(hidden=[16] * 8, activation="sigmoid"), *classes())


def small_weights():
    net = classifier(hidden=[16] * 5)
    for W in net.weights[1:-1]:
        W *= 0.05
    return Case(net, *classes(), 15)


def dead_relus():
    net = classifier()
    net.biases[1][:14] = -100
    net.biases[1][14:] = 0
    return Case(net, *classes())


def saturated_sigmoids():
    net = classifier(activation="tanh")
    net.weights[0][:] *= 200
    net.weights[1][:] *= 200
    return Case(net, *classes(), 100)


def unscaled_inputs():
    X, y = classes()
    return Case(classifier(), X * [1, 1, 1, 1, 1, 500] + [0, 0, 0, 0, 0, 4000], y)


def tiny_inputs():
    X, y = classes()
    return Case(classifier(), X / 1000, y)


def unscaled_targets():
    X, y = numbers()
    return Case(regression(), X, 500 * y + 4000)


def tiny_targets():
    X, y = numbers()
    return Case(regression(), X, y / 1000)


def rate_too_high():
    return Case(regression(optimizer=SGD(2.0)), *numbers())


def update_too_large():
    return Case(classifier(optimizer=Adam(1.0)), *classes())


def rate_too_low():
    return Case(regression(optimizer=SGD(1e-6)), *numbers())


def momentum_too_low():
    return Case(regression(optimizer=SGD(1e-8, momentum=0.9)), *numbers())


def update_too_small():
    return Case(classifier(optimizer=Adam(1e-8)), *classes())


def constant_derivative():
    return Case(classifier(activation="identity"), *classes())


def constant_targets():
    X, y = classes()
    return Case(classifier(), X, np.ones_like(y))


def overfitting():
    X, y = numbers(60)
    y += 0.7 * np.random.default_rng(1).standard_normal((60, 1))
    net = regression(hidden=(64,))
    net.fit(X, y, epochs=400, batch_size=None)
    return Case(net, X, y, 400, numbers(200, seed=2))


#: The kind of finding, by the function that makes the case.
SICK = {
    not_a_number: "not a number",
    wrong_derivative: "wrong derivative",
    no_derivative: "wrong derivative",
    zero_derivative: "zero derivative",
    symmetric_weights: "symmetric weights",
    exploding_gradient: "exploding gradient",
    vanishing_gradient: "vanishing gradient",
    small_weights: "vanishing gradient",
    dead_relus: "dead relus",
    saturated_sigmoids: "saturated sigmoids",
    unscaled_inputs: "unscaled inputs",
    tiny_inputs: "unscaled inputs",
    unscaled_targets: "unscaled targets",
    tiny_targets: "unscaled targets",
    rate_too_high: "learning rate too high",
    update_too_large: "learning rate too high",
    rate_too_low: "learning rate too low",
    momentum_too_low: "learning rate too low",
    update_too_small: "learning rate too low",
    constant_derivative: "constant derivative",
    constant_targets: "constant targets",
    overfitting: "overfitting",
}
