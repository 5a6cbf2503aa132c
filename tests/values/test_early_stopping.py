"""EarlyStopping and `tol`: when they stop a fit, and which epoch `restore_best` brings back."""

import math

import numpy as np
import pytest

import fastbp
from fastbp import SGD, DivergenceError
from fastbp._training import snapshot
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau


def epochs_until_stop(values, greater_is_better=False, **options):
    """Let EarlyStopping see these values; return the number of epochs after which it stops."""
    history = fastbp.History({"column": [], "loss": []})
    state = fastbp.callbacks.EpochState(None, None, history, len(values), lambda epoch: True)
    state.measured = ["column"]
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
    "max": ([1, 2, 3, 2], {"patience": 1, "mode": "max"}, 4),
    "min, though the column says max": (
        [1, 2, 3],
        {"patience": 2, "mode": "min", "greater_is_better": True},
        3,
    ),
    "a baseline that is not reached": ([5, 4, 3, 2], {"patience": 3, "baseline": 1}, 3),
    "a baseline that is reached": ([5, 4, 0.5, 2, 2], {"patience": 3, "baseline": 1}, None),
    "then it has to improve": ([0.5, 0.6, 0.7], {"patience": 2, "baseline": 1}, 3),
    "a baseline for max": ([1, 2, 3, 4], {"patience": 2, "baseline": 9, "mode": "max"}, 2),
    "exactly the baseline": ([1, 1], {"patience": 2, "baseline": 1}, 2),
    "start_from_epoch": ([1, 2, 3, 4, 5], {"patience": 1, "start_from_epoch": 3}, 5),
    "the first ones set no best value": ([0, 0, 3, 2, 1], {"patience": 1, "start_from_epoch": 2}, None),
}


