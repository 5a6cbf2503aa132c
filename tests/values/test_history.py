"""The history of a fit and of a network: one column per measurement, one entry per epoch."""

import math
import pickle
from array import array
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest

import fastbp.reference
from fastbp import SGD, History
from fastbp._base.columns import computed, entries
from fastbp._training import fit, record
from fastbp.schedules import Constant, Cosine, Exponential, Schedule
from helpers.inside import schedule_of, take_snapshots


def test_validation_is_evaluate_after_each_epoch(make, data, rng):
    held_out = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
    net, twin = make(), make()
    history = net.fit(*data, epochs=3, validation_data=held_out)
    for epoch in range(3):
        twin.fit(*data)
        measures = twin.evaluate(*held_out)
        assert (history.validation_loss[epoch], history.validation_r2[epoch]) == (
            measures["loss"],
            measures["r2"],
        )


def test_columns_have_an_order_and_one_length(make, data):
    history = make().fit(*data, epochs=3, validation_data=data, metrics=["mae", "r2"])
    names = ["loss", "validation_loss", "validation_mae", "validation_r2", "learning_rate", "seconds"]
    assert list(history) == list(history.to_dict()) == names
    assert {len(column) for column in history.to_dict().values()} == {3}
    assert all(type(value) is float for name in history for value in history[name])
    assert set(names) <= set(dir(history))


def test_a_data_frame_is_one_call(make, data):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    history = make().fit(*data, epochs=3)
    frame = pandas.DataFrame(history.to_dict())
    assert frame.shape == (3, 3)
    assert frame.loss.tolist() == history.loss


def test_a_column_that_is_not_there(make, data):
    history = make().fit(*data)
    assert "validation_loss" not in history
    with pytest.raises(
        AttributeError, match=r"'validation_loss', expected one of: loss, learning_rate, seconds"
    ):
        _ = history.validation_loss
    with pytest.raises(KeyError, match=r"'validation_loss', expected one of: loss, learning_rate, seconds"):
        history["validation_loss"]
    assert not hasattr(history, "__array__")


def test_history_accumulates(make, data):
    net = make()
    first, second, third = net.fit(*data), net.fit(*data, epochs=2, validation_data=data), net.fit(*data)
    assert net.history.loss == first.loss + second.loss + third.loss
    assert net.history.seconds == first.seconds + second.seconds + third.seconds
    np.testing.assert_array_equal(net.history.validation_loss, [math.nan, *second.validation_loss, math.nan])
    assert len(net.history) == 4
    assert list(first) == ["loss", "learning_rate", "seconds"]
    assert {len(column) for column in net.history.to_dict().values()} == {4}


@pytest.mark.parametrize("validated", [False, True])
def test_seconds_are_the_time_of_the_fit(make, data, monkeypatch, validated):
    looks = []

    def clock():
        looks.append(float(len(looks)))  # a second from each look to the next
        return looks[-1]

    for module in (fit, record):
        monkeypatch.setattr(module, "perf_counter", clock)
    history = make().fit(*data, epochs=5, validation_data=data if validated else None)
    assert len(history.seconds) == 5
    assert min(history.seconds) > 0
    assert looks[-1] - 2 <= history.total_seconds <= looks[-1]


def test_a_slice_is_shared_among_its_epochs(make, data, monkeypatch):
    take_snapshots(monkeypatch, interval=1e9)
    monkeypatch.setattr(fit, "SLICE", 1e9)
    seconds = make().fit(*data, epochs=10).seconds
    assert len(set(seconds)) == 1


def test_columns_grow_while_a_callback_looks(make, data):
    net, seen = make(), []
    history = net.fit(*data, epochs=3, callbacks=lambda state: seen.append((*state.history.loss,)))
    assert seen == [tuple(net.history.loss[:n]) for n in (1, 2, 3)]
    assert history.loss == net.history.loss


RATES = {
    "a number": 0.1,
    "a schedule": Exponential(learning_rate=0.1, decay=0.9),
    "a function": lambda epoch: 0.1 / (epoch + 1),
}


@pytest.mark.parametrize("learning_rate", RATES.values(), ids=RATES.keys())
def test_learning_rates_are_those_of_the_last_steps(make, data, learning_rate):
    """Three steps per epoch, several fits, slices that end within an epoch."""
    net, twin = (make(optimizer=SGD(learning_rate=learning_rate)) for _ in range(2))
    for epochs in (2, 3):
        net.fit(*data, epochs=epochs, batch_size=8)
    expected = []
    twin.fit(
        *data, epochs=5, batch_size=8, callbacks=lambda state: expected.append(schedule_of(state.network))
    )
    steps = range(3, 18, 3)
    assert net.history.learning_rate == [s(step - 1) for s, step in zip(expected, steps, strict=True)]
    assert (len(set(net.history.learning_rate)) == 1) == isinstance(learning_rate, float)


