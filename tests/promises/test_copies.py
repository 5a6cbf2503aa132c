"""Copies of networks train on as the original does, also copies that a callback takes during a fit."""

import copy
import pickle

import numpy as np
import pytest

import fastbp
from fastbp import Dense, optimizers, schedules
from helpers.inside import NETWORKS_OWN, engine_of
from helpers.names import name_of

EPOCHS, ROWS = 5, 90

COPIES = {
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "clone": lambda net: net.clone(),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}

OPTIMIZERS = [
    *optimizers.OPTIMIZERS.values(),
    fastbp.SGD(0.05, momentum=0.9, nesterov=True),
    fastbp.Adam(amsgrad=True, clip_norm=0.1),
    fastbp.SGD(0.05, momentum=0.9, weight_decay=0.01),
    fastbp.RMSprop(momentum=0.5),
    fastbp.RMSprop(momentum=0.5, centered=True),
    fastbp.LevenbergMarquardt(),
    fastbp.LevenbergMarquardt(bayesian=True),
]

RATES = [
    schedules.Step(0.05, every=7),
    schedules.Cosine(0.05, steps=4, warmup=2, growth=2),
    schedules.OneCycle(0.05, steps=20),
    schedules.InverseScaling(0.05),
    schedules.Warmup(schedules.Step(0.05, every=7), steps=9),
    lambda epoch: 0.05 / (1 + epoch),
    schedules.Warmup(lambda epoch: 0.05 / (1 + epoch), steps=9),
]


def data():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(ROWS, 3))
    return X, np.sin(X[:, :1]) + X[:, 1:2] * X[:, 2:]


def goes_on_alike(net, how, epochs=EPOCHS, **options):
    """Copy the network after every epoch of a fit; each copy trained on must end where the fit does."""
    X, y = data()
    if net.optimizer.full_batch:
        options["batch_size"] = None
    copies, before = [], len(net.history)
    net.fit(X, y, epochs=epochs, callbacks=lambda state: copies.append(how(state.network)), **options)
    for done, twin in enumerate(copies, 1):
        assert twin.history.loss == net.history.loss[: before + done]
        if done < epochs:
            twin.fit(X, y, epochs=epochs - done, **options)
        np.testing.assert_array_equal(twin.parameters, net.parameters, err_msg=f"copied after epoch {done}")
        np.testing.assert_array_equal(engine_of(twin).state, engine_of(net).state)
        assert engine_of(twin).t == engine_of(net).t
        for column in set(net.history) - {"seconds"}:
            np.testing.assert_array_equal(twin.history[column], net.history[column])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_with_every_optimizer(network_class, optimizer, dtype):
    net = network_class([3, 6, 1], activation="tanh", optimizer=optimizer, dtype=dtype, seed=1)
    goes_on_alike(net, COPIES["clone"], batch_size=16)


@pytest.mark.parametrize("rate", RATES, ids=name_of)
def test_with_every_schedule(network_class, rate):
    copies = COPIES["deepcopy"]  # a lambda cannot be pickled
    net = network_class([3, 6, 1], optimizer=fastbp.SGD(rate, momentum=0.9), seed=1)
    goes_on_alike(net, copies, batch_size=16)


@pytest.mark.parametrize("how", COPIES.values(), ids=COPIES)
def test_with_dropout_noise_penalties_and_scaled_inputs(network_class, how):
    layers = [3, Dense(8, dropout=0.3, l2=1e-3), Dense(6, dropout=0.1, max_norm=1.0), 1]
    net = network_class(layers, input_noise=0.1, seed=1)
    net.adapt(data()[0])
    goes_on_alike(net, how, batch_size=16)


def custom_loss(output, target):
    error = output - target
    return float((error**4).mean()), 4 * error**3 / error.size


