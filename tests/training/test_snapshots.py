"""Snapshots: the fits of a network copy to the same arrays, which no other snapshot uses at that time."""

import copy
import gc
import pickle
from threading import Barrier, Thread

import numpy as np
import pytest

import fastbp
from fastbp import SGD, Adam, DivergenceError, ParameterError, ShapeError
from fastbp._training.snapshot import Snapshot
from helpers.inside import engine_of, numbers_of, take_snapshots
from helpers.memory import traced_peak


@pytest.fixture(autouse=True)
def only_at_the_start(monkeypatch):
    """Let fits take their snapshot at the start only."""
    take_snapshots(monkeypatch, interval=1e9)


def spare_addresses(net):
    """Return where the arrays are that the next snapshot of a network takes."""
    return [array.ctypes.data for array in engine_of(net).spare_arrays]


def failing_fit(net, data, error, before=lambda state: None):
    """Let a fit raise an error in its third epoch, with parameters that are not finite; return the error."""

    def spoil(state):
        if state.epoch == 2:
            before(state)
            net.parameters[:] = np.nan
            raise error

    try:
        net.fit(*data, epochs=5, callbacks=spoil)
    except error as raised:  # its traceback has no local name for it, so no cycle keeps it alive
        return raised
    return pytest.fail("the fit raised no error")


# ---- one fit after another ---------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [SGD(), SGD(momentum=0.9), Adam()], ids=str)
@pytest.mark.parametrize("between", [lambda net: None, fastbp.Network.reset], ids=["go on", "reset"])
def test_only_the_first_fit_allocates_copies(rng, optimizer, between):
    net = fastbp.Network([300, 300], optimizer=optimizer, seed=0)
    X = rng.random((4, 300), np.float32)
    copies = net.parameters.nbytes + engine_of(net).state.nbytes
    assert traced_peak(lambda: net.fit(X, X)) > copies
    for _ in range(2):
        between(net)
        assert traced_peak(lambda: net.fit(X, X, epochs=2)) < 0.1 * copies


@pytest.mark.parametrize("error", [KeyboardInterrupt, DivergenceError])
@pytest.mark.parametrize("optimizer", [SGD(0.1), Adam()], ids=str)
def test_a_later_fit_that_fails_goes_back_to_its_own_start(make, data, state_of, error, optimizer):
    net = make(optimizer=optimizer)
    net.fit(*data)
    addresses = spare_addresses(net)
    for _ in range(2):
        net.fit(*data, epochs=2)
        before = state_of(net)[:3]
        failing_fit(net, data, error)
        assert state_of(net)[:3] == before
        assert spare_addresses(net) == addresses


def test_minimize_uses_the_arrays_of_a_fit(make, data):
    pytest.importorskip("scipy", reason="SciPy is not installed: minimize cannot run")
    net = make()
    net.fit(*data)
    addresses = spare_addresses(net)
    fastbp.minimize(net, *data, max_iterations=2)
    gc.collect()  # SciPy's objects keep the snapshot until then
    assert spare_addresses(net) == addresses


@pytest.mark.parametrize(("first", "second"), [(SGD(0.1), Adam()), (Adam(), SGD(0.1))])
def test_another_optimizer_gets_arrays_that_fit(make, data, state_of, first, second):
    net = make(optimizer=first)
    net.fit(*data)
    net.optimizer = second
    net.fit(*data)
    assert engine_of(net).spare_arrays[1].shape == engine_of(net).state.shape
    before = state_of(net)[:3]
    failing_fit(net, data, DivergenceError)
    assert state_of(net)[:3] == before


def test_the_arrays_for_another_optimizer_are_freed_first(rng):
    net = fastbp.Network([300, 300], optimizer=Adam(), seed=0)
    X = rng.random((4, 300), np.float32)
    size = net.parameters.nbytes

    def fit_with_both():
        net.fit(X, X)
        net.optimizer = SGD(momentum=0.9)
        net.fit(X, X)

    assert traced_peak(fit_with_both) < 4.2 * size  # copies for Adam, then also the state of SGD


# ---- several snapshots at a time ---------------------------------------------------------------------------


def test_snapshots_of_one_network(make):
    net = make(optimizer=Adam())
    engine, snapshots = engine_of(net), []
    for value in range(4):
        net.parameters[:] = engine.state[:] = engine.t = value
        snapshots.append(Snapshot(engine))
        snapshots[-1].take(epoch=1)
        if value == 1:
            del snapshots[0]  # the third one gets its arrays
    for value, snapshot in zip((1, 2, 3), snapshots, strict=True):
        snapshot.restore()
        assert (net.parameters == value).all()
        assert (engine.state == value).all()
        assert engine.t == value


def test_a_snapshot_that_a_finalizer_revives_has_nothing_left(make):
    """The collector finalizes both objects of a cycle first: by then another snapshot may have the arrays."""
    revived = []

    class Owner:
        def __init__(self, snapshot):
            self.snapshot, self.cycle = snapshot, self

        def __del__(self):
            revived.append(self.snapshot)

    owner = Owner(Snapshot(engine_of(make())))
    owner.snapshot.take(epoch=1)
    del owner
    gc.collect()
    with pytest.raises(fastbp.Error, match="nothing to put back"):
        revived[0].restore()


