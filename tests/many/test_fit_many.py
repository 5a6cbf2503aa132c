"""`fit_many`: each network ends with the bits of its own fit, at any number of threads."""

import _thread
import gc
import threading
import weakref
from dataclasses import dataclass, field
from time import sleep
from typing import Any

import numpy as np
import pytest

import fastbp
import fastbp.reference
from fastbp import Dense, schedules
from fastbp._many import _calls, _job, _pool
from fastbp._training import fit
from fastbp.callbacks import (
    Checkpoint,
    EarlyStopping,
    ExponentialMovingAverage,
    ReduceLROnPlateau,
    StochasticWeightAveraging,
)
from helpers.inside import replaced_slices

RNG = np.random.default_rng(7)
X = RNG.normal(size=(46, 4))
Y = np.tanh(X @ RNG.normal(size=(4, 2)))
HELD_OUT = RNG.normal(size=(9, 4)), RNG.normal(size=(9, 2))


def custom_loss(output, target):
    """Return half the sum of the squared errors, and its derivative."""
    error = output - target
    return 0.5 * float((error * error).sum()), error


def largest_error(output, target):
    """A metric of the user."""
    return float(np.abs(output - target).max())


def by_step(state):
    """A callback that changes what comes next, by the step."""
    if state.batch_loss > 1.0:
        state.learning_rate = state.learning_rate * 0.99


class BySteps:
    """A callback after each step."""

    on_batch_end = staticmethod(by_step)


@dataclass
class Case:
    """A network and its fit."""

    options: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    layers: tuple[Any, ...] = (4, 5, 2)
    network_class: type[fastbp.Network] = fastbp.Network
    batches: bool = False

    def network(self) -> fastbp.Network:
        options = {"activation": "tanh", "dtype": "float64", "seed": 3} | self.options
        return self.network_class(self.layers, **options)

    def arguments(self) -> dict[str, Any]:
        data = {"X": [(X[:20], Y[:20]), (X[20:], Y[20:])], "y": None} if self.batches else {"X": X, "y": Y}
        return data | {"epochs": 5} | self.fit


STOPS = EarlyStopping("validation_loss", 2, restore_best=True)
CASES = {
    "adam": Case(),
    "float32": Case({"dtype": "float32", "seed": 9}, {"batch_size": 7}),
    "sgd": Case({"optimizer": fastbp.SGD(0.1, momentum=0.9)}, {"shuffle": False}),
    "lion": Case({"optimizer": fastbp.Lion(0.01)}, {"shuffle": "blocks"}),
    "irprop": Case({"optimizer": fastbp.IRprop()}, {"batch_size": None}),
    "schedule": Case({"optimizer": fastbp.SGD(schedules.Step(0.1, 2, 0.5))}),
    "rate of the epoch": Case({"optimizer": fastbp.SGD(lambda epoch: 0.1 / (1 + epoch))}),
    "dropout and noise": Case({"input_noise": 0.1}, layers=(4, Dense(6, dropout=0.3, l2=1e-3), 2)),
    "validation": Case(fit={"validation_data": HELD_OUT, "metrics": ("r2", "mae"), "validation_every": 2}),
    "split": Case(fit={"validation_split": fastbp.ShuffledSplit(0.3)}),
    "weights": Case(fit={"sample_weight": np.linspace(0, 1, 46)}),
    "moving average": Case(fit={"callbacks": ExponentialMovingAverage(0.9), "validation_data": HELD_OUT}),
    "mean of epochs": Case(fit={"callbacks": StochasticWeightAveraging(start_epoch=2)}),
    "restore_best": Case({"optimizer": fastbp.SGD(3.0)}, {"callbacks": STOPS, "validation_data": HELD_OUT}),
    "plateau": Case(fit={"callbacks": ReduceLROnPlateau("loss", patience=1, min_delta=0.5), "epochs": 9}),
    "tol": Case(fit={"tol": 0.5, "patience": 1, "epochs": 50}),
    "gradient_tol": Case(fit={"gradient_tol": 0.3, "batch_size": None, "epochs": 50}),
    "steps": Case(fit={"callbacks": BySteps()}),
    "levenberg-marquardt": Case({"optimizer": fastbp.LevenbergMarquardt()}, {"batch_size": None}),
    "many epochs": Case(fit={"epochs": 3000}),
    "many short epochs": Case(fit={"epochs": 300, "callbacks": lambda state: None}),
    "batches": Case(batches=True),
    "read ahead": Case(fit={"prefetch": 2}, batches=True),
    "reference": Case(network_class=fastbp.reference.Network),
    "custom loss": Case({"loss": custom_loss, "optimizer": fastbp.SGD(0.01)}),
    "custom activation": Case(
        layers=(4, Dense(5, fastbp.CustomActivation(np.arctan, lambda x: 1 / (1 + x * x))), 2)
    ),
    "custom metric": Case(fit={"validation_data": HELD_OUT, "metrics": largest_error}),
}


def columns_of(history):
    """Return a history as a value that is equal only for the same bits, without its times."""
    columns = {name: np.array(column).tobytes() for name, column in history.to_dict().items()}
    del columns["seconds"]
    return columns, history.stopped


