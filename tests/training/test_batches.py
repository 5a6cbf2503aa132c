"""Fits on batches from an iterable: the same numbers as on the arrays."""

from collections import deque
from functools import partial
from itertools import islice

import numpy as np
import pytest

import fastbp
from fastbp import BusyError, DataError, DTypeError, ParameterError, ShapeError, losses
from fastbp.losses import CustomLoss
from fastbp.optimizers import SGD
from helpers.batches import ROWS, SIZE, SIZES, Loader, again, cut
from helpers.optimizers import OPTIMIZERS
from helpers.problems import fitting, problem
from helpers.tables import DTYPES, ENGINES


class Sized(Loader):
    """The same with a length."""

    def __len__(self):
        return len(self.batches)


# name: the iterable for three epochs, and the arguments that it needs
ITERABLES = {
    "list": (list, {}),
    "tuple": (tuple, {}),
    "deque": (deque, {}),
    "re-iterable": (Loader, {}),
    "re-iterable, ahead": (Loader, {"prefetch": 2}),
    "sized": (Sized, {}),
    "first batches": (lambda batches: Loader(batches * 2), {"steps_per_epoch": 3}),
    "iterator": (lambda batches: iter(batches * 3), {"steps_per_epoch": 3}),
    "generator": (partial(again, times=4), {"steps_per_epoch": 3}),
    "generator, ahead": (partial(again, times=3), {"steps_per_epoch": 3, "prefetch": 1}),
}


@pytest.mark.parametrize(("make_iterable", "options"), ITERABLES.values(), ids=ITERABLES)
@pytest.mark.parametrize("network_class", ENGINES, ids=["native", "numpy"])
def test_every_iterable_trains_like_the_arrays(network_class, make_iterable, options):
    X, y = problem(SIZES, ROWS)
    by_arrays, by_batches = (network_class(SIZES, seed=1) for _ in range(2))
    expected = by_arrays.fit(X, y, epochs=3, batch_size=SIZE, shuffle=False)
    history = by_batches.fit(make_iterable(cut(X, y)), epochs=3, **options)
    assert np.array_equal(by_batches.parameters, by_arrays.parameters)
    assert history["loss"] == expected["loss"]
    assert history["learning_rate"] == expected["learning_rate"]
    assert history.stopped == "epochs"


