"""`NetworkDisplay`: lines are the weights and their derivatives, circles the units."""

import re

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import fastbp
from fastbp.plot import BLUE, VERMILION, NetworkDisplay

X = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
Y = np.where(X[:, 0] != X[:, 1], 0.9, 0.1)


@pytest.fixture(scope="module")
def net():
    layers = [3, fastbp.Dense(2, "sigmoid"), fastbp.Dense(1, "tanh")]
    net = fastbp.Network(layers, loss="half_sse", dtype="float64")
    net.parameters[:] = [0.8, -0.5, -0.6, 0.9, 0.3, -0.2, 0.1, -0.1, 0.7, 0.4, 0]
    net.feature_names = ["length", "$width$", "a name of more than sixteen letters"]
    net.class_names = ["<ship>"]
    return net


def lines(axes):
    """Return the lines by their number of points from the left: color, width and whether they are dashed."""
    (found,) = (each for each in axes.collections if isinstance(each, LineCollection))
    looks = zip(found.get_colors(), found.get_linewidths(), found.get_linestyles(), strict=True)
    return [
        (tuple(color[:3]), width, dashes[1] is not None, segment)
        for (color, width, dashes), segment in zip(looks, found.get_segments(), strict=True)
    ]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_width_of_a_line_is_the_size_of_its_weight_and_its_look_the_sign(ax, net):
    NetworkDisplay.from_network(net, ax=ax)
    found = lines(ax)
    values = sorted((value for value in net.parameters if value), key=abs)  # the largest one is on top
    assert len(found) == len(values) == 10
    for (color, _, is_dashed, _), value in zip(found, values, strict=True):
        assert color == to_rgb(VERMILION if value < 0 else BLUE)
        assert is_dashed == (value < 0)
    widths = np.array([width for _, width, _, _ in found]) - 0.3
    np.testing.assert_allclose(widths / widths[-1], np.abs(values) / 0.9)
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "widest line: |w| = 0.9"
    assert [text.get_text() for text in legend.get_texts()] == ["w > 0", "w < 0"]


def test_a_line_leads_from_unit_to_unit(ax, net):
    NetworkDisplay.from_network(net, ax=ax)
    place = {text.get_text(): text.get_position() for text in ax.texts}
    weights = {"14": 0.8, "15": -0.5, "24": -0.6, "25": 0.9, "34": 0.3, "35": -0.2, "46": 0.7, "56": 0.4}
    in_order = sorted(net.parameters[net.parameters != 0], key=abs)
    for (source, target), weight in weights.items():
        *_, (start, end) = lines(ax)[in_order.index(weight)]
        assert (start[1], end[1]) == (pytest.approx(place[source][1]), pytest.approx(place[target][1]))
        assert place[source][0] < start[0] < end[0] < place[target][0]
    *_, (above, below) = lines(ax)[in_order.index(0.1)]  # b4
    assert above[0] == below[0] == place["4"][0]
    assert above[1] > below[1] > place["4"][1]


def test_units_have_their_numbers_and_names(ax, net):
    NetworkDisplay.from_network(net, ax=ax)
    assert texts(ax)[:6] == ["1", "2", "3", "4", "5", "6"]
    assert texts(ax)[6:9] == ["inputs", "sigmoid", "tanh"]
    assert texts(ax)[9:] == ["length", r"\$width\$", "a name o…letters", "<ship>"]


def test_blame_is_a_second_panel(ax, net):
    display = NetworkDisplay.from_network(net, X, Y, ax=ax)
    weights, blamed = display.axes_
    shares = fastbp.inspect.blame(net, X, Y)
    assert weights.get_title() == "weights"
    assert blamed.get_title().startswith("blame")
    widths = np.array([width for _, width, _, _ in lines(blamed)]) - 0.3
    np.testing.assert_allclose(
        widths / widths[-1], np.sort(np.abs(shares.gradient)) / max(abs(shares.gradient))
    )
    largest = shares.connections(limit=1)[0]
    title = blamed.get_legend().get_title().get_text()
    assert title == f"widest line: |dJ/dw| = {abs(largest.gradient):.3g}, {largest.share:.0%} of all"
    assert [text for text in texts(blamed) if "%" in text] == [
        f"{share:.0%}" for share in np.concatenate(shares.unit_shares)
    ]
    fills = [each.get_facecolor() for each in blamed.collections if isinstance(each, PatchCollection)]
    assert len(fills[0]) == 0
    np.testing.assert_allclose(
        fills[1][:, 3] / fills[1][:, 3].max(), shares.unit_shares[0] / shares.unit_shares[0].max(), atol=0.02
    )