def fit_cases(cases, **options):
    """Train a network of each case by one call; return networks and results."""
    networks = [case.network() for case in cases]
    each = [case.arguments() for case in cases]
    names = dict.fromkeys(name for arguments in each for name in arguments)
    defaults = fastbp.fit_many.__kwdefaults__
    lists = {
        name: [arguments[name] if name in arguments else defaults[name] for arguments in each]
        for name in names
    }
    return networks, fastbp.fit_many(networks, **lists, **options)


@pytest.fixture(scope="module")
def alone():
    """Return what each case ends with by its own fit: its state and its history."""
    found = {}
    for name, case in CASES.items():
        net = case.network()
        found[name] = net, net.fit(**case.arguments())
    return found


@pytest.mark.parametrize("slices", ["long", "short"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_bits_are_those_of_the_network_alone(alone, state_of, monkeypatch, threads, slices):
    if slices == "short":  # a step, which nevertheless goes to a thread of the pool
        monkeypatch.setattr(fit, "SLICE", 1e-9)
        monkeypatch.setattr(_job, "SHORT", 0.0)
    with fastbp.threads(threads):
        networks, results = fit_cases(CASES.values())
    assert len(results) == len(CASES)
    for (name, (net, history)), twin, result in zip(alone.items(), networks, results, strict=True):
        assert isinstance(result, fastbp.History), (name, result)
        assert state_of(twin) == state_of(net), name
        assert columns_of(result) == columns_of(history), name


def test_checkpoints_are_written_and_resumed(tmp_path, state_of):
    def many(epochs, resume=None):
        networks = [Case({"seed": seed}).network() for seed in range(3)]
        paths = [tmp_path / f"{seed}.safetensors" for seed in range(3)]
        results = fastbp.fit_many(
            networks, X, Y, epochs=epochs, callbacks=[*map(Checkpoint, paths)], resume=resume and paths
        )
        return networks, results

    with fastbp.threads(2):
        many(3)
        networks, results = many(8, resume=True)
    for seed, (net, result) in enumerate(zip(networks, results, strict=True)):
        alone = Case({"seed": seed}).network()
        history = alone.fit(X, Y, epochs=8)
        assert columns_of(result) == columns_of(history)
        assert net.parameters.tobytes() == alone.parameters.tobytes()


def test_all_can_share_everything(state_of):
    """The data, the options, and values such as callbacks, which remember on their own in each fit."""
    networks = [Case({"seed": seed}).network() for seed in range(5)]
    options = {"epochs": 20, "validation_data": HELD_OUT, "callbacks": (STOPS, ReduceLROnPlateau("loss"))}
    with fastbp.threads(2):
        results = fastbp.fit_many(networks, X, Y, **options)
    for seed, (net, result) in enumerate(zip(networks, results, strict=True)):
        alone = Case({"seed": seed}).network()
        assert columns_of(result) == columns_of(alone.fit(X, Y, **options))
        assert state_of(net) == state_of(alone)


def test_a_second_call_continues(state_of):
    networks, alone = ([Case({"seed": seed}).network() for seed in range(3)] for _ in range(2))
    for _ in range(2):
        fastbp.fit_many(networks, X, Y, epochs=3)
        for net in alone:
            net.fit(X, Y, epochs=3)
    assert [*map(state_of, networks)] == [*map(state_of, alone)]


def test_no_networks():
    assert fastbp.fit_many([], X, Y) == []


# ---- threads -----------------------------------------------------------------------------------------------


def test_callbacks_and_python_functions_run_in_the_calling_thread():
    seen = set()

    def note(*_):
        seen.add(threading.get_ident())
        return 0.0

    def loss(output, target):
        note()
        return custom_loss(output, target)

    networks = [
        Case({"loss": loss, "optimizer": fastbp.SGD(0.01)}).network(),
        *(Case().network() for _ in "ab"),
    ]
    with fastbp.threads(3):
        results = fastbp.fit_many(
            networks, X, Y, epochs=3, callbacks=note, validation_data=HELD_OUT, metrics=[None, note, note]
        )
    assert all(isinstance(result, fastbp.History) for result in results)
    assert seen == {threading.get_ident()}


def test_networks_with_python_functions_follow_each_other():
    """So functions that share something have it in the order of a loop over the networks."""
    calls = []

    def case(i):
        def loss(output, target):
            calls.append(i)
            return custom_loss(output, target)

        return Case({"loss": loss, "optimizer": fastbp.SGD(0.01)})

    networks = [(case(i) if i % 2 else Case()).network() for i in range(8)]
    with fastbp.threads(2):
        fastbp.fit_many(networks, X, Y, epochs=4)
    assert calls == sorted(calls)
    assert {*calls} == {1, 3, 5, 7}


def test_networks_that_wait_for_each_other_leave_their_places_to_others():
    """Native fits begin while the first of many in Python is under way."""
    order = []

    def note(i):
        return lambda state: order.append(i) if state.epoch == 1 else None

    nets = [fastbp.Network([4, 2], loss=custom_loss, seed=i) for i in range(6)]
    nets += [fastbp.Network([4, 2], seed=i) for i in range(2)]
    callbacks = [(note(i),) for i in range(8)]
    with fastbp.threads(2):
        fastbp.fit_many(nets, X, Y, epochs=300, callbacks=callbacks)
    assert [i for i in order if i < 6] == [*range(6)]
    assert {6, 7} < {*order[:4]}


def test_slices_of_several_fits_run_at_once(monkeypatch):
    """Two threads are in slices of two networks at the same time, with the limit of the calling thread."""
    both, limits = threading.Barrier(2, timeout=20), set()

    def meet(fit):
        limits.add(fastbp.get_num_threads())
        if (
            not both.broken
            and both.n_waiting < 2
            and threading.current_thread() is not threading.main_thread()
        ):
            both.wait()
        work(fit)

    work = replaced_slices(monkeypatch, meet)
    with fastbp.threads(2):
        results = fastbp.fit_many([Case().network() for _ in range(2)], X, Y, epochs=1)
    assert [result.stopped for result in results] == ["epochs"] * 2
    assert limits == {2}


def test_one_thread_starts_no_pool(monkeypatch):
    seen = set()

    def note(fit):
        seen.add(threading.current_thread())
        work(fit)

    work = replaced_slices(monkeypatch, note)
    with fastbp.threads(1):
        fastbp.fit_many([Case().network() for _ in range(3)], X, Y, epochs=2)
    assert seen == {threading.current_thread()}


def test_steps_that_are_short_stay_in_the_calling_thread(monkeypatch):
    """With a callback after each step, most of the time would go to handing steps to a thread and back."""
    threads = []

    def note(fit):
        threads.append(threading.current_thread() is threading.main_thread())
        work(fit)

    work = replaced_slices(monkeypatch, note)
    with fastbp.threads(2):
        fastbp.fit_many([Case().network() for _ in range(2)], X, Y, epochs=200, callbacks=BySteps())
    assert len(threads) == 2 * 200 * 2
    assert sum(threads) > 0.9 * len(threads)


@pytest.mark.parametrize("most", [0, 1])
def test_the_system_may_refuse_threads(monkeypatch, most):
    started = []

    def refuse(function, arguments):
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(function)
        return _thread.start_new_thread(function, arguments)

    monkeypatch.setattr(_pool, "start_new_thread", refuse)
    with fastbp.threads(3):
        results = fastbp.fit_many([Case().network() for _ in range(6)], X, Y, epochs=3)
    assert [len(result) for result in results] == [3] * 6
    assert len(started) == most


def test_no_thread_is_left():
    before = _thread._count()
    with fastbp.threads(3):
        fastbp.fit_many([Case().network() for _ in range(6)], X, Y, epochs=2)
    for _ in range(1000):  # an ending thread is counted until the very end
        if _thread._count() > before:
            sleep(0.001)
    assert _thread._count() == before


def test_it_works_in_another_thread():
    results = []
    thread = threading.Thread(
        target=lambda: results.extend(fastbp.fit_many([Case().network() for _ in range(3)], X, Y, epochs=2))
    )
    thread.start()
    thread.join(60)
    assert [len(result) for result in results] == [2, 2, 2]


# ---- memory ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", [False, True])
def test_rows_of_a_split_are_freed_when_the_fit_ends(monkeypatch, fails):
    """Also if it fails, as long as its error is kept; without the garbage collector."""
    copies, most = [], 0

    def note(call, n_in):
        nonlocal most
        found = arguments(call, n_in)
        copies.append(weakref.ref(found["X"]))
        most = max(most, sum(copy() is not None for copy in copies))
        return found

    def fail(state):
        raise ValueError("no")

    arguments = _calls.Call.arguments
    monkeypatch.setattr(_calls.Call, "arguments", note)
    networks = [Case({"seed": seed}).network() for seed in range(12)]
    gc.collect()
    gc.disable()
    try:
        with fastbp.threads(2):
            results = fastbp.fit_many(
                networks, X, Y, splits=(range(30), range(30, 46)), callbacks=fail if fails else ()
            )
    finally:
        gc.enable()
    assert len(copies) == 12
    assert all(isinstance(result, ValueError if fails else fastbp.History) for result in results)
    assert [copy() for copy in copies] == [None] * 12
    assert most <= 4


def test_errors_in_a_group_keep_no_variables():
    kept = []

    def part():
        rows = np.zeros(1)
        kept.append(weakref.ref(rows))
        raise ValueError("no")

    def fail(state):
        found = []
        try:
            part()
        except ValueError as error:
            found.append(error)
        raise ExceptionGroup("both", found)

    result = fastbp.fit_many([Case().network()], X, Y, callbacks=fail)[0]
    assert isinstance(result, ExceptionGroup)
    assert kept[0]() is None


def test_a_traceback_shows_the_line_of_the_error():
    def fail(state):
        sleep(0)
        raise ValueError("no")

    result = fastbp.fit_many([Case().network()], X, Y, callbacks=fail)[0]
    trace, names = result.__traceback__, []
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert names[-1] == "fail"
    assert "slices" in names
    assert "fit_many" not in names
