"""Callbacks: what they see and may do, and when they stop a fit."""

import threading
from contextlib import nullcontext

import numpy as np
import pytest

import fastbp
from fastbp import SGD, BusyError, Error, ParameterError
from fastbp.callbacks import EarlyStopping
from helpers.callbacks import stop_after


class Recorder:
    """An object that is a callback: notes what it sees."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, state):
        self.seen.append((state.epoch, state.epochs, state.metrics, len(state.history)))


# ---- what a callback sees and does -------------------------------------------------------------------------


def test_it_is_called_after_every_epoch(make, data):
    net, recorder = make(), Recorder()
    history = net.fit(*data, epochs=4, validation_data=data, callbacks=recorder)
    assert [(epoch, epochs, n) for epoch, epochs, _, n in recorder.seen] == [(i, 4, i + 1) for i in range(4)]
    for epoch, (_, _, measured, _) in enumerate(recorder.seen):
        for name in ("loss", "validation_loss", "validation_r2", "learning_rate"):
            assert measured[name] == history[name][epoch]


@pytest.mark.parametrize("many", [list, tuple])
def test_several_are_called_in_order(make, data, many):
    calls = []
    make().fit(*data, callbacks=many([lambda state: calls.append(1), lambda state: calls.append(2)]))
    assert calls == [1, 2]


def test_it_may_predict_evaluate_and_clone(make, data):
    net, twin = make(), make()
    clones = []

    def look(state):
        assert state.network is net
        np.testing.assert_array_equal(net.predict(data[0]), net.clone().predict(data[0]))
        assert net.evaluate(*data)["loss"] == state.metrics["validation_loss"]
        clones.append(net.clone())

    net.fit(*data, epochs=3, validation_data=data, callbacks=look)
    twin.fit(*data, epochs=3, validation_data=data)
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    np.testing.assert_array_equal(clones[-1].parameters, net.parameters)
    clones[0].fit(*data)


CHANGES = {
    "fit": lambda net, X, y: net.fit(X, y),
    "train_on_batch": lambda net, X, y: net.train_on_batch(X, y),
    "forward": lambda net, X, y: net.forward(X),
    "reset": lambda net, X, y: net.reset(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_it_may_not_change_the_network(make, data, change):
    net, twin = make(), make()
    with pytest.raises(BusyError, match="while fit of this network is under way"):
        net.fit(*data, epochs=3, callbacks=lambda state: change(state.network, *data))
    twin.fit(*data)
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_another_thread_may_not_read_meanwhile(make, data):
    errors = []

    def read(state):
        try:
            state.network.evaluate(*data)
        except BusyError as error:
            errors.append(error)

    def look(state):
        thread = threading.Thread(target=read, args=(state,))
        thread.start()
        thread.join()

    make().fit(*data, callbacks=look)
    assert len(errors) == 1


def test_it_may_set_the_learning_rate(make, data):
    net, twin = make(optimizer=SGD(momentum=0.5)), make(optimizer=SGD(momentum=0.5))

    def halve(state):
        state.learning_rate /= 2

    history = net.fit(*data, epochs=3, callbacks=halve)
    assert history.learning_rate == [0.01, 0.005, 0.0025]
    assert net.learning_rate == 0.00125
    for rate in history.learning_rate:
        twin.learning_rate = rate
        twin.fit(*data)
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    with pytest.raises(ParameterError, match="learning_rate is 0"):
        net.fit(*data, callbacks=lambda state: setattr(state, "learning_rate", 0))


SETTINGS = {
    "setting the learning rate": lambda state: setattr(state, "learning_rate", 0.5),
    "keep": lambda state: state.keep(),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_other_thread_may_set_anything(make, data, state_of, setting):
    errors = []

    def change(state):
        try:
            SETTINGS[setting](state)
        except BusyError as error:
            errors.append(str(error))

    def look(state):
        thread = threading.Thread(target=change, args=(state,))
        thread.start()
        thread.join()

    net, twin = make(), make()
    net.fit(*data, epochs=2, callbacks=look)
    twin.fit(*data, epochs=2)
    assert [error.startswith(setting) for error in errors] == [True, True]
    assert state_of(net) == state_of(twin)


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("setting", SETTINGS)
def test_nor_may_anyone_after_the_fit(make, data, state_of, setting, raises):
    states = []

    def look(state):
        states.append(state)
        if raises:
            raise KeyError

    net = make()
    with pytest.raises(KeyError) if raises else nullcontext():
        net.fit(*data, callbacks=look)
    before = state_of(net)
    with pytest.raises(Error, match=f"{setting} of a fit that is over"):
        SETTINGS[setting](states[0])
    assert state_of(net) == before


def test_it_makes_no_difference_to_the_training(make, data, state_of):
    net, twin = make(), make()
    net.fit(*data, epochs=5, callbacks=Recorder())
    twin.fit(*data, epochs=5)
    assert state_of(net) == state_of(twin)


# ---- stopping ----------------------------------------------------------------------------------------------


def test_it_may_stop(make, data, state_of):
    net, twin = make(), make()
    history = net.fit(*data, epochs=100, callbacks=stop_after(3))
    twin.fit(*data, epochs=3)
    assert (len(history), history.stopped) == (3, "callback")
    assert state_of(net) == state_of(twin)


def test_the_first_reason_counts_and_all_are_called(make, data):
    recorder = Recorder()
    callbacks = [stop_after(2, "enough"), stop_after(2), recorder]
    history = make().fit(*data, epochs=9, callbacks=callbacks)
    assert history.stopped == "enough"
    assert len(recorder.seen) == 2
    assert make().fit(*data, epochs=2, callbacks=stop_after(2)).stopped == "callback"


def test_one_that_raises_leaves_complete_epochs(make, data, state_of):
    net, twin = make(), make()

    def fail(state):
        if state.epoch == 2:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        net.fit(*data, epochs=9, validation_data=data, callbacks=fail)
    twin.fit(*data, epochs=3, validation_data=data)
    assert state_of(net) == state_of(twin)
    assert net.history.stopped == "interrupted"
    assert len(net.history) == 3
    net.fit(*data)


class KerasNames:
    def on_epoch_end(self, state):
        pass

    def on_train_begin(self, state):
        pass


REFUSED = {
    "hooks of another library": (
        KerasNames(),
        r"callbacks\[0\] has a method on_train_begin, expected on_fit_begin",
    ),
    "a number": (3, r"callbacks\[0\] is 3, expected a function"),
    "a class": ([EarlyStopping], r"callbacks\[0\] is <class .*EarlyStopping"),
    "a name": ([print, "tqdm"], r"callbacks\[1\] is 'tqdm'"),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_callback_is_refused(make, data, state_of, given, message):
    net = make()
    before = state_of(net)
    with pytest.raises(ParameterError, match=message):
        net.fit(*data, callbacks=given)
    assert state_of(net) == before


def test_no_callbacks(make, data):
    net, twin = make(), make()
    assert net.fit(*data, epochs=2, callbacks=None).loss == twin.fit(*data, epochs=2, callbacks=()).loss


def test_every_call_of_stop_stops(network_class):
    for reason, stopped in (("enough", "enough"), ("", "callback")):
        net = network_class([1, 1])
        history = net.fit([[0.5]], [1.0], epochs=3, callbacks=lambda state, r=reason: state.stop(r))
        assert (len(history), history.stopped) == (1, stopped)
    for reason in (None, 3):
        with pytest.raises(fastbp.ParameterError, match=f"reason is {reason}, expected a string"):
            network_class([1, 1]).fit([[0.5]], [1.0], callbacks=lambda state, r=reason: state.stop(r))
