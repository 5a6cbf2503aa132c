"""Fits that are stopped anywhere and continued from a checkpoint end with the bits of those that were not."""

import itertools

import numpy as np
import pytest

import fastbp
import fastbp.reference
from fastbp import Dense, schedules
from fastbp.callbacks import (
    Checkpoint,
    EarlyStopping,
    ExponentialMovingAverage,
    ReduceLROnPlateau,
    StochasticWeightAveraging,
    Watcher,
)
from helpers.callbacks import Kill, KillError
from helpers.inside import numbers_of
from helpers.optimizers import OPTIMIZERS, batches

ENGINES = {"native": fastbp.Network, "numpy": fastbp.reference.Network}
ROWS = 23  # batches of 8: three steps, the last one short
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 4)).astype(np.float32)
Y = np.tanh(X @ RNG.normal(size=(4, 2))).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)


class Stop(Kill):
    """A callback that stops the fit after so many steps, perhaps inside an epoch."""

    def on_batch_end(self, state):
        self.left -= 1
        if self.left == 0:
            state.stop("for now")


def state_of(net):
    """All that a fit changes, as a value; the seconds aside."""
    parameters, state, t, memory = numbers_of(net)
    history = {name: np.array(column).tobytes() for name, column in net.history.to_dict().items()}
    history.pop("seconds")
    memory = None if memory is None else memory.tobytes()
    remembered = repr(net.__getstate__()["remembered"])
    return parameters.tobytes(), state.tobytes(), t, memory, repr(net), remembered, history


def squares(output, target):
    """A loss of the user's."""
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


def falling(epoch):
    """A learning rate as a function of the epoch."""
    return 0.02 / (1 + epoch)


class Counter(Watcher):
    """A callback of the user's whose state is stored: it lowers the rate after 8 steps."""

    def __init__(self):
        super().__init__()
        self.state["steps"] = 0

    def on_batch_end(self, state):
        self.state["steps"] += 1
        if self.state["steps"] == 8:
            state.learning_rate = state.learning_rate / 2


def plain(network_class, **options):
    return network_class([4, 6, 2], **{"activation": "tanh", "seed": 5} | options)


def adapted(network_class):
    net = network_class(
        [4, Dense(20, dropout=0.2, max_norm=1.5), 2], seed=2, input_noise=0.1, dtype="float64"
    )
    net.adapt(X, Y)
    return net


def trained_before(network_class):
    net = plain(network_class)
    net.fit(X, Y, epochs=2)
    return net


# Each fit: how to make the network, and the options of the fit, with new callbacks for each run.
FITS = {
    "plain": (plain, lambda: {}),
    "without shuffling": (plain, lambda: {"shuffle": False}),
    "single rows": (plain, lambda: {"batch_size": 1, "epochs": 2}),
    "dropout, noise, scaling": (adapted, lambda: {}),
    "trained before": (trained_before, lambda: {}),
    "labels": (
        lambda c: c([4, 24, 3], loss="cross_entropy", seed=1),
        lambda: {"y": LABELS, "class_weight": "balanced", "metrics": "accuracy", "validation_split": 0.2},
    ),
    "weights, some 0": (plain, lambda: {"sample_weight": np.arange(ROWS) % 4}),
    "weights of targets": (
        lambda c: plain(c, loss=fastbp.MSE(ignore_nan=True)),
        lambda: {"y": np.where(X[:, :2] > 1, np.nan, Y)},
    ),
    "custom loss": (lambda c: plain(c, loss=squares), lambda: {}),
    "frozen": (
        lambda c: c(
            [4, Dense(5, trainable=False), Dense(4, learning_rate_factor=0.1, bias=False), 2], seed=0
        ),
        lambda: {},
    ),
    "cosine": (lambda c: plain(c, optimizer=fastbp.SGD(schedules.Cosine(0.1, 9), momentum=0.9)), lambda: {}),
    "rate of the epoch": (
        lambda c: plain(c, optimizer=fastbp.Adam(schedules.Warmup(falling, 4))),
        lambda: {},
    ),
    "plateau and early stopping": (
        lambda c: plain(c, optimizer=fastbp.Adam(0.05)),
        lambda: {
            "epochs": 12,
            "validation_split": fastbp.ShuffledSplit(0.3),
            "callbacks": [
                ReduceLROnPlateau(patience=1, factor=0.3, min_delta=0.01),
                EarlyStopping(patience=3, restore_best=True, min_delta=0.02),
            ],
        },
    ),
    "every other epoch validated": (
        plain,
        lambda: {
            "validation_data": (X[:5], Y[:5]),
            "validation_every": 2,
            "callbacks": EarlyStopping(resume=True, restore_best=True),
        },
    ),
    "tol": (plain, lambda: {"tol": 0.2, "patience": 2, "epochs": 9}),
    "callback of the user's": (plain, lambda: {"callbacks": Counter()}),
    "moving average": (plain, lambda: {"callbacks": [ExponentialMovingAverage(0.7), EarlyStopping("loss")]}),
    "mean over epochs": (plain, lambda: {"callbacks": StochasticWeightAveraging(start_epoch=1)}),
    "average and best": (
        plain,
        lambda: {
            "callbacks": [ExponentialMovingAverage(0.9), EarlyStopping("loss", 2, restore_best=True)],
        },
    ),
    "gradient_tol": (
        lambda c: plain(c, optimizer="irprop"),
        lambda: {"batch_size": None, "gradient_tol": 0.02, "epochs": 25},
    ),
    "LevenbergMarquardt": (
        lambda c: plain(c, optimizer=fastbp.LevenbergMarquardt(max_fail=3)),
        lambda: {"batch_size": None, "validation_split": 0.4, "epochs": 12},
    ),
    "bayesian": (
        lambda c: plain(c, optimizer=fastbp.LevenbergMarquardt(bayesian=True), dtype="float64"),
        lambda: {"batch_size": None, "epochs": 8},
    ),
}


