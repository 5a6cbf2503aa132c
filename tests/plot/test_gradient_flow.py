"""`GradientFlowDisplay`: the points are the gradients of the network, and those of 0 are seen."""

import numpy as np
import pytest

import fastbp
from fastbp.callbacks import RecordPath
from fastbp.layers import split
from fastbp.plot import GradientFlowDisplay

X = np.random.default_rng(0).normal(size=(30, 3))
Y = X[:, :1] * X[:, 1:2]
LAYERS = [3, fastbp.Dense(4, "tanh"), fastbp.Dense(4, "relu"), 1]


def network(**options):
    return fastbp.Network(LAYERS, dtype="float64", seed=1, **options)


@pytest.fixture(scope="module")
def fitted():
    """A network, and the record of its fit."""
    net, record = network(), RecordPath(dtype="float64")
    net.fit(X, Y, epochs=6, batch_size=10, callbacks=record)
    return net, record


def sizes(net):
    """Return the root mean square of dJ/dW of each layer."""
    return [np.sqrt(np.mean(d_W**2)) for d_W, _ in split(net.loss_and_gradients(X, Y)[1], net.layers)]


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_points_are_the_gradients_of_the_layers(ax, fitted):
    net, _ = fitted
    before = net.parameters.copy()
    GradientFlowDisplay.from_network(net, X, Y, ax=ax)
    gradient, delta = (line for line in ax.get_lines() if len(line.get_xdata()))
    assert [line.get_label() for line in (gradient, delta)] == ["dJ/dW", "delta = dJ/dz"]
    np.testing.assert_allclose(gradient.get_ydata(), sizes(net))
    deltas = fastbp.inspect.deltas(net, X, Y)
    np.testing.assert_allclose(delta.get_ydata(), [np.sqrt(np.mean(each**2)) for each in deltas])
    assert labels(ax.xaxis) == ["1\ntanh", "2\nrelu", "3\nidentity"]
    assert ax.get_yscale() == "log"
    np.testing.assert_array_equal(net.parameters, before)


def test_a_record_brings_its_path_and_steps(ax, fitted):
    net, record = fitted
    display = GradientFlowDisplay.from_network(net, X, Y, path=record, ax=ax)
    by_hand = GradientFlowDisplay.from_network(net, X, Y, path=record.path, steps=record.steps, ax=ax)
    np.testing.assert_array_equal(display.gradients, by_hand.gradients)
    np.testing.assert_array_equal(display.steps, by_hand.steps)


def test_a_gradient_of_0_is_a_cross_at_a_line_of_its_own(ax):
    net = fastbp.Network([3, 4, fastbp.Dense(4, "step"), 1], activation="tanh", dtype="float64")
    GradientFlowDisplay.from_diagnosis(net.diagnose(X, Y), ax=ax)
    gradient, crosses = ax.get_lines()[:2]
    assert crosses.get_marker() == "x"
    assert crosses.get_xdata().tolist() == [1, 2]
    floor = crosses.get_ydata()[0]
    assert gradient.get_ydata()[:2].tolist() == [floor, floor]
    assert floor < gradient.get_ydata()[2] / 10
    assert labels(ax.yaxis)[0] == "0"
    assert ax.get_yticks()[0] == floor


def test_all_0_and_nan_are_said(ax):
    GradientFlowDisplay([0, 0], ["a", "b"], deltas=[0, np.nan]).plot(ax)
    assert labels(ax.xaxis) == ["1\na", "2\nb\nnot finite"]
    assert "0" in labels(ax.yaxis)


def test_a_path_has_a_line_per_layer_with_its_name(ax, fitted):
    net, record = fitted
    display = GradientFlowDisplay.from_network(net, X, Y, path=record.path, steps=record.steps, ax=ax)
    assert display.gradients.shape == (7, 3)
    np.testing.assert_allclose(display.gradients[-1], sizes(net))
    np.testing.assert_allclose(display.gradients[0], sizes(network()))
    lines = [line for line in ax.get_lines() if len(line.get_xdata())]
    for line, gradients in zip(lines, display.gradients.T, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), record.steps)
        np.testing.assert_array_equal(line.get_ydata(), gradients)
    assert [text.get_text() for text in ax.texts] == ["1 tanh", "2 relu", "3 identity"]
    assert len({line.get_linestyle() for line in lines}) == 3
    assert ax.get_xlabel() == "step"


def test_many_points_and_layers_are_thinned_with_their_ends(ax, fitted):
    net, _ = fitted
    path, steps = np.repeat(net.parameters[None], 200, axis=0), np.arange(200) * 3
    display = GradientFlowDisplay.from_network(net, X[:2], Y[:2], path=path, steps=steps, ax=ax)
    assert len(display.steps) == 64
    assert (display.steps[0], display.steps[-1]) == (0, 597)
    many = ax.figure.add_subplot()
    GradientFlowDisplay(np.ones((2, 40)), ["tanh"] * 40).plot(many)
    names = [text.get_text() for text in many.texts]
    assert (len(names), names[0], names[-1]) == (10, "1 tanh", "40 tanh")
    places = sorted(text.get_position()[1] for text in many.texts)
    assert min(np.diff(places)) > 0.06
    assert 0 <= places[0] <= places[-1] <= 1
    assert many.get_xlabel() == "point of the path"


def test_of_many_layers_some_are_labeled(ax):
    GradientFlowDisplay(np.geomspace(1e-9, 1, 40), ["$a$"] * 40).plot(ax)
    assert len(labels(ax.xaxis)) == 12
    assert labels(ax.xaxis)[::11] == [r"\$a\$ 1", r"\$a\$ 40"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": np.ones((2, 5))}, r"path has shape \(2, 5\), expected \(k, 41\)"),
        ({"path": np.ones((0, 41))}, r"path has shape \(0, 41\), expected \(k, 41\), k >= 1"),
        ({"path": np.ones((2, 41)), "steps": [1]}, r"steps has shape \(1,\), expected \(2,\)"),
        ({"steps": [1]}, "steps is given, but no path"),
    ],
)
def test_refuses_what_does_not_fit(fitted, options, message):
    with pytest.raises(fastbp.Error, match=message):
        GradientFlowDisplay.from_network(fitted[0], X, Y, **options)


def test_refuses_numbers_of_other_shapes():
    with pytest.raises(fastbp.ShapeError, match=r"gradients has shape \(2,\), expected \(1,\), or \(k, 1\)"):
        GradientFlowDisplay([1, 2], ["a"])
    with pytest.raises(fastbp.ShapeError, match=r"deltas has shape \(1,\), expected \(2,\)"):
        GradientFlowDisplay([1, 2], ["a", "b"], deltas=[1])
    with pytest.raises(fastbp.ShapeError, match=r"deltas has shape .*, expected none with this shape"):
        GradientFlowDisplay([[1, 2]], ["a", "b"], deltas=[1, 2])
