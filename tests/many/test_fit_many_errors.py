"""Errors of one network among many, and networks that are in use."""

import threading

import numpy as np
import pytest

import fastbp
from fastbp import BusyError, DivergenceError
from fastbp.callbacks import EarlyStopping
from helpers.inside import state_of

RNG = np.random.default_rng(5)
X = RNG.normal(size=(30, 3))
Y = RNG.normal(size=(30, 1))


def make(n=3, **options):
    return [fastbp.Network([3, 4, 1], dtype="float64", seed=seed, **options) for seed in range(n)]


def losses(result):
    assert isinstance(result, fastbp.History), result
    return result.loss


@pytest.fixture(params=[1, 2], autouse=True)
def threads(request):
    """One thread, then two."""
    with fastbp.threads(request.param):
        yield request.param


@pytest.fixture
def alone():
    """The losses of each network's own fit."""
    return [net.fit(X, Y, epochs=4).loss for net in make()]


def test_a_wrong_argument_is_the_result_of_its_network(alone):
    nets = make()
    before = state_of(nets[1])
    for name, values in {
        "epochs": [4, 0, 4],
        "class_weight": [None, "balanced", None],
        "callbacks": [(), "no", ()],
        "resume": [None, 5, None],
        "verbose": 0,
    }.items():
        nets = make()
        results = fastbp.fit_many(nets, X, Y, **{"epochs": 4} | {name: values})
        assert [losses(results[i]) for i in (0, 2)] == [alone[0], alone[2]]
        if name != "verbose":
            assert isinstance(results[1], (fastbp.Error, ValueError, TypeError)), name
            assert name in str(results[1])
            assert state_of(nets[1]) == before


def test_wrong_data_are_the_result_of_their_network(alone):
    bad = X.copy()
    bad[3, 1] = np.nan
    results = fastbp.fit_many(make(), [X, bad, X], Y, epochs=4)
    assert isinstance(results[1], fastbp.DataError)
    assert "X[3, 1]" in str(results[1])
    assert [losses(results[i]) for i in (0, 2)] == [alone[0], alone[2]]


def test_a_divergence_is_the_result_of_its_network(alone):
    nets = make()
    nets[1].optimizer = fastbp.SGD(1e200)
    twin = nets[1].clone()
    results = fastbp.fit_many(nets, X, Y, epochs=4)
    with pytest.raises(DivergenceError) as caught:
        twin.fit(X, Y, epochs=4)
    assert type(results[1]) is DivergenceError
    assert str(results[1]) == str(caught.value)
    assert nets[1].history.stopped == "diverged"
    assert nets[1].parameters.tobytes() == twin.parameters.tobytes()
    assert [losses(results[i]) for i in (0, 2)] == [alone[0], alone[2]]


def test_an_error_of_a_callback_is_the_result_of_its_network(alone):
    def fail(state):
        if state.epoch == 2:
            raise KeyError("no")

    nets = make()
    results = fastbp.fit_many(nets, X, Y, epochs=4, callbacks=[(), fail, ()])
    assert type(results[1]) is KeyError
    assert (len(nets[1].history), nets[1].history.stopped) == (3, "interrupted")
    assert nets[1].history.loss == alone[1][:3]
    assert [losses(results[i]) for i in (0, 2)] == [alone[0], alone[2]]


def test_after_an_error_the_best_epoch_is_restored():
    def fail(state):
        if state.epoch == 3:
            raise KeyError("no")

    nets, twins = make(2), make(2)
    for net in nets + twins:
        net.optimizer = fastbp.SGD(1.0)
    stop = EarlyStopping("loss", 9, restore_best=True)
    (result, _) = fastbp.fit_many(nets, X, Y, epochs=9, callbacks=[(stop, fail), ()])
    with pytest.raises(KeyError) as caught:
        twins[0].fit(X, Y, epochs=9, callbacks=(stop, fail))
    assert result.__notes__ == caught.value.__notes__
    assert nets[0].parameters.tobytes() == twins[0].parameters.tobytes()


def test_an_error_in_a_python_loss_lets_the_next_network_begin():
    def fail(output, target):
        raise ValueError("no")

    nets = [*make(3, loss=fail), *make(3)]
    results = fastbp.fit_many(nets, X, Y, epochs=2)
    assert [type(result) for result in results] == [ValueError] * 3 + [fastbp.History] * 3


