"""Training gives the same bits: run after run, fused or stored, in slices or at once, alone or in a batch."""

from dataclasses import replace
from itertools import cycle, islice, product

import numpy as np
import pytest

import fastbp
from fastbp import _core, losses
from helpers.inside import engine_of, run_of
from helpers.optimizers import DECAYING, OPTIMIZERS
from helpers.problems import fitting
from helpers.tables import DIFFERENTIABLE, DTYPES

SIZES = [33, 100, 17, 3]
MINIBATCH = {row: optimizer for row, optimizer in OPTIMIZERS.items() if not optimizer.full_batch}


@pytest.fixture
def examples(rng):
    return rng.standard_normal((150, SIZES[0])), rng.integers(0, SIZES[-1], 150)


def classifier(optimizer="adam", dtype="float32", seed=5):
    return fastbp.Network(
        SIZES, activation="gelu", loss="cross_entropy", optimizer=optimizer, dtype=dtype, seed=seed
    )


def run(net, X, y, *, batch_size=32, stored=False, **options):
    return run_of(net, X, y, batch_size=batch_size, stored=stored, **options)


@pytest.mark.parametrize("dtype", DTYPES)
def test_run_after_run(examples, dtype, isa):
    first, second = (classifier(dtype=dtype) for _ in range(2))
    for net in (first, second):
        net.fit(*examples, epochs=3)
    assert first.parameters.tobytes() == second.parameters.tobytes()
    assert first.history.loss == second.history.loss
    third = classifier(dtype=dtype, seed=6)
    third.fit(*examples, epochs=3)
    assert third.parameters.tobytes() != first.parameters.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 32])
