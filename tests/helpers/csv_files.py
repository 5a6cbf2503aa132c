"""CSV files for tests of the command line, and running it in this process."""

import csv
import json

import numpy as np

from fastbp.cli import commands
from fastbp.datasets import stratified_split


def write(path, columns, delimiter=","):
    """Write columns, by name, and return the path as a string."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return str(path)


def read(path):
    """Return the columns of a CSV file, by name, as lists of strings."""
    with open(path, newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def write_split(folder, X, y, target, names=None, seed=0):
    """Write three quarters of the rows and the others, and return both paths and y of the others.

    Labels keep their shares.
    """
    parts = np.unique(y, return_inverse=True)[1] if len(np.unique(y)) < 20 else np.arange(len(y)) % 2
    train, test, *_ = stratified_split(np.arange(len(X)), parts, test_fraction=0.25, seed=seed)
    names = [f"x{j}" for j in range(X.shape[1])] if names is None else names
    paths = [
        write(folder / f"{part}.csv", {**dict(zip(names, X[rows].T, strict=True)), target: y[rows]})
        for part, rows in (("train", train), ("test", test))
    ]
    return *paths, y[test]


def species(n=60, seed=0):
    """Return columns of three classes that a number and a category tell apart, with another of noise."""
    rng = np.random.default_rng(seed)
    island = np.arange(n) % 3
    length = np.round(rng.normal(size=n) + 10 * (np.arange(n) % 2), 3)
    kind = np.where(length > 5, "Adelie", np.where(island == 0, "Gentoo", "Chinstrap"))
    names = np.array(["Biscoe", "Dream", "Torgersen"])
    return {
        "length": length.tolist(),
        "island": names[island].tolist(),
        "noise": rng.integers(0, 12, n).tolist(),
        "species": kind.tolist(),
    }


def run(capsys, *arguments):
    """Run a command that succeeds, and return what it prints on stdout."""
    status = commands.main([*map(str, arguments)])
    out, error = capsys.readouterr()
    assert (status, error) == (0, "")
    return out


def run_json(capsys, *arguments):
    """Run a command with --json, and return the one object that it prints."""
    (line,) = run(capsys, *arguments, "--json").splitlines()
    return json.loads(line)


def error_of(capsys, *arguments):
    """Run a command that fails, and return the one line that it prints."""
    try:
        status = commands.main([*map(str, arguments)])
    except SystemExit as end:  # argparse's way
        status = end.code
    out, error = capsys.readouterr()
    assert (status, "Traceback" in out + error) == (2, False)
    assert out == "" or not {"--quiet", "--json"} & {*arguments}
    assert error.startswith(f"fastbp {arguments[0]}: ")
    assert error.count("\n") == 1
    return error
