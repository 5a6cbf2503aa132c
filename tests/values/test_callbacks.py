"""Callbacks: what they see and may do, when they stop a fit, and what a fit that they broke off leaves."""

import math
import threading
from contextlib import nullcontext

import numpy as np
import pytest

import fastbp
from fastbp import SGD, BusyError, DivergenceError, Error, ParameterError
from fastbp._training import snapshot
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau


def stop_after(epochs, reason="callback"):
    def callback(state):
        if state.epoch == epochs - 1:
            state.stop(reason)

    return callback


class Recorder:
    """An object that is a callback: notes what it sees."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, state):
        self.seen.append((state.epoch, state.epochs, state.metrics, len(state.history)))


# ---- what a callback sees and does -------------------------------------------------------------------------


def test_it_is_called_after_every_epoch(make, data):
    net, recorder = make(), Recorder()
    history = net.fit(*data, epochs=4, validation_data=data, callbacks=recorder)
    assert [(epoch, epochs, n) for epoch, epochs, _, n in recorder.seen] == [(i, 4, i + 1) for i in range(4)]
    for epoch, (_, _, measured, _) in enumerate(recorder.seen):
        for name in ("loss", "validation_loss", "validation_r2", "learning_rate"):
            assert measured[name] == history[name][epoch]


@pytest.mark.parametrize("many", [list, tuple])
def test_several_are_called_in_order(make, data, many):
    calls = []
    make().fit(*data, callbacks=many([lambda state: calls.append(1), lambda state: calls.append(2)]))
    assert calls == [1, 2]


def test_it_may_predict_evaluate_and_clone(make, data):
    net, twin = make(), make()
    clones = []

    def look(state):
        assert state.network is net
        np.testing.assert_array_equal(net.predict(data[0]), net.clone().predict(data[0]))
        assert net.evaluate(*data)["loss"] == state.metrics["validation_loss"]
        clones.append(net.clone())

    net.fit(*data, epochs=3, validation_data=data, callbacks=look)
    twin.fit(*data, epochs=3, validation_data=data)
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    np.testing.assert_array_equal(clones[-1].parameters, net.parameters)
    clones[0].fit(*data)


CHANGES = {
    "fit": lambda net, X, y: net.fit(X, y),
    "train_on_batch": lambda net, X, y: net.train_on_batch(X, y),
    "forward": lambda net, X, y: net.forward(X),
    "reset": lambda net, X, y: net.reset(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_it_may_not_change_the_network(make, data, change):
    net, twin = make(), make()
    with pytest.raises(BusyError, match="while fit of this network is under way"):
        net.fit(*data, epochs=3, callbacks=lambda state: change(state.network, *data))
    twin.fit(*data)
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_another_thread_may_not_read_meanwhile(make, data):
    errors = []

    def read(state):
        try:
            state.network.evaluate(*data)
        except BusyError as error:
            errors.append(error)

    def look(state):
        thread = threading.Thread(target=read, args=(state,))
        thread.start()
        thread.join()

    make().fit(*data, callbacks=look)
    assert len(errors) == 1


def test_it_may_set_the_learning_rate(make, data):
    net, twin = make(optimizer=SGD(momentum=0.5)), make(optimizer=SGD(momentum=0.5))

    def halve(state):
        state.learning_rate /= 2

    history = net.fit(*data, epochs=3, callbacks=halve)
    assert history.learning_rate == [0.01, 0.005, 0.0025]
    assert net.learning_rate == 0.00125
    for rate in history.learning_rate:
        twin.learning_rate = rate
        twin.fit(*data)
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    with pytest.raises(ParameterError, match="learning_rate is 0"):
        net.fit(*data, callbacks=lambda state: setattr(state, "learning_rate", 0))


SETTINGS = {
    "setting the learning rate": lambda state: setattr(state, "learning_rate", 0.5),
    "keep": lambda state: state.keep(),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_other_thread_may_set_anything(make, data, state_of, setting):
    errors = []

    def change(state):
        try:
            SETTINGS[setting](state)
        except BusyError as error:
            errors.append(str(error))

    def look(state):
        thread = threading.Thread(target=change, args=(state,))
        thread.start()
        thread.join()

    net, twin = make(), make()
    net.fit(*data, epochs=2, callbacks=look)
    twin.fit(*data, epochs=2)
    assert [error.startswith(setting) for error in errors] == [True, True]
    assert state_of(net) == state_of(twin)


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("setting", SETTINGS)
def test_nor_may_anyone_after_the_fit(make, data, state_of, setting, raises):
    states = []

    def look(state):
        states.append(state)
        if raises:
            raise KeyError

    net = make()
    with pytest.raises(KeyError) if raises else nullcontext():
        net.fit(*data, callbacks=look)
    before = state_of(net)
    with pytest.raises(Error, match=f"{setting} of a fit that is over"):
        SETTINGS[setting](states[0])
    assert state_of(net) == before


def test_it_makes_no_difference_to_the_training(make, data, state_of):
    net, twin = make(), make()
    net.fit(*data, epochs=5, callbacks=Recorder())
    twin.fit(*data, epochs=5)
    assert state_of(net) == state_of(twin)


# ---- stopping ----------------------------------------------------------------------------------------------


def test_it_may_stop(make, data, state_of):
    net, twin = make(), make()
    history = net.fit(*data, epochs=100, callbacks=stop_after(3))
    twin.fit(*data, epochs=3)
    assert (len(history), history.stopped) == (3, "callback")
    assert state_of(net) == state_of(twin)


def test_the_first_reason_counts_and_all_are_called(make, data):
    recorder = Recorder()
    callbacks = [stop_after(2, "enough"), stop_after(2), recorder]
    history = make().fit(*data, epochs=9, callbacks=callbacks)
    assert history.stopped == "enough"
    assert len(recorder.seen) == 2
    assert make().fit(*data, epochs=2, callbacks=stop_after(2)).stopped == "callback"


def test_one_that_raises_leaves_complete_epochs(make, data, state_of):
    net, twin = make(), make()

    def fail(state):
        if state.epoch == 2:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        net.fit(*data, epochs=9, validation_data=data, callbacks=fail)
    twin.fit(*data, epochs=3, validation_data=data)
    assert state_of(net) == state_of(twin)
    assert net.history.stopped == "interrupted"
    assert len(net.history) == 3
    net.fit(*data)


REFUSED = {
    "a number": (3, r"callbacks\[0\] is 3, expected a function"),
    "a class": ([EarlyStopping], r"callbacks\[0\] is <class .*EarlyStopping"),
    "a name": ([print, "tqdm"], r"callbacks\[1\] is 'tqdm'"),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_callback_is_refused(make, data, state_of, given, message):
    net = make()
    before = state_of(net)
    with pytest.raises(ParameterError, match=message):
        net.fit(*data, callbacks=given)
    assert state_of(net) == before


# ---- EarlyStopping and tol ---------------------------------------------------------------------------------


def epochs_until_stop(values, greater_is_better=False, **options):
    """Let EarlyStopping see these values; return the number of epochs after which it stops."""
    history = fastbp.History({"column": [], "loss": []})
    state = fastbp.callbacks.EpochState(None, None, history, len(values), lambda epoch: True)
    function = EarlyStopping("column", **options).begin({"column": greater_is_better})
    for epoch, value in enumerate(values, 1):
        history._append({"column": np.array([float(value)]), "loss": np.zeros(1)}, 1)
        function(state)
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
    """Less than min_delta an epoch, but more than that over the patience."""
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
def test_own_metrics_say_which_way_is_better(make, data, greater_is_better):
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
    """However the fit ends: all epochs done, or stopped."""
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


def test_nothing_is_put_back_when_a_callback_raises(make, data, state_of):
    net, twin = make(), make()

    def fail(state):
        if state.epoch == 0:
            state.keep()
        if state.epoch == 3:
            raise LookupError

    with pytest.raises(LookupError):
        net.fit(*data, epochs=9, callbacks=fail)
    twin.fit(*data, epochs=4)
    assert state_of(net) == state_of(twin)


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


# ---- ReduceLROnPlateau -------------------------------------------------------------------------------------


@pytest.mark.parametrize("greater_is_better", [False, True])
@pytest.mark.parametrize("options", [{}, {"min_delta": 0.3}, {"min_delta": 0.1, "relative": True}])
@pytest.mark.parametrize("patience", [1, 3])
def test_rates_are_those_of_pytorch(make, data, rng, greater_is_better, options, patience):
    """Which waits one epoch longer."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    values = np.round(rng.exponential(size=60), 1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        "max" if greater_is_better else "min",
        factor=0.5,
        patience=patience - 1,
        threshold=options.get("min_delta", 0.0),
        threshold_mode="rel" if options.get("relative") else "abs",
        min_lr=1e-4,
        eps=0,
    )
    expected = []
    for value in values:
        expected.append(optimizer.param_groups[0]["lr"])
        theirs.step(value)
    coming = iter(values)

    def measure(output, target):
        return next(coming)

    measure.greater_is_better = greater_is_better
    reduce = ReduceLROnPlateau(
        "validation_measure", factor=0.5, patience=patience, min_learning_rate=1e-4, **options
    )
    net = make(optimizer="sgd")
    history = net.fit(*data, epochs=60, validation_data=data, metrics=measure, callbacks=reduce)
    np.testing.assert_allclose(history.learning_rate, expected, rtol=1e-12)
    assert min(expected) == 1e-4


