"""The hooks of callbacks: when they are called, what they see, and how they end a fit."""

from contextlib import suppress

import numpy as np
import pytest

import fastbp
from fastbp import SGD, Adam, DivergenceError, ParameterError
from helpers.inside import after_each_slice, engine_of, take_snapshots

HOOKS = ("on_fit_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_fit_end")


class Recorder:
    """A callback with some of the hooks, which records its calls and does what `act` says."""

    def __init__(self, *hooks, act=lambda hook, state: None):
        self.calls = []
        for hook in hooks or HOOKS:
            setattr(self, hook, lambda state, hook=hook: self.record(hook, state, act))

    def record(self, hook, state, act):
        self.calls.append((hook, state.epoch, state.step, len(state.history)))
        act(hook, state)

    @property
    def names(self):
        return [hook for hook, *_ in self.calls]


def acting(hook, action, when=lambda state: True):
    """Return what acts in one hook, from `when` on."""
    return lambda called, state: action(state) if called == hook and when(state) else None


def failing(error):
    def fail(state):
        raise error

    return fail


# ---- when they are called ----------------------------------------------------------------------------------


def test_all_hooks_in_their_order(make, data):
    recorder = Recorder()
    make().fit(*data, epochs=2, batch_size=8, callbacks=recorder)  # 23 rows: three batches
    assert recorder.calls == [
        ("on_fit_begin", 0, 0, 0),
        ("on_epoch_begin", 0, 0, 0),
        ("on_batch_end", 0, 1, 0),
        ("on_batch_end", 0, 2, 0),
        ("on_batch_end", 0, 3, 0),
        ("on_epoch_end", 0, 3, 1),
        ("on_epoch_begin", 1, 0, 1),
        ("on_batch_end", 1, 1, 1),
        ("on_batch_end", 1, 2, 1),
        ("on_batch_end", 1, 3, 1),
        ("on_epoch_end", 1, 3, 2),
        ("on_fit_end", 1, 3, 2),
    ]


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_alone_is_enough(make, data, state_of, hook):
    net, twin, recorder = make(), make(), Recorder(hook)
    net.fit(*data, epochs=3, batch_size=8, callbacks=recorder)
    assert {*recorder.names} == {hook}
    assert len(recorder.names) == {"on_fit_begin": 1, "on_batch_end": 9, "on_fit_end": 1}.get(hook, 3)
    twin.fit(*data, epochs=3, batch_size=8)
    assert state_of(net) == state_of(twin)


def test_several_callbacks_are_called_in_order_hook_by_hook(make, data):
    calls = []
    both = [Recorder(act=lambda hook, state, i=i: calls.append((hook, i))) for i in range(2)]
    make().fit(*data, batch_size=None, callbacks=both)
    assert calls == [(hook, i) for hook in HOOKS for i in range(2)]


def test_who_asks_for_no_batches_gets_whole_epochs(network_class, rng, monkeypatch):
    """And who asks for the end of the fit alone, none in between."""
    reached = []
    after_each_slice(monkeypatch, lambda epoch, step: reached.append((epoch, step)))
    monkeypatch.setattr(fastbp._training.fit, "SLICE", 100.0)
    X = rng.normal(size=(20, 2))
    for hooks, expected in (
        (["on_fit_begin", "on_epoch_end"], [(1, 0), (2, 0)]),
        (["on_fit_end"], [(2, 0)]),
        (["on_batch_end"], [(0, 1), (1, 0), (1, 1), (2, 0)]),
    ):
        reached.clear()
        network_class([2, 2]).fit(X, X, epochs=2, batch_size=10, callbacks=Recorder(*hooks))
        assert reached == expected


def test_a_fit_of_levenberg_marquardt(make, data):
    losses, recorder = [], Recorder(act=acting("on_batch_end", lambda state: losses.append(state.batch_loss)))
    net = make(optimizer=fastbp.LevenbergMarquardt())
    history = net.fit(*data, epochs=3, batch_size=None, callbacks=recorder)
    assert recorder.names == ["on_fit_begin", *3 * HOOKS[1:4], "on_fit_end"]
    assert losses == history.loss


# ---- what they see -----------------------------------------------------------------------------------------


def custom(output, target):
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


