"""The experiments of `examples/why_the_derivative.py`: each shows what it says, whatever the seed."""

import importlib.util
import re
import sys
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

import fastbp
from helpers.paths import ROOT
from helpers.printed import same_words

PATH = ROOT / "examples" / "why_the_derivative.py"
PAGE = ROOT / "docs" / "why_the_derivative.md"

# The experiments with custom activations call Python in every step, so only one seed runs by default.
# It is the one with which the program runs, so that its tables are compared with the page.
SEEDS = pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 13))])


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("why_the_derivative", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(example):
    return example.load()


@pytest.fixture(scope="module")
def results(example, data):
    """A function that returns what the experiments find with a seed; they run once per seed."""
    return cache(lambda seed: example.experiments(data, seed))


@pytest.fixture(scope="module")
def best_line(example, data):
    """The error of least squares, on the data and on new data."""
    return example.least_squares(data)


@SEEDS
def test_only_bends_beat_least_squares(results, best_line, seed):
    found = results(seed).fitted
    assert found[0] == best_line
    linear, bent = found[1:4], found[4:]
    assert [model.name.split(",")[0] for model in found[1:]] == ["identity"] * 3 + ["tanh"] * 3
    for model in linear:
        assert best_line.error < model.error < 1.1 * best_line.error  # near it, but never below
    for model in bent:
        assert model.error < 0.45 * best_line.error
        assert model.new_error < 0.5 * best_line.new_error


def test_linear_layers_are_one(results):
    flat = results(0).folded
    assert (flat.layers, flat.layers_folded) == (4, 1)
    assert flat.parameters_folded == 65 * 10 < flat.parameters
    assert flat.difference < 1e-13


@SEEDS
def test_the_derivative_decides(results, best_line, seed):
    learned = results(seed).learned
    own, one = learned["tanh", "its own"], learned["tanh", "1"]
    assert own.error < 0.35 * best_line.error
    assert 0.9 * best_line.error < one.error < 1.15 * best_line.error  # where the line ends
    assert best_line.error < learned["line", "its own: 1"].error < 1.15 * best_line.error
    for f in (("tanh", "0"), ("step", "its own: 0")):
        assert learned[f].moved[:2] == [0, 0]  # not by a bit: no gradient gets there
        assert learned[f].moved[2] > 0.5
        assert learned[f].error > 1.2 * best_line.error
    wrong = learned["tanh", "its own, times -1"]
    assert wrong.error > 2.5 * own.error
    borrowed = learned["step", "that of tanh"]
    assert borrowed.error < 0.6 * best_line.error
    assert borrowed.error < 0.3 * learned["step", "its own: 0"].error


@SEEDS
def test_sigmoids_lose_the_gradient_with_depth(example, results, best_line, seed):
    found = {(net.activation, net.depth): net for net in results(seed).deep}
    for shallow, deep in pairwise(example.DEPTHS):
        lost = 0.4 ** (deep - shallow)  # f' is at most 1/4; the weights are another factor
        assert found["sigmoid", deep].ratio < lost * found["sigmoid", shallow].ratio
        assert found["relu", deep].error < best_line.error < found["sigmoid", deep].error
    assert found["sigmoid", 8].ratio < 1e-4
    assert found["sigmoid", 2].error > 1.2 * found["sigmoid", 1].error
    for depth in (4, 8):  # no better than the mean of the targets, with 0.09
        assert found["sigmoid", depth].error > 0.085
    assert all(0.2 < found["relu", depth].ratio < 2 for depth in example.DEPTHS)


@SEEDS
def test_the_sign_decides_between_down_and_up(results, seed):
    down, up = results(seed).down, results(seed).up
    assert down[0] == up[0]
    assert all(after < before for before, after in pairwise(down))
    assert all(after > before for before, after in pairwise(up))


def test_the_wrong_derivatives_are_wrong_and_the_others_right(example):
    """What the table says of f' is so, by central differences."""
    z = np.linspace(-3, 3, 12)  # not 0, where the step jumps
    right = {"its own", "its own: 1", "its own: 0"}
    for (_, name), (f, derivative) in example.PAIRS.items():
        quotient = (f(z + 1e-6) - f(z - 1e-6)) / 2e-6
        assert np.allclose(derivative(z), quotient, atol=1e-8) == (name in right)


def test_the_story_is_told_and_drawn(example, results, monkeypatch, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(example, "experiments", lambda data, seed: results(seed))
    folder = tmp_path / "new" / "pictures"
    example.main(["--pictures", str(folder)])
    told = capsys.readouterr().out
    assert all(f"\n{number}. " in f"\n{told}" for number in range(1, 6))
    pictures = [ROOT / "docs" / "images" / path.name for path in folder.iterdir()]
    assert len(pictures) == 4
    assert all(f"images/{path.name})" in PAGE.read_text() for path in pictures)
    assert all(path.stat().st_size < 80_000 for path in pictures)


@pytest.mark.usefixtures("no_matplotlib")
def test_pictures_need_matplotlib(example, monkeypatch, capsys, tmp_path):
    monkeypatch.delitem(sys.modules, "why_pictures", raising=False)
    with pytest.raises(SystemExit):
        example.main(["--pictures", str(tmp_path)])
    assert 'needs matplotlib: pip install "fastbp[plot]"' in capsys.readouterr().err


def axes_of(name, found):
    """Return axes with one of the pictures."""
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from why_pictures import PICTURES

    axes = Figure().subplots()
    PICTURES[name](axes, found)
    return axes


def test_bars_are_the_errors(results):
    found = results(0)
    for name, models in (("why_bends", found.fitted[1:]), ("why_derivatives", [*found.learned.values()])):
        axes = axes_of(name, found)
        assert [bar.get_width() for bar in axes.patches] == [model.error for model in models]
        assert axes.lines[0].get_xdata()[0] == found.fitted[0].error
        shown = [text.get_text() for text in axes.texts]
        assert [float(text.split(":")[0]) for text in shown] == [round(model.error, 4) for model in models]
    unmoved = [names for names, text in zip(found.learned, shown, strict=True) if "only layer 3" in text]
    assert unmoved == [("tanh", "0"), ("step", "its own: 0")]


def test_curves_are_the_numbers(example, results):
    found = results(0)
    curves = {line.get_label(): line for line in axes_of("why_depth", found).lines}
    for activation in ("relu", "sigmoid"):
        assert tuple(curves[activation].get_xdata()) == example.DEPTHS
        ratios = [net.ratio for net in found.deep if net.activation == activation]
        assert [*curves[activation].get_ydata()] == ratios
    up, down = axes_of("why_sign", found).lines
    assert [*up.get_ydata()] == found.up
    assert [*down.get_ydata()] == found.down


BLOCK = re.compile(r"^```\w+\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


def test_the_page_shows_the_tables(example, results):
    tables = [table for _, table in example.report(results(0))]
    blocks = BLOCK.findall(PAGE.read_text())
    for table, shown in zip(tables, blocks[-len(tables) :], strict=True):
        assert same_words(f"{table}\n", shown), table


def test_numbers_in_the_text_of_the_page_are_in_its_tables():
    """The tables, and what programs print, are tested; so the text can say no other number."""
    page = PAGE.read_text()
    decimal = re.compile(r"\d+\.\d+")
    assert (
        set(decimal.findall(BLOCK.sub("", page))) - set(decimal.findall("".join(BLOCK.findall(page))))
        == set()
    )


def test_the_wrong_sign_turns_the_gradient_around_in_every_layer(example, data):
    nets = [
        example.make(example.HIDDEN, fastbp.CustomActivation(*example.PAIRS["tanh", name]), seed=1)
        for name in ("its own", "its own, times -1")
    ]
    right, wrong = (net.loss_and_gradients(data.X, data.y)[1] for net in nets)  # (P,)
    first, second = 65 * 32, 65 * 32 + 33 * 32
    np.testing.assert_allclose(wrong[:first], right[:first], atol=1e-15)
    np.testing.assert_allclose(wrong[first:second], -right[first:second], atol=1e-15)
    np.testing.assert_allclose(wrong[second:], right[second:], atol=1e-15)
