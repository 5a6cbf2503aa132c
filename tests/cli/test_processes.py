"""The installed command, in a process and an empty folder of its own: what only a process shows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastbp
from fastbp.datasets import load_digits
from helpers.csv_files import read, species, write, write_split

COMMAND = [sys.executable, "-P", "-m", "fastbp"]
#: the package under test, wherever the tests are run, and streams with buffers
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(fastbp.__file__).parents[1]), "PYTHONUNBUFFERED": ""}


@pytest.fixture
def fastbp_in(tmp_path):
    """Run the command in an empty folder."""

    def run(*arguments, **options):
        command = [*COMMAND, *map(str, arguments)]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, text=True, check=False, **streams)

    def run_json(*arguments):
        done = run(*arguments, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    run.json = run_json
    return run


def test_trains_and_predicts_in_an_empty_folder(fastbp_in, tmp_path):
    write(tmp_path / "data.csv", species())
    done = fastbp_in("train", "data.csv", "--target", "species", "--json", "--epochs", 5)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["model"] == "model.safetensors"
    done = fastbp_in("predict", "model.safetensors", "data.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("species,probability of ")
    assert len(done.stdout.splitlines()) == 61
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "model.safetensors"]


def sklearn_data(name):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    return getattr(datasets, f"load_{name}")(return_X_y=True)


def named(y, names):
    return np.array(names)[y]


SETS = {  # data, names of its classes, options, least accuracy or R^2 on rows that training has not seen
    "wine": (lambda: sklearn_data("wine"), ["Barolo", "Grignolino", "Barbera"], [], 0.95),
    "breast_cancer": (lambda: sklearn_data("breast_cancer"), ["malignant", "benign"], [], 0.95),
    "diabetes": (lambda: sklearn_data("diabetes"), None, ["--hidden", "16", "--task", "regression"], 0.4),
    "digits": (load_digits, None, ["--task", "classification", "--epochs", 60], 0.94),
}


@pytest.mark.parametrize("name", SETS)
def test_predicts_rows_that_it_has_not_seen(fastbp_in, tmp_path, name):
    load, classes, options, least = SETS[name]
    X, y = load()
    *_, truth = write_split(tmp_path, X, y if classes is None else named(y, classes), "answer")
    made = fastbp_in.json("train", "train.csv", "--target", "answer", "--output", "net.safetensors", *options)
    found = fastbp_in.json("evaluate", "net.safetensors", "test.csv")["scores"]
    metric = "r2" if name == "diabetes" else "accuracy"
    assert found[metric] >= least
    assert made["scores"]["validation"][metric] > made["scores"]["baseline"][metric] + 0.2
    done = fastbp_in("predict", "net.safetensors", "test.csv", "--output", "predictions.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    column = read(tmp_path / "predictions.csv")["answer"]
    if metric == "accuracy":
        assert np.mean(np.array(column) == truth.astype(str)) == pytest.approx(found["accuracy"])
    else:
        assert fastbp.metrics.r2(np.array(column, float), truth) == pytest.approx(found["r2"], rel=1e-5)


def test_bad_input_is_one_line_and_not_a_traceback(fastbp_in, tmp_path):
    (tmp_path / "data.csv").write_bytes(b"a,b\n1,2\n3\n")
    done = fastbp_in("train", "data.csv", "--target", "b")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fastbp train: ")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def many(tmp_path):
    """A model, and a file whose predictions do not fit into the buffer of a pipe."""
    net = fastbp.Network([1, 1], seed=0)
    net.save(tmp_path / "model.safetensors")
    np.save(tmp_path / "X.npy", np.zeros((20_000, 1)))
    return "predict", "model.safetensors", "X.npy"


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(tmp_path, many):
    process = subprocess.Popen(
        [*COMMAND, *many], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout.read(10) == b"output 1\n0"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(fastbp_in, many):
    for command in (many, ("info", "model.safetensors")):  # more and less than the buffer of a file
        with open("/dev/full", "w") as full:
            done = fastbp_in(*command, stdout=full)
        assert done.returncode == 2
        assert done.stderr == f"fastbp {command[0]}: [Errno 28] No space left on device\n"