def test_epochs_that_were_not_measured_do_not_count():
    """With values in every third epoch, as with NaN that nobody has seen in the others."""
    history = fastbp.History({"column": [], "loss": []})
    state = fastbp.callbacks.EpochState(None, None, history, 99, lambda epoch: True)
    watchers = [
        kind("column", patience=2).begin({"column": False}) for kind in (EarlyStopping, ReduceLROnPlateau)
    ]
    waited = []
    for epoch, value in enumerate([3, 1, 2, 1.5]):
        for measured in (True, False, False):
            state.measured = ["column"] if measured else []
            number = value if measured else math.nan
            history._append({"column": np.array([float(number)]), "loss": np.zeros(1)}, 1)
            if epoch < 3:
                watchers[1].on_epoch_end(state)
            watchers[0].on_epoch_end(state)
            waited.append(watchers[0].state["waited"])
            assert bool(state.reason) == (epoch == 3)
    assert waited == [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert watchers[1].state["waited"] == 1


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


# ---- restore_best, whatever ends the fit -------------------------------------------------------------------


def ending(how, epoch=5):
    """Return a callback that lets the fit end like this."""

    def end(state):
        if state.epoch == epoch:
            if how is DivergenceError:
                state.learning_rate = 1e300
            else:
                raise how

    return end


def kept_and_ended(make, data, state_of, how):
    """Let a fit end while an epoch is kept; return the network, what it was like then, and the error."""
    net, seen = make(optimizer=fastbp.Adam(0.1)), []

    def keep(state):
        if state.epoch == 2:
            state.keep()
            seen.append(state_of(net))
        state.learning_rate *= 0.5

    with pytest.raises(how) as raised:
        net.fit(*data, epochs=9, batch_size=8, validation_data=data, callbacks=[keep, ending(how)])
    return net, seen[0], raised.value


ENDS = pytest.mark.parametrize("how", [KeyboardInterrupt, LookupError, DivergenceError])


@ENDS
def test_the_kept_epoch_survives_an_error(make, data, state_of, how):
    """With its learning rate; the history has all complete epochs, and the error says so."""
    net, then, error = kept_and_ended(make, data, state_of, how)
    assert state_of(net)[:5] == then[:5]
    assert net.learning_rate == 0.1 * 0.5**2
    assert len(net.history) == 6
    assert np.isfinite(net.history.validation_loss).all()
    assert net.history.stopped == ("diverged" if how is DivergenceError else "interrupted")
    told = "the network is back where it was after epoch 3, which a callback kept"
    assert told in "\n".join([str(error), *getattr(error, "__notes__", [])])


@ENDS
def test_without_a_kept_epoch_a_rate_that_made_the_fit_diverge_is_taken_back(make, data, how):
    net = make(optimizer=fastbp.Adam(0.1))

    def halve(state):
        state.learning_rate *= 0.5

    with pytest.raises(how):
        net.fit(*data, epochs=9, batch_size=8, callbacks=[halve, ending(how)])
    assert net.learning_rate == 0.1 * 0.5 ** len(net.history)
    net.fit(*data)


def test_a_schedule_that_a_callback_ended_is_back_after_a_divergence(make, data):
    falling = fastbp.schedules.Exponential(learning_rate=0.1, decay=0.9)
    net = make(optimizer=SGD(falling))
    with pytest.raises(DivergenceError):
        net.fit(*data, epochs=9, batch_size=8, callbacks=ending(DivergenceError, 0))
    assert (net.optimizer, net.learning_rate) == (SGD(falling), 0.1)


def test_a_fit_that_ends_well_keeps_its_rate(make, data):
    net = make(optimizer=SGD(0.1))

    def keep(state):
        if state.epoch == 1:
            state.keep()
        state.learning_rate *= 0.5

    net.fit(*data, epochs=4, callbacks=keep)
    assert net.learning_rate == 0.1 * 0.5**4


def test_two_that_restore_are_refused(make, data, state_of):
    net = make()
    before = state_of(net)
    best = [EarlyStopping(name, restore_best=True) for name in ("loss", "validation_loss")]
    message = (
        r"^callbacks\[0\] \(Early.*\) and callbacks\[2\] \(Early.*\) each restore an epoch, expected one"
    )
    with pytest.raises(fastbp.ParameterError, match=message):
        net.fit(*data, validation_data=data, callbacks=[best[0], print, best[1]])
    assert state_of(net) == before
    net.fit(*data, callbacks=[best[0], EarlyStopping("loss")])


# ---- several fits ------------------------------------------------------------------------------------------


def test_it_resumes_if_asked(make, data):
    for resume in (False, True):
        net, stopping = make(), EarlyStopping("loss", patience=3, min_delta=1e9, resume=resume)
        stopped = [net.fit(*data, callbacks=stopping).stopped for _ in range(5)]
        assert stopped == (["epochs"] * 3 + ["early_stopping"] * 2 if resume else ["epochs"] * 5)


def test_the_best_epoch_of_an_earlier_fit_counts(make, data, state_of):
    net = make(optimizer=fastbp.Adam(0.02))
    stopping = EarlyStopping("validation_loss", patience=50, restore_best=True, resume=True)
    net.fit(*data, epochs=4, validation_data=data, callbacks=stopping)
    best = state_of(net)[:3]
    net.learning_rate = 3.0
    history = net.fit(*data, epochs=3, validation_data=data, callbacks=stopping)
    assert min(history.validation_loss) > net.history.validation_loss[3]
    assert state_of(net)[:3] == best


def test_a_best_epoch_that_is_lost_does_not_count(make, data):
    net = make(optimizer=fastbp.Adam(0.02))
    stopping = EarlyStopping("validation_loss", patience=50, restore_best=True, resume=True)
    net.fit(*data, epochs=4, validation_data=data, callbacks=stopping)
    net.parameters[:] += 1.0
    history = net.fit(*data, epochs=4, validation_data=data, callbacks=stopping)
    assert net.evaluate(*data)["loss"] == min(history.validation_loss) > net.history.validation_loss[3]


def test_an_error_leaves_the_count_of_the_best_epoch(make, data):
    net, stopping = make(), EarlyStopping("loss", patience=2, min_delta=1e9, restore_best=True, resume=True)

    def fail(state):
        if state.epoch == 1:
            raise LookupError

    with pytest.raises(LookupError):
        net.fit(*data, epochs=9, callbacks=[stopping, fail])
    assert len(net.fit(*data, epochs=9, callbacks=stopping)) == 2  # none had been waited for the first epoch