@pytest.mark.parametrize("loss", ["mse", custom], ids=["native", "custom"])
@pytest.mark.parametrize("batch_size", [1, 8, 23])
def test_losses_and_parameters_of_the_batches(make, data, loss, batch_size):
    net, twin, seen = make(loss=loss), make(loss=loss), []

    def look(state):
        assert state.steps_per_epoch == -(-23 // batch_size)
        seen.append((state.batch_loss, net.parameters.tobytes(), engine_of(net).t))

    net.fit(*data, batch_size=batch_size, shuffle=False, callbacks=Recorder(act=acting("on_batch_end", look)))
    expected = []
    for first in range(0, 23, batch_size):
        batch = [array[first : first + batch_size] for array in data]
        expected.append((twin.train_on_batch(*batch), twin.parameters.tobytes(), engine_of(twin).t))
    assert seen == expected


def test_metrics_before_and_after_an_epoch(make, data):
    seen = []

    def look(hook, state):
        seen.append((hook, state.metrics.get("validation_loss"), sorted(state.measured)))

    history = make().fit(*data, epochs=2, batch_size=None, validation_data=data, callbacks=Recorder(act=look))
    first, last = history.validation_loss
    columns = sorted(history)
    assert [(hook, value) for hook, value, _ in seen] == [
        ("on_fit_begin", None),
        ("on_epoch_begin", None),
        ("on_batch_end", None),
        ("on_epoch_end", first),
        ("on_epoch_begin", first),
        ("on_batch_end", first),
        ("on_epoch_end", last),
        ("on_fit_end", last),
    ]
    assert [measured for *_, measured in seen] == 3 * [[]] + 5 * [columns]


def test_the_state_shows_where_the_fit_is(make, data):
    shown = []
    history = make().fit(*data, epochs=2, batch_size=None, callbacks=lambda state: shown.append(repr(state)))
    assert [text.split(", metrics")[0] for text in shown] == [
        "EpochState(epoch=0 of 2, step=1 of 1",
        "EpochState(epoch=1 of 2, step=1 of 1",
    ]
    assert all(f"'loss': {loss!r}" in text for text, loss in zip(shown, history.loss, strict=True))


def test_the_rate_of_the_epoch_is_known_as_it_begins(make, data):
    rates = []
    recorder = Recorder(act=acting("on_epoch_begin", lambda state: rates.append(state.learning_rate)))
    make(optimizer=SGD(lambda epoch: 0.1 / (1 + epoch))).fit(*data, epochs=3, callbacks=recorder)
    assert rates == [0.1, 0.1 / 2, 0.1 / 3]


def test_the_history_has_the_rate_of_the_last_step(make, data):
    """Not the one that a callback sets after it."""
    rates = []

    def change(state):
        rates.append(state.learning_rate)
        state.learning_rate = rates[0] / (1 + len(rates))

    net, hook = make(optimizer=SGD(0.01)), Recorder("on_batch_end", act=acting("on_batch_end", change))
    history = net.fit(*data, epochs=3, batch_size=8, callbacks=hook)
    steps = len(rates) // 3
    assert history.learning_rate == rates[steps - 1 :: steps] == net.history.learning_rate


def test_a_rate_set_after_each_batch(make, data):
    net, twin = make(optimizer=SGD(0.1)), make(optimizer=SGD(0.1))

    def halve(state):
        state.learning_rate /= 2

    net.fit(*data, batch_size=8, shuffle=False, callbacks=Recorder(act=acting("on_batch_end", halve)))
    for i in range(3):
        twin.learning_rate = 0.1 / 2**i
        twin.train_on_batch(*(array[8 * i : 8 * i + 8] for array in data))
    assert (net.parameters == twin.parameters).all()


# ---- ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "when", "epochs", "steps"),
    [
        ("on_fit_begin", lambda state: True, 0, 0),
        ("on_epoch_begin", lambda state: state.epoch == 1, 1, 3),
        ("on_batch_end", lambda state: (state.epoch, state.step) == (1, 2), 1, 5),
        ("on_batch_end", lambda state: (state.epoch, state.step) == (1, 3), 2, 6),
        ("on_epoch_end", lambda state: state.epoch == 1, 2, 6),
    ],
)
def test_a_fit_stops_at_once(make, data, hook, when, epochs, steps):
    net, recorder = make(), Recorder(act=acting(hook, lambda state: state.stop("enough"), when))
    history = net.fit(*data, epochs=9, batch_size=8, callbacks=recorder)
    assert (len(history), len(net.history), engine_of(net).t) == (epochs, epochs, steps)
    assert history.stopped == net.history.stopped == "enough"
    assert recorder.names.count("on_epoch_end") == epochs
    assert recorder.names[-1] == "on_fit_end"
    net.fit(*data, epochs=1)
    assert len(net.history) == epochs + 1