def test_fused_and_stored(examples, batch_size, optimizer, dtype, isa):
    fused, stored = (
        run(classifier(optimizer, dtype), *examples, stored=mode, batch_size=batch_size)
        for mode in (False, True)
    )
    assert fused[:3] == stored[:3]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fused_and_stored_in_narrow_networks(name, dtype, isa, rng):
    """With the batch in the lanes: every activation and loss, a third of them per optimizer."""
    X, y = rng.standard_normal((150, 3)) / 4, rng.random((150, 2))
    elementwise = [name for name in losses.LOSSES if name != "cross_entropy"]
    gentle = replace(OPTIMIZERS[name], learning_rate=1e-6)  # no activation diverges
    cases = zip(product(DIFFERENTIABLE, elementwise), cycle((1, 2, 15, 16, 17, 100, 3)), strict=False)
    for (activation, loss), rows in islice(cases, [*OPTIMIZERS].index(name) % 3, None, 3):
        n = rows + rows // 2  # the last batch is smaller
        sizes = fitting((3, 16, 5, 2), loss)
        targets = np.sign(y - 0.5) if loss == "hinge" else y
        targets = targets[:, : sizes[-1] // losses.get(loss).outputs_per_target]
        options = {"activation": activation, "loss": loss, "optimizer": gentle, "dtype": dtype, "seed": 1}
        fused, stored = (
            run(fastbp.Network(list(sizes), **options), X[:n], targets[:n], stored=mode, batch_size=rows)
            for mode in (False, True)
        )
        assert fused[:3] == stored[:3], (activation, loss, rows)


def narrow_cases(rng, n, n_out):
    """Return, by name, targets and options of networks with softmax and others."""
    classes, shares = rng.integers(0, n_out, n), rng.dirichlet(np.ones(n_out), n)
    return {
        "labels": (classes, {"loss": "cross_entropy"}),
        "smoothed labels": (classes, {"loss": losses.CrossEntropy(label_smoothing=0.1)}),
        "probabilities": (shares, {"loss": "cross_entropy"}),
        "a softmax under a squared error": (shares, {"output_activation": "softmax"}),
        "a squared error": (shares, {}),
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", MINIBATCH.values(), ids=MINIBATCH)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_small_batches_of_narrow_networks(weighted, optimizer, dtype, isa, rng):
    """One row or a few: in one go, interrupted after every step, with stored gradients, batch by batch.

    Each optimizer meets each case with one size of batch, and three of them with all sizes.
    """
    n, weights = 20, rng.random(20) + 0.1 if weighted else None
    X = rng.standard_normal((n, 4))
    cases = [(n_out, *case) for n_out in (3, 13) for case in narrow_cases(rng, n, n_out).items()]
    first = [*MINIBATCH.values()].index(optimizer)
    for k, (n_out, name, (y, options)) in enumerate(cases, first):
        batch_size = (1, 3, 16)[k % 3]

        def network(n_out=n_out, options=options):
            more = {"activation": "tanh", "optimizer": optimizer, "dtype": dtype, "seed": 1}
            return fastbp.Network([4, 16, 5, n_out], **options, **more)

        ways = ({}, {"seconds": 0.0}, {"stored": True})
        fits = [run(network(), X, y, batch_size=batch_size, sample_weight=weights, **way)[:3] for way in ways]
        assert fits[1:] == fits[:-1], (name, n_out, batch_size)

        fitted, by_hand = network(), network()
        fitted.fit(X, y, batch_size=batch_size, shuffle=False, sample_weight=weights)
        for i in range(0, n, batch_size):
            rows = slice(i, i + batch_size)
            by_hand.train_on_batch(X[rows], y[rows], sample_weight=None if weights is None else weights[rows])
        numbers = [(net.parameters.tobytes(), engine_of(net).state.tobytes()) for net in (fitted, by_hand)]
        assert numbers[0] == numbers[1], (name, n_out, batch_size)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_train_on_batch_is_gradients_and_step(examples, optimizer, isa):
    at_once, by_hand = (classifier(optimizer) for _ in range(2))
    for _ in range(3):
        loss = at_once.train_on_batch(*examples)
        assert by_hand.loss_and_gradients(*examples)[0] == loss
        by_hand.step()
    assert at_once.parameters.tobytes() == by_hand.parameters.tobytes()


def test_slices(examples, isa):
    at_once, step_by_step = (run(classifier(), *examples, seconds=s) for s in (10.0, 0.0))
    assert at_once[:3] == step_by_step[:3]
    assert at_once[3] < step_by_step[3]


@pytest.mark.parametrize("stored", [False, True], ids=["fused", "stored"])
@pytest.mark.parametrize("sizes", [[33, 40, 3], [5, 16, 3]], ids=["wide", "narrow"])
@pytest.mark.parametrize(
    "options",
    [{}, {"dropout": 0.3}, {"input_noise": 0.1}, {"l1": 1e-3, "l2": 1e-2, "max_norm": 1.0}],
    ids=["plain", "dropout", "noise", "penalties"],
)
def test_repeated_rows(options, sizes, stored, isa, rng):
    """Steps on the same rows, which are prepared once: the same as steps that are prepared one by one."""
    X, y = rng.standard_normal((50, sizes[0])), rng.random((50, sizes[-1]))
    noise = {"input_noise": options["input_noise"]} if "input_noise" in options else {}
    of_layers = {} if noise else options
    hidden = fastbp.Dense(sizes[1], "tanh", **of_layers)
    once, one_by_one = (
        run(
            fastbp.Network([sizes[0], hidden, sizes[-1]], seed=1, **noise),
            *(X, y),
            batch_size=50,
            shuffle=False,
            epochs=7,
            stored=stored,
            seconds=seconds,
        )
        for seconds in (10.0, 0.0)
    )
    assert once[:3] == one_by_one[:3]
    assert once[3] < one_by_one[3]


def test_two_fits_are_one(examples, isa):
    """A second fit continues where the first stopped: weights, optimizer state and order of the epochs."""
    once, twice = (classifier() for _ in range(2))
    once.fit(*examples, epochs=4)
    twice.fit(*examples, epochs=1)
    twice.fit(*examples, epochs=3)
    assert once.parameters.tobytes() == twice.parameters.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output_activation", ["identity", "softmax"])
@pytest.mark.parametrize("sizes", [[33, 512, 100, 7], [5, 16, 3, 13]], ids=["wide", "narrow"])
def test_a_row_does_not_depend_on_its_batch(sizes, output_activation, dtype, isa, rng):
    """No tile, tail or neighbor changes an element: rows give the same bits alone and in any batch."""
    options = {"activation": "tanh", "output_activation": output_activation, "dtype": dtype, "seed": 0}
    net = fastbp.Network(sizes, **options)
    X = rng.standard_normal((71, sizes[0])).astype(dtype)
    whole = net.predict(X)
    for rows in (1, 2, 3, 5, 6, 13, 14, 15, 31, 32, 70):
        parts = [net.predict(X[i : i + rows]) for i in range(0, len(X), rows)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert np.stack([net.predict(x) for x in X]).tobytes() == whole.tobytes()
    assert net.predict(np.asfortranarray(X)).tobytes() == whole.tobytes()


def test_the_shuffle_is_that_of_the_seed_and_the_epoch(isa):
    """Batches of one row with a loss that names the row: the losses spell the permutation."""
    n = 20
    X, y = np.zeros((n, 1)), np.arange(n, dtype=float)
    net = fastbp.Network([1, 1], loss="half_sse", optimizer=fastbp.SGD(1e-300), dtype="float64", seed=9)
    net.parameters[:] = 0
    engine = engine_of(net)
    options = {"batch_size": 1, "shuffle": True, "seed": 9, "first_epoch": 4, "epochs": 1, "stored": True}
    run = engine.begin(X, y[:, None], **options)
    order = []
    for _ in range(n):
        run.advance(1, 0.0)
        order.append(round(-engine.gradients[-1]))
    assert order == _core.permutation(9, 4, n).tolist()


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_training_leaves_the_floating_point_state_alone(loss, rng):
    """Subnormal numbers are still numbers after import and training: no flag of the process has changed."""
    sizes = fitting((2, 3, 2), loss)
    net = fastbp.Network(list(sizes), loss=loss, seed=0)
    y = rng.integers(0, 2, 8) if loss == "cross_entropy" else np.ones((8, 2))
    y = y if y.ndim == 1 else y[:, : sizes[-1] // losses.get(loss).outputs_per_target]
    net.fit(rng.standard_normal((8, 2)), y, epochs=2)
    tiny = np.array([np.finfo(np.float32).smallest_subnormal] * 64, np.float32)
    assert (tiny * np.float32(2) > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", DECAYING.values(), ids=DECAYING)
def test_states_of_idle_weights_become_zero(optimizer, dtype, network_class):
    """A gradient of 0 lets a state decay: below the smallest normal number it is 0, in both engines."""
    net = network_class([1, 1], optimizer=optimizer, dtype=dtype, seed=0)
    engine_of(net).state[:] = 1.3 * np.finfo(dtype).smallest_normal
    seen = []
    for _ in range(300):  # the slowest one decays by 0.999
        net.backward(0 * net.forward([[0.0]]))
        net.step()
        seen.append(engine_of(net).state.copy())
    normal = np.finfo(dtype).smallest_normal
    assert all(((s == 0) | (s >= normal)).all() for s in seen)
    assert (seen[0] > 0).all()
    assert (seen[-1][0] == 0).all()