def test_the_start_of_a_fit_and_the_epoch_that_it_keeps(make, data, state_of):
    net, kept = make(), []

    def keep(state):
        if state.epoch == 1:
            state.keep()
            kept.append(state_of(net)[:3])

    def keep_another(state):
        state.keep()
        kept.append(state_of(net)[:3])

    for _ in range(2):  # the second fit begins with the arrays of the first
        net.fit(*data, epochs=3, callbacks=keep)
        assert state_of(net)[:3] == kept[-1]
        failing_fit(net, data, LookupError, before=keep_another)
        assert state_of(net)[:3] == kept[-1]


def test_errors_that_are_kept(make, data, state_of):
    """The traceback of an error holds the fit with its snapshot: later fits have other arrays."""
    net = make()
    net.fit(*data)
    before, errors = state_of(net)[:3], []
    for _ in range(2):
        errors.append(failing_fit(net, data, LookupError))
        assert state_of(net)[:3] == before
        assert engine_of(net).spare_arrays is None
    errors.clear()
    assert engine_of(net).spare_arrays is not None
    failing_fit(net, data, LookupError)
    assert state_of(net)[:3] == before


def test_fits_of_two_networks_in_two_threads(make, data, state_of):
    """Each goes back to its own start, though both have taken their snapshots before."""
    nets, both = [make(seed=seed) for seed in range(2)], Barrier(2)
    for net in nets:
        net.fit(*data)
    before = [state_of(net)[:3] for net in nets]
    threads = [
        Thread(target=failing_fit, args=(net, data, LookupError, lambda state: both.wait())) for net in nets
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [state_of(net)[:3] for net in nets] == before


COPIES = {
    "clone": lambda net: net.clone(),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
}


@pytest.mark.parametrize("how", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_network_has_no_arrays_yet(make, data, how):
    net = make()
    net.fit(*data)
    twin = how(net)
    assert engine_of(twin).spare_arrays is None
    twin.fit(*data)
    assert not set(spare_addresses(net)) & set(spare_addresses(twin))


# ---- snapshots from numbers --------------------------------------------------------------------------------


def test_numbers_that_are_put_are_restored(make, data):
    """They are copies: of the engine's numbers, and of those that are put."""
    for optimizer in ("adam", "sgd", fastbp.LevenbergMarquardt()):
        net, other = make(optimizer=optimizer), make(optimizer=optimizer)
        net.fit(*data, epochs=2)
        snapshot, copy_of_it = Snapshot(engine_of(net)), Snapshot(engine_of(other))
        assert snapshot.numbers is None
        assert snapshot.take(2)
        numbers = [copy.copy(number) for number in snapshot.numbers]
        expected = numbers_of(net)
        copy_of_it.put(7, "extra", *numbers)
        for number in numbers:
            if isinstance(number, np.ndarray):
                number[...] = np.nan
        assert (copy_of_it.epoch, copy_of_it.extra) == (7, "extra")
        copy_of_it.restore()
        for found, number in zip(numbers_of(other), expected, strict=True):
            np.testing.assert_array_equal(found, number)


def test_numbers_that_do_not_fit_are_refused(make, data):
    """Then the snapshot is as it was."""
    net = make(optimizer="adam")
    net.fit(*data, epochs=1)
    P = net.parameters.size
    snapshot = Snapshot(engine_of(net))
    good = {"parameters": np.ones(P), "state": np.ones((2, P)), "t": 3, "memory": np.ones(P + 2)}
    for name, bad in {
        "parameters": [
            None,
            [1.0] * P,
            np.ones(P - 1),
            np.ones((1, P)),
            np.ones(P, np.float32),
            np.ones(2 * P)[::2],
        ],
        "state": [None, np.ones(2 * P), np.ones((3, P)), np.ones((2, P), ">f8"), np.ones((2, P), object)],
        "memory": [(), np.ones(P), np.ones(P + 2, np.float32), np.ones((P + 2, 1))],
    }.items():
        for value in bad:
            with pytest.raises(ShapeError, match=f"^{name} is .*, expected float64"):
                snapshot.put(1, None, *(good | {name: value}).values())
            assert snapshot.numbers is None
    for t in (-1, 2**64, 1.0, None, True):
        with pytest.raises(ParameterError, match=r"^t is .*, expected an integer"):
            snapshot.put(1, None, *(good | {"t": t}).values())
    assert snapshot.numbers is None
    snapshot.put(1, None, *good.values())
    with pytest.raises(ShapeError, match=r"^memory is "):
        snapshot.put(2, None, *(good | {"parameters": np.zeros(P), "memory": np.ones(3)}).values())
    assert snapshot.epoch == 1
    assert snapshot.numbers[0].all()