@pytest.mark.parametrize("how", COPIES.values(), ids=COPIES)
def test_with_weights_and_a_loss_of_ones_own(network_class, how):
    goes_on_alike(network_class([3, 6, 1], loss=custom_loss, seed=1), how, batch_size=16)
    weights = np.arange(ROWS) % 4
    goes_on_alike(network_class([3, 6, 1], seed=1), how, batch_size=16, sample_weight=weights)


def test_after_the_learning_rate_was_set(network_class):
    net = network_class([3, 6, 1], optimizer=fastbp.Adam(schedules.Cosine(0.1, steps=9)), seed=1)
    net.fit(*data())
    net.learning_rate = 0.02
    goes_on_alike(net, COPIES["pickle"])
    twin = pickle.loads(pickle.dumps(net))
    assert twin.optimizer == net.optimizer
    twin.reset()
    assert isinstance(twin.optimizer.learning_rate, schedules.Cosine)  # the optimizer that was set


def test_a_plain_network_has_no_attributes_but_its_own(network_class):
    """All attributes that `Network` sets are listed, so that copies rebuild them and share none."""
    net = network_class([3, 4, 1], seed=0)
    net.fit(*data())
    net.adapt(data()[0])
    assert set(vars(net)) == NETWORKS_OWN


class Noted(fastbp.Network):
    """A subclass with attributes, and a constructor of its own."""

    def __init__(self, units, notes):
        super().__init__([3, units, 1], seed=0)
        self.notes = notes


class Slotted(fastbp.Network):
    """A subclass with an attribute that is not in its `__dict__`."""

    __slots__ = ("note",)


@pytest.mark.parametrize("how", COPIES.values(), ids=COPIES)
def test_attributes_in_slots(how):
    net = Slotted([3, 4, 1], seed=0)
    assert not hasattr(how(net), "note")
    net.note = ["first"]
    assert how(net).note == ["first"]


@pytest.mark.parametrize("name", COPIES)
def test_attributes_of_a_subclass(name):
    net = Noted(4, ["first"])
    twin = COPIES[name](net)
    assert type(twin) is Noted
    assert twin.notes == ["first"]
    twin.notes.append("of the twin")
    assert net.notes == (["first", "of the twin"] if name == "copy" else ["first"])


@pytest.mark.parametrize("how", [COPIES["clone"], COPIES["deepcopy"], COPIES["pickle"]])
def test_attributes_that_lead_back_to_the_network(how):
    net = Noted(4, [])
    net.notes.append(net)
    twin = how(net)
    assert twin is not net
    assert twin.notes == [twin]


class Tagged(Noted):
    """A subclass whose pickles have their own format."""

    def __getstate__(self):
        return "tagged", super().__getstate__()

    def __setstate__(self, state):
        super().__setstate__(state[1])


def test_clone_of_a_subclass_with_a_state_of_its_own():
    net = Tagged(4, ["first"])
    twin = net.clone()
    assert twin.notes == ["first"]
    assert twin.notes is not net.notes
    np.testing.assert_array_equal(twin.parameters, net.parameters)


def test_a_state_that_does_not_fit_changes_nothing(network_class, state_of):
    net, other = network_class([3, 4, 1], seed=0), network_class([3, 5, 1], seed=0)
    before, state = state_of(net), net.__getstate__()
    for part, wrong in {
        "numbers": other.__getstate__()["numbers"],
        "history": [],
        "scaling": (np.zeros(2), np.ones(2)),
        "architecture": other.__getstate__()["architecture"],
    }.items():
        with pytest.raises(fastbp.Error):
            net.__setstate__(state | {part: wrong})
        assert state_of(net) == before
    with pytest.raises(fastbp.DataError, match="not that of a network: KeyError: 'numbers'"):
        net.__setstate__({name: value for name, value in state.items() if name != "numbers"})


def test_a_state_is_not_set_during_a_fit(network_class):
    net = network_class([3, 4, 1], seed=0)
    state = net.__getstate__()
    with pytest.raises(fastbp.BusyError, match="setting the state while fit"):
        net.fit(*data(), callbacks=lambda s: s.network.__setstate__(state))
