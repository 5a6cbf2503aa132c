"""Validation data of a fit: splits, weights, every k-th epoch."""

from time import sleep

import numpy as np
import pytest

import fastbp
from fastbp import DataError, Error, ParameterError, ShapeError, ShuffledSplit, StratifiedSplit
from fastbp.callbacks import EarlyStopping, ExponentialMovingAverage
from fastbp.losses import LOSSES
from helpers.inside import measured_epochs
from helpers.memory import traced_peak


def custom_loss(output, target):
    difference = output - target.reshape(len(output), -1)
    return float((difference**2).mean()), 2 * difference / difference.size


def examples(loss, n=50):
    """Return X and targets of one output (of three for cross_entropy) that suit the loss."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 4))
    number = X[:, 0] + 0.3 * rng.normal(size=n)
    name = loss if isinstance(loss, str) else ""
    if name == "cross_entropy":
        return X, np.digitize(number, [-0.5, 0.5])
    if name == "hinge":
        return X, np.where(number > 0, 1, -1)
    return X, (number > 0) * 1.0 if name in ("binary_cross_entropy", "poisson") else number


def network(network_class, loss, **options):
    known = LOSSES.get(loss) if isinstance(loss, str) else None
    outputs = 3 if loss == "cross_entropy" else known.outputs_per_target if known else 1
    return network_class([4, 6, outputs], **{"loss": loss, "seed": 11, "activation": "tanh"} | options)


@pytest.mark.parametrize("loss", [*LOSSES, custom_loss], ids=str)
def test_the_last_share_is_what_one_splits_by_hand(network_class, loss):
    """The same bits, with sample and class weights, which count the training rows alone."""
    X, y = examples(loss)
    weights = None if callable(loss) else np.linspace(0, 2, 50)
    has_classes = loss in ("cross_entropy", "hinge", "binary_cross_entropy")
    options = {"epochs": 5, "batch_size": 7, "class_weight": "balanced" if has_classes else None}
    whole, by_hand = network(network_class, loss), network(network_class, loss)
    history = whole.fit(X, y, validation_split=0.3, sample_weight=weights, **options)
    held_out = (X[35:], y[35:]) if weights is None else (X[35:], y[35:], weights[35:])
    expected = by_hand.fit(
        X[:35],
        y[:35],
        validation_data=held_out,
        sample_weight=None if weights is None else weights[:35],
        **options,
    )
    assert whole.parameters.tobytes() == by_hand.parameters.tobytes()
    assert history.loss == expected.loss
    assert history.validation_loss == expected.validation_loss


@pytest.mark.parametrize("split", [ShuffledSplit(0.3), StratifiedSplit(0.3)], ids=repr)
@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", "binary_cross_entropy"])
def test_a_random_split_is_what_one_splits_by_hand(network_class, loss, split):
    X, y = examples(loss)
    net, by_hand = network(network_class, loss), network(network_class, loss)
    history = net.fit(X, y, epochs=4, validation_split=split, metrics=["accuracy", "auc"])
    targets = y if y.ndim == 1 and loss == "cross_entropy" else y.reshape(-1, 1)
    training, held_out = split.parts(targets, net.loss, 11)
    expected = by_hand.fit(
        X[training],
        y[training],
        epochs=4,
        validation_data=(X[held_out], y[held_out]),
        metrics=["accuracy", "auc"],
    )
    assert net.parameters.tobytes() == by_hand.parameters.tobytes()
    for column in ("loss", "validation_loss", "validation_accuracy", "validation_auc"):
        assert history[column] == expected[column]


def test_a_later_fit_holds_out_the_same_rows(make, data):
    """Also by a copy, and whatever was trained between: nothing leaks from one part to the other."""
    seen = []

    def rows_of(output, target):
        seen.append(np.sort(target.sum(axis=1)).tolist())
        return 0.0

    net = make()
    for each in (net, net, net.clone(), make(optimizer="sgd")):
        each.fit(*data, epochs=2, validation_split=ShuffledSplit(0.3), metrics=rows_of)
    assert len(seen) == 8
    assert all(rows == seen[0] for rows in seen)
    make(seed=4).fit(*data, validation_split=ShuffledSplit(0.3), metrics=rows_of)
    assert seen[-1] != seen[0]


@pytest.mark.parametrize("split", [0.3, ShuffledSplit(0.3)], ids=repr)
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_change_nothing(threads, split, isa):
    X, y = np.random.default_rng(0).normal(size=(700, 40)), np.linspace(-1, 1, 700)
    found = []
    for count in (1, threads):
        net = fastbp.Network([40, 64, 1], seed=1)
        with fastbp.threads(count):
            history = net.fit(
                X, y, epochs=3, batch_size=256, validation_split=split, sample_weight=np.abs(y) + 0.1
            )
        found.append((net.parameters.tobytes(), history.validation_loss))
    assert found[0] == found[1]


def test_inputs_of_every_kind(make, data, tmp_path):
    X, y = data
    np.save(tmp_path / "X.npy", X)
    kinds = {
        "list": (X.tolist(), y.tolist()),
        "memory-mapped": (np.load(tmp_path / "X.npy", mmap_mode="r"), y),
        "strided, byte-swapped": (np.repeat(X, 2, axis=0)[::2].astype(">f8"), np.asfortranarray(y)),
    }
    try:
        import pandas as pd
    except ImportError:
        pass
    else:
        kinds["frame"] = pd.DataFrame(X), pd.DataFrame(y)
    for split in (0.25, ShuffledSplit(0.25)):
        expected = make()
        expected.fit(X, y, epochs=2, validation_split=split)
        for kind, (inputs, targets) in kinds.items():
            net = make()
            net.fit(inputs, targets, epochs=2, validation_split=split)
            assert net.parameters.tobytes() == expected.parameters.tobytes(), kind


def test_levenberg_marquardt_with_a_split(network_class):
    X, y = examples("mse")
    nets = [network(network_class, "mse", optimizer=fastbp.LevenbergMarquardt()) for _ in range(2)]
    for split in (0.3, ShuffledSplit(0.3)):
        training, held_out = (slice(35), slice(35, 50)) if split == 0.3 else split.parts(y, nets[0].loss, 11)
        found = nets[0].fit(X, y, epochs=8, batch_size=None, validation_split=split, metrics="r2")
        expected = nets[1].fit(
            X[training],
            y[training],
            epochs=8,
            batch_size=None,
            validation_data=(X[held_out], y[held_out]),
            metrics="r2",
        )
        assert found.validation_r2 == expected.validation_r2
        assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


# ---- weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["mse", "half_sse", "binary_cross_entropy"])
def test_weights_of_validation_data(network_class, loss):
    X, y = examples(loss)
    weights = np.linspace(0, 3, 50)
    net = network(network_class, loss)
    history = net.fit(X, y, epochs=2, validation_data=(X, y, weights), metrics=["mae", "r2"])
    found = net.evaluate(X, y, metrics=["mae", "r2"], sample_weight=weights)
    assert history.row(-1) | {f"validation_{name}": v for name, v in found.items()} == history.row(-1)
    unweighted = network(network_class, loss).fit(X, y, epochs=2, validation_data=(X, y, None))
    assert unweighted.validation_loss[-1] == net.evaluate(X, y)["loss"] != history.validation_loss[-1]


def test_class_weights_do_not_apply_to_validation(network_class):
    X, y = examples("cross_entropy")
    net = network(network_class, "cross_entropy")
    history = net.fit(X, y, class_weight={0: 5.0, 1: 0.1}, validation_data=(X, y))
    assert history.validation_loss == [net.evaluate(X, y)["loss"]]


@pytest.mark.parametrize("split", [0.3, ShuffledSplit(0.3)], ids=repr)
def test_unknown_targets_are_split_along(network_class, split):
    """Each part knows its own targets; with weights of single targets and without."""
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(40, 4)), rng.normal(size=(40, 2))
    y[rng.random(y.shape) < 0.3] = np.nan
    for weights in (None, rng.random(40), rng.random((40, 2))):
        net, by_hand = (network_class([4, 5, 2], loss=fastbp.MSE(ignore_nan=True), seed=11) for _ in range(2))
        parts = (slice(28), slice(28, 40)) if split == 0.3 else split.parts(y, net.loss, 11)
        own, held = (None if weights is None else weights[part] for part in parts)
        history = net.fit(X, y, epochs=3, validation_split=split, sample_weight=weights)
        expected = by_hand.fit(
            X[parts[0]],
            y[parts[0]],
            epochs=3,
            sample_weight=own,
            validation_data=(X[parts[1]], y[parts[1]], held),
        )
        assert net.parameters.tobytes() == by_hand.parameters.tobytes()
        assert history.validation_loss == expected.validation_loss
        assert history.validation_r2 == expected.validation_r2


def test_a_part_without_known_targets_is_refused(network_class):
    y = np.r_[np.ones(8), np.full(2, np.nan)]
    net = network_class([1, 1], loss=fastbp.MSE(ignore_nan=True), seed=0)
    with pytest.raises(DataError, match="y of validation_split has no known target"):
        net.fit(np.ones((10, 1)), y, validation_split=0.2)


# ---- every k-th epoch --------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 2, 3, 5, 7, 100])
@pytest.mark.parametrize("callbacks", [(), [lambda state: None]], ids=["alone", "watched"])
def test_every_kth_epoch_and_the_last(make, data, every, callbacks):
    net, twin = make(), make()
    history = net.fit(*data, epochs=10, validation_data=data, validation_every=every, callbacks=callbacks)
    full = twin.fit(*data, epochs=10, validation_data=data)
    due = [epoch % every == 0 or epoch == 10 for epoch in range(1, 11)]
    assert measured_epochs(history) == measured_epochs(net.history) == [i for i in range(10) if due[i]]
    expected = [loss if is_due else np.nan for loss, is_due in zip(full.validation_loss, due, strict=True)]
    np.testing.assert_array_equal(history.validation_loss, expected)
    assert history.loss == full.loss
    assert list(history) == list(net.history) == list(full)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_averaged_weights_are_measured_every_kth_epoch(make, data):
    def stop(state):
        if state.epoch == 7:
            state.stop()

    options = {"epochs": 20, "batch_size": 8, "validation_data": data}
    mean = ExponentialMovingAverage(0.9)
    full = make().fit(*data, callbacks=[mean, stop], **options)
    net = make()
    history = net.fit(*data, callbacks=[mean, stop], validation_every=3, **options)
    assert measured_epochs(history) == [2, 5, 7]
    assert [history.validation_loss[i] for i in (2, 5, 7)] == [full.validation_loss[i] for i in (2, 5, 7)]
    assert history.loss == full.loss
    assert history.validation_loss[-1] == net.evaluate(*data)["loss"]


def test_it_is_measured_no_more_often(make, data, monkeypatch):
    calls = []
    evaluate = fastbp._training.validation.evaluate

    def counted(*args):
        calls.append(args)
        return evaluate(*args)

    monkeypatch.setattr(fastbp._training.validation, "evaluate", counted)
    make().fit(*data, epochs=1001, validation_data=data, validation_every=250)
    assert len(calls) == 5


@pytest.mark.parametrize("epochs", [3, 4, 5, 9])
def test_the_epoch_at_which_a_callback_stops_is_measured(make, data, epochs):
    def stop(state):
        if state.epoch == epochs - 1:
            state.stop("enough")

    net = make()
    net.fit(*data, epochs=2, validation_data=data)
    history = net.fit(
        *data, epochs=50, validation_data=data, validation_every=4, callbacks=stop, metrics=["r2", "mae"]
    )
    last = net.evaluate(*data, metrics=["r2", "mae"])
    assert history.stopped == net.history.stopped == "enough"
    assert len(history) == epochs == len(net.history) - 2
    for record in (history, net.history):
        assert record.row(-1) | {f"validation_{name}": v for name, v in last.items()} == record.row(-1)
    assert measured_epochs(history) == [*range(3, epochs - 1, 4), epochs - 1]


def test_a_converged_fit_measures_its_last_epoch(network_class):
    X = np.random.default_rng(0).normal(size=(30, 2))
    net = network_class([2, 1], dtype="float64", optimizer=fastbp.LevenbergMarquardt(max_fail=None))
    data = X, X @ [1.0, 2.0]
    history = net.fit(*data, epochs=200, batch_size=None, validation_data=data, validation_every=150)
    assert history.stopped == "converged"
    assert measured_epochs(history) == [len(history) - 1]


@pytest.mark.parametrize("kind", ["epochs", "converged", "max_seconds"])
def test_callbacks_see_the_measurement_of_the_last_epoch(network_class, kind):
    """If the fit knows that it is the last: then restore_best counts it, too."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    data, seen = (X, X @ [1.0, 2.0]), []

    def look(state):
        seen.append("validation_loss" in state.measured)
        if kind == "max_seconds":
            sleep(0.01)

    net = network_class([2, 1], dtype="float64", optimizer=fastbp.LevenbergMarquardt(max_fail=None))
    history = net.fit(
        *data,
        epochs=3 if kind == "epochs" else 200,
        batch_size=None,
        validation_data=data,
        validation_every=150,
        callbacks=look,
        max_seconds=1e-9 if kind == "max_seconds" else None,
    )
    assert history.stopped == kind
    assert seen == [False] * (len(history) - 1) + [True]