def test_of_many_lines_the_largest_are_drawn_and_of_many_units_the_ends_named():
    axes = Figure(layout="constrained").subplots()
    large = fastbp.Network([64, 32, 3], seed=0)
    NetworkDisplay.from_network(large, ax=axes)
    assert len(lines(axes)) == 400
    assert "the 400 largest of 2,179" in axes.get_legend().get_title().get_text()
    assert texts(axes) == ["97", "98", "99", "inputs", "relu", "identity", "x1", "x64"]


def test_layers_without_biases_and_numbers_that_are_not_finite(ax):
    odd = fastbp.Network([2, fastbp.Dense(2, "relu", bias=False), 1], dtype="float64", seed=0)
    odd.parameters[0] = np.nan
    display = NetworkDisplay.from_network(odd, ax=ax)
    assert [b.shape for _, b in display.parameters] == [(0,), (1,)]
    assert "w not finite" in [text.get_text() for text in ax.get_legend().get_texts()]
    nothing = NetworkDisplay([(np.zeros((2, 1)), np.zeros(1))]).plot(ax.figure.add_subplot())
    assert lines(nothing.ax_) == []


def test_lists_do_as_well_as_arrays(ax):
    layer = [([[1, -2]], [0.5, 0])]
    display = NetworkDisplay(layer, gradients=layer, unit_shares=[[0.25, 0.75]]).plot(ax)
    assert [len(lines(axes)) for axes in display.axes_] == [3, 3]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([65, 2], "the network has 65 inputs, expected at most 64 to draw"),
        ([2, 3, 100, 1], r"the network has 100 units in layers\[2\], expected at most 64 to draw"),
        ([1] * 10, "the network has 9 layers, expected 1 to 8 to draw"),
    ],
)
def test_refuses_networks_that_are_too_large(ax, layers, message):
    with pytest.raises(fastbp.ParameterError, match=message):
        NetworkDisplay.from_network(fastbp.Network(layers), ax=ax)


def test_refuses_what_does_not_fit(ax, net):
    with pytest.raises(fastbp.ParameterError, match="y is None, expected both X and y, or neither"):
        NetworkDisplay.from_network(net, X, ax=ax)
    with pytest.raises(fastbp.ParameterError, match="net is a int, expected"):
        NetworkDisplay.from_network(3, ax=ax)
    with pytest.raises(fastbp.ShapeError, match=r"shapes \[\(2, 3\), \(2, 1\)\]"):
        NetworkDisplay([(np.ones((2, 3)), np.ones(3)), (np.ones((2, 1)), np.ones(1))])
    with pytest.raises(fastbp.ShapeError, match="inputs has 1 entries, expected 2"):
        NetworkDisplay([(np.ones((2, 3)), np.ones(3))], inputs=["one"])
    layer = [(np.ones((2, 3)), np.ones(3))]
    for options, message in (
        ({"parameters": [(np.ones((2, 3)), np.ones(5))]}, "parameters[0][1] has shape (5,), expected (3,)"),
        ({"gradients": [(np.ones((3, 2)), [])]}, "gradients[0][0] has shape (3, 2), expected (2, 3)"),
        ({"gradients": [(np.ones((2, 3)), [])]}, "gradients[0][1] has shape (0,), expected (3,)"),
        ({"unit_shares": [[0.5, 0.5]]}, "unit_shares[0] has shape (2,), expected (3,)"),
    ):
        with pytest.raises(fastbp.ShapeError, match=re.escape(message)):
            NetworkDisplay(**{"parameters": layer} | options)
    with pytest.raises(fastbp.ParameterError, match="the network has 0 layers"):
        NetworkDisplay([])