def test_a_rate_below_the_least_stays(make, data):
    reduce = ReduceLROnPlateau("loss", patience=1, min_delta=1e9, min_learning_rate=0.1)
    assert make(optimizer="sgd").fit(*data, epochs=4, callbacks=reduce).learning_rate == [0.01] * 4


def test_a_reduction_ends_a_schedule(make, data):
    falling = fastbp.schedules.Exponential(learning_rate=0.5, decay=0.5)
    net = make(optimizer=SGD(learning_rate=falling))
    callbacks = [ReduceLROnPlateau("loss", patience=1, min_delta=1e9), stop_after(4)]
    history = net.fit(*data, epochs=9, batch_size=None, callbacks=callbacks)
    np.testing.assert_allclose(history.learning_rate, [0.5, 0.25, 0.0125, 0.00125], rtol=1e-12)


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (ReduceLROnPlateau, {"factor": 1}, "factor is 1"),
        (ReduceLROnPlateau, {"min_learning_rate": -1}, "min_learning_rate is -1"),
        (ReduceLROnPlateau, {"patience": 0}, "patience is 0"),
        (EarlyStopping, {"patience": 0}, "patience is 0"),
        (EarlyStopping, {"min_delta": -1}, "min_delta is -1"),
        (EarlyStopping, {"relative": 1}, "relative is 1, expected True or False"),
        (EarlyStopping, {"restore_best": None}, "restore_best is None, expected True or False"),
    ],
)
def test_values_check_their_arguments(value, options, message):
    with pytest.raises(ParameterError, match=message):
        value(**options)


