"""Networks that do not learn, or not well, each for one reason: what `fastbp.inspect.diagnose` is to find.

One of each kind is in the page that `fastbp.explain` writes. Here are more ways to get there.
"""

import numpy as np

from fastbp import SGD, Adam, CustomActivation
from fastbp._explain.lesson.findings import ENTRIES
from fastbp._explain.lesson.sick import (
    Case,
    classes,
    classifier,
    dead_relus,
    numbers,
    regression,
    saturated_sigmoids,
    unscaled_targets,
    vanishing_gradient,
)

__all__ = [  # what tests use from here
    "SICK",
    "Case",
    "classes",
    "classifier",
    "dead_relus",
    "numbers",
    "regression",
    "saturated_sigmoids",
    "unscaled_targets",
    "vanishing_gradient",
]


def no_derivative():
    return Case(classifier(activation=CustomActivation(np.sin, np.zeros_like)), *classes())


def small_weights():
    net = classifier(hidden=[16] * 5)
    for W in net.weights[1:-1]:
        W *= 0.05
    return Case(net, *classes(), 15)


def tiny_inputs():
    X, y = classes()
    return Case(classifier(), X / 1000, y)


def tiny_targets():
    X, y = numbers()
    return Case(regression(), X, y / 1000)


def diverging():
    return Case(regression(optimizer=SGD(2.0)), *numbers())


def update_too_large():
    return Case(classifier(optimizer=Adam(1.0)), *classes())


def momentum_too_low():
    return Case(regression(optimizer=SGD(1e-8, momentum=0.9)), *numbers())


def update_too_small():
    return Case(classifier(optimizer=Adam(1e-8)), *classes())


#: The kind of finding, by the function that makes the case.
SICK = {entry.make: entry.kind for entry in ENTRIES} | {
    no_derivative: "wrong derivative",
    small_weights: "vanishing gradient",
    tiny_inputs: "unscaled inputs",
    tiny_targets: "unscaled targets",
    diverging: "learning rate too high",
    update_too_large: "learning rate too high",
    momentum_too_low: "learning rate too low",
    update_too_small: "learning rate too low",
}
