"""`LandscapeDisplay`: the path ends at the minimum, and few large losses do not hide the valley."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastbp
from fastbp.callbacks import RecordPath
from fastbp.exceptions import DataError
from fastbp.inspect import Landscape
from fastbp.plot import LandscapeDisplay
from fastbp.plot._plane import Scale, losses_at

X = np.random.default_rng(0).normal(size=(40, 2))
Y = np.tanh(X[:, 0] - X[:, 1]) + 1


@pytest.fixture(scope="module")
def fitted():
    """A network at the minimum of its loss, and the path of the fit that led there."""
    net = fastbp.Network([2, 3, 1], activation="tanh", dtype="float64", seed=0)
    net.optimizer = fastbp.optimizers.LevenbergMarquardt()
    record = RecordPath(dtype="float64")
    net.fit(X, Y, epochs=30, batch_size=None, callbacks=record)
    return net, record


@pytest.fixture(scope="module")
def contour(fitted):
    net, record = fitted
    return LandscapeDisplay.from_network(net, X, Y, path=record, ax=Figure().subplots())


def landscape(losses, a=(-1, 1), b=(-1, 1)):
    """Return a landscape with these losses (nb, na)."""
    losses = np.asarray(losses, float)
    axes = (np.linspace(*ends, n) for ends, n in zip((a, b), losses.shape[::-1], strict=True))
    return Landscape(*axes, losses, np.eye(2), np.zeros(2), np.zeros(2), ("$u$", "v"))


def texts(axes):
    return [text.get_text().strip() for text in axes.texts if text.get_text()]


# ---- the path ----------------------------------------------------------------------------------------------


def test_path_ends_at_the_network_and_at_the_minimum(fitted, contour):
    net, record = fitted
    found = contour.landscape
    np.testing.assert_array_equal(found.center, net.parameters)
    np.testing.assert_allclose(found.at(*contour.path[-1]), net.parameters, atol=1e-12)
    np.testing.assert_allclose(found.at(*contour.path[0]), record.path[0], atol=1e-9)
    i, j = np.unravel_index(found.losses.argmin(), found.losses.shape)
    cell = found.a[1] - found.a[0], found.b[1] - found.b[0]
    assert abs(found.a[j] - contour.path[-1, 0]) <= cell[0]
    assert abs(found.b[i] - contour.path[-1, 1]) <= cell[1]


def test_path_is_inside_the_picture_and_marked_at_both_ends(contour):
    axes = contour.ax_
    for ends, coordinates in zip((axes.get_xlim(), axes.get_ylim()), contour.path.T, strict=True):
        assert ends[0] < coordinates.min() < coordinates.max() < ends[1]
    assert texts(axes) == ["start", "end"]
    marks = {line.get_marker(): line.get_xydata()[-1] for line in axes.lines}
    np.testing.assert_allclose(marks["o"], contour.path[0], atol=1e-12)
    np.testing.assert_allclose(marks["s"], contour.path[-1], atol=1e-12)
    np.testing.assert_allclose(marks["x"], (0, 0), atol=1e-12)
    arrows = [text for text in axes.texts if not text.get_text()]
    assert arrows
    for arrow in arrows:  # each leads from the start to the end
        places = [np.linalg.norm(contour.path - point, axis=1).argmin() for point in (arrow.xyann, arrow.xy)]
        assert places == sorted(places)


def test_directions_are_the_way_to_the_end_and_the_main_other_way(fitted, contour):
    net, record = fitted
    first, second = contour.landscape.directions
    np.testing.assert_allclose([first @ first, second @ second, first @ second], (1, 1, 0), atol=1e-12)
    way = net.parameters - record.path[0]
    np.testing.assert_allclose(first, way / np.linalg.norm(way), atol=1e-12)
    rest = record.path - net.parameters
    rest = rest - np.outer(rest @ first, first)
    principal = np.linalg.svd(rest)[2][0]
    assert abs(principal @ second) == pytest.approx(1)
    assert contour.ax_.get_xlabel() == "direction from start to end"


def test_straight_path_gets_another_direction():
    net = fastbp.Network([2, 3, 1], dtype="float64", seed=0)
    end = net.parameters
    path = [end + 1, end + 0.5, end]
    display = LandscapeDisplay.from_network(net, X, Y, path=path, resolution=3, ax=Figure().subplots())
    np.testing.assert_allclose(display.path[:, 1], 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(display.landscape.directions, axis=1), 1)


def test_path_that_stays_where_it_is_leaves_the_directions_to_chance():
    net = fastbp.Network([2, 3, 1], dtype="float64", seed=0)
    path = np.tile(net.parameters, (3, 1))
    display = LandscapeDisplay.from_network(net, X, Y, path=path, resolution=3, ax=Figure().subplots())
    assert display.landscape.names[0] == "random direction 1"
    np.testing.assert_allclose(display.path, 0, atol=1e-12)


def test_options_reach_the_landscape(fitted):
    net, record = fitted
    options = {"directions": ("w13", "b3"), "resolution": (4, 3), "ax": Figure().subplots()}
    display = LandscapeDisplay.from_network(net, X, Y, path=record.path, **options)
    assert display.landscape.losses.shape == (3, 4)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("w13", "b3")
    np.testing.assert_allclose(display.path[-1], (net.weights[0][0, 0], net.biases[0][0]))
    assert (display.landscape.a[[0, -1]] - display.path[-1, 0]).prod() < 0  # the path is inside


def test_without_a_path_the_network_is_marked():
    net = fastbp.Network([2, 3, 1], dtype="float64", seed=0)
    display = LandscapeDisplay.from_network(net, X, Y, resolution=5, ax=Figure().subplots())
    assert display.path is None
    assert texts(display.ax_) == ["the network"]
    assert display.landscape.a[[0, -1]].tolist() == [-1, 1]


# ---- heights and colors ------------------------------------------------------------------------------------


def test_heights_on_the_path_are_interpolated():
    found = landscape([[0, 1, 2], [10, 11, 12]], a=(0, 2), b=(0, 1))
    points = np.array([[0, 0], [2, 1], [0.5, 0.5], [1.5, 0.25], [2.1, 0], [0, -0.1]])
    np.testing.assert_allclose(losses_at(found, points), [0, 12, 5.5, 4, np.nan, np.nan])


def test_surface_shows_the_path_at_its_losses(contour):
    display = LandscapeDisplay(contour.landscape, contour.path)
    figure = Figure()
    display.plot(figure.subplots(), kind="surface")
    figure.canvas.draw()
    axes = display.ax_
    assert axes.name == "3d"
    assert axes.get_zlabel() == "loss"
    assert sorted(texts(axes)) == ["end", "start"]
    line = next(line for line in axes.lines if len(line.get_data_3d()[0]) == len(contour.path))
    heights = line.get_data_3d()[2]
    scale = Scale.of(contour.landscape.losses, contour.path_losses)
    np.testing.assert_allclose(heights, scale.heights(contour.path_losses))
    ticks = dict(zip(axes.get_zticks(), (tick.get_text() for tick in axes.get_zticklabels()), strict=True))
    assert all(10**height == pytest.approx(float(text)) for height, text in ticks.items())


A, B = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 21))
SQUARES = A**2 + 4 * B**2


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (SQUARES + 1, (1, 6, False)),
        (SQUARES + 0.01, (0.01, 5.01, True)),
        (SQUARES - 1, (-1, 4, False)),
        (np.ones((3, 3)), (1, 1, False)),
        (np.full((3, 3), np.nan), (0, 1, False)),
        (np.where(SQUARES > 4.9, 1e200, SQUARES + 1), (1, 5.81, False)),  # enormous ones count as infinite
    ],
)
def test_range_of_the_losses(losses, expected):
    assert Scale.of(losses) == pytest.approx(expected)


@pytest.mark.parametrize("lowest", [0.1, -0.1])
def test_few_large_losses_do_not_hide_the_valley(lowest):
    """Both scales end far below a few huge losses, but not below what is on the path."""
    losses = np.where(SQUARES > 4.9, 1e30, SQUARES + lowest)
    scale = Scale.of(losses)
    assert scale.is_log == (lowest > 0)
    assert 5 < scale.high < 1e5
    assert len([level for level in scale.levels() if level < 5]) >= 2
    assert Scale.of(losses, np.array([1e7, np.nan])).high == 1e7


def test_a_single_zero_of_the_loss_does_not_stretch_the_range():
    assert Scale.of(SQUARES + 1e-30).low > 1e-5


@pytest.mark.parametrize("kind", ["contour", "surface"])
@pytest.mark.parametrize("losses", [np.ones((3, 3)), np.full((3, 3), np.nan), np.full((3, 3), np.inf)])
def test_losses_without_a_range_are_drawn_without_warnings(kind, losses):
    figure = Figure()
    LandscapeDisplay(landscape(losses), [[-1, -1], [0, 0]]).plot(figure.subplots(), kind=kind)
    figure.canvas.draw()


def test_losses_that_are_not_finite_are_blank(ax):
    losses = SQUARES.copy()
    losses[0, :3] = np.nan, np.inf, 1e150
    LandscapeDisplay(landscape(losses)).plot(ax)
    mask = ax.images[0].get_array().mask
    assert mask[0, :3].all()
    assert mask.sum() == 3


def test_color_bar_has_plain_numbers_and_names_are_no_formulas(ax):
    LandscapeDisplay(landscape(SQUARES + 0.01)).plot(ax)
    bar = ax.figure.axes[1]
    ax.figure.canvas.draw()
    assert bar.get_ylabel() == "loss"
    labels = [label.get_text() for label in bar.get_yticklabels()]
    assert labels == ["0.02", "0.1", "0.5", "2"]
    assert ax.get_xlabel() == r"\$u\$"


def test_axes_of_a_grid_become_three_dimensional():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    display = LandscapeDisplay(landscape(SQUARES)).plot(right, kind="surface")
    assert right not in figure.axes
    assert display.figure_ is figure
    display.plot(left)
    assert display.ax_ is left


# ---- bad arguments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (np.zeros((1, 13)), fastbp.ShapeError, r"path has shape \(1, 13\), expected \(k, 13\) with at least"),
        (np.zeros((5, 3)), fastbp.ShapeError, r"path has shape \(5, 3\), expected \(k, 13\)"),
        (np.full((2, 13), np.nan), fastbp.DataError, "path has numbers that are NaN or infinite"),
        (RecordPath(), fastbp.ShapeError, r"path has shape \(0, 0\)"),
        ("path", fastbp.DTypeError, "path"),
    ],
)
def test_bad_paths(fitted, path, error, message):
    with pytest.raises(error, match=message):
        LandscapeDisplay.from_network(fitted[0], X, Y, path=path)


def test_bad_arguments(fitted, contour):
    net, record = fitted
    with pytest.raises(fastbp.ParameterError, match="kind is 'hills', expected one of: contour, surface"):
        LandscapeDisplay.from_network(net, X, Y, kind="hills")
    with pytest.raises(fastbp.ParameterError, match="kind is 3"):
        contour.plot(kind=3)
    with pytest.raises(fastbp.ParameterError, match="expected a fastbp"):
        LandscapeDisplay.from_network("net", X, Y, path=record)
    with pytest.raises(fastbp.ParameterError, match="landscape is a list, expected a fastbp"):
        LandscapeDisplay([])
    with pytest.raises(fastbp.ParameterError, match="resolution is 1"):
        LandscapeDisplay.from_network(net, X, Y, path=record, resolution=1)


def test_path_without_a_middle_is_an_error():
    """The plane is around the network's parameters; the error does not name a span that was not given."""
    net = fastbp.Network([2, 1], seed=0)
    path = np.stack([net.parameters, 2 * net.parameters])
    net.parameters[:] = np.nan
    with pytest.raises(DataError, match="the network's parameters, or center"):
        LandscapeDisplay.from_network(net, np.ones((3, 2)), np.ones(3), path=path)


def test_enormous_path_has_a_plane():
    """The squares of its numbers overflow."""
    net = fastbp.Network([2, 1], dtype="float64", output_activation="sigmoid", seed=0)
    path = np.array([[1e200, 0, 1e199], [0, 1e200, 0], [0, 0, 0]])
    found = LandscapeDisplay.from_network(net, np.ones((3, 2)), np.ones(3), path=path, ax=Figure().subplots())
    np.testing.assert_allclose(np.linalg.norm(found.landscape.directions, axis=1), 1)