def test_learning_rates_of_slices_that_end_within_an_epoch(data, monkeypatch):
    """Slices of five steps, epochs of three; the reference, whose clock can be set."""
    steps = iter(range(1000))
    clock = SimpleNamespace(perf_counter=lambda: next(steps))
    monkeypatch.setattr(fastbp._engine.stepwise, "time", clock)
    monkeypatch.setattr(fit, "SLICE", 5)
    take_snapshots(monkeypatch, interval=1e9)
    rate = Exponential(learning_rate=0.1, decay=0.9)
    net = fastbp.reference.Network([4, 2], optimizer=SGD(learning_rate=rate), seed=0)
    assert net.fit(*data, epochs=9, batch_size=8).learning_rate == [rate(3 * n - 1) for n in range(1, 10)]


@pytest.mark.parametrize("rate", [0.01, Exponential(0.01, decay=0.999), Cosine(0.01, steps=700, growth=2)])
def test_many_short_epochs(rate):
    """Long slices, of which not everything is kept as numbers; short fits before, between and after them."""
    X, y = np.ones((3, 1)), np.zeros((3, 1))
    net = fastbp.Network([1, 1], optimizer=SGD(rate), seed=0)
    count, histories = 0, []
    for epochs in (3, 2500, 2, 1, 1200, 5000, 20):
        count += epochs
        histories.append(net.fit(X, y, epochs=epochs, batch_size=2, shuffle=False))
        assert histories[-1].row(-1)["learning_rate"] == net.history.row(-1)["learning_rate"]
    rate_of = rate if isinstance(rate, Schedule) else Constant(rate)
    expected = [rate_of(2 * epoch + 1) for epoch in range(count)]
    losses = [loss for history in histories for loss in history.loss]
    assert len(losses) == len(net.history) == count
    for history in (net.history, pickle.loads(pickle.dumps(net.history)), net.clone().history):
        assert history.learning_rate == expected
        assert history.loss == losses
        assert history.seconds == [each for fit in histories for each in fit.seconds]
        for epoch in (0, 2, 3, 2502, 2503, 2505, 2506, 5000, count - 1):
            row = history.row(epoch)
            assert (row["learning_rate"], row["loss"]) == (expected[epoch], losses[epoch])
            assert all(type(value) is float for value in row.values())


def test_a_long_slice_asks_no_schedule(monkeypatch):
    take_snapshots(monkeypatch, interval=1e9)
    monkeypatch.setattr(fit, "SLICE", 1e9)
    asked, formula = [], Exponential.formula
    counting = staticmethod(lambda step, *numbers: asked.append(step) or formula(step, *numbers))
    net = fastbp.Network([1, 1], optimizer=SGD(Exponential(0.01, decay=0.999)), seed=0)
    monkeypatch.setattr(Exponential, "formula", counting)
    history = net.fit(np.ones((3, 1)), np.zeros((3, 1)), epochs=5000)
    assert asked == []
    assert history.row(-1) == net.history.row(-1)
    assert asked == [4999] * 2
    assert history.learning_rate == net.history.learning_rate
    assert asked == [4999, 4999, *range(5000)]


@pytest.mark.parametrize("kept", [0, 10, 11, 1999, 2010, 2015, 4000])
def test_truncation_of_long_parts(kept):
    history, twin = History({"loss": range(10)}), list(range(10))
    for n in (2000, 5, 3000):
        history._append({"loss": entries(np.arange(n) + 0.5)}, n)
        twin += [i + 0.5 for i in range(n)]
    history._truncate(kept)
    assert history.loss == twin[:kept]
    history._append({"loss": entries(np.arange(3.0))}, 3)
    assert history.loss == [*twin[:kept], 0, 1, 2]
    assert history.row(-1) == {"loss": 2}


def test_two_histories_get_the_same_epochs():
    """As those of a network and its fit do: long parts are shared, short ones grow."""
    histories, expected = (History({"loss": []}), History({"loss": []})), []
    for n in (1, 2, 2000, 3, 4, 2000, 1):
        numbers = np.arange(n) + float(len(expected))
        expected += numbers.tolist()
        new = {"loss": entries(numbers)}
        for history in histories:
            history._append(new, n)
    assert [history.loss for history in histories] == [expected] * 2


