"""The callback `RecordPath`: which points it records, and what a fit is without it."""

import copy
import pickle
from contextlib import suppress

import numpy as np
import pytest

import fastbp
from fastbp import ParameterError
from fastbp.callbacks import (
    Checkpoint,
    EarlyStopping,
    RecordPath,
    StochasticWeightAveraging,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3))
Y = X[:, :2] * 0.5


class Everything:
    """A callback that notes the parameters before the fit and after each epoch or step."""

    def __init__(self):
        self.start, self.epochs, self.steps = [], [], []

    def on_fit_begin(self, state):
        self.start.append(state.network.parameters.copy())

    def on_epoch_end(self, state):
        self.epochs.append((state.network.parameters.copy(), state.metrics["loss"]))

    def on_batch_end(self, state):
        self.steps.append((state.network.parameters.copy(), state.batch_loss))


@pytest.fixture
def make(network_class):
    return lambda **options: network_class([3, 4, 2], **{"seed": 1} | options)


def fit(net, path, epochs, *others, **options):
    """Train in batches of 8: three steps per epoch."""
    everything = Everything()
    with suppress(LookupError):
        net.fit(X, Y, epochs=epochs, batch_size=8, callbacks=[path, everything, *others], **options)
    return everything


def test_epochs(make):
    path = RecordPath(dtype="float64")
    assert path.path.shape == (0, 0)
    assert path.steps.size == path.losses.size == 0
    net = make()
    seen = fit(net, path, 5)
    parameters, losses = zip(*seen.epochs, strict=True)
    np.testing.assert_array_equal(path.path, [*seen.start, *parameters])
    np.testing.assert_array_equal(path.losses, [np.nan, *losses])
    assert path.steps.tolist() == [0, 3, 6, 9, 12, 15]
    twin = make()
    twin.fit(X, Y, epochs=5, batch_size=8)
    np.testing.assert_array_equal(twin.parameters, net.parameters)


def test_steps(make):
    path = RecordPath(2, "step", np.float32)
    net = make(dtype="float64")
    seen = fit(net, path, 5)
    parameters, losses = zip(*seen.steps[1::2], seen.steps[-1], strict=True)  # 15 steps, and the last one
    assert path.path.dtype == np.float32
    np.testing.assert_array_equal(path.path, np.float32([*seen.start, *parameters]))
    np.testing.assert_array_equal(path.losses, [np.nan, *losses])
    assert path.steps.tolist() == [*range(0, 15, 2), 15]


def test_it_makes_room(make):
    """By every second point, again and again; the first and the last one stay."""
    for most, kept in ((2, [0, 40]), (3, [0, 32, 40]), (4, [0, 16, 32, 40]), (9, [*range(0, 41, 8), 40])):
        path = RecordPath(on="step", max_points=most)
        net = make()
        fit(net, path, 14, stop_at(40))
        kept = sorted({*kept})
        assert path.steps.tolist() == kept, most
        np.testing.assert_array_equal(path.path[-1], net.parameters)
    path = RecordPath(3, max_points=4)
    fit(make(), path, 20)
    assert path.steps.tolist() == [3 * epochs for epochs in (0, 12, 20)]


def stop_at(steps):
    """Return a callback that stops the fit after so many steps."""

    class Stop:
        left = steps

        def on_batch_end(self, state):
            self.left -= 1
            if not self.left:
                state.stop()

    return Stop()


def test_it_ends_where_the_fit_leaves_the_network(make):
    def spoil(state):
        if state.epoch == 3:
            raise LookupError

    for others in ([spoil], [EarlyStopping("loss", restore_best=True, patience=99), spoil]):
        path, net = RecordPath(100), make()
        fit(net, path, 9, *others)
        np.testing.assert_array_equal(path.path[-1], net.parameters)
        assert path.steps.tolist() == [0, 12]
    best, net = RecordPath(), make(optimizer=fastbp.SGD(1.5))
    fit(net, best, 9, EarlyStopping("loss", restore_best=True, patience=2))
    np.testing.assert_array_equal(best.path[-1], net.parameters)


def test_parameters_too_large_for_float32_are_infinite_in_the_path(network_class):
    net = network_class([1, 1], dtype="float64", optimizer=fastbp.SGD(learning_rate=1e45), seed=1)
    path = RecordPath(every=5)  # the end of the fit alone
    net.fit([[1.0]], [[2.0]], epochs=1, callbacks=path)
    assert np.isfinite(net.parameters).all()
    assert np.isinf(path.path[-1]).all()


def test_averages_at_the_ends_of_epochs(make):
    path, net = RecordPath(), make()
    seen = fit(net, path, 3, StochasticWeightAveraging())
    np.testing.assert_array_equal(path.path[1:], [parameters for parameters, _ in seen.epochs])


def test_batches_from_an_iterable(make):
    path = RecordPath()
    make().fit([(X[:8], Y[:8]), (X[8:], Y[8:])], epochs=3, callbacks=path)
    assert path.steps.tolist() == [0, 2, 4, 6]


def test_each_fit_starts_anew_and_copies_have_no_path(make):
    path, net = RecordPath(), make()
    fit(net, path, 5)
    first = path.path
    fit(net, path, 2)
    assert len(path.path) == 3
    np.testing.assert_array_equal(path.path[0], first[-1])
    for other in (copy.copy(path), copy.deepcopy(path), pickle.loads(pickle.dumps(path))):
        assert other == path
        assert other.path.shape == (0, 0)
    assert repr(path) == "RecordPath(every=1, on='epoch', dtype='float32', max_points=256)"


@pytest.mark.parametrize("on", ["epoch", "step"])
def test_a_resumed_fit_records_the_same_steps_from_there_on(on, make, tmp_path):
    file = str(tmp_path / "run.safetensors")

    def kill(state):
        if state.epoch == 3:
            raise LookupError

    whole, rest = RecordPath(2, on, max_points=99), RecordPath(2, on, max_points=99)
    fit(make(), whole, 7)
    with suppress(LookupError):
        callbacks = [RecordPath(2, on, max_points=99), kill, Checkpoint(file)]
        make().fit(X, Y, epochs=7, batch_size=8, callbacks=callbacks)
    fit(make(), rest, 7, Checkpoint(file), resume=file)
    assert rest.steps[0] == 9
    later = whole.steps > 9
    assert rest.steps[1:].tolist() == whole.steps[later].tolist()
    np.testing.assert_array_equal(rest.path[1:], whole.path[later])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every is 0, expected an integer >= 1"),
        ({"on": "batch"}, "on is 'batch', expected one of: epoch, step"),
        ({"dtype": "float16"}, "dtype is 'float16', expected 'float32' or 'float64'"),
        ({"max_points": 1}, "max_points is 1, expected an integer >= 2"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ParameterError, match=message):
        RecordPath(**options)