def assert_alike(network_class, sizes, X, y, weights, threads, options, fit_options=None):
    """Train on the arrays and on their batches; compare all numbers."""
    given = (X, y) if weights is None else (X, y, weights)
    fits = []
    for by_batches in (False, True):
        net = network_class(sizes, seed=3, **options)
        with fastbp.threads(threads):
            if by_batches:
                history = net.fit(cut(*given), epochs=2, **(fit_options or {}))
            else:
                chosen = {"batch_size": SIZE, "shuffle": False, "sample_weight": weights}
                history = net.fit(X, y, epochs=2, **chosen, **(fit_options or {}))
        fits.append((net.parameters.tobytes(), history["loss"], history["learning_rate"]))
    assert fits[0] == fits[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_for_all_losses_optimizers_weights_and_threads(network_class, isa, dtype):
    for name in losses.LOSSES:
        sizes = fitting(SIZES, name)
        X, y = problem(sizes, ROWS, name)
        for weights, threads in ((None, 1), (0.1 + np.arange(ROWS) % 3 / 7, 2)):
            assert_alike(network_class, sizes, X, y, weights, threads, {"loss": name, "dtype": dtype})
    X, y = problem(SIZES, ROWS)
    for optimizer in OPTIMIZERS.values():
        if optimizer.full_batch:
            continue
        assert_alike(network_class, SIZES, X, y, None, 1, {"optimizer": optimizer, "dtype": dtype})


def test_weights_of_targets_unknown_targets_and_class_weights(network_class):
    X, y = problem(SIZES, ROWS)
    each = 0.5 + np.arange(y.size).reshape(y.shape) % 4
    assert_alike(network_class, SIZES, X, y, each, 1, {"dtype": "float64"})
    unknown = np.where(np.arange(y.size).reshape(y.shape) % 5 == 0, np.nan, y)
    assert_alike(network_class, SIZES, X, unknown, None, 1, {"loss": losses.MSE(ignore_nan=True)})
    X, y = problem(SIZES, ROWS, "cross_entropy")
    assert_alike(
        network_class, SIZES, X, y, None, 1, {"loss": "cross_entropy"}, {"class_weight": {0: 2.0, 2: 0.5}}
    )


def test_custom_losses_schedules_scaling_and_large_batches(network_class):
    X, y = problem(SIZES, ROWS)
    mean = CustomLoss(lambda output, target: (((output - target) ** 2).mean(), 2 * (output - target)))
    assert_alike(network_class, SIZES, X, y, None, 1, {"loss": mean})
    rate = fastbp.schedules.Exponential(0.1, 0.5, 2)
    assert_alike(network_class, SIZES, X, y, None, 1, {"optimizer": SGD(rate)})
    nets = [network_class(SIZES, seed=0) for _ in range(2)]
    X, y = problem(SIZES, 1500)  # several blocks of rows in a batch
    for net in nets:
        net.adapt(X, y)
    nets[0].fit(X, y, batch_size=1200, shuffle=False)
    nets[1].fit(cut(X, y, size=1200))
    assert np.array_equal(nets[0].parameters, nets[1].parameters)


# ---- the rest of a fit -------------------------------------------------------------------------------------


def test_validation_metrics_and_callbacks(network_class):
    X, y = problem(SIZES, ROWS, "cross_entropy")
    held = cut(X, y, size=5)
    options = {"loss": "cross_entropy", "seed": 2}
    nets = [network_class(SIZES, **options) for _ in range(3)]
    seen = [[], [], []]
    record = [lambda state, to=to: to.append((state.epoch, state.metrics)) for to in seen]
    rest = {"epochs": 3, "metrics": ["accuracy", "auc"]}
    nets[0].fit(X, y, batch_size=SIZE, shuffle=False, validation_data=(X, y), callbacks=record[0], **rest)
    nets[1].fit(cut(X, y), validation_data=(X, y), callbacks=record[1], **rest)
    nets[2].fit(cut(X, y), validation_data=Loader(held), callbacks=record[2], **rest)
    for (_, one), (_, other), (_, of_batches) in zip(*seen, strict=True):
        for column in one.keys() - {"seconds"}:
            assert one[column] == other[column] == pytest.approx(of_batches[column], rel=1e-6), column
    with pytest.raises(ParameterError, match=r"^validation_data is .*iterator"):
        nets[0].fit(cut(X, y), validation_data=iter(held))
    with pytest.raises(
        ParameterError, match=r"^validation_data is a list of .* iterable of batches that is not"
    ):
        nets[0].fit(cut(X, y), validation_data=held * 9)
    with pytest.raises(DataError, match=r"^batch 2 of validation_data: the batch is"):
        nets[0].fit(cut(X, y), validation_data=Loader([held[0], 5]))


@pytest.mark.parametrize("length", [None, 3])
def test_what_hooks_see(length, network_class):
    X, y = problem(SIZES, ROWS)
    seen = []

    class Watch:
        def on_batch_end(self, state):
            seen.append((state.epoch, state.step, state.steps_per_epoch))

        def on_epoch_end(self, state):
            seen.append((state.epoch, state.step, state.steps_per_epoch))

    network_class(SIZES).fit(Loader(cut(X, y)), epochs=2, steps_per_epoch=length, callbacks=Watch())
    first = length or 0  # what is known in the first epoch
    assert seen[:2] == [(0, 1, first), (0, 2, first)]
    assert seen[2:4] == [(0, 3, 3)] * 2
    assert seen[4:] == [(1, 1, 3), (1, 2, 3), (1, 3, 3), (1, 3, 3)]


def test_epochs_of_different_lengths(network_class):
    X, y = problem(SIZES, ROWS)

    class Growing:
        epoch = 0

        def __iter__(self):
            self.epoch += 1
            return islice(cut(X, y, size=4), self.epoch)

    optimizer = SGD(fastbp.schedules.Exponential(0.1, 0.5, 1))
    history = network_class(SIZES, optimizer=optimizer).fit(Growing(), epochs=3)
    steps = []
    network_class(SIZES).fit(Growing(), epochs=3, callbacks=lambda state: steps.append(state.step))
    assert steps == [1, 2, 3]
    assert history["learning_rate"] == [pytest.approx(0.1 * 0.5**k) for k in (0, 2, 5)]


def test_the_batches_may_depend_on_the_network(network_class):
    """A batch is read when the step before is done, so an iterable can choose what the network finds hard."""
    X, y = problem(SIZES, ROWS)
    net = network_class(SIZES, seed=0)
    seen = []

    def hard():
        for _ in range(3):
            error = np.abs(net.predict(X) - y).sum(axis=1)
            seen.append(error.sum())
            worst = np.argsort(-error)[:SIZE]
            yield X[worst], y[worst]

    net.fit(hard(), steps_per_epoch=3)
    assert len(set(seen)) == 3
    with pytest.raises(BusyError):
        net.fit(hard(), steps_per_epoch=3, prefetch=1)
    with pytest.raises(BusyError):
        net.fit((net.reset() for _ in range(2)), steps_per_epoch=2)


def test_early_ends_keep_what_is_left_of_an_iterator(network_class):
    X, y = problem(SIZES, ROWS)
    batches = iter(cut(X, y) * 5)
    net = network_class(SIZES)
    net.fit(batches, epochs=9, steps_per_epoch=3, callbacks=lambda state: state.stop("now"))
    assert len(list(batches)) == 12
    net.fit(iter(cut(X, y)))  # one epoch needs no number of steps
    assert net.history["loss"][-1] > 0


# ---- what goes wrong ---------------------------------------------------------------------------------------


class FailureError(Exception):
    """An error of the user's iterable."""


def failing_after(batches, error):
    yield from batches
    raise error


def bad(X, y, what):
    """Return a batch with a fault."""
    return {
        "nan": (np.where(np.arange(X.shape[1]) == 2, np.nan, X), y),
        "columns": (X[:, :4], y),
        "rows": (X, y[1:]),
        "targets": (X, y[:, :2]),
        "text": (X.astype(str), y),
        "alone": X,
        "one": (X,),
        "four": (X, y, None, None),
        "none": None,
        "weights": (X, y, -np.ones(len(X))),
        "empty": (X[:0], y[:0]),
    }[what]


FAULTS = {
    "nan": (DataError, "X[0, 2] is nan"),
    "columns": (ShapeError, "X has 4 columns, expected 5"),
    "rows": (ShapeError, "y has shape (7, 3)"),
    "targets": (ShapeError, "y has shape (8, 2)"),
    "text": (DTypeError, "X has dtype <U"),
    "alone": (DataError, "the batch is <ndarray"),
    "one": (DataError, "the batch is a tuple of length 1, expected (X, y)"),
    "four": (DataError, "the batch is a tuple of length 4, expected (X, y)"),
    "none": (DataError, "the batch is None"),
    "weights": (DataError, "sample_weight[0] is -1.0"),
    "empty": (ShapeError, "X has no rows"),
}


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("network_class", ENGINES, ids=["native", "numpy"])
def test_faults_leave_the_network_at_a_step(network_class, prefetch):
    X, y = problem(SIZES, ROWS)
    good = cut(X, y)[:2]
    expected = network_class(SIZES, seed=4)
    expected.fit(good + good[:1], epochs=1)
    for fault, (error, words) in FAULTS.items():
        net = network_class(SIZES, seed=4)
        stream = again([*good, good[0], bad(*good[0], fault)], 1)
        with pytest.raises(error) as caught:
            net.fit(stream, epochs=2, steps_per_epoch=2, prefetch=prefetch)
        assert str(caught.value).startswith(f"epoch 2 of this fit, step 2: {words}"), fault
        assert np.array_equal(net.parameters, expected.parameters), fault
        assert len(net.history) == 1
        assert net.history.stopped == "interrupted"
    for error in (FailureError("lost"), KeyboardInterrupt(), StopIteration()):
        net = network_class(SIZES, seed=4)
        with pytest.raises(RuntimeError if isinstance(error, StopIteration) else type(error)):
            net.fit(failing_after([*good, good[0]], error), epochs=2, steps_per_epoch=2, prefetch=prefetch)
        assert np.array_equal(net.parameters, expected.parameters)
        assert len(net.history) == 1
        net.fit(good)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_epochs_that_end_early(network_class, prefetch):
    X, y = problem(SIZES, ROWS)
    batches = cut(X, y)
    for data, steps, words in (
        (iter(batches * 2), 4, "epoch 2 of this fit ended after 2, expected 4"),
        (batches, 4, "epoch 1 of this fit ended after 3, expected 4"),
        (Loader([]), None, "epoch 1 of this fit ended after 0, expected at least 1"),
        (iter([]), None, "epoch 1 of this fit ended after 0, expected at least 1"),
    ):
        net = network_class(SIZES)
        epochs = 2 if steps else 1
        with pytest.raises(DataError, match=rf"^the batches of {words}"):
            net.fit(data, epochs=epochs, steps_per_epoch=steps, prefetch=prefetch)
        assert np.isfinite(net.parameters).all()


def test_divergence_names_the_step(network_class):
    X, y = problem(SIZES, ROWS)
    net = network_class(SIZES, optimizer=SGD(1e30))
    before = net.parameters.copy()
    with pytest.raises(fastbp.DivergenceError, match=r"epoch 1 of this fit, step \d; the network is back"):
        net.fit(Loader(cut(X, y)), epochs=3)
    assert np.array_equal(net.parameters, before)


def test_what_does_not_go_with_batches(network_class, state_of):
    X, y = problem(SIZES, ROWS)
    batches = cut(X, y)
    net = network_class(SIZES)
    before = state_of(net)
    for options, words in (
        ({"batch_size": 32}, "batch_size is 32 with batches"),
        ({"batch_size": None}, "batch_size is None with batches"),
        ({"shuffle": True}, "shuffle is True with batches"),
        ({"shuffle": "blocks"}, "shuffle is 'blocks' with batches"),
        ({"sample_weight": np.ones(ROWS)}, "sample_weight is "),
        ({"class_weight": "balanced"}, "class_weight is 'balanced' with batches"),
        ({"validation_split": 0.2}, "validation_split is 0.2 with batches"),
        ({"gradient_tol": 0.1}, "gradient_tol is 0.1 with batches"),
        ({"steps_per_epoch": 0}, "steps_per_epoch is 0, expected an integer >= 1"),
        ({"steps_per_epoch": 2.5}, "steps_per_epoch is 2.5, expected an integer"),
        ({"steps_per_epoch": 2**63}, "steps_per_epoch is 9223372036854775808, expected an integer"),
        ({"prefetch": -1}, "prefetch is -1, expected an integer >= 0"),
        ({"prefetch": True}, "prefetch is True"),
    ):
        with pytest.raises(ParameterError, match=rf"^{words}"):
            net.fit(batches, **options)
    for data, words in (
        (X, "X is a ndarray without y"),
        (5, "X is a int without y"),
        (None, "X is None without y"),
        ({1: batches[0]}, "X is a dict without y"),
        ({1}, "X is a set without y"),
        ("abc", "X is a str without y"),
        (b"abc", "X is a bytes without y"),
        (range(3), "X is a range without y"),
        (iter(batches), "steps_per_epoch is None for a list_iterator and 2 epochs"),
    ):
        with pytest.raises(ParameterError, match=rf"^{words}"):
            net.fit(data, epochs=2)
    for options in ({"steps_per_epoch": 3}, {"prefetch": 2}):
        with pytest.raises(ParameterError, match=rf"^{next(iter(options))} is . with arrays X and y"):
            net.fit(X, y, **options)
    for optimizer in (fastbp.optimizers.LevenbergMarquardt(), fastbp.IRprop()):
        with pytest.raises(ParameterError, match=r"^optimizer is .* with batches from an iterable"):
            network_class(SIZES, optimizer=optimizer, dtype="float64").fit(batches)
    assert state_of(net) == before


def test_minimize_refuses_batches(network_class):
    with pytest.raises(
        ParameterError, match=r"^X is <list_iterator.* without y, expected arrays X and y: minimize"
    ):
        fastbp.minimize(network_class(SIZES), iter([]))
