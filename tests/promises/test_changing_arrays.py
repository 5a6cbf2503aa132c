"""Arrays that user code changes while a fit is under way.

The outcome is that of an undisturbed fit, or a refusal. Every probe runs in its own process, because the
wrong outcome is a crash.
"""

import sys
from collections.abc import Sequence

import numpy as np
import pytest

import fastbp
from helpers.odd_arrays import ATTACKS, Arrays, custom_loss, network, outcome, table


class ReadLate:
    """An argument that does something when it is read."""

    def __init__(self, array, attack):
        self._array, self._attack = array, attack

    def __array__(self, dtype=None, copy=None):
        self._attack()
        return self._array


class ListedLate(Sequence):
    """Callbacks that do something when they are listed."""

    def __init__(self, attack):
        self._attack = attack

    def __len__(self):
        return 0

    def __getitem__(self, i):
        self._attack()
        raise IndexError


class Metric:
    """A metric that does something when it is asked for its name."""

    def __init__(self, attack):
        self._attack = attack

    @property
    def __name__(self):
        self._attack()
        return "metric"

    def __call__(self, output, target):
        return 0.0


class Number(int):
    """A number that does something when it is looked at."""

    def __new__(cls, attack, n):
        number = super().__new__(cls, n)
        number._attack = attack
        return number

    def __index__(self):
        self._attack()
        return int.__add__(self, 0)

    def __ge__(self, other):
        self._attack()
        return int.__ge__(self, other)

    __lt__ = __le__ = __gt__ = lambda self, other: self._attack() or True


class Errors:
    """A stream that does something when it is written to."""

    def __init__(self, attack):
        self.write = lambda text: attack()

    def flush(self):
        pass

    def isatty(self):
        return False


def to_errors(attack, a):
    sys.stderr = Errors(attack)
    return {"verbose": 2}


# ways to run user code in a fit: each makes options of the fit from an attack and the honest arguments
HOOKS = {
    "callbacks listed": lambda attack, a: {"callbacks": ListedLate(attack)},
    "callback": lambda attack, a: {"callbacks": lambda state: attack()},
    "metric": lambda attack, a: {"metrics": lambda output, target: attack() or 0.0},
    "name of a metric": lambda attack, a: {"metrics": Metric(attack)},
    "y read": lambda attack, a: {"y": ReadLate(a.y.copy(), attack)},
    "sample_weight read": lambda attack, a: {"sample_weight": ReadLate(a.weights.copy(), attack)},
    "validation_data read": lambda attack, a: {
        "validation_data": (a.held_out_X, ReadLate(a.held_out_y.copy(), attack))
    },
    "validation weights read": lambda attack, a: {
        "validation_data": (a.held_out_X, a.held_out_y, ReadLate(np.ones(len(a.held_out_X)), attack))
    },
    "sample_weight read, split": lambda attack, a: {
        "sample_weight": ReadLate(a.weights.copy(), attack),
        "validation_data": None,
        "validation_split": 0.5,
    },
    "sample_weight read, shuffled": lambda attack, a: {
        "sample_weight": ReadLate(a.weights.copy(), attack),
        "validation_data": None,
        "validation_split": fastbp.ShuffledSplit(0.5),
    },
    "epochs": lambda attack, a: {"epochs": Number(attack, 2)},
    "batch_size": lambda attack, a: {"batch_size": Number(attack, 1024)},
    "verbose": to_errors,
}
NETWORKS = {
    "custom loss": lambda attack: {"loss": lambda output, target: (attack(), custom_loss(output, target))[1]},
    "learning rate": lambda attack: {"optimizer": fastbp.SGD(lambda epoch: attack() or 0.01)},
}


VICTIMS = ("X", "y", "weights", "held_out_X", "held_out_y")


def change(hook, victim, attack):
    """Compare a fit whose data user code changes with an undisturbed one."""
    found = []
    for does in (ATTACKS[attack], lambda array: None):
        arrays, armed = Arrays(), []

        def strike(does=does, arrays=arrays, armed=armed):
            if armed:  # once, and not while the network is made
                armed.pop()
                does(getattr(arrays, victim))

        net = network(**NETWORKS[hook](strike) if hook in NETWORKS else {})
        armed.append(True)
        options = {
            "X": arrays.X,
            "y": arrays.y,
            "sample_weight": None if hook == "custom loss" else arrays.weights,
            "validation_data": (arrays.held_out_X, arrays.held_out_y),
            "epochs": 2,
            "batch_size": 1024,
        }
        if hook in HOOKS:
            options |= HOOKS[hook](strike, arrays)
        found.append((outcome(lambda net=net, options=options: net.fit(**options)), net.parameters.tobytes()))
    (attacked, left), (alone, right) = found
    assert alone is not None, "refused without an attack"
    assert attacked is None or (attacked, left) == (alone, right), "the change was seen, but not refused"


PROBES = table("{0}: {2} {1}", change, [*HOOKS, *NETWORKS], VICTIMS, ATTACKS)


@pytest.mark.parametrize("name", PROBES)
def test_outcome(outcomes, name):
    assert outcomes[name] == ""
