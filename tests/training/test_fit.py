"""fit: what an epoch is, when training stops, and which epoch it returns to when it diverges."""

import math
from itertools import pairwise
from time import perf_counter

import numpy as np
import pytest

import fastbp
from fastbp import SGD, DivergenceError
from fastbp._base.philox import permutation
from fastbp._training import fit, snapshot
from helpers.inside import after_each_slice, before_each_end_of_epoch, engine_of, take_snapshots
from helpers.memory import traced_peak

# ---- what an epoch is --------------------------------------------------------------------------------------


def replay(net, X, y, epochs, batch_size, shuffle=True):
    """Train batch by batch; return the history's losses by their definition."""
    losses = []
    for epoch in range(epochs):
        order = permutation(net.seed, epoch, len(X)) if shuffle else np.arange(len(X))
        batches = np.split(order, range(batch_size, len(X), batch_size))
        batch_losses = [net.train_on_batch(X[rows], y[rows]) for rows in batches]
        rows = [len(batch) for batch in batches]
        losses.append(
            sum(batch_losses) if net.loss.divisor == "one" else np.average(batch_losses, weights=rows)
        )
    return losses


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 8, 23])
@pytest.mark.parametrize("loss", ["mse", "half_sse", fastbp.HalfSSE(reduction="mean")])
def test_fit_is_its_batches(make, data, loss, batch_size, shuffle):
    net, twin = make(loss=loss), make(loss=loss)
    history = net.fit(*data, epochs=3, batch_size=batch_size, shuffle=shuffle)
    losses = replay(twin, *data, 3, batch_size, shuffle)
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    np.testing.assert_allclose(history.loss, losses, rtol=1e-12)


@pytest.mark.parametrize("batch_size", [None, 23, 10**9])
def test_full_batches(make, data, batch_size):
    net, twin = make(), make()
    net.fit(*data, epochs=2, batch_size=batch_size, shuffle=False)
    for _ in range(2):
        twin.train_on_batch(*data)
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_fit_goes_on_where_it_stopped(make, data, state_of):
    once, thrice = make(), make()
    whole = once.fit(*data, epochs=6, batch_size=8)
    parts = [thrice.fit(*data, epochs=n, batch_size=8) for n in (1, 2, 3)]
    assert state_of(once) == state_of(thrice)
    assert [len(part) for part in parts] == [1, 2, 3]
    assert [loss for part in parts for loss in part.loss] == whole.loss == thrice.history.loss


@pytest.fixture
def advances(monkeypatch):
    """The (epoch, step) that each crossing to the engine has reached."""
    reached = []
    after_each_slice(monkeypatch, lambda epoch, step: reached.append((epoch, step)))
    return reached


def test_slices_make_no_difference(make, rng, state_of, advances, monkeypatch):
    X, y = rng.normal(size=(4000, 4)), rng.normal(size=(4000, 2))  # so many steps that the clock is looked at
    whole, sliced = make(), make()
    monkeypatch.setattr(fit, "SLICE", 100.0)
    take_snapshots(monkeypatch, interval=100.0)
    whole.fit(X, y, epochs=4, batch_size=8)
    assert advances == [(4, 0)]
    monkeypatch.setattr(fit, "SLICE", 0.0)
    sliced.fit(X, y, epochs=4, batch_size=8)
    assert any(step > 0 for _, step in advances)
    assert state_of(sliced) == state_of(whole)


def test_watching_makes_no_difference(make, data, state_of, advances, capsys):
    plain, watched = make(), make()
    plain.fit(*data, epochs=5)
    advances.clear()
    watched.fit(*data, epochs=5, validation_data=data, tol=0, patience=100, verbose=2)
    assert advances == [(epoch, 0) for epoch in range(1, 6)]
    assert state_of(watched)[:3] == state_of(plain)[:3]
    assert watched.history.loss == plain.history.loss


def test_float_labels_of_one_output_may_be_one_dimensional(network_class, data):
    X, y = data
    nets = [network_class([4, 3, 1], seed=0) for _ in range(2)]
    nets[0].fit(X, y[:, 0])
    nets[1].fit(X, y[:, :1])
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, ">i4", bool])
def test_class_labels_are_one_hot_rows(network_class, data, dtype):
    X, labels = data[0], (np.arange(23) % 2).astype(dtype)
    nets = [network_class([4, 3, 2], loss="cross_entropy", dtype="float64", seed=0) for _ in range(2)]
    nets[0].fit(X, labels, validation_data=(X, labels))
    one_hot = np.eye(2)[labels.astype(int)]
    nets[1].fit(X, one_hot, validation_data=(X, one_hot))
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-12)
    assert list(nets[0].history)[1:3] == ["validation_loss", "validation_accuracy"]


