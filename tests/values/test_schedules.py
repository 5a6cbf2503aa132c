"""Learning rates: schedules by the step, functions of the epoch, and setting one by hand."""

import copy
import math
import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import fastbp
from fastbp import Adam, BusyError, DivergenceError, ParameterError, _core
from fastbp.schedules import Constant, Cosine, Exponential, InverseScaling, OneCycle, Schedule, Step, Warmup
from helpers.inside import engine_of, schedule_of
from helpers.names import name_of
from helpers.pytorch import assert_same_parameters, model_of

SCHEDULES = [
    Constant(0.1),
    Step(0.1, every=7),
    Step(0.1, every=1, factor=1.01),
    Exponential(0.1, decay=0.97),
    Exponential(0.1, decay=0.5, every=20),
    InverseScaling(0.1),
    InverseScaling(0.1, power=1),
    Cosine(0.1, steps=50),
    Cosine(0.1, steps=40, final=0.01, warmup=9),
    Cosine(0.1, steps=9, growth=1),
    Cosine(0.1, steps=9, final=0.001, warmup=4, growth=2),
    Cosine(0.1, steps=1, growth=3),
    OneCycle(0.1, steps=60),
    OneCycle(0.1, steps=60, warmup_share=0.1, start_divisor=5, final_divisor=10),
    OneCycle(0.1, steps=60, warmup_share=0),
    OneCycle(0.1, steps=10, warmup_share=0.1),  # whose first step is the highest
    OneCycle(0.1, steps=1),
    Warmup(0.1, steps=9),
    Warmup(Constant(0.1), steps=1),
    Warmup(Step(0.1, every=7), steps=5),
    Warmup(Cosine(0.1, steps=9, final=0.001, warmup=2, growth=2), steps=4),
    Warmup(OneCycle(0.1, steps=20), steps=6),  # to the low rate where the cycle begins
    Warmup(InverseScaling(0.1), steps=0),
]
OPTIMIZERS = [fastbp.SGD(0.05, momentum=0.9), Adam(0.05)]


def falling(epoch):
    return 0.05 / (1 + epoch)


def make(network_class, optimizer, **keywords):
    return network_class([3, 8, 2], activation="tanh", optimizer=optimizer, seed=1, **keywords)


@pytest.fixture
def data(rng):
    return rng.normal(size=(20, 3)), rng.normal(size=(20, 2))


# ---- the values --------------------------------------------------------------------------------------------


def test_there_is_a_value_for_every_native_row():
    assert {kind.row for kind in Schedule.__subclasses__()} == {*_core.SCHEDULES, Warmup.row}
    assert {schedule.row for schedule in SCHEDULES} == {*_core.SCHEDULES, Warmup.row}
    assert fastbp.reference.schedules.SCHEDULES.keys() == set(_core.SCHEDULES)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_the_native_rows_are_the_twins(schedule):
    engine = engine_of(make(fastbp.Network, fastbp.SGD(schedule)))
    for step in (*range(300), 10**6, 2**53):
        engine.t = step
        assert engine.learning_rate == pytest.approx(schedule(step), rel=1e-14, abs=0)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (Step(0.8, every=2, factor=0.5), [0.8, 0.8, 0.4, 0.4, 0.2]),
        (Exponential(0.8, decay=0.25, every=2), [0.8, 0.4, 0.2, 0.1]),
        (InverseScaling(0.6, power=1), [0.6, 0.3, 0.2, 0.15]),
        (Cosine(0.8, steps=2), [0.8, 0.4, 0, 0, 0]),
        (Cosine(0.8, steps=2, final=0.2, warmup=3), [0.2, 0.4, 0.6, 0.8, 0.5, 0.2, 0.2]),
        (Cosine(0.8, steps=2, growth=1), [0.8, 0.4, 0.8, 0.4, 0.8]),
        (Cosine(0.8, steps=1, growth=2), [0.8, 0.8, 0.4, 0.8]),
        (Warmup(0.8, steps=3), [0.2, 0.4, 0.6, 0.8, 0.8]),
        (Warmup(Step(0.8, every=2, factor=0.5), steps=1), [0.4, 0.8, 0.8, 0.4, 0.4, 0.2]),
        (OneCycle(0.8, 5, 0.6, start_divisor=2, final_divisor=2), [0.4, 0.6, 0.8, 0.5, 0.2, 0.2]),
    ],
    ids=repr,
)
def test_rates_by_hand(schedule, rates):
    assert [schedule(step) for step in range(len(rates))] == pytest.approx(rates, rel=1e-15, abs=1e-17)


