"""Files that are hard to read, through the commands: each is read as it is meant, or refused in one line."""

import json

import numpy as np
import pytest

from fastbp import io
from fastbp.cli import commands
from helpers.csv_files import error_of, read, run, run_json, write

ROWS = [f"{x},{'yes' if x > 20 else 'no'}" for x in range(40)]


def joined(header, rows, end="\n"):
    return end.join([header, *rows, ""]).encode()


PLAIN = joined("x,y", ROWS)
READ = {  # the same data in another form, and the name of the input
    "BOM": (b"\xef\xbb\xbf" + PLAIN, "x"),
    "CRLF": (joined("x,y", ROWS, "\r\n"), "x"),
    "quotes": (joined('"x","y"', [f'"{row.replace(",", chr(34) + "," + chr(34))}"' for row in ROWS]), "x"),
    "semicolons": (PLAIN.replace(b",", b";"), "x"),
    "a comma and a line break in a name": (joined('"a,\nb",y', ROWS), "a,\nb"),
    "terminal escapes in a name": (joined("\x1b[31mx,y", ROWS), "\x1b[31mx"),
    "no line break at the end": (PLAIN[:-1], "x"),
}


@pytest.mark.parametrize("form", READ)
def test_forms_of_the_same_data_make_the_same_predictions(capsys, tmp_path, form):
    content, name = READ[form]
    (tmp_path / "data.csv").write_bytes(content)
    (tmp_path / "plain.csv").write_bytes(PLAIN.replace(b"x,", f'"{name}",'.encode(), 1))
    data, model, output = (tmp_path / name for name in ("data.csv", "model.safetensors", "out.csv"))
    out = run(capsys, "train", data, "--target", "y", "--output", model, "--epochs", 3, "--no-plot")
    assert "\x1b" not in out + run(capsys, "info", model)
    assert run_json(capsys, "info", model)["inputs"] == [name]
    run(capsys, "predict", model, tmp_path / "plain.csv", "--output", output)
    assert len(read(output)["y"]) == 40
    assert run(capsys, "predict", model, data) == output.read_text()


REFUSED = {  # content, what the message has
    "empty": (b"", "data.csv"),
    "header alone": (b"x,y\n", "rows"),
    "no inputs": (b"y\na\nb\n", "no columns beside 'y'"),
    "ragged": (PLAIN + b"1\n", "line 42"),
    "too large for float64": (PLAIN + b"1e400,no\n", "line 42"),
    "infinity": (PLAIN + b"inf,no\n", "line 42"),
    "a name twice": (joined("x,x,y", [f"1,{row}" for row in ROWS]), "'x'"),
    "not UTF-8": (PLAIN + b"1,\xff\n", "line 42"),
    "NUL": (PLAIN + b"1,n\0o\n", "line 42"),
    "missing": (PLAIN + b",no\n", "line 42"),
    "missing target": (PLAIN + b"1,\n", "line 42"),
    "one class": (joined("x,y", ["1,a", "2,a"]), "only the class 'a'"),
    "a row per class": (joined("x,y", ["1,a", "2,b"]), "--validation 0.2 leaves one row per class"),
    "one row": (joined("x,y", ["1,2"]), "--validation 0.2 leaves too few of 1 rows"),
    "an open quote": (PLAIN + b'"1,no\n', "data.csv"),
    "names of rows": (joined("x,y", [f"row {i},{i % 2}" for i in range(50)]), "--drop"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_make_no_table_are_refused(capsys, tmp_path, name):
    content, message = REFUSED[name]
    data, model = tmp_path / "data.csv", tmp_path / "model.safetensors"
    data.write_bytes(content)
    options = "--target", "y", "--output", model, "--json"
    assert message in error_of(capsys, "train", data, *options)
    assert not model.exists()


def test_a_line_break_in_a_path_is_none_in_a_message(capsys, tmp_path):
    data = tmp_path / "da\nta.csv"
    data.write_bytes(b"x,y\n1\n")
    assert "da ta.csv" in error_of(capsys, "train", data, "--target", "y")


def test_names_in_files_do_not_reach_the_terminal_or_break_a_line(capsys, tmp_path):
    kinds = ["\x1b[31mred", "a\rb", "c,d", 'e"f', "g\nh"]
    rows = {"x": [*range(50)], "kind": kinds * 10}
    data, model = write(tmp_path / "data.csv", rows), tmp_path / "m.safetensors"
    run(capsys, "train", data, "--target", "kind", "--output", model, "--epochs", 1, "--quiet")
    run(capsys, "predict", model, data, "--output", tmp_path / "out.csv", "--probabilities")
    answers = read(tmp_path / "out.csv")
    assert len(answers) == 6
    assert [*answers][1:] == [f"probability of {kind}" for kind in sorted(kinds)]
    net, table = io.load(model)
    chosen = net.predict_classes(table.inputs(io.read_columns(data)))
    assert answers["kind"] == [table.classes[i] for i in chosen]
    other = write(tmp_path / "other.csv", {"x": [1], "kind": ["z"]})
    assert error_of(capsys, "evaluate", model, other).isascii()
    assert "\x1b" not in error_of(capsys, "evaluate", model, other)
    metric = lambda *_: 1.0  # noqa: E731
    metric.__name__ = "\x1b[31m"
    X, y = [[1.0], [2.0]], [0, 1]
    net.fit(X, y, epochs=1, verbose=0, validation_data=(X, y), metrics=metric)
    net.save(model)
    out = run(capsys, "info", model)
    assert "\\x1b[31m 1" in out
    assert "\x1b" not in out


def test_unknown_names_and_files_are_refused(capsys, tmp_path):
    data, model = tmp_path / "data.csv", tmp_path / "model.safetensors"
    data.write_bytes(PLAIN)
    command = "train", data, "--quiet", "--output", model
    assert "'z'" in error_of(capsys, *command, "--target", "z")
    assert "drop" in error_of(capsys, *command, "--target", "y", "--drop", "z")
    assert "'y'" in error_of(capsys, *command, "--target", "y", "--task", "regression")
    assert "--target" in error_of(capsys, *command)
    other = "train", "--quiet", "--target", "y", "--output", model
    assert "No such file" in error_of(capsys, *other, tmp_path / "none.csv")
    assert "suffix" in error_of(capsys, *other, tmp_path / "data.xlsx")


def test_ten_thousand_columns(capsys, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 10, (12, 10_000))
    rows = [",".join(map(str, row)) + f",{row[0] % 2}" for row in X]
    data, model = tmp_path / "data.csv", tmp_path / "model.safetensors"
    data.write_bytes(joined(",".join(f"c{j}" for j in range(10_000)) + ",y", rows))
    options = "--target", "y", "--output", model, "--epochs", 1, "--hidden", "2", "--no-plot"
    out = run(capsys, "train", data, *options)
    assert "12 rows, 10,001 columns" in out
    assert "... and 9,990 more\n" in out
    assert len(out) < 5000
    assert len(run(capsys, "predict", model, data).splitlines()) == 13


def test_json_has_null_for_numbers_that_it_lacks(capsys, tmp_path, monkeypatch):
    data, model = tmp_path / "data.csv", tmp_path / "model.safetensors"
    data.write_bytes(PLAIN)
    monkeypatch.setattr("fastbp.cli.scores.f1", lambda *_: float("nan"))
    assert commands.main(["train", str(data), "--target", "y", "--output", str(model), "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out, parse_constant=pytest.fail)["scores"]["training"]["f1"] is None
