"""`SlopesDisplay`: the bars are the counts of the diagnosis, and a derivative of 0 has a bar of its own."""

import numpy as np
import pytest

import fastbp
from fastbp.plot import SlopesDisplay

X = np.random.default_rng(0).normal(size=(40, 5))
Y = X[:, :1] * X[:, 1:2]


def network(*activations):
    layers = [5, *(fastbp.Dense(8, activation) for activation in activations), fastbp.Dense(1, "sigmoid")]
    return fastbp.Network(layers, dtype="float64", seed=1)


def bars(axes):
    """Return the bars that are not empty, by their left edges: height and hatch."""
    return {bar.get_x(): (bar.get_height(), bar.get_hatch()) for bar in axes.patches if bar.get_height()}


def test_relu_has_the_derivatives_0_and_1(ax):
    net = network("relu")
    display = SlopesDisplay.from_network(net, X, Y, ax=ax)
    hidden = display.axes_[0]
    zero = np.mean(X @ net.weights[0] + net.biases[0] <= 0)
    at_0, at_1 = sorted(bars(hidden).items())
    assert at_0[1] == (pytest.approx(zero), "////")
    assert at_1 == (0, (pytest.approx(1 - zero), None))
    assert [text.get_text() for text in hidden.texts] == [f"{zero:.0%}"]
    assert [axes.get_ylabel() for axes in display.axes_] == ["layers[1] relu", "layers[2] sigmoid"]


def test_the_axis_has_powers_of_ten_and_a_place_for_0(ax):
    display = SlopesDisplay.from_network(network("relu"), X, Y, ax=ax)
    axes = display.axes_[-1]
    ticks = dict(zip(axes.get_xticks(), (label.get_text() for label in axes.get_xticklabels()), strict=True))
    assert ticks == {-2.75: "0", -2: "0.01", -1: "0.1", 0: "1"}
    assert min(bars(display.axes_[0])) + 0.25 == -2.75


def test_bars_of_a_panel_are_all_outputs(ax):
    net = network("tanh")
    net.parameters[:] *= 12  # derivatives of many powers of ten
    display = SlopesDisplay.from_diagnosis(net.diagnose(X, Y), ax=ax)
    for axes, counts in zip(display.axes_, display.counts, strict=True):
        assert sum(height for height, _ in bars(axes).values()) == pytest.approx(1)
        assert counts.sum() in (40, 320)
    assert display.axes_[0].get_xlim()[0] < -6
    assert {bar.get_width() for bar in display.axes_[0].patches} == {0.5, 1}


def test_of_many_layers_the_first_and_last_ones_are_drawn(ax):
    display = SlopesDisplay.from_network(network(*["tanh"] * 14), X, Y, ax=ax)
    drawn = [axes.get_ylabel() for axes in display.axes_]
    assert drawn == [f"layers[{i}] tanh" for i in (1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14)] + [
        "layers[15] sigmoid"
    ]
    assert display.axes_[6].get_title() == "3 layers in between are not drawn"
    assert len(display.counts) == 15


def test_refuses_counts_of_another_shape():
    with pytest.raises(fastbp.ShapeError, match=r"counts has shape \(1, 7\), expected \(1, 42\)"):
        SlopesDisplay(np.ones((1, 7)), ["one"])


def test_a_layer_without_counts_is_empty(ax):
    display = SlopesDisplay(np.zeros((1, 42)), ["one"]).plot(ax)
    assert bars(display.ax_) == {}
