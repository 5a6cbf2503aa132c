"""`fastbp train`: what it learns from files, its options, output and picture."""

import os
import re
import sys

import numpy as np
import pytest

import fastbp
from fastbp import io
from fastbp.cli import commands
from helpers.csv_files import error_of, run, run_json, species, write


@pytest.fixture
def data(tmp_path):
    """A CSV file of three species."""
    return write(tmp_path / "data.csv", species())


@pytest.fixture
def train(tmp_path, capsys):
    """Train, with no picture unless options say where; return what is printed, and the path of the model."""

    def train(data, *options, target="species", run=run):
        model = tmp_path / "model.safetensors"
        options = options if "--plot" in options else ["--no-plot", *options]
        return run(capsys, "train", data, "--target", target, "--output", model, *options), model

    return train


def test_the_model_file_is_a_plain_network_that_knows_its_names(train, data):
    _, model = train(data, "--hidden", "7,5", "--activation", "tanh", "--dtype", "float64", "--dropout", 0.1)
    net = fastbp.load(model)
    assert [layer.n_out for layer in net.layers] == [7, 5, 3]
    assert [layer.dropout for layer in net.layers] == [0.1, 0.1, 0]
    assert (str(net.layers[0].activation), net.dtype) == ("tanh", np.float64)
    assert net.class_names == ("Adelie", "Chinstrap", "Gentoo")
    _, table = io.load(model)
    assert net.feature_names == table.feature_names
    assert {"length", "noise", "island=Dream"} <= {*net.feature_names}
    assert net.predict(table.inputs(io.read_columns(data))).shape == (60, 3)


def test_the_same_seed_gives_the_same_bits(train, data):
    def bits(*options):
        _, model = train(data, "--epochs", 5, "--dropout", 0.2, *options)
        net = fastbp.load(model)
        assert net.seed == options[1]
        columns = net.history.to_dict()
        return net.parameters.tobytes(), columns["loss"], columns["validation_loss"]

    first = bits("--seed", 3)
    assert bits("--seed", 3) == first
    assert bits("--seed", 3, "--threads", 1) == first
    assert bits("--seed", 4) != first


def test_prints_what_was_read_and_what_came_of_it(train, data):
    out, model = train(data, "--epochs", 40)
    assert "data.csv: 60 rows, 4 columns\n" in out
    assert "inputs: 2 numeric: length, noise; 1 categorical: island (3)\n" in out
    assert "classes: Adelie (30), Chinstrap (20), Gentoo (10)\n" in out
    assert "rows: 48 to train on, 12 held out\n" in out
    assert str(fastbp.load(model).layers[0].activation) in out
    assert re.search(r"^ +training +validation +baseline$", out, re.MULTILINE)
    assert re.search(r"^accuracy +\S+ +\S+ +0\.5000$", out, re.MULTILINE)
    assert out.endswith(f"model: {model}\nnext: fastbp predict {model} new.csv --output predictions.csv\n")


def test_scripts_get_one_object_or_nothing(train, data, tmp_path):
    found, model = train(data, "--epochs", 20, "--patience", 0, run=run_json)
    assert found["classes"] == {"Adelie": 30, "Chinstrap": 20, "Gentoo": 10}
    assert (found["training_rows"], found["validation_rows"]) == (48, 12)
    assert (found["epochs"], found["stopped"], found["picture"]) == (20, "epochs", None)
    assert found["inputs"] == [*fastbp.load(model).feature_names]
    assert {*found["scores"]} == {"training", "validation", "baseline"}
    assert train(data, "--quiet")[0] == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "model.safetensors"]


def test_without_rows_held_out_all_are_trained_on(train, data):
    found, model = train(data, "--validation", 0, "--epochs", 7, run=run_json)
    assert (found["training_rows"], found["validation_rows"], found["epochs"]) == (60, 0, 7)
    assert {*found["scores"]} == {"training", "baseline"}
    assert found["best_epoch"] is None
    assert "validation_loss" not in fastbp.load(model).history