def test_the_last_hook_knows_how_the_fit_ended(make, data, monkeypatch):
    take_snapshots(monkeypatch, interval=1e9)  # not one more on a slow machine
    reasons = []

    def end(state):
        reasons.append((state.reason, state.history.stopped, len(state.history)))

    def run(error=None, net=None, **options):
        act = acting("on_fit_end", end)
        callbacks = [Recorder("on_fit_end", act=act)]
        if error is not None:
            callbacks.append(Recorder("on_epoch_end", act=acting("on_epoch_end", failing(error), at(1))))
        with suppress(KeyboardInterrupt, LookupError, DivergenceError):
            (net or make()).fit(*data, **{"epochs": 3} | options, callbacks=callbacks)

    run()
    run(tol=1e9, patience=1, epochs=9)
    run(KeyboardInterrupt())
    run(LookupError())
    run(net=make(optimizer=SGD(1e300), activation="identity", loss="half_sse"))
    assert reasons == [
        ("epochs", "epochs", 3),
        ("tol", "tol", 2),
        ("interrupted", "interrupted", 2),
        ("interrupted", "interrupted", 2),
        ("diverged", "diverged", 0),
    ]


def at(epoch):
    return lambda state: state.epoch == epoch


def test_the_network_is_in_order_at_the_end(make, data):
    net, seen = make(), []

    def look(state):
        seen.append(net.evaluate(*data)["loss"])
        with pytest.raises(fastbp.Error, match="keep of a fit that is over"):
            state.keep()

    history = net.fit(
        *data,
        epochs=5,
        validation_data=data,
        callbacks=[lambda s: s.epoch == 1 and s.keep(), Recorder(act=acting("on_fit_end", look))],
    )
    assert seen == [history.validation_loss[1]]


def test_an_error_at_the_end_is_raised_but_hides_no_other(make, data, state_of):
    net, twin, recorder = make(), make(), Recorder()
    ending = Recorder(act=acting("on_fit_end", failing(LookupError("at the end"))))
    with pytest.raises(LookupError, match="at the end"):
        net.fit(*data, callbacks=[ending, recorder])
    twin.fit(*data)
    assert state_of(net) == state_of(twin)
    assert net.history.stopped == "epochs"
    assert recorder.names[-1] == "on_fit_end"
    first = Recorder(act=acting("on_batch_end", failing(KeyError("first"))))
    with pytest.raises(KeyError, match="first") as raised:
        net.fit(*data, callbacks=[first, ending, recorder])
    assert raised.value.__notes__ == [
        "on_fit_end of a callback raised an error, too: LookupError('at the end')"
    ]
    assert recorder.names[-1] == "on_fit_end"
    net.fit(*data)


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
def test_an_error_at_the_start_changes_nothing(make, data, state_of, error):
    net, recorder = make(), Recorder()
    net.fit(*data)
    before, stopped = state_of(net), net.history.stopped

    def act(state):
        state.learning_rate = 0.5
        raise error

    with pytest.raises(error):
        net.fit(*data, callbacks=[recorder, Recorder(act=acting("on_fit_begin", act))])
    assert (state_of(net), net.history.stopped) == (before, stopped)
    assert recorder.names == ["on_fit_begin", "on_fit_end"]


def test_an_error_after_a_batch_leaves_the_steps_done(make, data):
    net = make()
    act = acting("on_batch_end", failing(LookupError()), lambda state: (state.epoch, state.step) == (1, 2))
    with pytest.raises(LookupError):
        net.fit(*data, epochs=9, batch_size=8, callbacks=Recorder(act=act))
    assert (len(net.history), engine_of(net).t, net.history.stopped) == (1, 5, "interrupted")


def test_no_hook_is_called_for_arguments_that_are_refused(make, data):
    recorder, net = Recorder(), make()
    with pytest.raises(ParameterError):
        net.fit(*data, epochs=0, callbacks=recorder)
    net.parameters[:] = np.nan
    with pytest.raises(fastbp.DataError):
        net.fit(*data, callbacks=recorder)
    assert recorder.names == []


def test_divergence_within_an_epoch_ends_with_the_last_hook(make, data):
    recorder = Recorder()
    net = make(optimizer=Adam(1e308), activation="identity", loss="half_sse")
    with pytest.raises(DivergenceError):
        net.fit(*data, epochs=9, batch_size=8, callbacks=recorder)
    assert recorder.names[-1] == "on_fit_end"
    assert recorder.names.count("on_fit_end") == 1