# ---- networks in use ---------------------------------------------------------------------------------------


def begins_first(call):
    """A callback that calls something at the end of the first epoch."""

    def callback(state):
        if state.epoch == 0:
            call()

    return callback


def stops_after(done):
    """A callback that ends its fit, after four epochs or more, when something is done, so not before."""

    def callback(state):
        if done and state.epoch >= 3:
            state.stop("done")

    return callback


@pytest.mark.parametrize("other", [1, 2])
def test_a_callback_cannot_train_a_network_of_the_call(alone, other):
    """Not even one that has not begun; there is no deadlock."""
    nets, tried = make(), []

    def train():
        tried.append(other)
        nets[other].fit(X, Y)

    callbacks = [begins_first(train), stops_after(tried), stops_after(tried)]
    results = fastbp.fit_many(nets, X, Y, epochs=[4, 10**6, 10**6], callbacks=callbacks)
    assert type(results[0]) is BusyError
    assert "fit_many of this network is under way" in str(results[0])
    assert losses(results[other])[:4] == alone[other]


def test_fit_many_in_a_callback(alone):
    nets, extra, inner = make(), make(1), []
    again = begins_first(lambda: inner.extend(fastbp.fit_many([*nets, *extra], X, Y, epochs=4)))
    callbacks = [again, stops_after(inner), stops_after(inner)]
    results = fastbp.fit_many(nets, X, Y, epochs=[4, 10**6, 10**6], callbacks=callbacks)
    assert [losses(result)[:4] for result in results] == alone
    assert [type(result) for result in inner] == [BusyError] * 3 + [fastbp.History]
    assert losses(inner[3]) == alone[0]


def test_a_callback_may_read_all_networks(alone):
    nets, seen = make(), []

    def read(state):
        seen.append([net.predict(X[:2]) for net in nets])

    assert [*map(losses, fastbp.fit_many(nets, X, Y, epochs=4, callbacks=read))] == alone
    assert len(seen) == 12


def test_a_network_that_another_thread_trains(alone):
    nets, begun, over = make(), threading.Event(), threading.Event()

    def wait(state):
        begun.set()
        over.wait(60)

    thread = threading.Thread(target=nets[1].fit, args=(X, Y), kwargs={"callbacks": wait})
    thread.start()
    begun.wait(60)
    try:
        results = fastbp.fit_many(nets, X, Y, epochs=4)
    finally:
        over.set()
        thread.join(60)
    assert type(results[1]) is BusyError
    assert "fit_many while fit of this network is under way" in str(results[1])
    assert [losses(results[i]) for i in (0, 2)] == [alone[0], alone[2]]


def test_networks_are_free_afterwards():
    nets = make()
    fastbp.fit_many(nets, X, Y, epochs=[1, 0, 1])
    for net in nets:
        net.fit(X, Y)


# ---- max_seconds -------------------------------------------------------------------------------------------


def test_networks_that_have_not_begun_stay_as_they_are():
    nets = make()
    before = [state_of(net) for net in nets]
    results = fastbp.fit_many(nets, X, Y, max_seconds=1e-9)
    assert [(len(result), result.stopped) for result in results] == [(0, "max_seconds")] * 3
    assert [state_of(net) for net in nets] == before


def test_fits_under_way_stop_at_the_end_of_their_epoch():
    nets = make(8)
    results = fastbp.fit_many(nets, X, Y, epochs=10**8, max_seconds=0.1)
    assert {result.stopped for result in results} == {"max_seconds"}
    assert len(results[0]) > 0
    assert len(results[-1]) == 0
    twin = make(1)[0]
    twin.fit(X, Y, epochs=len(results[0]))
    assert nets[0].parameters.tobytes() == twin.parameters.tobytes()


def test_a_network_that_waits_for_another_one_does_not_begin():
    def loss(output, target):
        error = output - target
        return 0.5 * float((error * error).sum()), error

    nets = make(2, loss=loss)
    results = fastbp.fit_many(nets, X, Y, epochs=10**8, max_seconds=0.05)
    assert [result.stopped for result in results] == ["max_seconds"] * 2
    assert len(results[0]) > 0
    assert len(results[1]) == len(nets[1].history) == 0