# ---- when it stops -----------------------------------------------------------------------------------------


def test_gradient_tol_stops_when_no_element_is_larger(make, data):
    options = {"optimizer": SGD(learning_rate=0.01), "loss": "half_sse"}
    net, twin = make(**options), make(**options)
    history = net.fit(*data, epochs=1000, batch_size=None, gradient_tol=0.5)
    assert history.stopped == "gradient_tol"
    largest = []
    for _ in range(len(history)):
        largest.append(np.abs(twin.loss_and_gradients(*data)[1]).max())
        twin.step()
    assert largest[-1] <= 0.5 < min(largest[:-1])
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=1e-9)


def test_all_epochs(make, data):
    net = make()
    assert net.history.stopped == ""
    assert net.fit(*data, epochs=2).stopped == net.history.stopped == "epochs"


# ---- divergence --------------------------------------------------------------------------------------------


@pytest.fixture
def snapshot_every_epoch(monkeypatch):
    take_snapshots(monkeypatch, interval=0.0, share=math.inf)


@pytest.mark.usefixtures("snapshot_every_epoch")
@pytest.mark.parametrize("optimizer", [SGD(learning_rate=3), SGD(learning_rate=3, momentum=0.5)])
def test_a_loss_that_explodes_goes_back_to_the_last_epoch(network_class, data, state_of, optimizer):
    net, twin = (network_class([4, 2], optimizer=optimizer, seed=0) for _ in range(2))
    with pytest.raises(DivergenceError, match="learning rate") as caught:
        net.fit(*data, epochs=1000, batch_size=8)
    epochs = len(net.history)
    assert 1 < epochs < 100
    assert f"epoch {epochs + 1} of this fit, step " in str(caught.value)
    assert f"after epoch {epochs}." in str(caught.value)
    assert net.history.stopped == "diverged"
    twin.fit(*data, epochs=epochs, batch_size=8)
    assert state_of(net) == state_of(twin)
    assert np.isfinite(net.predict(data[0])).all()
    net.reset()
    net.fit(*data)


def test_divergence_without_a_snapshot_in_between_goes_back_to_the_start(
    network_class, data, state_of, monkeypatch
):
    take_snapshots(monkeypatch, interval=1e9)
    net = network_class([4, 2], seed=0)
    net.fit(*data, epochs=2)
    net.optimizer = SGD(learning_rate=3)
    before = state_of(net)
    with pytest.raises(DivergenceError, match="after epoch 0"):
        net.fit(*data, epochs=1000, validation_data=data)
    parameters, optimizer_state, t, *_, history = state_of(net)
    assert (parameters, optimizer_state, t) == before[:3]
    assert history["loss"] == before[-1]["loss"]
    assert len(net.history) == 2
    assert len(history.get("validation_loss", history["loss"])) == len(history["loss"])


def test_parameters_that_explode_in_the_last_step_are_noticed(network_class, data, state_of):
    net = network_class([4, 2], optimizer=SGD(learning_rate=1e38), loss="half_sse", seed=0)
    before = state_of(net)
    with pytest.raises(DivergenceError, match=r"network's state.* epoch 1 of this fit, step 1 of 1"):
        net.fit(*data, batch_size=None)
    assert state_of(net) == before


def test_optimizer_state_that_explodes_is_noticed(network_class, data):
    """Adam's second moment: the square of 1e25 is infinite in float32, though the loss, |h - y|, is not."""
    net = network_class([4, 2], loss="mae", seed=0)
    X, y = data[0] * 1e25, data[1]
    with pytest.raises(DivergenceError, match="network's state"):
        net.fit(X, y, batch_size=None)
    assert not engine_of(net).state.any()


@pytest.mark.usefixtures("snapshot_every_epoch")
def test_validation_history_goes_back_as_well(network_class, data):
    net = network_class([4, 2], optimizer=SGD(learning_rate=3), seed=0)
    with pytest.raises(DivergenceError):
        net.fit(*data, epochs=1000, validation_data=data)
    history = net.history.to_dict()
    assert len(history["loss"]) == len(history["validation_loss"]) == len(history["validation_r2"]) > 1