def test_early_stopping_keeps_the_best_epoch(train, tmp_path, rng):
    columns = species()
    columns["species"] = rng.permutation(columns["species"])  # nothing to learn
    data = write(tmp_path / "data.csv", columns)
    found, model = train(data, "--patience", 3, "--learning-rate", 0.01, run=run_json)
    assert (found["stopped"], found["epochs"]) == ("early_stopping", found["best_epoch"] + 3)
    history = fastbp.load(model).history
    best = history.validation_loss[found["best_epoch"] - 1]
    assert found["scores"]["validation"]["loss"] == pytest.approx(best, rel=1e-6)
    assert min(history.validation_loss) == best


@pytest.mark.parametrize("optimizer", [*fastbp.optimizers.OPTIMIZERS, "levenberg_marquardt"])
def test_every_optimizer_trains(train, tmp_path, optimizer):
    columns = species()
    columns["twice"] = [2 * x + 100 for x in columns["length"]]
    data = write(tmp_path / "numbers.csv", columns)
    options = "--drop", "species,island", "--hidden", "4", "--epochs", 5
    found, model = train(data, *options, "--optimizer", optimizer, target="twice,noise", run=run_json)
    assert found["inputs"] == ["length"]
    assert {*found["scores"]["training"]} == {
        "loss",
        "r2 of twice",
        "mae of twice",
        "r2 of noise",
        "mae of noise",
    }
    assert found["scores"]["baseline"]["r2 of twice"] < 0.1
    assert type(fastbp.load(model).optimizer).__name__.lower() == optimizer.replace("_", "")


def test_numbers_and_missing_values_are_what_the_options_say(capsys, train, tmp_path):
    columns = species()
    columns["length"][4], columns["island"][7] = "", "NA"
    data = write(tmp_path / "missing.csv", columns)
    assert "'length'" in error_of(capsys, "train", data, "--target", "species")
    out, model = train(data, "--impute", "--categorical", "noise", "--epochs", 2)
    assert "imputed: length (1), island (1)\n" in out
    assert "1 numeric: length; 2 categorical: island (3), noise (" in out
    _, table = io.load(model)
    assert [column.name for column in table.columns] == ["length", "island", "noise"]


def test_what_training_has_not_seen_changes_nothing_at_random(capsys, train, tmp_path):
    """An unseen category acts as the average row, and a number that never varied not at all."""
    data = write(tmp_path / "data.csv", species() | {"constant": [7] * 60})
    _, model = train(data, "--epochs", 3)
    net, names = fastbp.load(model), fastbp.load(model).feature_names
    block = [i for i, name in enumerate(names) if name.startswith("island=")]
    unseen = np.array([names[i] == "island=(unknown)" for i in block], float)
    assert unseen.sum() == 1
    inputs = (unseen - net.input_mean[block]) / net.input_scale[block]
    np.testing.assert_allclose(inputs @ net.weights[0][block], 0, atol=1e-6)
    assert abs(net.weights[0][block]).max() > 0.1
    assert not net.weights[0][names.index("constant")].any()
    new = {"length": [1, 1], "island": ["Atlantis", "Eldorado"], "noise": [3, 3], "constant": [7, 8]}
    path = write(tmp_path / "new.csv", new)
    answers = run_json(capsys, "predict", model, path, "--probabilities")["predictions"]
    first, second = answers["probability of Adelie"]
    assert first == second


def test_draws_the_learning_curve_beside_the_model(capsys, train, data, tmp_path):
    pytest.importorskip("matplotlib")
    model, picture = tmp_path / "species.safetensors", tmp_path / "species-curve.png"
    out = run(capsys, "train", data, "--target", "species", "--output", model, "--epochs", 4)
    assert f"picture: {picture}\n" in out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    picture = tmp_path / "curve.svg"
    columns = species()
    columns["$\\odd$ \u4e2d"] = columns.pop("species")  # no formula, and not in the font
    odd, options = write(tmp_path / "odd.csv", columns), ("--epochs", 4, "--plot", picture, "--validation", 0)
    assert train(odd, *options, target="$\\odd$ \u4e2d", run=run_json)[0]["picture"] == str(picture)
    assert "<svg" in picture.read_text()


