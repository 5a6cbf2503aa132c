"""Checkpoint files: when they are written, what a continued fit refuses, and what is in them."""

import os
import re
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

import fastbp
import fastbp.reference
from fastbp.callbacks import (
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    ExponentialMovingAverage,
    ReduceLROnPlateau,
    Watcher,
)
from helpers.model_files import parts, rewritten


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "run.safetensors")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    return X, X[:, :2] * 0.5


def make(**options):
    return fastbp.Network([3, 5, 2], **{"seed": 1} | options)


def files_in(path):
    return sorted(os.listdir(os.path.dirname(path)))


def test_the_older_files(data, path):
    """The newest has the plain name; it has epoch 5, and the others epochs 4 and 2."""
    make().fit(*data, epochs=5, callbacks=Checkpoint(path, every=2, keep=3))
    assert files_in(path) == ["run.1.safetensors", "run.2.safetensors", "run.safetensors"]
    names = (path, path.replace(".safe", ".1.safe"), path.replace(".safe", ".2.safe"))
    assert [len(fastbp.load(name).history) for name in names] == [5, 4, 2]


@pytest.mark.parametrize("keep", [1, 2])
def test_few_files(data, path, keep):
    make().fit(*data, epochs=4, callbacks=Checkpoint(path, keep=keep))
    assert files_in(path) == ["run.1.safetensors", "run.safetensors"][2 - keep :]


def test_a_kill_before_the_file_is_replaced(data, path):
    """The older files stay, although the newest already had its second name."""
    make().fit(*data, epochs=3, callbacks=Checkpoint(path))
    os.replace(path.replace(".safe", ".1.safe"), path.replace(".safe", ".2.safe"))
    os.link(path, path.replace(".safe", ".1.safe"))
    make().fit(*data, epochs=4, callbacks=Checkpoint(path), resume=path)
    names = (path, path.replace(".safe", ".1.safe"), path.replace(".safe", ".2.safe"))
    assert [len(fastbp.load(name).history) for name in names] == [4, 3, 2]


