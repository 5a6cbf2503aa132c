"""EarlyStopping and `tol`: when they stop a fit, and which epoch `restore_best` brings back."""

import math

import numpy as np
import pytest

import fastbp
from fastbp import SGD, DivergenceError
from fastbp._training import snapshot
from fastbp.callbacks import EarlyStopping


def epochs_until_stop(values, greater_is_better=False, **options):
    """Let EarlyStopping see these values; return the number of epochs after which it stops."""
    history = fastbp.History({"column": [], "loss": []})
    state = fastbp.callbacks.EpochState(None, None, history, len(values), lambda epoch: True)
    stopping = EarlyStopping("column", **options).begin({"column": greater_is_better})
    for epoch, value in enumerate(values, 1):
        history._append({"column": np.array([float(value)]), "loss": np.zeros(1)}, 1)
        stopping.on_epoch_end(state)
        if state.reason:
            return epoch
    return None


SERIES = {
    "a rising loss": ([1, 2, 3], {"patience": 2}, 3),
    "equal is no improvement": ([1, 1, 1], {"patience": 2}, 3),
    "improvement begins anew": ([3, 4, 2, 3, 1, 2, 3], {"patience": 2}, 7),
    "slow": ([1.0, 0.9, 0.8, 0.7], {"patience": 1, "min_delta": 0.2}, 2),
    "slow but steady": ([1.0, 0.9, 0.7, 0.6, 0.4, 0.3], {"patience": 2, "min_delta": 0.2}, None),
    "exactly min_delta": ([1.0, 0.5], {"patience": 1, "min_delta": 0.5}, 2),
    "relative": ([100, 89, 85], {"patience": 1, "min_delta": 0.1, "relative": True}, 3),
    "relative and negative": ([-1, -2, -2.1], {"patience": 1, "min_delta": 0.1, "relative": True}, 3),
    "greater is better": ([1, 2, 3, 2], {"patience": 1, "greater_is_better": True}, 4),
    "NaN is no improvement": ([math.nan, 2, math.nan, 1], {"patience": 1}, 1),
    "after NaN": ([math.nan, 2, math.nan, 1, 0], {"patience": 2}, None),
    "infinity is no improvement": (
        [math.inf, 2, 1],
        {"patience": 2, "min_delta": 0.1, "relative": True},
        None,
    ),
}


@pytest.mark.parametrize(("values", "options", "expected"), SERIES.values(), ids=SERIES.keys())
def test_when_it_stops(values, options, expected):
    assert epochs_until_stop(values, **options) == expected


def test_slow_but_steady_improvement_goes_on():
    """It improves by less than min_delta per epoch, but by more over the patience."""
    values = [0.995**epoch for epoch in range(100)]
    assert epochs_until_stop(values, patience=3, min_delta=0.01, relative=True) is None


def test_tol_stops_after_patience_epochs_without_improvement(make, data):
    net = make(optimizer=SGD(learning_rate=0.1))
    history = net.fit(*data, epochs=1000, batch_size=None, tol=0.2, patience=4)
    assert history.stopped == "tol"
    assert len(net.history) == len(history) < 1000
    best, waited = history.loss[0], 0
    for loss in history.loss[1:]:
        assert waited < 4
        best, waited = (loss, 0) if best - loss > 0.2 * best else (best, waited + 1)
    assert waited == 4


def test_tol_is_early_stopping(make, data, state_of):
    net, twin = make(), make()
    first = net.fit(*data, epochs=1000, tol=0.1, patience=3)
    stopping = EarlyStopping("loss", patience=3, min_delta=0.1, relative=True)
    second = twin.fit(*data, epochs=1000, callbacks=stopping)
    assert state_of(net) == state_of(twin)
    assert (first.stopped, second.stopped) == ("tol", "early_stopping")


