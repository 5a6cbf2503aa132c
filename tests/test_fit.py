"""fit: what an epoch is, when training stops, what it reports, and where it goes back to when it diverges."""

import builtins
import math
import sys
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

import fastbp
from fastbp import SGD, DivergenceError, History, fitting, progress
from fastbp.random import permutation


@pytest.fixture
def data(rng):
    """23 rows: batches of 8 leave a short last one."""
    X = rng.normal(size=(23, 4))
    return X, np.tanh(X @ rng.normal(size=(4, 2)))


@pytest.fixture
def make(network_class):
    def make(**options):
        return network_class([4, 5, 2], **{"activation": "tanh", "dtype": "float64", "seed": 3} | options)

    return make


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
    reached, advance = [], fitting.Fit._advance

    def advance_and_note(fit):
        advance(fit)
        reached.append((fit._run.epoch, fit._run.step))

    monkeypatch.setattr(fitting.Fit, "_advance", advance_and_note)
    return reached


def test_slices_make_no_difference(make, rng, state_of, advances, monkeypatch):
    X, y = rng.normal(size=(4000, 4)), rng.normal(size=(4000, 2))  # so many steps that the clock is looked at
    whole, sliced = make(), make()
    monkeypatch.setattr(fitting, "SLICE", 100.0)
    monkeypatch.setattr(fitting, "SNAPSHOT_INTERVAL", 100.0)
    whole.fit(X, y, epochs=4, batch_size=8)
    assert advances == [(4, 0)]
    monkeypatch.setattr(fitting, "SLICE", 0.0)
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
    assert nets[0].history.to_dict().keys() == {"loss", "validation_loss", "validation_accuracy"}


# ---- when it stops -----------------------------------------------------------------------------------------


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


def test_slow_but_steady_improvement_goes_on():
    """Less than tol an epoch, but more than tol over the patience."""
    convergence = fitting.Convergence(tol=0.01, patience=3)
    assert not any(convergence.reached(0.995**epoch) for epoch in range(100))


def test_a_rising_loss_and_a_negative_one_stop():
    rising = fitting.Convergence(tol=0, patience=2)
    assert [rising.reached(loss) for loss in (1.0, 2.0, 3.0)] == [False, False, True]
    negative = fitting.Convergence(tol=0.1, patience=1)
    assert [negative.reached(loss) for loss in (-1.0, -2.0, -2.1)] == [False, False, True]


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


# ---- what it reports ---------------------------------------------------------------------------------------


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
    assert history.validation_accuracy == []


def test_history_accumulates(make, data):
    net = make()
    first, second, third = net.fit(*data), net.fit(*data, epochs=2, validation_data=data), net.fit(*data)
    assert net.history.loss == first.loss + second.loss + third.loss
    np.testing.assert_array_equal(net.history.validation_loss, [math.nan, *second.validation_loss, math.nan])
    assert net.history.seconds == pytest.approx(first.seconds + second.seconds + third.seconds)
    assert len(net.history) == 4
    assert first.to_dict().keys() == {"loss"}
    assert {len(column) for column in net.history.to_dict().values()} == {4}


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
    assert all(type(loss) is float for loss in history.loss + history.validation_loss)
    assert 0 < history.seconds < 10


def test_returned_history_is_independent(make, data):
    net = make()
    history = net.fit(*data)
    net.fit(*data)
    assert len(history) == 1
    history.to_dict()["loss"].clear()
    history.loss.clear()
    assert len(net.history) == 2


def test_silence(make, data, capfd):
    make().fit(*data, epochs=2)
    assert capfd.readouterr() == ("", "")


@pytest.fixture(params=["tqdm", "plain"])
def bar(request, monkeypatch):
    """The progress bar with tqdm, and without."""
    if request.param == "tqdm":
        pytest.importorskip("tqdm")
        return
    import_module = builtins.__import__

    def without_tqdm(name, *args, **kwargs):
        if name.startswith("tqdm"):
            raise ImportError(name)
        return import_module(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_tqdm)


@pytest.mark.usefixtures("bar")
def test_progress_bar_ends_complete(make, data, capsys):
    history = make().fit(*data, epochs=4, verbose=1)
    out, err = capsys.readouterr()
    assert out == ""
    assert "4/4 epochs" in err
    assert f"loss {history.loss[-1]:.5g}" in err
    assert err.endswith("\n")