def train(net, options, *more, resume=None):
    """Train as `options` say, with more callbacks."""
    options = {"y": Y, "epochs": 4, "batch_size": 8} | options()
    given = options.pop("callbacks", [])
    callbacks = [*(given if isinstance(given, list) else [given]), *more]
    return net.fit(X, options.pop("y"), **options, callbacks=callbacks, resume=resume)


def finish(make, options, path, ends, every=1):
    """Run the same program again and again, each time with the next end, until it is through."""
    for end in ends:
        net = make()
        try:
            history = train(net, options, end, Checkpoint(path, every=every), resume=path)
        except KillError:
            continue
        if not isinstance(end, Stop) or history.stopped != "for now":
            return net, history
    raise AssertionError("it never came through")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", FITS)
def test_killed_and_continued(name, engine, tmp_path):
    """Kills at various steps; files after every epoch, after every other one, and after every step."""
    make, options = FITS[name]
    expected = make(ENGINES[engine])
    history = train(expected, options)
    for i, every in enumerate((1, 2, "0.0000001s")):
        path = tmp_path / f"{i}.safetensors"
        kills = map(Kill, itertools.count(2 if every == 1 else 7, 6))
        net, found = finish(lambda: make(ENGINES[engine]), options, path, kills, every)
        assert state_of(net) == state_of(expected), every
        assert (found.stopped, net.history.stopped) == (history.stopped, history.stopped)
        assert found.loss == history.loss


OF_SEVERAL_STEPS = FITS.keys() - {"LevenbergMarquardt", "bayesian", "gradient_tol"}  # per epoch


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", sorted(OF_SEVERAL_STEPS))
def test_stopped_and_continued(name, engine, tmp_path):
    """A stop inside an epoch is continued inside it."""
    make, options = FITS[name]
    expected = make(ENGINES[engine])
    train(expected, options)
    path = tmp_path / "run.safetensors"
    stops = (Stop(steps) for steps in itertools.chain((2, 5, 3), itertools.repeat(4, 30)))
    net, _ = finish(lambda: make(ENGINES[engine]), options, path, stops, every="1h")
    assert state_of(net) == state_of(expected)


def test_every_optimizer(tmp_path):
    """Both engines and dtypes, killed once inside the second epoch, from a file inside the epoch."""
    for (row, optimizer), dtype in itertools.product(OPTIMIZERS.items(), ("float32", "float64")):
        for engine, network_class in ENGINES.items():

            def make(network_class=network_class, optimizer=optimizer, dtype=dtype):
                return network_class([4, 6, 2], optimizer=optimizer, dtype=dtype, seed=1)

            def options(optimizer=optimizer):
                return {"epochs": 3, "batch_size": batches(optimizer, 8)}

            expected = make()
            train(expected, options)
            path = tmp_path / f"{row} {dtype} {engine}.safetensors"
            net, _ = finish(
                make, options, path, [Kill(2 if options()["batch_size"] is None else 5), Kill(99)], "0.001s"
            )
            assert state_of(net) == state_of(expected), (row, dtype, engine)


def full_featured(network_class):
    layers = [4, Dense(12, dropout=0.2, l2=1e-3), Dense(6, max_norm=2.0), 2]
    rate = schedules.Warmup(schedules.Cosine(0.05, 30), 4)
    net = network_class(layers, optimizer=fastbp.Adam(rate, clip_norm=1.0), input_noise=0.05, seed=4)
    net.adapt(X, Y)
    return net


def full_options():
    """Options of a fit that lowers the rate, and stops early with the best epoch."""
    callbacks = [
        ReduceLROnPlateau(patience=1, factor=0.5, min_delta=0.02),
        EarlyStopping(patience=3, restore_best=True, min_delta=0.01),
        ExponentialMovingAverage(0.6),
        Counter(),
    ]
    weights = 1.0 + np.arange(ROWS) % 3
    return {"epochs": 14, "sample_weight": weights, "validation_split": 0.25, "callbacks": callbacks}


@pytest.mark.parametrize("engine", ENGINES)
def test_from_every_epoch_and_every_step(engine, tmp_path):
    """A fit with all features, continued from each file that it ever wrote."""
    network_class = ENGINES[engine]
    expected = full_featured(network_class)
    history = train(expected, full_options)
    assert history.stopped == "early_stopping"
    for every, least in ((1, len(history)), ("0.0000001s", 3 * len(history))):
        path = tmp_path / f"{every}.safetensors"
        net = full_featured(network_class)
        train(net, full_options, Checkpoint(path, every=every, keep=100))
        assert state_of(net) == state_of(expected)
        files = sorted(tmp_path.glob(f"{every}*"))
        assert len(files) >= least
        for file in files:
            net = full_featured(network_class)
            train(net, full_options, resume=file)
            assert state_of(net) == state_of(expected), file
