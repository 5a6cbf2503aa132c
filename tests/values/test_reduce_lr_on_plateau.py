"""ReduceLROnPlateau: the learning rates it sets; the arguments that both monitoring callbacks refuse."""

import pickle

import numpy as np
import pytest

import fastbp
from fastbp import SGD, ParameterError
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau
from helpers.callbacks import stop_after


@pytest.mark.parametrize("greater_is_better", [False, True])
@pytest.mark.parametrize("options", [{}, {"min_delta": 0.3}, {"min_delta": 0.1, "relative": True}])
@pytest.mark.parametrize("patience", [1, 3])
@pytest.mark.parametrize("cooldown", [0, 1, 4])
def test_rates_are_those_of_pytorch(make, data, rng, torch, greater_is_better, options, patience, cooldown):
    """PyTorch waits one epoch longer."""
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
        cooldown=cooldown,
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
        "validation_measure",
        factor=0.5,
        patience=patience,
        min_learning_rate=1e-4,
        cooldown=cooldown,
        **options,
    )
    net = make(optimizer="sgd")
    history = net.fit(*data, epochs=60, validation_data=data, metrics=measure, callbacks=reduce)
    np.testing.assert_allclose(history.learning_rate, expected, rtol=1e-12)
    assert min(expected) == 1e-4 or cooldown


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
        (EarlyStopping, {"mode": "best"}, "mode is 'best', expected one of: auto, min, max"),
        (EarlyStopping, {"baseline": np.inf}, "baseline is inf, expected a finite number"),
        (EarlyStopping, {"start_from_epoch": -1}, "start_from_epoch is -1"),
        (ReduceLROnPlateau, {"cooldown": -1}, "cooldown is -1"),
        (ReduceLROnPlateau, {"resume": 1}, "resume is 1, expected True or False"),
    ],
)
def test_values_check_their_arguments(value, options, message):
    with pytest.raises(ParameterError, match=message):
        value(**options)


@pytest.mark.parametrize("value", [EarlyStopping, ReduceLROnPlateau])
@pytest.mark.parametrize(
    ("monitor", "validated", "message"),
    [
        ("validation_loss", False, "without validation data, .*split, or one of: loss$"),
        ("accuracy", True, "monitor is 'accuracy', expected one of: loss, validation_loss, validation_r2$"),
        ("seconds", False, "monitor is 'seconds', expected one of: loss$"),
    ],
)
def test_a_column_that_will_not_be_is_refused_before_training(
    make, data, state_of, value, monitor, validated, message
):
    net = make()
    before = state_of(net)
    with pytest.raises(ParameterError, match=message):
        net.fit(*data, validation_data=data if validated else None, callbacks=value(monitor))
    assert state_of(net) == before


def test_mode_replaces_what_the_column_says(make, data):
    for mode, rate in (("auto", 0.01), ("min", 0.01), ("max", 0.001)):
        net = make(optimizer="sgd")
        net.fit(*data, epochs=3, callbacks=ReduceLROnPlateau("loss", patience=2, mode=mode))
        assert net.learning_rate == pytest.approx(rate)


# ---- several fits ------------------------------------------------------------------------------------------

REDUCE = ReduceLROnPlateau("loss", factor=0.5, patience=3, min_delta=1e9, cooldown=2)
COPIES = {"clone": lambda net: net.clone(), "pickle": lambda net: pickle.loads(pickle.dumps(net))}


def rates(net, data, fits, callbacks=REDUCE, epochs=1):
    for _ in range(fits):
        net.fit(*data, epochs=epochs, callbacks=callbacks)
    return net.history.learning_rate


def test_it_counts_on_in_the_next_fit(make, data):
    whole = rates(make(), data, 1, epochs=20)
    assert rates(make(), data, 20) == rates(make(), data, 4, epochs=5) == whole
    assert len({*whole}) > 3
    again = ReduceLROnPlateau("loss", factor=0.5, patience=3, min_delta=1e9, cooldown=2, resume=False)
    assert len({*rates(make(), data, 20, again)}) == 1


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_counts_on(make, data, copy, state_of):
    """One made between two fits, and one that a callback makes."""
    net, clones = make(), []
    rates(net, data, 2)
    twin = copy(net)
    rates(net, data, 1, [REDUCE, lambda state: clones.append(copy(net))], epochs=2)
    rates(twin, data, 1, epochs=2)
    assert state_of(net) == state_of(twin)
    rates(net, data, 9)
    rates(twin, data, 9)
    rates(clones[0], data, 10)
    assert state_of(net) == state_of(twin) == state_of(clones[0])