def test_powers_beyond_the_floats_are_infinite_or_nothing():
    assert Exponential(0.1, decay=2)(5000) == math.inf
    assert InverseScaling(0.1, power=1000)(5000) == 0.0


WHOLE = "expected an integer >= {} and < 9007199254740992"
BAD = [
    *[
        (kind, "learning_rate", "expected a finite number > 0")
        for kind in (Step, Exponential, Cosine, OneCycle)
    ],
    (InverseScaling, "learning_rate", "expected a finite number > 0"),
    (Constant, "learning_rate", "expected a finite number >= 0"),
    (Step, "every", WHOLE.format(1)),
    (Step, "factor", "expected a finite number > 0"),
    (Exponential, "decay", "expected a finite number > 0"),
    (Exponential, "every", WHOLE.format(1)),
    (InverseScaling, "power", "expected a finite number >= 0"),
    (Cosine, "steps", WHOLE.format(1)),
    (Cosine, "final", "expected a finite number >= 0"),
    (Cosine, "warmup", WHOLE.format(0)),
    (Cosine, "growth", WHOLE.format(1)),
    (OneCycle, "steps", WHOLE.format(1)),
    (Warmup, "learning_rate", "expected a finite number > 0"),
    (Warmup, "steps", WHOLE.format(0)),
    (OneCycle, "warmup_share", "expected a finite number >= 0 and < 1"),
    (OneCycle, "start_divisor", "expected a finite number > 0"),
    (OneCycle, "final_divisor", "expected a finite number > 0"),
]
GOOD = {"learning_rate": 0.1, "every": 1, "decay": 0.9, "steps": 9}


@pytest.mark.parametrize(("kind", "argument", "expected"), BAD)
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "1", True])
def test_bad_arguments_are_named(kind, argument, expected, value):
    needed = {name: GOOD[name] for name in kind.__dataclass_fields__ if name in GOOD}
    with pytest.raises(ParameterError) as error:
        kind(**needed | {argument: value})
    assert str(error.value) == f"{argument} is {value!r}, {expected}"


@pytest.mark.parametrize("value", [0, -0.1, math.nan, "0.1", None, True, Cosine, [0.1]])
def test_bad_learning_rates_are_named(value, network_class):
    net = make(network_class, fastbp.SGD(0.1))
    for attempt in (lambda: Adam(value), lambda: setattr(net, "learning_rate", value)):
        with pytest.raises(ParameterError) as error:
            attempt()
        assert str(error.value) == f"learning_rate is {value!r}, expected a finite number > 0"
    assert net.learning_rate == 0.1


# ---- training ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_every_step_takes_its_rate(schedule, dtype, network_class):
    """On a slope of 1: fused into the backward pass, from stored gradients, and for a custom loss."""
    exact = np.array([schedule(step) for step in range(12)])
    for steps in ("fused", "stored", "own"):
        net = network_class([1, 1], loss="half_sse", optimizer=fastbp.SGD(schedule), dtype=dtype, seed=0)
        net.parameters[:] = 0
        taken = []
        for _ in exact:
            before = net.biases[0][0]
            if steps == "own":
                net.forward([[0.0]])
                net.backward([[1.0]])
                net.step()
            else:
                target, gradient_tol = before - 1.0, {"fused": None, "stored": 1e-30}[steps]
                net.fit([[0.0]], [[target]], batch_size=None, gradient_tol=gradient_tol)
            taken.append(before - net.biases[0][0])
            net.parameters[:] = 0
        np.testing.assert_allclose(taken, exact, rtol={"float32": 1e-6, "float64": 1e-14}[dtype])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("schedule", [*SCHEDULES, falling, Warmup(falling, 6)], ids=name_of)
