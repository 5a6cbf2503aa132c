"""The demo: its accuracy, its output and its picture."""

import re
import sys
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from fastbp.cli import demo


def test_reads_97_percent_of_the_digits_it_has_not_seen():
    accuracies = [demo.train(demo.split(seed), seed=seed, epochs=demo.EPOCHS)[1] for seed in range(5)]
    assert median(accuracies) >= 0.97


def test_split_holds_out_a_fifth_of_every_digit_with_ink_up_to_1():
    X, X_test, y, y_test = demo.split(0)
    assert (X.min(), X.max(), X_test.shape) == (0, 1, (359, 64))
    assert np.abs(np.bincount(y_test) - np.bincount(y) / 4).max() < 1


def test_prints_epochs_accuracy_speed_and_difference(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "digits.png"
    demo.run(epochs=3, seeds=2, output=picture)
    out = capsys.readouterr().out
    assert len(re.findall(r"^epoch +\d/3 ", out, re.MULTILINE)) == 3
    percent = r"\d\d\.\d%"
    assert re.search(f"held-out fifth: {percent}, the median of 2 splits: {percent}, {percent}\n", out)
    times = re.findall(r"^(float\d\d) +([\d.]+) ms +([\d.]+) ms +([\d.]+)x +(\S+)$", out, re.MULTILINE)
    assert [row[0] for row in times] == ["float32", "float64"]
    assert [float(row[4]) for row in times] == [pytest.approx(0, abs=1e-3), pytest.approx(0, abs=1e-11)]
    assert out.endswith(f"picture: {picture}\n")
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_works_without_the_optional_packages(capsys, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] in ("matplotlib", "tqdm")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.delitem(sys.modules, "fastbp.plot", raising=False)
    monkeypatch.delitem(sys.modules, "fastbp.plot.curves", raising=False)
    monkeypatch.delattr("fastbp.plot", raising=False)
    demo.run(epochs=1, seeds=2, output=Path("unused.png"))
    assert 'because matplotlib is missing: pip install "fastbp[plot]"' in capsys.readouterr().out


def test_picture_marks_every_mistake_and_nothing_else():
    figure = pytest.importorskip("matplotlib.figure")
    from fastbp import plot

    labels = np.arange(60) % 10
    predictions = labels.copy()
    predictions[[20, 55]] = 0, 3
    canvas = figure.Figure().subfigures()
    plot.digits(canvas, np.zeros((60, 64)), labels, predictions)
    titles = [axes.get_title() for axes in canvas.axes]
    assert titles[:3] == ["3, not 5", "0", "1"]
    assert [axes.spines["top"].get_linewidth() > 1 for axes in canvas.axes[:3]] == [True, False, False]
    assert "1 mistakes (framed) in 60" in canvas.get_suptitle()