def test_the_last_share_is_not_copied():
    X, y = np.ones((20000, 50)), np.zeros(20000)
    net = fastbp.Network([50, 1], seed=0)
    net.fit(X[:100], y[:100])
    assert traced_peak(lambda: net.fit(X, y, validation_split=0.5, metrics=[])) < 0.1 * X.nbytes


def test_the_epochs_between_do_not_count_for_patience(make, data):
    """With patience 2, it stops at the third measurement at the earliest."""
    stopping = EarlyStopping("validation_loss", patience=2, min_delta=1e9)
    history = make().fit(*data, epochs=100, validation_data=data, validation_every=5, callbacks=stopping)
    assert (history.stopped, len(history)) == ("early_stopping", 15)


# ---- what is refused ---------------------------------------------------------------------------------------

REFUSED = [
    ({"validation_split": 0.2, "validation_data": "data"}, ParameterError, "validation_split is 0.2 beside"),
    (
        {"validation_split": 0.0},
        ParameterError,
        "validation_split is 0.0, expected a number > 0 and < 1, a S",
    ),
    ({"validation_split": "0.2"}, ParameterError, "validation_split is '0.2', expected a number"),
    ({"validation_split": ShuffledSplit}, ParameterError, "validation_split is .*expected a number"),
    ({"validation_split": StratifiedSplit()}, ParameterError, "the loss 'mse', which has no classes"),
    ({"validation_split": 0.999}, DataError, "0.999 of 23 rows, which leaves 0 to train on and 23"),
    ({"validation_every": 0}, ParameterError, "validation_every is 0, expected an integer >= 1"),
    ({"validation_every": 3}, ParameterError, "validation_every is 3 without validation_data, expected"),
    ({"metrics": "mae"}, ParameterError, "metrics is 'mae' without validation_data, expected"),
    ({"validation_data": (1, 2, 3, 4)}, ParameterError, r"length 4, expected .* or \(X, y, sample_w"),
    ({"validation_data": "short weights"}, ShapeError, r"validation_data\[2\] has shape \(22,\), expected"),
    ({"validation_data": "negative weights"}, DataError, r"validation_data\[2\]\[0\] is -1"),
    (
        {"validation_split": 0.2, "sample_weight": np.ones(22)},
        ShapeError,
        r"sample_weight has shape \(22,\), expected \(23,\)",
    ),
    (
        {"validation_split": 0.2, "sample_weight": np.arange(23) - 22.0},
        DataError,
        r"sample_weight\[0\] is -22",
    ),
    ({"max_seconds": 0}, ParameterError, "max_seconds is 0, expected a finite number > 0"),
    ({"max_seconds": "1"}, ParameterError, "max_seconds is '1', expected a finite number > 0"),
]


@pytest.mark.parametrize(("options", "error", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_bad_arguments_are_refused_and_change_nothing(make, data, state_of, options, error, words):
    net = make()
    before = state_of(net)
    kinds = {
        "data": data,
        "short weights": (*data, np.ones(22)),
        "negative weights": (*data, -np.ones(23)),
    }
    given = options.get("validation_data")
    if isinstance(given, str):
        options = options | {"validation_data": kinds[given]}
    with pytest.raises(error, match=words):
        net.fit(*data, **options)
    assert state_of(net) == before


def test_a_part_without_weight_is_refused(make, data):
    with pytest.raises(Error, match="sums to 0"):
        make().fit(*data, validation_split=0.2, sample_weight=[1.0] * 18 + [0.0] * 5)