def test_a_fit_goes_on_where_the_last_one_ended(schedule, optimizer, network_class, data, state_of):
    """Two epochs and two are four, in bits; also through a pickle, and over another network's head."""
    whole, halves = (make(network_class, replace(optimizer, learning_rate=schedule)) for _ in range(2))
    whole.fit(*data, epochs=4, batch_size=6)
    halves.fit(*data, epochs=2, batch_size=6)
    loaded = pickle.loads(pickle.dumps(halves))
    assert (state_of(loaded), loaded.learning_rate) == (state_of(halves), halves.learning_rate)
    for net in (halves, loaded):
        net.fit(*data, epochs=2, batch_size=6)
        assert state_of(net)[:3] == state_of(whole)[:3]
        assert net.learning_rate == whole.learning_rate


def test_a_snapshot_brings_the_step_back(network_class, data):
    """After a divergence the schedule continues from the restored epoch."""
    net = make(network_class, fastbp.SGD(Step(0.01, every=12, factor=1e30)))
    with pytest.raises(DivergenceError), np.errstate(all="ignore"):
        net.fit(*data, epochs=1000, batch_size=5)
    assert len(net.history) < 4
    assert net.learning_rate == 0.01


# ---- a function of the epoch -------------------------------------------------------------------------------


def test_a_function_is_asked_once_an_epoch(network_class, data):
    asked = []

    def rate(epoch):
        asked.append(epoch)
        return falling(epoch)

    net = make(network_class, Adam(rate))
    assert net.learning_rate == falling(0)
    asked.clear()
    net.fit(*data, epochs=3, batch_size=6)
    assert net.learning_rate == falling(2)
    assert net.clone().learning_rate == copy.deepcopy(net).learning_rate == falling(2)
    net.fit(*data, epochs=2, batch_size=6)
    assert [epoch for epoch in asked if epoch] == [1, 2, 3, 4]
    assert net.learning_rate == falling(4)
    net.optimizer = "sgd"
    net.optimizer = Adam(rate)
    assert net.learning_rate == falling(5)
    net.reset()
    assert net.learning_rate == falling(0)