FORGETTING = {
    "reset": lambda net: net.reset(),
    "the optimizer": lambda net: setattr(net, "optimizer", fastbp.Adam()),
}


@pytest.mark.parametrize("forget", FORGETTING.values(), ids=FORGETTING)
def test_it_starts_again_after(make, data, forget):
    net = make()
    rates(net, data, 3)
    forget(net)
    rates(net, data, 3)
    assert net.learning_rate == 0.001
    rates(net, data, 1)
    assert net.learning_rate == 0.0005


def test_other_values_and_equal_ones_count_on_their_own(make, data):
    net, other = make(), ReduceLROnPlateau("loss", factor=0.1, patience=3, min_delta=1e9)
    rates(net, data, 3)
    rates(net, data, 1, other)
    assert net.learning_rate == 0.001
    net = make()
    rates(net, data, 4, [REDUCE, REDUCE])
    assert net.learning_rate == 0.00025


def test_the_count_goes_back_with_a_fit_that_diverges(make, data):
    net, twin = make(optimizer=SGD(0.01)), make(optimizer=SGD(0.01))
    rates(net, data, 2)
    rates(twin, data, 2)
    with pytest.raises(fastbp.DivergenceError):
        rates(net, data, 1, [REDUCE, lambda state: setattr(state, "learning_rate", 1e300)], epochs=9)
    assert rates(net, data, 6) == rates(twin, data, 6)


class Counting:
    """A callback of the user's that counts epochs over all fits."""

    resume = True

    def __repr__(self):
        return "Counting()"

    def begin(self, columns):
        self.columns = dict(columns)
        self.counter = Counter()
        return self.counter


class Counter:
    def __init__(self):
        self.state = {"epochs": 0, "last": ""}

    def on_epoch_end(self, state):
        self.state["epochs"] += 1
        self.state["last"] = f"{state.metrics['loss']:g}"


def test_the_protocol_for_callbacks_of_ones_own(make, data):
    net, counting = make(), Counting()
    net.fit(*data, epochs=2, validation_data=data, callbacks=counting)
    assert counting.columns == {"loss": False, "validation_loss": False, "validation_r2": True}
    pickle.loads(pickle.dumps(net)).fit(*data, epochs=3, callbacks=counting)
    assert counting.counter.state["epochs"] == 5
    counting.counter.state["wrong"] = [1]
    net.fit(*data, callbacks=counting)
    assert counting.counter.state["epochs"] == 3
    counting.counter.state["wrong"] = [1]
    for copied in (net.clone, lambda: pickle.dumps(net)):
        with pytest.raises(fastbp.DataError, match=r"remembers \[1\] as 'wrong', expected numbers"):
            copied()


def test_numbers_of_numpy_are_remembered_as_those_of_python(make, data):
    net, counting = make(), Counting()
    net.fit(*data, callbacks=counting)
    counting.counter.state |= {"epochs": np.int64(4), "best": np.float32(0.5)}
    pickle.loads(pickle.dumps(net)).fit(*data, callbacks=counting)
    assert counting.counter.state["epochs"] == 5
    assert type(counting.counter.state["best"]) is float


@pytest.mark.parametrize("wrong", [{"best": None}, {"best": [1]}, {1: 2}])
def test_what_no_copy_can_keep_is_refused(make, data, state_of, wrong):
    class Wrong(Counting):
        def begin(self, columns):
            counter = Counter()
            counter.state = wrong
            return counter

    net = make()
    before = state_of(net)
    with pytest.raises(ParameterError, match=r"^callbacks\[0\] is .* resume=True, but a callback remembers"):
        net.fit(*data, callbacks=Wrong())
    assert state_of(net) == before


@pytest.mark.parametrize("missing", ["repr", "state"])
def test_what_cannot_resume_is_refused(make, data, state_of, missing):
    class Nameless:
        resume = True

        def begin(self, columns):
            return Counter()

    class Stateless(Counting):
        def begin(self, columns):
            return lambda state: None

    net = make()
    before = state_of(net)
    with pytest.raises(ParameterError, match=r"^callbacks\[0\] is .* with resume=True, expected a __repr__"):
        net.fit(*data, callbacks={"repr": Nameless, "state": Stateless}[missing]())
    assert state_of(net) == before