def test_a_value_serves_many_fits(make, data):
    stopping = EarlyStopping("loss", patience=3, min_delta=0.1, relative=True)
    lengths = {len(make().fit(*data, epochs=1000, callbacks=stopping)) for _ in range(3)}
    assert len(lengths) == 1
    assert stopping == EarlyStopping("loss", patience=3, min_delta=0.1, relative=True)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_the_column_tells_which_way_is_better(network_class, data, loss):
    """Accuracy, which rises, and an error, which falls, are watched alike."""
    X, y = data[0], np.arange(23) % 2
    y = y if loss == "cross_entropy" else np.eye(2)[y]
    net = network_class([4, 8, 2], loss=loss, optimizer=fastbp.Adam(learning_rate=0.05), seed=0)
    name = "accuracy" if loss == "cross_entropy" else "mae"
    stopping = EarlyStopping(f"validation_{name}", patience=12)
    history = net.fit(X, y, epochs=1000, validation_data=(X, y), metrics=name, callbacks=stopping)
    column = history[f"validation_{name}"]
    best = column.index(max(column) if loss == "cross_entropy" else min(column))
    assert history.stopped == "early_stopping"
    assert len(history) == best + 1 + 12 > 20


@pytest.mark.parametrize("greater_is_better", [None, True])
def test_custom_metrics_say_which_way_is_better(make, data, greater_is_better):
    epochs = iter(range(100))

    def rising(output, target):
        return next(epochs)

    if greater_is_better:
        rising.greater_is_better = True
    stopping = EarlyStopping("validation_rising", patience=2)
    history = make().fit(*data, epochs=9, validation_data=data, metrics=rising, callbacks=stopping)
    assert len(history) == (9 if greater_is_better else 3)


@pytest.mark.parametrize("epochs", [6, 1000])
def test_restore_best(make, data, state_of, epochs):
    """The best epoch is restored when all epochs are done and when the fit is stopped."""
    net = make(optimizer=fastbp.Adam(learning_rate=0.3))
    states = []
    callbacks = [
        EarlyStopping("loss", patience=5, restore_best=True),
        lambda state: states.append(state_of(net)[:3]),
    ]
    history = net.fit(*data, epochs=epochs, callbacks=callbacks)
    best = int(np.argmin(history.loss))
    assert history.stopped == ("epochs" if epochs == 6 else "early_stopping")
    assert 0 < best < len(history) - 1
    assert state_of(net)[:3] == states[best]
    assert len(net.history) == len(history) == len(states)
    net.fit(*data)


def test_the_last_kept_epoch_counts(make, data, state_of):
    net, twin = make(), make()
    net.fit(*data, epochs=9, callbacks=lambda state: state.epoch in (1, 4) and state.keep())
    twin.fit(*data, epochs=5)
    assert state_of(net)[:3] == state_of(twin)[:3]


def test_ctrl_c_while_the_best_is_put_back(make, data, state_of, monkeypatch):
    net, twin = make(), make()
    restore, attempts = snapshot.Snapshot.restore, []

    def break_off_the_first(snapshot):
        attempts.append(snapshot)
        if len(attempts) == 1:
            net.parameters[:3] = 0
            raise KeyboardInterrupt
        restore(snapshot)

    monkeypatch.setattr(snapshot.Snapshot, "restore", break_off_the_first)
    with pytest.raises(KeyboardInterrupt):
        net.fit(*data, epochs=3, callbacks=lambda state: state.epoch == 1 and state.keep())
    twin.fit(*data, epochs=2)
    assert state_of(net)[:3] == state_of(twin)[:3]
    assert (len(net.history), net.history.stopped) == (3, "interrupted")


def test_what_is_not_finite_is_not_kept(network_class, data, state_of):
    net = network_class([4, 2], optimizer=SGD(learning_rate=1e38), loss="half_sse", seed=0)
    before = state_of(net)
    with pytest.raises(DivergenceError, match="network's state"):
        net.fit(*data, batch_size=None, epochs=2, callbacks=EarlyStopping("loss", restore_best=True))
    assert state_of(net) == before