@pytest.mark.usefixtures("bar")
def test_a_line_an_epoch(make, data, capsys):
    history = make().fit(*data, epochs=11, validation_data=data, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    for epoch, line in enumerate(lines):
        assert line.strip().startswith(f"epoch {epoch + 1:2}/11  loss {history.loss[epoch]:.5g}")
        assert line.endswith(f"validation r2 {history.validation_r2[epoch]:.5g}")


def test_plain_bar_redraws_its_line_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(progress, "REDRAW", 0.0)
    bar = progress.PlainBar(10)
    for n in (2, 3):
        bar.set_postfix_str("loss 1", refresh=False)
        bar.update(n)
    bar.write("a line")
    bar.close()
    out, err = capsys.readouterr()
    assert out == "a line\n"
    drawn = [line for line in err.split("\r") if line.strip()]
    assert [line.split("] ")[1].strip() for line in drawn] == [f"{n}/10 epochs  loss 1" for n in (2, 5, 5)]
    assert [line.count("#") for line in drawn] == [6, 15, 15]


def test_plain_bar_is_one_line_in_a_file(monkeypatch, capsys):
    monkeypatch.setattr(progress, "REDRAW", 0.0)
    bar = progress.PlainBar(4)
    bar.update(3)
    bar.write("a line")
    assert capsys.readouterr() == ("a line\n", "")
    bar.update(1)
    bar.close()
    assert capsys.readouterr().err.strip() == f"[{'#' * 30}] 4/4 epochs"


def test_a_failing_fit_still_closes_the_bar(make, data, monkeypatch, capsys):
    monkeypatch.setattr(fitting.Fit, "_end_epoch", lambda fit: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make().fit(*data, verbose=1)
    assert capsys.readouterr().err.endswith("\n")


# ---- divergence --------------------------------------------------------------------------------------------


@pytest.fixture
def snapshot_every_epoch(monkeypatch):
    monkeypatch.setattr(fitting, "SNAPSHOT_INTERVAL", 0.0)
    monkeypatch.setattr(fitting, "SNAPSHOT_SHARE", math.inf)


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
    monkeypatch.setattr(fitting, "SNAPSHOT_INTERVAL", 1e9)
    net = network_class([4, 2], seed=0)
    net.fit(*data, epochs=2)
    net.optimizer = SGD(learning_rate=3)
    before = state_of(net)
    with pytest.raises(DivergenceError, match="after epoch 0"):
        net.fit(*data, epochs=1000, validation_data=data)
    parameters, optimizer_state, t, _, history = state_of(net)
    assert (parameters, optimizer_state, t) == before[:3]
    assert history["loss"] == before[4]["loss"]
    assert len(history.get("validation_loss", history["loss"])) == 2


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
    assert not net._engine.state.any()


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
    evaluate = fastbp.metrics.evaluate
    calls = []

    def fail_in_the_third_epoch(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return evaluate(*args)

    monkeypatch.setattr(fastbp.metrics, "evaluate", fail_in_the_third_epoch)
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
    end_epoch = fitting.Fit._end_epoch

    def spoil_the_fourth_epoch(fit):
        if fit._run.epoch == 4:
            net.parameters[0] = np.inf
            raise KeyboardInterrupt
        end_epoch(fit)

    monkeypatch.setattr(fitting.Fit, "_end_epoch", spoil_the_fourth_epoch)
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

    monkeypatch.setattr(fitting, "Snapshot", fail)
    with pytest.raises(MemoryError):
        net.fit(*data)
    assert state_of(net) == before
    monkeypatch.undo()
    net.fit(*data)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, ">f4"])
def test_data_are_never_copied(rng, dtype):
    """Neither when they are checked nor when they are used; native memory, a block of rows, is not traced."""
    X, y = (
        rng.integers(0, 9, size=(20_000, 100)).astype(dtype),
        rng.integers(0, 2, size=(20_000, 10)).astype(dtype),
    )
    net = fastbp.Network([100, 2, 10], loss="binary_cross_entropy")
    tracemalloc.start()
    try:
        net.fit(X, y, validation_data=(X, y))
        outputs = 20_000 * 10 * 4
        assert tracemalloc.get_traced_memory()[1] < outputs + 0.4 * X.nbytes
    finally:
        tracemalloc.stop()


# ---- cost --------------------------------------------------------------------------------------------------


def test_snapshots_take_a_small_share_of_the_time(monkeypatch):
    """Each takes a second of this clock, so the next is due after fifty."""
    clock = iter(range(1000))
    monkeypatch.setattr(fitting, "perf_counter", lambda: next(clock))
    net = fastbp.Network([4, 2])
    snapshot = fitting.Snapshot(net._engine)
    snapshot.take(epoch=0)
    waits = []
    for epoch in range(3):
        waited = 0
        while not snapshot.is_due:
            waited += 1
        waits.append(waited)
        snapshot.take(epoch)
    assert all(wait >= 1 / fitting.SNAPSHOT_SHARE - 2 for wait in waits)


def test_snapshots_are_an_interval_apart(rng, monkeypatch):
    times = []
    take = fitting.Snapshot.take

    def timed(snapshot, epoch):
        times.append(fitting.perf_counter())
        return take(snapshot, epoch)

    monkeypatch.setattr(fitting.Snapshot, "take", timed)
    monkeypatch.setattr(fitting, "SNAPSHOT_INTERVAL", 0.002)
    fastbp.Network([4, 8, 2]).fit(rng.normal(size=(50, 4)), rng.normal(size=(50, 2)), epochs=50_000)
    assert len(times) >= 3
    assert all(later - sooner >= 0.002 for sooner, later in pairwise(times))


def test_history_extends_with_any_columns():
    history = History()
    history.extend(History(loss=[1.0, 2.0], validation_loss=[3.0, 4.0], seconds=1, stopped="tol"))
    history.extend(History(loss=[5.0], seconds=2, stopped="epochs"))
    assert history.to_dict()["loss"] == [1, 2, 5]
    np.testing.assert_array_equal(history.validation_loss, [3, 4, math.nan])
    assert (history.seconds, history.stopped, history.validation_r2) == (3, "epochs", [])
