"""`LevenbergMarquardt(max_fail=)`: stopping on validation data."""

import numpy as np
import pytest

import fastbp
import fastbp.reference
from fastbp import ParameterError
from fastbp.callbacks import EarlyStopping


@pytest.fixture
def noise():
    """Rows of mostly noise, which a network of 61 parameters learns by heart, and other such rows."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(80, 4))
    y = X[:, 0] + rng.normal(size=80)
    return (X[:40], y[:40]), (X[40:], y[40:])


def fitted(network_class, noise, optimizer, epochs=60, **options):
    net = network_class([4, 10, 1], activation="tanh", dtype="float64", seed=1, optimizer=optimizer)
    return net, net.fit(*noise[0], epochs=epochs, batch_size=None, **{"validation_data": noise[1]} | options)


@pytest.mark.parametrize("max_fail", [1, 3, 6])
def test_max_fail_ends_at_the_best_epoch(network_class, noise, max_fail):
    net, history = fitted(network_class, noise, fastbp.LevenbergMarquardt(max_fail=max_fail))
    best = int(np.argmin(history.validation_loss))
    assert history.stopped == "early_stopping"
    assert len(history) == best + 1 + max_fail
    assert net.evaluate(*noise[1])["loss"] == min(history.validation_loss)
    twin, _ = fitted(network_class, noise, fastbp.LevenbergMarquardt(max_fail=None), epochs=best + 1)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_max_fail_is_six(network_class, noise):
    nets = [
        fitted(network_class, noise, optimizer)[0]
        for optimizer in (fastbp.LevenbergMarquardt(), fastbp.LevenbergMarquardt(max_fail=6))
    ]
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_the_best_epoch_counts_also_after_the_last(network_class, noise):
    net, history = fitted(network_class, noise, fastbp.LevenbergMarquardt(max_fail=1000))
    assert history.stopped in ("epochs", "converged")
    assert net.evaluate(*noise[1])["loss"] == min(history.validation_loss) < history.validation_loss[-1]


def test_max_fail_with_a_split(network_class, noise):
    _, history = fitted(
        network_class, noise, fastbp.LevenbergMarquardt(), validation_data=None, validation_split=0.3
    )
    assert history.stopped == "early_stopping"


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (fastbp.LevenbergMarquardt(max_fail=None), {}),
        (fastbp.LevenbergMarquardt(bayesian=True), {}),
        (fastbp.LevenbergMarquardt(max_fail=1), {"validation_data": None}),
    ],
    ids=["None", "bayesian", "no validation data"],
)
def test_without_max_fail_it_trains_on(network_class, noise, optimizer, options):
    net, history = fitted(network_class, noise, optimizer, epochs=15, **options)
    assert (history.stopped, len(history)) == ("epochs", 15)
    if "validation_data" not in options:
        assert net.evaluate(*noise[1])["loss"] == history.validation_loss[-1]


def test_a_callback_that_restores_replaces_max_fail(network_class, noise):
    own = EarlyStopping("loss", patience=3, min_delta=1e9, restore_best=True)
    optimizer = fastbp.LevenbergMarquardt(max_fail=1)
    net, history = fitted(network_class, noise, optimizer, callbacks=[own])
    assert len(history) == 4
    assert net.evaluate(*noise[1])["loss"] == history.validation_loss[0]
    _, history = fitted(network_class, noise, optimizer, callbacks=EarlyStopping("loss", patience=50))
    assert np.argmin(history.validation_loss) == len(history) - 2


def test_values_of_max_fail():
    assert fastbp.LevenbergMarquardt().max_fail == 6
    without = fastbp.LevenbergMarquardt(max_fail=None)
    assert repr(without) == "LevenbergMarquardt(bayesian=False, damping=0.001, max_fail=None)"
    for wrong in (0, -1, 2.0, "6", True):
        with pytest.raises(ParameterError, match=r"max_fail is .*expected an integer >= 1"):
            fastbp.LevenbergMarquardt(max_fail=wrong)