def test_a_network_that_is_not_finite_is_refused(network_class, data, state_of):
    net = network_class([4, 2], seed=0)
    net.parameters[3] = np.nan
    before = state_of(net)
    with pytest.raises(fastbp.DataError, match=r"parameters .*reset"):
        net.fit(*data)
    assert state_of(net) == before


def test_train_on_batch_says_so_when_the_loss_is_not_finite(network_class, data):
    net = network_class([4, 2], seed=0)
    net.parameters[:] = 3e38
    with pytest.raises(DivergenceError, match="learning rate"):
        net.train_on_batch(*data)


# ---- failures ----------------------------------------------------------------------------------------------


def test_an_error_between_slices_keeps_the_complete_epochs(make, data, state_of, monkeypatch):
    net, twin = make(), make()
    evaluate = fastbp._training.validation.evaluate
    calls = []

    def fail_in_the_third_epoch(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return evaluate(*args)

    monkeypatch.setattr(fastbp._training.validation, "evaluate", fail_in_the_third_epoch)
    with pytest.raises(KeyboardInterrupt):
        net.fit(*data, epochs=5, validation_data=data)
    twin.fit(*data, epochs=3)
    assert state_of(net)[:3] == state_of(twin)[:3]
    assert net.history.loss == twin.history.loss
    assert [math.isnan(loss) for loss in net.history.validation_loss] == [False, False, True]
    assert net.history.stopped == "interrupted"
    net.fit(*data, epochs=2)
    twin.fit(*data, epochs=2)
    assert state_of(net)[:3] == state_of(twin)[:3]


@pytest.mark.usefixtures("snapshot_every_epoch")
def test_an_error_while_the_network_is_not_finite_goes_back(network_class, data, monkeypatch):
    net, twin = (network_class([4, 2], seed=0) for _ in range(2))

    def spoil_the_fourth_epoch(epoch):
        if epoch == 4:
            net.parameters[0] = np.inf
            raise KeyboardInterrupt

    before_each_end_of_epoch(monkeypatch, spoil_the_fourth_epoch)
    with pytest.raises(KeyboardInterrupt):
        net.fit(*data, epochs=9)
    monkeypatch.undo()
    twin.fit(*data, epochs=3)
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    assert net.history.loss == twin.history.loss


def test_no_memory_for_a_snapshot_changes_nothing(make, data, state_of, monkeypatch):
    net = make()
    before = state_of(net)

    def fail(engine):
        raise MemoryError

    monkeypatch.setattr(fit, "Snapshot", fail)
    with pytest.raises(MemoryError):
        net.fit(*data)
    assert state_of(net) == before
    monkeypatch.undo()
    net.fit(*data)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, ">f4"])
def test_data_are_never_copied(rng, dtype):
    """Checks and training read the data in place; native memory, a block of rows, is not traced."""
    X, y = (
        rng.integers(0, 9, size=(20_000, 100)).astype(dtype),
        rng.integers(0, 2, size=(20_000, 10)).astype(dtype),
    )
    net = fastbp.Network([100, 2, 10], loss="binary_cross_entropy")
    outputs = 20_000 * 10 * 4
    assert traced_peak(lambda: net.fit(X, y, validation_data=(X, y))) < outputs + 0.4 * X.nbytes


# ---- cost --------------------------------------------------------------------------------------------------


def test_snapshots_take_a_small_share_of_the_time(monkeypatch):
    """A snapshot takes a second of this clock, so the next one is due after fifty seconds."""
    clock = iter(range(1000))
    monkeypatch.setattr(snapshot, "perf_counter", lambda: next(clock))
    net = fastbp.Network([4, 2])
    kept = snapshot.Snapshot(engine_of(net))
    kept.take(epoch=0)
    waits = []
    for epoch in range(3):
        waited = 0
        while not kept.is_due:
            waited += 1
        waits.append(waited)
        kept.take(epoch)
    assert all(wait >= 1 / snapshot.SNAPSHOT_SHARE - 2 for wait in waits)


def test_snapshots_are_an_interval_apart(rng, monkeypatch):
    times = []
    take = snapshot.Snapshot.take

    def timed(kept, epoch, extra):
        times.append(perf_counter())
        return take(kept, epoch, extra)

    monkeypatch.setattr(snapshot.Snapshot, "take", timed)
    take_snapshots(monkeypatch, interval=0.002)
    fastbp.Network([4, 8, 2]).fit(rng.normal(size=(50, 4)), rng.normal(size=(50, 2)), epochs=50_000)
    assert len(times) >= 3
    assert all(later - sooner >= 0.002 for sooner, later in pairwise(times))
