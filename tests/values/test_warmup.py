"""Warm-up before a number, a schedule, or a function of the epoch."""

import math
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest

import fastbp
from fastbp import Adam, ParameterError
from fastbp.callbacks import ReduceLROnPlateau
from fastbp.schedules import Constant, Cosine, Exponential, InverseScaling, OneCycle, Step, Warmup
from helpers.inside import engine_of, schedule_of


def falling(epoch):
    return 0.05 / (1 + epoch)


def make(network_class, rate, **keywords):
    return network_class([3, 8, 2], activation="tanh", optimizer=fastbp.SGD(rate), seed=1, **keywords)


@pytest.fixture
def data(rng):
    return rng.normal(size=(20, 3)), rng.normal(size=(20, 2))


def test_it_is_the_warmup_of_a_cosine():
    """To the last bit."""
    warm, cosine = Warmup(Cosine(0.3, 40, 0.01), 9), Cosine(0.3, 40, 0.01, warmup=9)
    assert [warm(k) for k in range(60)] == [cosine(k) for k in range(60)]


def test_no_steps_are_no_warmup(network_class, data, state_of):
    nets = [make(network_class, rate) for rate in (0.01, Warmup(0.01, steps=0))]
    for net in nets:
        net.fit(*data, epochs=3, batch_size=6)
    assert state_of(nets[0])[:2] == state_of(nets[1])[:2]


@pytest.mark.parametrize(
    "following", [0.1, Step(0.1, 3), Exponential(0.1, 0.9), InverseScaling(0.1), OneCycle(0.1, 20)], ids=repr
)
@pytest.mark.parametrize("epochs", [3, 1100])  # the columns of a history compute so many when they are read
def test_the_history_has_the_rates_of_the_last_steps(following, epochs, network_class, data):
    """Four steps per epoch; the warm-up ends within an epoch."""
    schedule = Warmup(following, steps=6)
    net = make(network_class, schedule)
    history = net.fit(*data, epochs=epochs, batch_size=6)
    assert history.learning_rate == [schedule(4 * epoch + 3) for epoch in range(epochs)]
    assert net.learning_rate == pytest.approx(schedule(4 * epochs), rel=1e-14)


@pytest.mark.parametrize("start", [0, 2, 6, 7, 20])
@pytest.mark.parametrize("step", [1, 4, 7])
def test_rates_of_a_range_are_those_of_its_steps(start, step):
    schedule = Warmup(Exponential(0.1, 0.9), steps=6)
    steps = range(start, 30, step)
    assert schedule.rates(steps) == [schedule(k) for k in steps]


# ---- functions of the epoch --------------------------------------------------------------------------------


def test_a_function_of_the_epoch_may_follow(network_class, data):
    """Each rate is that of the present epoch, lower in the first six steps."""
    net = make(network_class, Warmup(falling, steps=6))
    assert net.learning_rate == pytest.approx(falling(0) / 7, rel=1e-15)
    history = net.fit(*data, epochs=3, batch_size=6)
    assert history.learning_rate == pytest.approx([falling(0) * 4 / 7, falling(1), falling(2)], rel=1e-15)
    assert pickle.loads(pickle.dumps(net)).learning_rate == net.learning_rate
    net.reset()
    assert net.learning_rate == pytest.approx(falling(0) / 7, rel=1e-15)


def test_every_step_takes_the_rate_of_its_epoch(network_class):
    """On a slope of 1, one step per epoch."""
    net = network_class([1, 1], loss="half_sse", optimizer=fastbp.SGD(Warmup(falling, 3)), dtype="float64")
    taken = []
    for _ in range(6):
        before = net.biases[0][0]
        net.fit([[0.0]], [[before - 1.0]])
        taken.append(before - net.biases[0][0])
    assert taken == pytest.approx([falling(k) * min((k + 1) / 4, 1) for k in range(6)], rel=1e-12)


def test_it_may_fall_to_nothing(network_class, data):
    net = make(network_class, Warmup(lambda epoch: 0.1 if epoch < 2 else 0, steps=2))
    assert net.fit(*data, epochs=3).learning_rate[-1] == 0


@pytest.mark.parametrize("value", [-0.1, math.nan, "0.1"])
def test_what_a_function_returns_is_checked(value, network_class, data):
    net = make(network_class, Warmup(lambda epoch: 0.05 if epoch < 2 else value, steps=3))
    with pytest.raises(ParameterError) as error:
        net.fit(*data, epochs=5)
    assert str(error.value) == f"learning_rate(2) is {value!r}, expected a finite number >= 0"


def test_a_function_has_no_rate_by_the_step():
    with pytest.raises(ParameterError, match=r"^learning_rate is <function falling .* in a Warmup, expected"):
        Warmup(falling, 3)(0)


# ---- errors, and setting the rate --------------------------------------------------------------------------


def test_two_warmups_are_refused():
    message = "learning_rate is Warmup(learning_rate=0.1, steps=3), expected one without a warm-up"
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        Warmup(Warmup(0.1, 3), 5)


class Halving(Constant):
    """A schedule that would need an engine to call it."""

    def __call__(self, step):
        return self.learning_rate / 2**step


class Longer(Warmup):
    """A warm-up of another kind."""

    def __call__(self, step):
        return super().__call__(step // 2)


@pytest.mark.parametrize("rate", [Warmup(Halving(0.1), 3), Longer(0.1, 3)], ids=repr)
def test_engines_refuse_what_they_do_not_know(rate, network_class):
    with pytest.raises(ParameterError, match=r"^learning_rate is .*of their table$"):
        make(network_class, rate)


@pytest.mark.parametrize(
    "rate",
    [Warmup(1e-50, 3), Warmup(Constant(1e-50), 3), Warmup(1e-44, 50), Warmup(Step(1e-50, 3), 3)],
    ids=repr,
)
def test_rates_that_float32_cannot_hold_are_refused(rate, network_class):
    make(network_class, rate, dtype="float64")
    with pytest.raises(ParameterError, match="float32"):
        make(network_class, rate)


def test_setting_the_rate_ends_the_warmup(network_class, data):
    net = make(network_class, Warmup(0.1, steps=100))
    net.fit(*data)
    net.learning_rate = 0.02
    assert (net.learning_rate, net.optimizer) == (0.02, fastbp.SGD(0.02))
    net.reset()
    assert net.optimizer == fastbp.SGD(Warmup(0.1, steps=100))
    plateau = ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=1e9)
    assert net.fit(*data, epochs=3, callbacks=plateau).learning_rate[-1] < 0.1 / 101 * 20


def test_a_snapshot_brings_the_warmup_back(network_class, data):
    net = make(network_class, Warmup(Step(0.01, every=12, factor=1e30), steps=4))
    with pytest.raises(fastbp.DivergenceError), np.errstate(all="ignore"):
        net.fit(*data, epochs=1000, batch_size=5)
    assert net.learning_rate <= 0.01
    assert net.learning_rate == pytest.approx(schedule_of(net)(engine_of(net).t))


def test_it_is_a_value():
    assert Adam(Warmup(falling, 3)) == pickle.loads(pickle.dumps(Adam(Warmup(falling, 3)))) != Adam(falling)
    assert replace(Warmup(0.1, 3), steps=4) == Warmup(0.1, 4)
    assert repr(Warmup(Step(0.1, 3), 2)) == (
        "Warmup(learning_rate=Step(learning_rate=0.1, every=3, factor=0.1), steps=2)"
    )