def test_works_without_the_optional_packages(capsys, data, monkeypatch, tmp_path):
    monkeypatch.setattr("fastbp.cli.curve.find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    model = tmp_path / "model.safetensors"
    assert "picture" not in run(
        capsys, "train", data, "--target", "species", "--output", model, "--epochs", 2
    )
    error = error_of(capsys, "train", data, "--target", "species", "--plot", tmp_path / "curve.png")
    assert error == 'fastbp train: a picture needs matplotlib: pip install "fastbp[plot]"\n'


def test_a_picture_that_cannot_be_drawn_is_refused_before_the_training(capsys, data, monkeypatch, tmp_path):
    def fails(_):
        raise ValueError("Key backend: 'odd' is not a valid value")  # as MPLBACKEND=odd does

    monkeypatch.setattr("fastbp.cli.curve.find_spec", lambda _: True)
    monkeypatch.setattr("fastbp.cli.curve.import_module", fails)
    model = tmp_path / "model.safetensors"
    assert "'odd'" in error_of(capsys, "train", data, "--target", "species", "--output", model)
    assert not model.exists()


def test_places_for_no_file_are_refused_before_the_training(capsys, data, monkeypatch, tmp_path):
    monkeypatch.setattr("fastbp.cli.curve.find_spec", lambda _: True)
    monkeypatch.setattr("fastbp.cli.curve.import_module", lambda _: None)
    (tmp_path / "model-curve.png").mkdir()
    model = tmp_path / "model.safetensors"
    for options in (["--output", os.devnull, "--quiet"], ["--output", model]):
        error = error_of(capsys, "train", data, "--target", "species", *options)
        assert "cannot be replaced, because it is not a regular file" in error
    assert not model.exists()


def test_ctrl_c_leaves_an_old_model_as_it_was(train, data, monkeypatch, tmp_path):
    def fit(*_, **__):
        raise KeyboardInterrupt

    _, model = train(data, "--epochs", 2, "--quiet")
    before = model.read_bytes()
    monkeypatch.setattr(fastbp.Network, "fit", fit)
    assert commands.main(["train", data, "--target", "species", "--output", str(model)]) == 130
    assert model.read_bytes() == before


REFUSED = {  # options, part of the message
    "--hidden=0": "'0' is not a list of whole numbers",
    "--hidden=": "'' is not a list of whole numbers",
    "--hidden=3,,4": "'3,,4' is not a list",
    f"--hidden={'9' * 5000}": "is not a list of whole numbers",
    "--hidden=99999999999999": "Unable to allocate",
    "--activation=dance": "'dance', expected one of",
    "--activation=softmax": "softmax",
    "--optimizer=dance": "'dance', expected one of",
    "--optimizer=levenberg_marquardt": "LevenbergMarquardt",
    "--learning-rate=0": "'0' is not a number above 0",
    "--learning-rate=nan": "'nan' is not a number above 0",
    "--learning-rate=1e-300": "learning_rate",
    "--dropout=1": "'1' is not a number of at least 0 and below 1",
    "--l2=-1": "'-1' is not a number of at least 0",
    "--epochs=0": "'0' is not a whole number from 1",
    "--epochs=99999999999": "'99999999999' is not a whole number from 1 to 4294967295",
    "--validation=1": "'1' is not a number of at least 0 and below 1",
    "--patience=-1": "'-1' is not a whole number of at least 0",
    "--patience=3 --validation=0": "--patience is 3 with --validation 0",
    f"--seed={2**64}": "is not a whole number from 0 to 18446744073709551615",
    "--threads=99999": "'99999' is not a whole number from 1 to 1024",
    "--task=dance": "'dance'",
    "--dtype=float16": "'float16'",
    "--drop=,": "is not a list of names",
    '--categorical="a': "is not a list of names",
    "--plot=curve.gif": "does not end in .png",
    "--output=/nowhere/at/all": "no directory '/nowhere/at'",
    "--output=": "the path is ''",
    "--output=.": "'.' is not the name of a file",
    f"--output={'x' * 5000}": "expected a path of at most 4095 bytes",
    "--outp=x": "unrecognized arguments: --outp=x",
    "--quiet --quietly": "unrecognized arguments",
}


@pytest.mark.parametrize("options", REFUSED)
def test_wrong_options_are_one_line(capsys, data, options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = "train", data, "--target", "species", "--quiet", *options.split(" ")
    assert REFUSED[options] in error_of(capsys, *command)
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_the_data_are_never_overwritten(capsys, data, tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to(data)
    for output in (data, link):
        before = link.read_bytes()
        error = error_of(capsys, "train", data, "--target", "species", "--output", output)
        assert "would overwrite" in error
        assert link.read_bytes() == before
