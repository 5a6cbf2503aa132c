"""The experiments of `examples/why_the_derivative.py`: each shows what it says, whatever the seed."""

import importlib.util
from itertools import pairwise

import numpy as np
import pytest

import fastbp
from helpers.paths import ROOT

PATH = ROOT / "examples" / "why_the_derivative.py"

# The experiments with custom activations call Python in every step, so only one seed runs by default.
SEEDS = pytest.mark.parametrize("seed", [1, *(pytest.param(s, marks=pytest.mark.slow) for s in range(2, 13))])


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
def best_line(example, data):
    """The error of least squares, on the data and on new data."""
    return example.least_squares(data)


@SEEDS
def test_only_bends_beat_least_squares(example, data, best_line, seed):
    found = example.with_and_without_bends(data, seed)
    assert found[0] == best_line
    linear, bent = found[1:4], found[4:]
    assert [model.name.split(",")[0] for model in found[1:]] == ["identity"] * 3 + ["tanh"] * 3
    for model in linear:
        assert best_line.error < model.error < 1.1 * best_line.error  # near it, but never below
    for model in bent:
        assert model.error < 0.45 * best_line.error
        assert model.new_error < 0.5 * best_line.new_error


def test_linear_layers_are_one(example, data):
    flat = example.folded(data, seed=1)
    assert (flat.layers, flat.layers_folded) == (4, 1)
    assert flat.parameters_folded == 65 * 10 < flat.parameters
    assert flat.difference < 1e-13


@SEEDS
def test_the_derivative_decides(example, data, best_line, seed):
    learned = {
        pair: example.with_derivative(*functions, data, seed) for pair, functions in example.PAIRS.items()
    }
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
def test_sigmoids_lose_the_gradient_with_depth(example, data, best_line, seed):
    found = {(net.activation, net.depth): net for net in example.by_depth(data, seed)}
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
def test_the_sign_decides_between_down_and_up(example, data, seed):
    down, up = example.downhill_and_uphill(data, seed)
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


def test_the_story_is_told(example, monkeypatch, capsys):
    monkeypatch.setattr(example, "EPOCHS", 1)
    example.main()
    told = capsys.readouterr().out
    assert told.count("least squares") == 2
    assert all(f"\n{number}. " in f"\n{told}" for number in range(1, 5))


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
