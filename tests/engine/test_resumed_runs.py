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
    """A network and a way to begin a run of it."""

    def __init__(self, network_class, sizes, name, dtype):
        options, self.run = CASES[name]
        options = dict(options)
        self.averages = options.pop("average", False)
        loss = options.get("loss", "mse")
        self.X, self.y = problem(sizes, 11, "mse" if callable(loss) else loss)
        given = {
            "rows": Weights(None, np.flatnonzero(WEIGHTS)),
            "weights": Weights(WEIGHTS, np.flatnonzero(WEIGHTS)),
            "targets": Weights(TARGET_WEIGHTS[sizes[-1]], None),
        }
        self.run = self.run | {"weights": given.get(self.run.get("weights")), "epochs": EPOCHS}
        if options.pop("schedule", False):
            options["optimizer"] = fastbp.Adam(schedules.Warmup(schedules.Cosine(0.01, 6), 3))
        self.net = make(network_class, sizes, options.pop("option", "none"), dtype=dtype, **options)

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
        arrays = [array if array is None else array.tobytes() for array in (parameters, state, memory, average)]
        return *arrays, t


def straight(case):
    """Train without a stop; return what it leaves and the losses."""
    net = case.net.clone()
    run, average = case.begin(net)
    while run.epoch < EPOCHS:
        assert run.advance(EPOCHS, 60)
    return case.end(net, average), run.losses.tobytes()


def with_stops(case, gaps):
    """Train, and after so many steps each time go on in a new network; return the same as `straight`."""
    net, average, progress, losses = case.net.clone(), None, (0, 0, 0.0, 0.0), np.zeros(EPOCHS)
    while True:
        run, average = case.begin(net, average)
        run.resume(progress)
        assert run.progress == progress
        for _ in range(next(gaps)):
            if run.epoch == EPOCHS:
                return case.end(net, average), losses.tobytes()
            before = run.epoch
            assert run.advance(EPOCHS, 0)
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
        case = Case(fastbp.Network, SIZES[shape], name, dtype)
        expected = straight(case)
        assert with_stops(case, every_step()) == expected, name
        assert with_stops(case, random_gaps(i)) == expected, name


@pytest.mark.parametrize("dtype", DTYPES)
def test_reference_runs(dtype):
    for i, name in enumerate(CASES):
        case = Case(fastbp.reference.Network, SIZES["narrow"], name, dtype)
        expected = straight(case)
        assert with_stops(case, every_step()) == expected, name
        assert with_stops(case, random_gaps(i)) == expected, name


@pytest.mark.parametrize("threads", [1, 2])
def test_batches_of_several_blocks(threads, isa):
    """Products that threads share, blocks of rows at the same time, and a last batch of one block."""
    case = Case(fastbp.Network, (60, 150, 3), "dropout and noise", "float32")
    case.X, case.y = problem((60, 150, 3), 2500)
    case.run["batch_size"] = 1100
    with fastbp.threads(threads):
        expected = straight(case)
        assert with_stops(case, every_step()) == expected
    assert straight(case) == expected  # on any number of threads


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bayesian", [False, True])
def test_levenberg_marquardt(network_class, bayesian, dtype):
    """Also after rejected steps, and when it converges."""
    X, y = problem((2, 4, 1), 40)
    optimizer = fastbp.LevenbergMarquardt(damping=1e-6, bayesian=bayesian)
    net = network_class([2, 4, 1], activation="tanh", dtype=dtype, seed=1, optimizer=optimizer)
    for seed in range(3):
        case = Case.__new__(Case)
        case.net, case.X, case.y, case.averages = net.clone(), X, y, False
        case.run = {"epochs": EPOCHS, "batch_size": 40, "weights": None}
        if seed:
            case.run["weights"] = Weights(None, np.flatnonzero(X[:, 0] > -0.1 * seed))
        assert with_stops(case, every_step()) == straight(case)


