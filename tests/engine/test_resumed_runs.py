"""Runs that are stopped after any step and resumed in another engine end in the same bits."""

import math
import random

import numpy as np
import pytest

import fastbp
from fastbp import Error, ParameterError, schedules
from fastbp._data.sample_weights import Weights
from helpers.inside import begun, engine_of, numbers_of
from helpers.odd_arrays import custom_loss
from helpers.problems import problem
from helpers.regularized import make
from helpers.tables import DTYPES

SIZES = {"narrow": (3, 5, 2), "wide": (7, 33, 3)}
EPOCHS = 3
WEIGHTS = np.array([0, 1, 2, 0.5, 0, 3, 1, 1, 0.25, 0, 1.5])  # of rows; some are left out
TARGET_WEIGHTS = {n: np.abs(np.sin(np.arange(11 * n))).reshape(11, n) for n in (2, 3)}

# options of the network, and of the run over 11 rows
CASES = {
    "in order": ({}, {"batch_size": 4, "shuffle": False}),
    "one batch, repeated": ({}, {"batch_size": 11, "shuffle": False}),
    "single rows": ({}, {"batch_size": 1}),
    "single rows in order": ({"optimizer": "sgd"}, {"batch_size": 1, "shuffle": False}),
    "stored": ({"optimizer": "nadam"}, {"batch_size": 4, "stored": True}),
    "later": ({"optimizer": "rmsprop"}, {"batch_size": 4, "first_epoch": 5}),
    "rows": ({}, {"batch_size": 3, "weights": "rows"}),
    "rows in order": ({}, {"batch_size": 3, "weights": "rows", "shuffle": False}),
    "blocks": ({}, {"batch_size": 3, "block_rows": 4}),
    "blocks of rows": ({}, {"batch_size": 3, "block_rows": 2, "weights": "rows"}),
    "weights": ({}, {"batch_size": 3, "weights": "weights"}),
    "weights of targets": ({"loss": "half_sse"}, {"batch_size": 3, "weights": "targets"}),
    "labels": ({"loss": "cross_entropy"}, {"batch_size": 4}),
    "dropout and noise": ({"option": "fused"}, {"batch_size": 4}),
    "all options": ({"option": "all", "optimizer": "radam"}, {"batch_size": 4}),
    "schedule": ({"schedule": True}, {"batch_size": 4}),
    "custom loss": ({"loss": custom_loss, "option": "dropout"}, {"batch_size": 4}),
    "average": ({"average": True}, {"batch_size": 4}),
    "average of single rows": ({"average": True, "option": "noise"}, {"batch_size": 1}),
}


class Case:
    """A network with data and a way to begin a run of it."""

    def __init__(self, net, X, y, *, averages=False, **run):
        self.net, self.X, self.y, self.averages = net, X, y, averages
        self.run = {"epochs": EPOCHS, "weights": None} | run

    def begin(self, net, average=None):
        """Return a run, and the average of the parameters, which goes on from the one that is given."""
        engine = engine_of(net)
        if self.averages:
            mean = np.zeros_like(net.parameters) if average is None else average.copy()
            engine.set_average(mean, 0.9, 0 if average is None else engine.t)
            average = mean
        return begun(net, self.X, self.y, **self.run), average

    def end(self, net, average):
        """Return all that a run leaves, as a value."""
        parameters, state, t, memory = numbers_of(net)
        others = [None if array is None else array.tobytes() for array in (memory, average)]
        return parameters.tobytes(), state.tobytes(), t, *others


def case_of(network_class, sizes, name, dtype):
    """Return a case of `CASES`, over 11 rows."""
    options, run = CASES[name]
    options = dict(options)
    loss, averages = options.get("loss", "mse"), options.pop("average", False)
    X, y = problem(sizes, 11, "mse" if callable(loss) else loss)
    if options.pop("schedule", False):
        options["optimizer"] = fastbp.Adam(schedules.Warmup(schedules.Cosine(0.01, 6), 3))
    rows = np.flatnonzero(WEIGHTS)
    weights = {
        None: None,
        "rows": Weights(None, rows),
        "weights": Weights(WEIGHTS, rows),
        "targets": Weights(TARGET_WEIGHTS[sizes[-1]], None),
    }
    net = make(network_class, sizes, options.pop("option", "none"), dtype=dtype, **options)
    return Case(net, X, y, averages=averages, **run | {"weights": weights[run.get("weights")]})


def straight(case):
    """Train without a stop; return what it leaves and the losses."""
    net = case.net.clone()
    run, average = case.begin(net)
    while run.epoch < len(run.losses):
        assert run.advance(len(run.losses), 60)
    return case.end(net, average), run.losses.tobytes()


def with_stops(case, gaps):
    """Train, and after so many steps each time go on in a new network; return the same as `straight`."""
    net, average, progress, epochs = case.net.clone(), None, (0, 0, 0.0, 0.0), case.run["epochs"]
    losses = np.zeros(epochs)
    while True:
        run, average = case.begin(net, average)
        run.resume(progress)
        assert run.progress == progress
        for _ in range(next(gaps)):
            if run.epoch == epochs:
                return case.end(net, average), losses.tobytes()
            before = run.epoch
            assert run.advance(epochs, 0)
            losses[before : run.epoch] = run.losses[before : run.epoch]
        progress, net = run.progress, net.clone()


def every_step():
    while True:
        yield 1


def random_gaps(seed):
    numbers = random.Random(seed)
    while True:
        yield numbers.randint(2, 7)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SIZES)
def test_native_runs(shape, dtype, isa):
    """Stopped after each step, and at random steps."""
    for i, name in enumerate(CASES):
        case = case_of(fastbp.Network, SIZES[shape], name, dtype)
        expected = straight(case)
        assert with_stops(case, every_step()) == expected, name
        assert with_stops(case, random_gaps(i)) == expected, name