@pytest.mark.parametrize("value", [EarlyStopping, ReduceLROnPlateau])
@pytest.mark.parametrize(
    ("monitor", "validated", "message"),
    [
        ("validation_loss", False, "monitor is 'validation_loss', expected one of: loss$"),
        ("accuracy", True, "monitor is 'accuracy', expected one of: loss, validation_loss, validation_r2$"),
        ("seconds", False, "monitor is 'seconds', expected one of: loss$"),
    ],
)
def test_a_column_that_will_not_be_is_refused_at_the_door(
    make, data, state_of, value, monitor, validated, message
):
    net = make()
    before = state_of(net)
    with pytest.raises(ParameterError, match=message):
        net.fit(*data, validation_data=data if validated else None, callbacks=value(monitor))
    assert state_of(net) == before


def test_every_call_of_stop_stops(network_class):
    for reason, stopped in (("enough", "enough"), ("", "callback")):
        net = network_class([1, 1])
        history = net.fit([[0.5]], [1.0], epochs=3, callbacks=lambda state, r=reason: state.stop(r))
        assert (len(history), history.stopped) == (1, stopped)
    for reason in (None, 3):
        with pytest.raises(fastbp.ParameterError, match=f"reason is {reason}, expected a string"):
            network_class([1, 1]).fit([[0.5]], [1.0], callbacks=lambda state, r=reason: state.stop(r))