def test_numbers_are_computed_when_they_are_read():
    calls = []

    def compute(factor, steps):
        calls.append(len(steps))
        return array("d", [factor * step for step in steps])

    found = computed(compute, 2, range(5, 10_005, 5))
    histories = History({"loss": []}), History({"loss": []})
    for history in histories:
        history._append({"loss": found}, 2000)
    assert calls == []
    assert [history.row(3) for history in histories] == [{"loss": 40}] * 2
    assert calls == [1, 1]
    assert [history.loss for history in histories] == [list(range(10, 20_010, 10))] * 2
    assert calls == [1, 1, 2000]


def test_history_is_readable(make, data):
    net = make()
    assert repr(net.history) == "History(0 epochs)"
    history = net.fit(*data, epochs=3, validation_data=data)
    for part in (
        "3 epochs in ",
        f"loss {history.loss[0]:.5g}",
        f"validation r2 {history.validation_r2[-1]:.5g}",
        "epochs)",
    ):
        assert part in repr(history)
    assert 0 < history.total_seconds < 10


def test_one_epoch_is_singular(make, data):
    history = make().fit(*data)
    assert repr(history).startswith("History(1 epoch in ")
    assert "History: 1 epoch in " in history._repr_html_()


def test_returned_history_is_independent(make, data):
    net = make()
    history = net.fit(*data)
    net.fit(*data)
    assert len(history) == 1
    history.to_dict()["loss"].clear()
    history.loss.clear()
    assert len(net.history) == 2


@pytest.mark.parametrize("copy", [deepcopy, lambda history: pickle.loads(pickle.dumps(history))])
def test_copies(make, data, copy):
    history = make().fit(*data, epochs=2)
    twin = copy(history)
    history.loss.clear()
    assert (len(twin), twin.stopped) == (2, "epochs")


def test_history_extends_with_any_columns():
    history = History()
    history._follow(History({"loss": [1.0, 2.0], "validation_loss": [3.0, 4.0]}), first=0)
    history._follow(History({"loss": [5.0], "seconds": [6.0]}), first=2)
    nan = math.nan
    columns = {"loss": [1, 2, 5], "validation_loss": [3, 4, nan], "seconds": [nan, nan, 6]}
    for name, column in columns.items():
        np.testing.assert_array_equal(history[name], column)


def test_truncation_keeps_complete_epochs():
    history = History({"loss": [1.0, 2.0], "seconds": [4.0, 5.0]})
    history._truncate(5)
    assert history.seconds == [4, 5]
    history._truncate(1)
    assert history.to_dict() == {"loss": [1], "seconds": [4]}
    history._append({"loss": np.array([7.0])}, 1)
    np.testing.assert_array_equal(history.seconds, [4, math.nan])
    assert history.loss == [1, 7]


@pytest.mark.parametrize(
    "columns",
    [{"seconds": []}, {"loss": [1.0], "seconds": []}, {"loss": ["a"]}, {"loss": 3}, {"loss": [10**400]}],
)
def test_columns_that_are_none(columns):
    with pytest.raises(fastbp.ParameterError, match="column"):
        History(columns)


def test_a_list_of_a_history_is_the_callers(make, data):
    history = make().fit(*data, epochs=2)
    before = history.to_dict()
    history.loss.clear()
    history["seconds"].append(1.0)
    assert history.to_dict() == before


def test_the_history_of_the_network_grows_with_the_fit(make, data):
    net, seen = make(), []
    net.fit(*data, epochs=2)
    net.fit(*data, epochs=3, callbacks=lambda state: seen.append((len(state.history), len(net.history))))
    assert seen == [(1, 3), (2, 4), (3, 5)]


def test_a_history_without_seconds():
    history = History({"loss": [1.0, 0.5]})
    assert math.isnan(history.total_seconds)
    assert repr(history) == "History(2 epochs in nan s, first: loss 1, last: loss 0.5, stopped: )"


def test_names_of_columns_are_strings():
    with pytest.raises(fastbp.ParameterError, match="a column is 1, expected a string"):
        History({"loss": [1.0], 1: [2.0]})


def test_who_reads_a_history_is_not_disturbed_by_new_columns():
    """Another thread may read while a fit is under way."""
    history = History({"loss": [1.0]})
    names = iter(history)
    history._append({"loss": np.zeros(1), "seconds": np.ones(1)}, 1)
    assert list(names) == ["loss"]
    np.testing.assert_array_equal(history.seconds, [math.nan, 1])