def test_a_function_is_like_a_schedule_of_whole_epochs(network_class, data):
    by_epoch = make(network_class, Adam(lambda epoch: 0.05 * 0.1 ** (epoch // 2)))
    by_step = make(network_class, Adam(Step(0.05, every=2 * 4)))
    for net in (by_epoch, by_step):
        net.fit(*data, epochs=5, batch_size=6)
    np.testing.assert_allclose(by_epoch.parameters, by_step.parameters, rtol=1e-6)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, "0.1", None])
def test_what_a_function_returns_is_checked(value, network_class, data, state_of):
    net = make(network_class, Adam(lambda epoch: 0.05 if epoch < 2 else value))
    with pytest.raises(ParameterError) as error:
        net.fit(*data, epochs=5, batch_size=6)
    assert str(error.value) == f"learning_rate(2) is {value!r}, expected a finite number >= 0"
    assert (len(net.history), net.history.stopped) == (2, "interrupted")
    twin = make(network_class, Adam(0.05))
    twin.fit(*data, epochs=2, batch_size=6)
    assert state_of(net)[:3] == state_of(twin)[:3]


def test_a_function_that_raises_changes_nothing(network_class, data, state_of):
    def broken(epoch):
        raise LookupError("no rate")

    net = make(network_class, Adam(0.05))
    net.fit(*data)
    before = state_of(net)
    with pytest.raises(LookupError):
        net.optimizer = Adam(broken)
    with pytest.raises(LookupError):
        make(network_class, Adam(broken))
    assert state_of(net) == before


def test_a_function_may_read_the_network_but_not_change_it(network_class, data):
    def rate(epoch):
        if epoch:
            assert np.isfinite(net.predict(data[0])).all()
            net.learning_rate = 0.1
        return 0.05

    net = make(network_class, Adam(rate))
    with pytest.raises(BusyError, match="setting the learning rate while fit"):
        net.fit(*data, epochs=2)


def test_optimizers_with_functions_are_values():
    assert Adam(falling) == pickle.loads(pickle.dumps(Adam(falling))) != Adam(0.05)
    assert hash(Adam(falling)) == hash(Adam(falling))
    assert replace(Adam(Cosine(0.1, 9)), epsilon=1e-6).learning_rate == Cosine(0.1, 9)


# ---- setting the rate --------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("first", [0.05, Step(0.05, every=1000), falling], ids=name_of)
def test_the_rate_can_be_set_between_fits(first, optimizer, network_class, data, state_of):
    """The optimizer's state and the count of its steps go on."""
    stepwise = make(network_class, replace(optimizer, learning_rate=Step(0.05, every=4, factor=0.5)))
    stepwise.fit(*data, epochs=2, batch_size=6)
    net = make(network_class, replace(optimizer, learning_rate=first))
    net.fit(*data, epochs=1, batch_size=6)
    net.learning_rate = 0.025
    assert net.learning_rate == 0.025
    assert net.optimizer == replace(optimizer, learning_rate=0.025)
    assert "learning_rate=0.025" in repr(net)
    assert state_of(pickle.loads(pickle.dumps(net))) == state_of(net) == state_of(net.clone())
    net.fit(*data, epochs=1, batch_size=6)
    assert state_of(net)[:3] == state_of(stepwise)[:3]
    net.reset()
    assert net.optimizer == replace(optimizer, learning_rate=first)


def test_setting_the_rate_keeps_the_gradients(network_class, data):
    net = make(network_class, Adam(0.05))
    net.forward(data[0])
    net.learning_rate = 0.01
    net.backward(data[1])
    before = net.gradients.copy()
    net.learning_rate = 0.02
    np.testing.assert_array_equal(net.gradients, before)
    net.step()


# ---- the same as PyTorch's ---------------------------------------------------------------------------------

N = 100
WARM = 8


TORCH = {
    "StepLR": (Step(0.1, every=30, factor=0.3), lambda lr, o: lr.StepLR(o, 30, 0.3)),
    "ExponentialLR": (Exponential(0.1, decay=0.97), lambda lr, o: lr.ExponentialLR(o, 0.97)),
    "CosineAnnealingLR": (Cosine(0.1, N, final=0.01), lambda lr, o: lr.CosineAnnealingLR(o, N, 0.01)),
    "CosineAnnealingWarmRestarts": (
        Cosine(0.1, 15, final=0.01, growth=1),
        lambda lr, o: lr.CosineAnnealingWarmRestarts(o, 15, eta_min=0.01),
    ),
    "CosineAnnealingWarmRestarts(T_mult=3)": (
        Cosine(0.1, 9, growth=3),
        lambda lr, o: lr.CosineAnnealingWarmRestarts(o, 9, T_mult=3),
    ),
    "OneCycleLR": (
        OneCycle(0.1, N),
        lambda lr, o: lr.OneCycleLR(o, 0.1, N, cycle_momentum=False),
    ),
    "OneCycleLR(...)": (
        OneCycle(0.1, N, warmup_share=0.45, start_divisor=10, final_divisor=20),
        lambda lr, o: lr.OneCycleLR(
            o, 0.1, N, pct_start=0.45, div_factor=10, final_div_factor=20, cycle_momentum=False
        ),
    ),
    "LinearLR, CosineAnnealingLR": (
        Cosine(0.1, N - WARM, final=0.01, warmup=WARM),
        lambda lr, o: lr.SequentialLR(
            o,
            [
                lr.LinearLR(o, 1 / (WARM + 1), total_iters=WARM),
                lr.CosineAnnealingLR(o, N - WARM, 0.01),
            ],
            [WARM],
        ),
    ),
    "LinearLR": (Warmup(0.1, WARM), lambda lr, o: lr.LinearLR(o, 1 / (WARM + 1), total_iters=WARM)),
    "LinearLR, ExponentialLR": (
        Warmup(Exponential(0.1, decay=0.97), WARM),
        lambda lr, o: lr.SequentialLR(
            o, [lr.LinearLR(o, 1 / (WARM + 1), total_iters=WARM), lr.ExponentialLR(o, 0.97)], [WARM]
        ),
    ),
    "LinearLR, StepLR": (
        Warmup(Step(0.1, every=30, factor=0.3), WARM),
        lambda lr, o: lr.SequentialLR(
            o, [lr.LinearLR(o, 1 / (WARM + 1), total_iters=WARM), lr.StepLR(o, 30, 0.3)], [WARM]
        ),
    ),
    "LambdaLR": (InverseScaling(0.1, power=0.7), lambda lr, o: lr.LambdaLR(o, lambda k: (k + 1) ** -0.7)),
    "LambdaLR, by epoch": (
        lambda epoch: 0.1 / (1 + epoch),
        lambda lr, o: lr.LambdaLR(o, lambda k: 1 / (1 + k)),
    ),
}


@cache
def course_in_torch(name, kind):
    """The losses and rates of 100 steps, and where they lead, for any number of engines to compare with."""
    import torch

    rng = np.random.default_rng(0)
    data, start = (rng.normal(size=(20, 3)), rng.normal(size=(20, 2))), rng.normal(size=3 * 8 + 8 + 8 * 2 + 2)
    net = make(fastbp.Network, "sgd", dtype="float64")
    net.parameters[:] = start
    model = model_of(torch, net)
    if kind == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = TORCH[name][1](torch.optim.lr_scheduler, optimizer)
    X, y = map(torch.tensor, data)
    losses, rates = [], []
    for _ in range(N):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(X), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return data, start, losses, rates, model


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("name", TORCH)
@pytest.mark.usefixtures("torch")
def test_training_is_pytorchs(name, kind, network_class):
    data, start, losses, rates, model = course_in_torch(name, kind)
    ours, _ = TORCH[name]
    optimizer = Adam(ours) if kind == "adam" else fastbp.SGD(ours, momentum=0.9)
    net = make(network_class, optimizer, loss="mse", dtype="float64")
    net.parameters[:] = start
    for loss, rate in zip(losses, rates, strict=True):
        history = net.fit(*data, batch_size=None)  # an epoch is a step
        assert history.loss[0] == pytest.approx(loss, rel=1e-9)
        assert schedule_of(net)(engine_of(net).t - 1) == pytest.approx(rate, rel=1e-9)
    assert_same_parameters(net, model)


class Halving(Constant):
    """A schedule that would need an engine to call it."""

    def __call__(self, step):
        return self.learning_rate / 2**step


class Unknown(Constant):
    row = "mine"


@pytest.mark.parametrize("kind", [Halving, Unknown])
def test_networks_refuse_schedules_that_the_engines_do_not_know(network_class, kind):
    with pytest.raises(ParameterError, match=rf"^learning_rate is {kind.__name__}\(.*function of the epoch"):
        network_class([3, 1], optimizer=Adam(kind(0.1)))
    net = network_class([3, 1])
    with pytest.raises(ParameterError, match=r"^learning_rate is .*of their table$"):
        net.optimizer = Adam(kind(0.1))
