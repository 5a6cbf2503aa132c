"""The time limit of a fit."""

from time import perf_counter, sleep

import numpy as np
import pytest

import fastbp
from fastbp._training import array_data, fit


class Clock:
    """A clock that only moves when it is told to, or by a little at each look."""

    def __init__(self, tick=0.0):
        self.now, self.tick = 1000.0, tick

    def __call__(self):
        self.now += self.tick
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The clock of the fit loop, at rest."""
    clock = Clock()
    monkeypatch.setattr(fit, "perf_counter", clock)
    return clock


def test_it_stops_after_the_first_epoch_that_ends_later(make, data, clock):
    def work(state):
        clock.now += 0.25

    net = make()
    history = net.fit(*data, epochs=100, max_seconds=1.0, callbacks=work)
    assert history.stopped == net.history.stopped == "max_seconds"
    assert len(history) == 4
    history = make().fit(*data, epochs=100, max_seconds=1.1, callbacks=work)
    assert len(history) == 5


def test_a_limit_that_is_not_reached_changes_nothing(make, data):
    nets = make(), make()
    histories = nets[0].fit(*data, epochs=30, max_seconds=1e6), nets[1].fit(*data, epochs=30)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert histories[0].loss == histories[1].loss
    assert histories[0].stopped == histories[1].stopped == "epochs"


def test_an_epoch_is_never_cut_short(make, data):
    """Whatever the time: the network is one that was trained for whole epochs."""
    net, twin = make(), make()
    history = net.fit(*data, epochs=10**6, batch_size=1, max_seconds=1e-9)
    assert (len(history), history.stopped) == (1, "max_seconds")
    twin.fit(*data, epochs=1, batch_size=1)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    history = net.fit(*data, epochs=10**6, batch_size=1, max_seconds=0.03)
    twin.fit(*data, epochs=len(history), batch_size=1)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


@pytest.mark.parametrize(
    "options",
    [{}, {"validation_split": 0.2, "validation_every": 1000}, {"batch_size": 4, "verbose": 1}],
    ids=["alone", "validated", "shown"],
)
def test_short_epochs_do_not_overshoot(data, options, capfd):
    net = fastbp.Network([4, 5, 2], seed=3)
    net.fit(*data, epochs=2)
    took = []
    for _ in range(5):  # the machine may be busy
        start = perf_counter()
        history = net.fit(*data, epochs=10**8, max_seconds=0.05, **options)
        took.append(perf_counter() - start)
        assert history.stopped == "max_seconds"
    assert 0.05 <= min(took) < 0.06


def test_the_slices_end_with_the_time(make, data, monkeypatch, clock):
    """A run is given no more than the time that is left, and then the end of its epoch."""
    asked = []
    net = make()
    begin = net._model.trainer.begin

    class Spy:
        def __init__(self, run):
            self._run = run

        def __getattr__(self, name):
            return getattr(self._run, name)

        def advance(self, until, seconds):
            asked.append((until - self._run.epoch, seconds))
            clock.now += 0.008
            return self._run.advance(until, 0.0)

    monkeypatch.setattr(
        array_data, "begin_of", lambda *args: lambda *args, **options: Spy(begin(*args, **options))
    )
    net.fit(*data, epochs=50, batch_size=4, max_seconds=0.03)
    assert [until for until, _ in asked[:4]] == [50] * 4
    np.testing.assert_allclose([seconds for _, seconds in asked[:4]], [0.02, 0.02, 0.014, 0.006])
    assert asked[4:] == [(1, fit.SLICE)] * 2  # 23 rows are six batches of 4


def test_callbacks_and_other_reasons_come_first(make, data, clock):
    def stop(state):
        clock.now += 1
        state.stop("mine")

    def work(state):
        clock.now += 1

    assert make().fit(*data, epochs=5, max_seconds=0.5, callbacks=stop).stopped == "mine"
    assert make().fit(*data, epochs=1, max_seconds=0.5, callbacks=work).stopped == "epochs"


def test_the_last_epoch_is_validated(make, data, clock):
    def work(state):
        clock.now += 0.25

    net = make()
    history = net.fit(
        *data, epochs=100, max_seconds=1.6, callbacks=work, validation_data=data, validation_every=50
    )
    assert len(history) == 7
    assert history.validation_loss[-1] == net.evaluate(*data)["loss"]
    assert np.isnan(history.validation_loss[:-1]).all()


@pytest.mark.parametrize("kind", ["custom loss", "Levenberg-Marquardt", "rate of the epoch", "full batch"])
def test_it_goes_with_everything(network_class, data, kind):
    def custom_loss(output, target):
        sleep(0.001)
        return float(((output - target) ** 2).mean()), 2 * (output - target) / output.size

    options = {
        "custom loss": {"loss": custom_loss},
        "Levenberg-Marquardt": {"optimizer": fastbp.LevenbergMarquardt(bayesian=True)},
        "rate of the epoch": {"optimizer": fastbp.SGD(lambda epoch: 0.01)},
        "full batch": {"optimizer": fastbp.IRprop()},
    }
    net = network_class([4, 5, 2], activation="tanh", dtype="float64", seed=3, **options[kind])
    batch = {"batch_size": 8 if kind in ("custom loss", "rate of the epoch") else None}
    history = net.fit(*data, epochs=10**7, max_seconds=0.03, **batch)
    assert history.stopped in ("max_seconds", "converged" if "Leven" in kind else "")
    assert len(history) == len(net.history) > 0
