"""`DecisionBoundaryDisplay`: regions, lines and points are those of the network and the data."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastbp
from fastbp.plot import DecisionBoundaryDisplay

X = np.random.default_rng(0).normal(size=(60, 2)) * (1, 10)
INSIDE = (X[:, 0] ** 2 + (X[:, 1] / 10) ** 2 < 1).astype(int)
THIRDS = np.digitize(X[:, 0], (-0.5, 0.5))


def network(n_out, loss, **options):
    net = fastbp.Network([2, 8, n_out], activation="tanh", loss=loss, optimizer="adam", seed=0, **options)
    return net.adapt(X) or net


def fitted(n_out, loss, y):
    net = network(n_out, loss)
    net.fit(X, y, epochs=20)
    return net


def drawn(net, y=None, X=X, **options):
    options = {"resolution": 31, "ax": Figure().subplots(), **options}
    return DecisionBoundaryDisplay.from_network(net, X, y, **options)


def points_of(axes):
    """Return the points of the scatter plots."""
    return [np.asarray(each.get_offsets()) for each in axes.collections if len(each.get_offsets()) > 1]


CASES = [
    ("cross_entropy", 3, THIRDS, THIRDS),
    ("cross_entropy", 3, np.eye(3)[THIRDS], THIRDS),
    ("binary_cross_entropy", 1, INSIDE, INSIDE),
    ("hinge", 1, 2 * INSIDE - 1, INSIDE),
]


@pytest.mark.parametrize(("loss", "n_out", "y", "truth"), CASES)
def test_regions_are_the_classes_of_the_network(loss, n_out, y, truth):
    net = fitted(n_out, loss, y)
    display = drawn(net, y)
    a, b = np.meshgrid(display.a, display.b)
    labels = net.predict_classes(np.column_stack([a.ravel(), b.ravel()])).reshape(a.shape)
    np.testing.assert_array_equal(display.classes, np.maximum(labels, 0))  # of hinge -1 and 1
    assert len(np.unique(labels)) > 1
    image = display.ax_.images[0].get_array()
    corner = image[0, 0]
    same = display.classes == display.classes[0, 0]
    np.testing.assert_array_equal((image[..., :3] == corner[:3]).all(axis=-1), same)
    for i, points in enumerate(points_of(display.ax_)):
        np.testing.assert_array_equal(points, X[truth == i])


def test_legend_has_a_marker_per_class():
    net = fitted(3, "cross_entropy", THIRDS)
    net.class_names = ["_low", "$x$", "a name that is much too long"]
    axes = drawn(net, THIRDS).ax_
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "_low",
        r"\$x\$",
        "a name …o long",
    ]
    shapes = {tuple(map(tuple, each.get_paths()[0].vertices)) for each in axes.get_legend().legend_handles}
    assert len(shapes) == 3
    axes.figure.canvas.draw()


@pytest.mark.parametrize(("loss", "n_out", "y", "truth"), CASES[1:])
def test_margin_is_the_lead_of_the_class(loss, n_out, y, truth):
    net = fitted(n_out, loss, y)
    display = drawn(net)
    output = net.predict([display.a[7], display.b[20]])
    if loss == "cross_entropy":
        ascending = sorted(output)
        expected = ascending[2] - ascending[1]
    else:
        expected = {"hinge": min(abs(output[0]), 1)}.get(loss, abs(2 * output[0] - 1))
    assert display.response[20, 7] == pytest.approx(expected, rel=1e-5)
    assert 0 <= display.response.min() < display.response.max() <= 1


def test_solid_lines_are_where_the_probability_is_one_half():
    net = fitted(1, "binary_cross_entropy", INSIDE)
    axes = drawn(net, resolution=201).ax_
    solid = [
        each for each in axes.collections if np.size(each.get_linewidth()) and each.get_linewidth()[0] == 1.5
    ]
    assert solid
    for lines in solid:
        points = np.concatenate([path.vertices for path in lines.get_paths()])
        np.testing.assert_allclose(net.predict(points), 0.5, atol=0.02)


def test_without_targets_regions_bear_names_and_points_are_alike():
    net = fitted(1, "binary_cross_entropy", INSIDE)
    net.class_names = ["inside"]
    net.feature_names = ["width", "height $"]
    display = drawn(net)
    axes = display.ax_
    assert {text.get_text() for text in axes.texts} == {"inside", "not inside"}
    for text in axes.texts:
        is_inside = net.predict_classes(np.array(text.get_position())) == 1
        assert text.get_text() == ("inside" if is_inside else "not inside")
    assert axes.get_legend() is None
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), X)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width", r"height \$")


def test_picture_holds_the_rows_with_a_margin():
    axes = drawn(fitted(1, "binary_cross_entropy", INSIDE), INSIDE).ax_
    for ends, column in zip((axes.get_xlim(), axes.get_ylim()), X.T, strict=True):
        assert ends[0] < column.min() < column.max() < ends[1] < column.max() + np.ptp(column)


def test_one_row_is_enough():
    display = drawn(network(1, "binary_cross_entropy"), X=X[:1])
    assert display.a[[0, -1]].tolist() == [X[0, 0] - 1, X[0, 0] + 1]


@pytest.mark.parametrize(
    "loss", ["mse", fastbp.losses.GaussianNLL(), fastbp.losses.Quantiles((0.1, 0.5, 0.9))]
)
def test_of_numbers_the_output_is_drawn(loss):
    target = X[:, 0] * 100
    net = fastbp.Network([2, getattr(loss, "outputs_per_target", 1)], loss=loss, optimizer="adam", seed=0)
    net.adapt(X, target)
    net.fit(X, target, epochs=3)
    display = drawn(net, target)
    axes = display.ax_
    assert display.classes is None
    output = net.predict([display.a[3], display.b[4]])
    estimate = output[len(output) // 2] if loss != "mse" and len(output) == 3 else output[0]
    assert display.response[4, 3] == pytest.approx(estimate, rel=1e-4)
    (points,) = [each for each in axes.collections if len(each.get_offsets()) > 1]
    np.testing.assert_array_equal(points.get_array(), target)
    assert points.norm is axes.images[0].norm or points.norm.vmax == axes.images[0].norm.vmax
    assert axes.figure.axes[1].get_ylabel() == "output"


def test_constant_outputs_have_no_lines():
    for loss in ("mse", "binary_cross_entropy"):
        net = network(1, loss)
        net.parameters[:] = 0
        display = drawn(net)
        display.figure_.canvas.draw()
        assert not [path for each in display.ax_.collections for path in each.get_paths()]


def test_rows_with_unknown_targets_are_left_out():
    net = fastbp.Network([2, 3], loss=fastbp.losses.CrossEntropy(ignore_index=-1), seed=0)
    y = THIRDS.copy()
    y[:5] = -1
    np.testing.assert_array_equal(drawn(net, y).X, X[5:])


def test_ten_classes_are_drawn_and_eleven_refused():
    ten = np.arange(60) % 10
    display = drawn(network(10, "cross_entropy"), ten)
    assert len(display.ax_.get_legend().get_texts()) == 10
    with pytest.raises(fastbp.ParameterError, match="net has 11 classes, expected 2 to 10"):
        drawn(network(11, "cross_entropy"))


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (fastbp.Network([3, 1]), "net has n_in = 3 inputs, expected 2"),
        (fastbp.Network([2, 2]), "net has 2 outputs that are numbers, expected one"),
        (fastbp.Network([2, 4], loss=fastbp.losses.GaussianNLL()), "net has 2 outputs that are numbers"),
        (fastbp.Network([2, 2], loss="binary_cross_entropy"), "2 outputs that each say yes or no"),
        ("net", "expected a fastbp.Network"),
    ],
)
def test_networks_that_cannot_be_drawn(net, message):
    with pytest.raises(fastbp.ParameterError, match=message):
        drawn(net)


def test_bad_data():
    net = network(1, "mse")
    with pytest.raises(fastbp.ParameterError, match="resolution is 1"):
        drawn(net, resolution=1)
    with pytest.raises(fastbp.ShapeError, match="X has 3 columns"):
        drawn(net, X=np.zeros((4, 3)))
    with pytest.raises(fastbp.ShapeError, match="y has shape"):
        drawn(net, [1, 2])
    net.parameters[:] = np.nan
    with pytest.raises(fastbp.DataError, match="NaN"):
        drawn(net)


def test_one_enormous_row_has_a_grid_around_it():
    net = fastbp.Network([2, 1], dtype="float64", seed=0)
    display = DecisionBoundaryDisplay.from_network(net, [[1e30, -1e30]], resolution=5, ax=Figure().subplots())
    assert (np.diff(display.a) > 0).all()
    assert (np.diff(display.b) > 0).all()