def test_a_callback_changes_the_folder(data, path, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    callbacks = [lambda state: os.chdir(tmp_path / "other"), Checkpoint("run.safetensors", keep=2)]
    make().fit(*data, epochs=3, callbacks=callbacks)
    assert files_in(path) == ["other", "run.1.safetensors", "run.safetensors"]
    assert os.listdir() == []


def test_by_time(data, path, monkeypatch):
    """Nothing is due before an hour is over, except the end."""
    from fastbp._training import checkpoints

    now = [0.0]
    monkeypatch.setattr(checkpoints, "perf_counter", lambda: now[0])
    seen = []

    class Look:
        def on_batch_end(self, state):
            now[0] += 1800.0
            seen.append(os.path.exists(path))

    make().fit(*data, epochs=1, batch_size=4, callbacks=[Look(), Checkpoint(path, every="1h", keep=1)])
    assert seen == [False, False, True, True, True]  # the file is written after the second step


def test_a_complete_fit_returns_at_once(data, path):
    callbacks = [EarlyStopping("loss", patience=2, min_delta=1.0, restore_best=True), Checkpoint(path)]
    net = make()
    first = net.fit(*data, epochs=50, callbacks=callbacks, resume=path)
    before = os.stat(path)
    again = make(seed=7)
    second = again.fit(*data, epochs=50, callbacks=callbacks, resume=path)
    assert first.stopped == second.stopped == "early_stopping"
    assert first.loss == second.loss
    assert (again.parameters == net.parameters).all()
    assert again.seed == 1
    assert os.stat(path).st_mtime_ns == before.st_mtime_ns


def test_progress_goes_on(data, path, capsys):
    """The bar starts where the fit continues, and no line is printed twice."""
    make().fit(*data, epochs=3, callbacks=Checkpoint(path))
    for verbose, epochs, first in ((1, 3, 6), (2, 3, 6), (2, 5, 4), ("auto", 5, 4)):
        history = make().fit(*data, epochs=epochs, resume=path, verbose=verbose)
        out, err = capsys.readouterr()
        assert set(out.splitlines()) <= {f"epoch {i}/5  {history.describe(i - 1)}" for i in range(first, 6)}
        assert f"{epochs}/{epochs} epochs" in err or verbose == "auto"
    assert "epoch 5/5" in out


def test_more_epochs(data, path):
    make().fit(*data, epochs=3, callbacks=Checkpoint(path), resume=path)
    net = make()
    history = net.fit(*data, epochs=5, callbacks=Checkpoint(path), resume=path)
    other = make()
    assert other.fit(*data, epochs=5).loss == history.loss
    assert (other.parameters == net.parameters).all()
    with pytest.raises(fastbp.ParameterError, match=r"^epochs is 4, expected at least 5, which the fit in"):
        make().fit(*data, epochs=4, resume=path)


def test_a_time_limit_is_that_of_one_call(data, path):
    for epochs in (1, 2, 3):
        net = make()
        history = net.fit(*data, epochs=3, max_seconds=1e-9, callbacks=Checkpoint(path), resume=path)
        assert len(history) == epochs
    other = make()
    other.fit(*data, epochs=3)
    assert (other.parameters == net.parameters).all()


def test_the_seed_of_the_file(data, path):
    """A network without a seed of its own continues, too."""
    net = make(seed=None)
    net.fit(*data, epochs=2, callbacks=Checkpoint(path))
    other = make(seed=None)
    other.fit(*data, epochs=4, resume=path)
    net.fit(*data, epochs=2)
    assert (other.parameters == net.parameters).all()


def test_what_has_to_be_the_same(data, path):
    """Each difference is named, and the network is as before."""
    X, y = data
    weights = np.arange(20.0)
    options = {"epochs": 2, "sample_weight": weights, "validation_data": (X[:4], y[:4]), "metrics": "r2"}
    callbacks = [ReduceLROnPlateau(), Checkpoint(path)]
    make().fit(X, y, **options, callbacks=callbacks)
    cases = {
        "X": lambda fit: fit(make(), X + 1e-9, y),
        "y": lambda fit: fit(make(), X, y.astype(np.float32)),
        "sample_weight or class_weight": lambda fit: fit(make(), X, y, sample_weight=weights + 1),
        "validation_data": lambda fit: fit(make(), X, y, validation_data=(X[:5], y[:5])),
        "metrics": lambda fit: fit(make(), X, y, metrics="mae"),
        "validation_every": lambda fit: fit(make(), X, y, validation_every=2),
        "callbacks": lambda fit: fit(make(), X, y, callbacks=[ReduceLROnPlateau(patience=3)]),
        "batch_size": lambda fit: fit(make(), X, y, batch_size=7),
        "shuffle": lambda fit: fit(make(), X, y, shuffle=False),
        "tol": lambda fit: fit(make(), X, y, tol=0.1),
        "optimizer": lambda fit: fit(make(optimizer="sgd"), X, y),
        "loss": lambda fit: fit(make(loss="mae"), X, y),
        "net.layers[0].activation": lambda fit: fit(make(activation="tanh"), X, y),
        "net.layers[0].n_out": lambda fit: fit(fastbp.Network([3, 4, 2]), X, y),
        "initializer of net.layers[0]": lambda fit: fit(
            fastbp.Network([3, fastbp.Dense(5, initializer="he_normal"), 2]), X, y
        ),
        "number of layers": lambda fit: fit(fastbp.Network([3, 5, 5, 2]), X, y),
        "dtype": lambda fit: fit(make(dtype="float64"), X, y),
        "input_noise": lambda fit: fit(make(input_noise=0.1), X, y),
    }

    for name, case in cases.items():

        def fit(net, X, y, name=name, **changed):
            before = net.parameters.copy()
            with pytest.raises(
                (fastbp.ParameterError, fastbp.DataError),
                match=rf"^{re.escape(name)} (is|has) .*{re.escape(path)}",
            ):
                net.fit(X, y, **options | {"callbacks": callbacks, "resume": path} | changed)
            assert (net.parameters == before).all()
            assert len(net.history) == 0

        case(fit)
    net = make()
    watch = [ReduceLROnPlateau(), lambda state: None, CSVLogger(path + ".csv")]
    assert len(net.fit(X, y, **options, callbacks=watch, resume=path, verbose=0)) == 2


def test_differences_are_shown(data, path):
    """The messages name what the user changed, and are not cut where two callbacks differ."""
    X, y = data
    make().fit(X, y, callbacks=[EarlyStopping("loss", patience=8), Checkpoint(path)], validation_data=data)
    for changed, message in (
        ({"validation_data": None}, r"^validation_data is not that of"),
        ({"callbacks": EarlyStopping("loss", patience=9)}, r"has EarlyS.*patience=9.*expected.*patience=8"),
        ({"callbacks": None}, r"^callbacks has no more, expected EarlyStopping\("),
    ):
        options = {"callbacks": EarlyStopping("loss", patience=8), "validation_data": data} | changed
        with pytest.raises((fastbp.ParameterError, fastbp.DataError), match=message):
            make().fit(X, y, resume=path, **options)


def test_a_share_may_have_another_type(data, path):
    make().fit(*data, validation_split=0.25, callbacks=Checkpoint(path))
    assert len(make().fit(*data, epochs=2, validation_split=np.float64(0.25), resume=path)) == 2


def test_a_function_of_another_name(data, path):
    def squares(output, target):
        return np.mean((output - target) ** 2), 2 * (output - target) / output.size

    make(loss=squares).fit(*data, callbacks=Checkpoint(path))
    with pytest.raises(fastbp.ParameterError, match=r"^loss.function has another name .*'squares' as in"):
        make(loss=lambda output, target: squares(output, target)).fit(*data, resume=path)


def test_another_path_or_version_warns(data, path):
    fastbp.reference.Network([3, 5, 2], seed=1).fit(*data, callbacks=Checkpoint(path))
    with pytest.warns(UserWarning, match=r"was written on numpy by fastbp .*the last bits"):
        make().fit(*data, epochs=2, resume=path)
    rewritten(path, path, lambda description, arrays: description.update(isa="none"))
    with pytest.warns(UserWarning, match="was written on none") as warned:
        make().fit(*data, epochs=2, resume=path)
    assert warned[0].filename == __file__  # the call of `fit`


def test_files_that_are_no_checkpoints(data, path):
    with pytest.raises(fastbp.ParameterError, match=r"^resume is 3, expected a path"):
        make().fit(*data, resume=3)
    make().save(path)
    with pytest.raises(fastbp.ModelFileError, match=r"run.safetensors is a model file, but no checkpoint"):
        make().fit(*data, resume=path)
    with open(path, "rb+") as file:
        file.truncate(100)
    with pytest.raises(fastbp.ModelFileError, match=r"run\.safetensors"):
        make().fit(*data, resume=path)


def test_arguments():
    for every in (0, -1, 1.5, "", "10", "s", "0s", "1e3s", "10 days", None, True, "1" * 400 + "s"):
        with pytest.raises(fastbp.ParameterError, match=r"^every is "):
            Checkpoint("a", every=every)
    assert [Checkpoint("a", every=text).seconds for text in ("10s", "1.5m", "2 h")] == [10.0, 90.0, 7200.0]
    for keep in (0, 10**9):
        with pytest.raises(fastbp.ParameterError, match=rf"^keep is {keep}, expected an integer >= 1"):
            Checkpoint("a", keep=keep)
    with pytest.raises(fastbp.ParameterError, match=r"^path is "):
        Checkpoint(None)


def test_a_folder_that_is_missing(data, tmp_path):
    net = make()
    for wrong in (tmp_path / "missing" / "a.safetensors", tmp_path):
        with pytest.raises(
            fastbp.ParameterError, match=r"^callbacks\[0\] is Checkpoint.* expected a file in an existing"
        ):
            net.fit(*data, callbacks=Checkpoint(wrong))
    assert len(net.history) == 0


def test_two_checkpoints(data, path):
    """They may differ in all but the names of their files."""
    other = path.replace(".safe", ".1.safe")
    for wrong in (path, other):
        with pytest.raises(fastbp.ParameterError, match=r"^callbacks have two Checkpoints that write to "):
            make().fit(*data, callbacks=[Checkpoint(path), Checkpoint(wrong, every="1h")])
    make().fit(*data, epochs=2, callbacks=[Checkpoint(path, keep=1), Checkpoint(other, every=5, keep=1)])
    assert files_in(path) == ["run.1.safetensors", "run.safetensors"]


def test_load_gives_the_network_of_that_moment(data, path):
    """Its parameters are those of the training, not their average."""
    kept = []
    net = make()
    averaging = [ExponentialMovingAverage(0.5), Checkpoint(path)]
    net.fit(*data, epochs=2, callbacks=averaging)
    plain = make()
    plain.fit(*data, epochs=2, callbacks=lambda state: kept.append(state.network.clone()))
    loaded = fastbp.load(path)
    assert (loaded.parameters == plain.parameters).all()
    assert (loaded.parameters != net.parameters).any()
    assert loaded.history.loss == plain.history.loss


def test_a_log_goes_on(data, path, tmp_path):
    """Epochs after the newest file are done again, and their lines written again."""

    def run(name, path=None, stop=None):
        def end(state):
            if state.epoch == stop:
                raise RuntimeError

        log = tmp_path / name
        callbacks = [CSVLogger(log, append=True), end]
        if path:
            callbacks.append(Checkpoint(path, every=2))
        with suppress(RuntimeError):
            make().fit(*data, epochs=5, callbacks=callbacks, resume=path)
        return [line.rsplit(",", 1)[0] for line in log.read_text().splitlines()]  # without seconds

    expected = run("a.csv")
    assert len(run("b.csv", path, stop=3)) == 5  # 4 epochs, of which the file has 2
    assert run("b.csv", path) == expected


def test_a_callback_remembers_what_no_file_has(data, path):
    class Losses(Watcher):
        def on_epoch_end(self, state):
            self.state["losses"] = [0.5]

    with pytest.raises(fastbp.DataError, match=r"Losses remembers \[0.5\] as 'losses', expected numbers"):
        make().fit(*data, callbacks=[Losses(), Checkpoint(path)])


def test_hostile_checkpoints(data, path, tmp_path):
    """Each part of the fit is replaced by wrong ones: an error of fastbp, or a fit that ends."""
    callbacks = [
        EarlyStopping("loss", restore_best=True),
        ReduceLROnPlateau("loss"),
        ExponentialMovingAverage(),
    ]
    make().fit(*data, epochs=2, callbacks=[*callbacks, Checkpoint(path)])
    other = tmp_path / "other.safetensors"
    places, refused = [], 0
    rewritten(path, other, lambda description, arrays: places.extend(parts(description["fit"])))
    for place in places:
        for value in (None, -1, 10**400, "x", [], {}, 1e308, True, {"float": "nan"}):

            def change(description, arrays, place=place, value=value):
                node = description["fit"]
                for key in place[:-1]:
                    node = node[key]
                node[place[-1]] = value

            refused += continued(data, callbacks, path, other, change)
    assert refused > 5 * len(places)
    for name in ("fit.kept.parameters", "fit.kept.state", "fit.average"):
        for wrong in (None, np.zeros(3), np.zeros(0, np.float32)):
            assert continued(data, callbacks, path, other, partial(put, name, wrong))
    for name in (
        "layers.0.weights",
        "optimizer.state",
        "fit.kept.parameters",
        "fit.kept.state",
        "fit.average",
    ):
        assert continued(data, callbacks, path, other, partial(spoil, name))


def put(name, array, description, arrays):
    arrays[name] = array
    if array is None:
        del arrays[name]


def spoil(name, description, arrays):
    arrays[name].reshape(-1)[-1] = np.nan


def continued(data, callbacks, path, other, change):
    """Continue from a changed file; tell whether it was refused, and changed nothing then."""
    rewritten(path, other, change)
    net = make()
    before = net.parameters.copy()
    try:
        net.fit(*data, epochs=3, callbacks=callbacks, resume=other)
    except (fastbp.ModelFileError, fastbp.ParameterError, fastbp.DataError):
        assert (net.parameters == before).all()
        return True
    assert len(net.history) <= 3
    return False