@pytest.mark.parametrize("dtype", DTYPES)
def test_reference_runs(dtype):
    for i, name in enumerate(CASES):
        case = case_of(fastbp.reference.Network, SIZES["narrow"], name, dtype)
        expected = straight(case)
        assert with_stops(case, every_step()) == expected, name
        assert with_stops(case, random_gaps(i)) == expected, name


@pytest.mark.parametrize("threads", [1, 2])
def test_batches_of_several_blocks(threads, isa):
    """Products that threads share, blocks of rows at the same time, and a last batch of one block."""
    net = make(fastbp.Network, (60, 150, 3), "fused", dtype="float32")
    case = Case(net, *problem((60, 150, 3), 2500), batch_size=1100)
    with fastbp.threads(threads):
        expected = straight(case)
        assert with_stops(case, every_step()) == expected
    assert straight(case) == expected  # on any number of threads


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bayesian", [False, True])
def test_levenberg_marquardt(network_class, bayesian, dtype):
    """Damping and ridge go on, also in float32, where the memory has the weights before they were rounded."""
    X, y = problem((2, 4, 1), 40)
    optimizer = fastbp.LevenbergMarquardt(damping=1e-6, bayesian=bayesian)
    net = network_class([2, 4, 1], activation="tanh", dtype=dtype, seed=1, optimizer=optimizer)
    for weights in (None, Weights(None, np.flatnonzero(X[:, 0] > 0))):
        case = Case(net, X, y, batch_size=40, epochs=8, weights=weights)
        assert with_stops(case, every_step()) == straight(case)


def test_a_resumed_run_has_no_losses_of_earlier_epochs(network_class, data, make):
    run = begun(make(), *data, batch_size=8, epochs=3)
    run.resume((2, 1, 5.0, 8.0))
    assert (run.epoch, run.step, run.progress) == (2, 1, (2, 1, 5.0, 8.0))
    assert np.isnan(run.losses[:2]).all()
    assert run.advance(3, 60)
    assert math.isfinite(run.losses[2])
    assert run.progress == (3, 0, 0.0, 0.0)


def test_a_complete_run_has_nothing_left_to_do(network_class, data, make):
    for optimizer in ("adam", fastbp.LevenbergMarquardt()):
        net = make(optimizer=optimizer)
        before = net.parameters.copy()
        run = begun(net, *data, batch_size=8, epochs=3)
        run.resume((3, 0, 0.0, 0.0))
        assert run.advance(3, 60)
        assert run.epoch == 3
        np.testing.assert_array_equal(net.parameters, before)


def test_only_a_new_run_resumes(network_class, data, make):
    for optimizer in ("adam", fastbp.LevenbergMarquardt()):
        run = begun(make(optimizer=optimizer), *data, batch_size=8, epochs=3)
        run.resume((0, 0, 0.0, 0.0))
        run.advance(3, 0)
        with pytest.raises(Error, match="resume after the run has advanced"):
            run.resume((1, 0, 0.0, 0.0))


INTEGERS = [0, 1, 2, 3, 4, -1]
ODD = [2**31, 2**63, 2**64, 10**30, True, 0.0, 1.5, -0.5, 1e308, math.inf, math.nan, None, "1"]


def test_hostile_progress_is_refused(network_class, data, make):
    """Whatever it is, it is refused and changes nothing, or the run goes on to its end."""
    numbers = random.Random(0)
    hostile = [None, 3, "abcd", (), (0, 0, 0.0), (0, 0, 0.0, 0.0, 0.0), np.zeros(4), [1, 2, 3, 4]]
    hostile += [(*numbers.choices(INTEGERS, k=2), 1.0, 3.0) for _ in range(60)]
    hostile += [(1, 1, total, weight) for total in ODD for weight in ODD]
    hostile += [tuple(numbers.choices(INTEGERS + ODD, k=4)) for _ in range(300)]
    for optimizer, steps in (("adam", 3), (fastbp.LevenbergMarquardt(), 1)):
        net, allowed = make(optimizer=optimizer), 0
        for progress in hostile:
            run = begun(net, *data, batch_size=8, epochs=3)
            if is_possible(progress, steps):
                run.resume(progress)
                assert run.advance(3, 60)
                assert run.epoch == 3
                allowed += 1
            else:
                with pytest.raises(ParameterError, match=r"^progress is .*, expected .*, 0 to 3, and step"):
                    run.resume(progress)
                assert run.progress == (0, 0, 0.0, 0.0)
        assert 0 < allowed < 200


def is_possible(progress, steps):
    if not isinstance(progress, tuple) or [type(value) for value in progress] != [int, int, float, float]:
        return False
    epoch, step, total, weight = progress
    among = {(e, s) for e in range(3) for s in range(steps)} | {(3, 0)}
    return (epoch, step) in among and math.isfinite(total) and 0 <= weight < math.inf


# ---- what else of an engine goes on ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dropout", "noise"])
def test_a_seed_acts_on_later_steps(network_class, name):
    """Also if plans of the old seed exist."""
    X, y = problem((3, 5, 2), 12)
    nets = [make(network_class, (3, 5, 2), name, seed=seed) for seed in (3, 4)]
    for net in nets:
        net.parameters[:] = nets[0].parameters
        net.train_on_batch(X, y)
    assert nets[0].parameters.tobytes() != nets[1].parameters.tobytes()
    engine, other = map(engine_of, nets)
    assert engine.seed == 3
    engine.seed = other.seed
    engine.parameters[:], engine.state[:] = other.parameters, other.state
    losses = [net.train_on_batch(X, y) for net in nets]
    assert losses[0] == losses[1]
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
