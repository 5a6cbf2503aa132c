"""`fastbp predict`, `evaluate` and `info`: what they write and print, which models and data they take."""

import re
from pathlib import Path

import numpy as np
import pytest

import fastbp
from fastbp import io
from fastbp.cli import commands, scores, text
from helpers.csv_files import error_of, read, run, run_json, species, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the data and the model of three species."""
    folder = tmp_path_factory.mktemp("species")
    data = write(folder / "data.csv", species())
    model = str(folder / "model.safetensors")
    assert commands.main(["train", data, "--target", "species", "--output", model, "--quiet"]) == 0
    return folder


@pytest.fixture
def data(folder):
    return str(folder / "data.csv")


@pytest.fixture
def model(folder):
    return str(folder / "model.safetensors")


@pytest.fixture
def numbers(tmp_path, capsys):
    """A model of two numbers, and its data."""
    columns = {"a": [*range(40)], "b": [x % 7 for x in range(40)]}
    columns |= {
        "sum": [a + b for a, b in zip(*columns.values(), strict=True)],
        "a twice": [2 * x for x in range(40)],
    }
    data, model = write(tmp_path / "numbers.csv", columns), str(tmp_path / "numbers.safetensors")
    run(capsys, "train", data, "--target", "sum,a twice", "--epochs", 30, "--output", model, "--quiet")
    return model, data


def network_and_inputs(model, data):
    net, table = io.load(model)
    return net, table.inputs(io.read_columns(data))


def classes_of(capsys, model, data):
    return run(capsys, "predict", model, data, "--no-probabilities").splitlines()[1:]


def test_predictions_are_classes_with_their_probabilities(capsys, model, data, tmp_path):
    path = tmp_path / "predictions.csv"
    assert run(capsys, "predict", model, data, "--output", path) == ""
    found, (net, X) = read(path), network_and_inputs(model, data)
    assert [*found] == ["species", *(f"probability of {name}" for name in net.class_names)]
    probabilities = np.array([*found.values()][1:], np.float32).T
    np.testing.assert_array_equal(probabilities, net.predict(X))
    assert found["species"] == [net.class_names[i] for i in net.predict_classes(X)]
    assert run(capsys, "predict", model, data, "--probabilities") == path.read_text()
    assert run(capsys, "predict", model, data, "--output", "-") == path.read_text()
    assert run(capsys, "predict", model, data, "--no-probabilities").startswith("species\n")
    tabs = tmp_path / "predictions.tsv"
    run(capsys, "predict", model, data, "--output", tabs)
    assert tabs.read_text() == path.read_text().replace(",", "\t")


def test_columns_are_found_by_name_and_the_target_is_not_needed(capsys, model, data, tmp_path):
    columns = species()
    del columns["species"]
    other = write(tmp_path / "other.csv", {"id": range(60), **dict(reversed(columns.items()))}, delimiter=";")
    assert run(capsys, "predict", model, other) == run(capsys, "predict", model, data)


def test_categories_that_training_did_not_have_are_counted(capsys, model, tmp_path):
    rows = {name: column[:3] for name, column in species().items()}
    some = write(tmp_path / "some.csv", rows | {"island": ["Biscoe", "DREAM", "DREAM"]})
    assert run_json(capsys, "predict", model, some)["unknown"] == {"island": 2}
    assert run_json(capsys, "evaluate", model, some)["unknown"] == {"island": 2}
    assert "\ncategories that training did not have: island (2)\n" in run(capsys, "evaluate", model, some)
    predicted = run(capsys, "predict", model, some)  # nothing on stderr
    upper = write(tmp_path / "upper.csv", rows | {"island": ["BISCOE", "DREAM", "DREAM"]})
    assert commands.main(["predict", model, upper, "--output", str(tmp_path / "out.csv")]) == 0
    out, note = capsys.readouterr()
    assert out == ""
    assert note == "fastbp predict: note: no value is a category that training had in: island\n"
    assert len(predicted.splitlines()) == 4


def test_regression_has_a_column_per_target(capsys, numbers):
    model, data = numbers
    found = run_json(capsys, "predict", model, data)
    assert [*found["predictions"]] == ["sum", "a twice"]
    net, X = network_and_inputs(model, data)
    outputs = net.predict(X)
    np.testing.assert_array_equal(np.array([*found["predictions"].values()], np.float32).T, outputs)
    assert "no classes" in error_of(capsys, "predict", model, data, "--probabilities")
    found = run_json(capsys, "evaluate", model, data)
    assert found["confusion"] is found["classes"] is None
    targets = np.stack([*map(np.array, (io.read_columns(data)[name] for name in ("sum", "a twice")))], axis=1)
    assert found["scores"]["r2 of sum"] == pytest.approx(fastbp.metrics.r2(outputs[:, 0], targets[:, 0]))
    out = run(capsys, "evaluate", model, data)
    assert re.search(r"^mse, scaled targets +\S+\nR\^2 of sum +\S+$", out, re.MULTILINE)


def test_json_has_the_predictions_unless_a_file_has_them(capsys, model, data, tmp_path):
    found = run_json(capsys, "predict", model, data, "--no-probabilities")
    assert found["predictions"] == {"species": classes_of(capsys, model, data)}
    found = run_json(capsys, "predict", model, data, "--output", tmp_path / "out.csv")
    same = {"model": model, "data": data, "rows": 60, "unknown": {}}
    assert found == same | {"output": str(tmp_path / "out.csv")}


def test_evaluate_counts_the_classes(capsys, model, tmp_path, rng):
    columns = species()
    columns["species"] = rng.permutation(columns["species"])
    data = write(tmp_path / "data.csv", columns)
    found = run_json(capsys, "evaluate", model, data)
    truth, answers = read(data)["species"], classes_of(capsys, model, data)
    pairs = [*zip(truth, answers, strict=True)]
    classes = found["classes"]
    assert found["confusion"] == [[pairs.count((a, b)) for b in classes] for a in classes]
    assert found["scores"]["accuracy"] == sum(a == b for a, b in pairs) / 60
    out = run(capsys, "evaluate", model, data)
    assert "data.csv: 60 rows\n" in out
    assert re.search(r"^true \\ predicted +Adelie +Chinstrap +Gentoo\n", out, re.MULTILINE)


def test_many_classes_are_shown_by_their_mistakes():
    matrix = np.diag(np.arange(20))
    names = [f"class {i}" for i in range(20)]
    assert scores.show_confusion(matrix, names) == "no mistakes"
    matrix[3, 5], matrix[2, 1] = 2000, 7
    lines = scores.show_confusion(matrix, names).splitlines()
    assert lines == [
        "most frequent mistakes:",
        "class 3 taken for class 5: 2,000",
        "class 2 taken for class 1: 7",
    ]


def test_shares_have_four_decimals_and_no_negative_zero():
    assert [text.share(x) for x in (1, -1.8e-5, -0.3288, -5e5)] == ["1.0000", "0.0000", "-0.3288", "-5e+05"]


def test_info_shows_what_is_in_the_file(capsys, model):
    out, (net, table) = run(capsys, "info", model), io.load(model)
    assert str(net.summary()) in out
    assert "inputs: 2 numeric: length, noise; 1 categorical: island (3)\ntarget: species\n" in out
    assert "classes: Adelie, Chinstrap, Gentoo\n" in out
    assert f"training: {len(net.history)} epochs in " in out
    found = run_json(capsys, "info", model)
    assert io.Table.described(found["table"]) == table
    assert found["parameters"] == net.n_parameters
    assert found["best_epoch"] == 1 + int(np.argmin(net.history.validation_loss))
    assert found["last_epoch"]["loss"] == net.history.loss[-1]


def test_a_network_without_a_table_goes_by_its_names_or_by_position(capsys, data, tmp_path):
    net = fastbp.Network([2, 3, 2], loss="cross_entropy", seed=0)
    model = str(tmp_path / "plain.safetensors")
    net.save(model)
    X = np.stack([io.read_columns(data)[name] for name in ("noise", "length")], axis=1)
    np.save(tmp_path / "X.npy", X)
    np.savez(tmp_path / "X.npz", X=X, y=X[:, 0])
    found = run_json(capsys, "predict", model, tmp_path / "X.npy", "--probabilities")["predictions"]
    assert found["class"] == [str(i) for i in net.predict_classes(X)]
    np.testing.assert_array_equal(np.array(found["probability of 1"], np.float32), net.predict(X)[:, 1])
    assert run_json(capsys, "predict", model, tmp_path / "X.npz", "--probabilities")["predictions"] == found
    np.savez(tmp_path / "X.npz", X1=X[:, 1], X0=X[:, 0])
    assert run_json(capsys, "predict", model, tmp_path / "X.npz", "--probabilities")["predictions"] == found
    assert "no names for its 2 inputs" in error_of(capsys, "predict", model, data)
    np.save(tmp_path / "wide.npy", np.zeros((2, 3)))
    assert "3 inputs, expected the model's 2" in error_of(capsys, "predict", model, tmp_path / "wide.npy")
    np.save(tmp_path / "named.npy", np.ones(2, [("b", float), ("a", float)]))
    assert "0 inputs, expected the model's 2" in error_of(capsys, "predict", model, tmp_path / "named.npy")
    net.feature_names, net.class_names = ["noise", "length"], ["no", "yes"]
    net.save(model)
    named = run_json(capsys, "predict", model, data)["predictions"]
    assert named["class"] == [["no", "yes"][i] for i in net.predict_classes(X)]
    assert "does not say which column is the target" in error_of(capsys, "evaluate", model, data)
    info = run(capsys, "info", model)
    assert "inputs: noise, length\nclasses: no, yes\n" in info
    net.feature_names = ["noise", "island"]
    net.save(model)
    assert "column 'island' holds text" in error_of(capsys, "predict", model, data)
    net.feature_names = ["noise", "width"]
    net.save(model)
    assert "lacks the column 'width'" in error_of(capsys, "predict", model, data)


def test_outputs_that_are_no_classes_are_numbered(capsys, tmp_path):
    net = fastbp.Network([2, 2], output_activation="sigmoid", loss="binary_cross_entropy", seed=0)
    net.save(tmp_path / "plain.safetensors")
    np.save(tmp_path / "X.npy", np.ones((1, 2)))
    found = run_json(capsys, "predict", tmp_path / "plain.safetensors", tmp_path / "X.npy")["predictions"]
    assert [*found] == ["output 1", "output 2"]


def test_a_table_names_what_a_network_without_names_predicts(capsys, tmp_path):
    model, data = tmp_path / "m.safetensors", write(tmp_path / "data.csv", {"x": [1, 2], "y": ["no", "yes"]})
    column = io.Column("x")
    net = fastbp.Network([1, 2], loss="cross_entropy", seed=0)
    io.save(model, net, io.Table([column], ["y"], ["no", "yes"]))
    chosen = [["no", "yes"][i] for i in net.predict_classes([[1.0], [2.0]])]
    assert classes_of(capsys, model, data) == chosen
    io.save(model, fastbp.Network([1, 2], loss="gaussian_nll", seed=0), io.Table([column], ["y"]))
    assert [*run_json(capsys, "predict", model, data)["predictions"]] == ["output 1", "output 2"]


def test_a_target_called_like_a_probability_keeps_its_column(capsys, tmp_path):
    columns = {"x": [*range(20)], "probability of a": ["a", "b"] * 10}
    data, model = write(tmp_path / "data.csv", columns), tmp_path / "model.safetensors"
    options = "--epochs", 1, "--output", model, "--quiet"
    run(capsys, "train", data, "--target", "probability of a", *options)
    found = run_json(capsys, "predict", model, data, "--probabilities")["predictions"]
    assert [*found] == ["probability of a", "probability of a*", "probability of b"]


def changed(**changes):
    columns = {name: column[:3] for name, column in species().items()} | changes
    return {name: column for name, column in columns.items() if column is not None}


BAD_DATA = {  # columns that differ from those of the training, part of the message
    "missing": (changed(length=None), "'length'"),
    "text": (changed(length=["1", "2", "three"]), "line 4: column 'length'"),
    "no value": (changed(island=["Dream", "", "Dream"]), "line 3: column 'island'"),
    "class": (changed(species=["Adelie", "Adelie", "Emperor"]), "'Emperor'"),
    "no target": (changed(species=None), "'species'"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_do_not_fit_the_model_are_refused(capsys, model, tmp_path, name):
    columns, message = BAD_DATA[name]
    path = write(tmp_path / "new.csv", columns)
    assert message in error_of(capsys, "evaluate", model, path, "--json")
    if "species" in columns and name != "class":
        output = tmp_path / "out.csv"
        assert message in error_of(capsys, "predict", model, path, "--output", output)
        assert not output.exists()


def test_files_that_are_no_models_are_refused(capsys, model, data, tmp_path):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(Path(model).read_bytes()[:-1])
    for path, message in ((data, ""), (tmp_path / "none", "No such file"), (tmp_path, ""), (damaged, "")):
        for command in ("predict", "evaluate"):
            assert message in error_of(capsys, command, path, data)
        assert message in error_of(capsys, "info", path)
        assert message in error_of(capsys, "info", path, "--json")


def test_neither_model_nor_data_are_overwritten(capsys, model, data):
    for output in (model, data):
        before = Path(output).read_bytes()
        assert "would overwrite" in error_of(capsys, "predict", model, data, "--output", output)
        assert Path(output).read_bytes() == before
