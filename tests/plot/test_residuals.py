"""`ResidualsDisplay`: points and measures in the units of the data."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastbp
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.plot import ResidualsDisplay

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = 400 + 50 * X[:, :2] + RNG.normal(size=(30, 2))
W = RNG.random((30, 2))


def scaled(n_out, loss="mse"):
    """Return a network that scales its targets."""
    net = fastbp.Network([3, n_out], loss=loss, seed=0)
    net.adapt(X, Y[:, : n_out // net.loss.outputs_per_target])
    return net


@pytest.fixture(scope="module")
def two():
    """The network with two targets, and its display."""
    net = scaled(2)
    return net, ResidualsDisplay.from_network(net, X, Y, names=["$a$", "b"], ax=Figure().subplots())


def test_panels_have_points_in_the_units_of_the_data(two):
    """True against predicted with the diagonal, and the residuals; a line of panels for each target."""
    net, display = two
    h = net.predict(X)
    for j, (left, right) in enumerate(zip(display.axes_[::2], display.axes_[1::2], strict=True)):
        points, diagonal = left.lines
        np.testing.assert_allclose(points.get_xydata(), np.c_[h[:, j], Y[:, j]])
        ends = min(h[:, j].min(), Y[:, j].min()), max(h[:, j].max(), Y[:, j].max())
        np.testing.assert_allclose(diagonal.get_xydata(), np.c_[ends, ends])
        np.testing.assert_allclose(right.lines[0].get_xydata(), np.c_[h[:, j], Y[:, j] - h[:, j]], atol=1e-9)
        name = (r"\$a\$", "b")[j]
        assert (left.get_xlabel(), left.get_ylabel()) == (f"predicted {name}", f"true {name}")
        assert (right.get_xlabel(), right.get_ylabel()) == (f"predicted {name}", "true - predicted")
    markers = {panel.lines[0].get_marker() for panel in display.axes_}
    assert len(markers) == 2  # so that grey prints tell the targets apart


def test_titles_have_the_measures_of_each_target(two):
    """R^2 is that of evaluate."""
    net, display = two
    rmse = np.sqrt(np.mean((Y - net.predict(X)) ** 2, axis=0))
    np.testing.assert_allclose(display.rmse, rmse)
    assert display.r2.mean() == pytest.approx(net.evaluate(X, Y)["r2"])
    for j in range(2):
        assert display.axes_[2 * j].get_title() == f"RMSE {rmse[j]:.3g}, R² {display.r2[j]:.3f}"


def test_unknown_and_weightless_targets_are_left_out():
    """A target that is NaN has no point, and the weights count in the measures."""
    net = fastbp.Network([3, 2], loss=fastbp.MSE(ignore_nan=True), seed=0)
    y, w = np.where(np.arange(60).reshape(30, 2) % 7 == 0, np.nan, Y), W * (np.arange(30) > 4)[:, None]
    display = ResidualsDisplay.from_network(net, X, y, sample_weight=w, ax=Figure().subplots())
    residuals = np.where(np.isnan(y), 0, y - net.predict(X))
    known = np.where(np.isnan(y), 0, w)
    np.testing.assert_allclose(display.rmse, np.sqrt((known * residuals**2).sum(0) / known.sum(0)), rtol=1e-6)
    assert display.r2.mean() == pytest.approx(net.evaluate(X, y, sample_weight=w)["r2"])
    assert [len(panel.lines[0].get_xdata()) for panel in display.axes_[::2]] == list((known > 0).sum(axis=0))


@pytest.mark.parametrize("loss", [fastbp.GaussianNLL(), fastbp.Quantiles([0.1, 0.5, 0.9])])
def test_center_of_a_distribution_is_the_prediction(loss):
    """The mean, or the median."""
    net = scaled(loss.outputs_per_target, loss)
    display = ResidualsDisplay.from_network(net, X, Y[:, 0], ax=Figure().subplots())
    column = 0 if isinstance(loss, fastbp.GaussianNLL) else 1
    np.testing.assert_allclose(display.predicted[:, 0], net.predict(X)[:, column])
    assert display.ax_.get_xlabel() == "predicted target"


def test_of_many_targets_the_first_four_are_drawn():
    """The numbers of all are kept."""
    display = ResidualsDisplay(np.ones((2, 5)), np.zeros((2, 5))).plot(Figure().subplots())
    assert len(display.axes_) == 8
    assert display.axes_[6].get_xlabel() == "predicted target 4"
    np.testing.assert_array_equal(display.rmse, np.ones(5))


def test_many_points_become_pixels():
    """So that a page does not grow with the data."""
    few, many = (ResidualsDisplay(np.ones(n), np.zeros(n)).plot(Figure().subplots()) for n in (500, 501))
    assert not few.ax_.lines[0].get_rasterized()
    assert many.ax_.lines[0].get_rasterized()


def test_classifier_is_refused():
    """The error says what shows it."""
    net = fastbp.Network([3, 2], loss="cross_entropy")
    with pytest.raises(
        ParameterError, match="loss 'cross_entropy', expected one of numbers: ConfusionMatrix"
    ):
        ResidualsDisplay.from_network(net, X, np.zeros(30, int))
    with pytest.raises(ParameterError, match=r"net is a list, expected a fastbp\.Network"):
        ResidualsDisplay.from_network([], X, Y)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([],  []), ShapeError, r"predicted has shape \(0,\), expected \(n, n_targets\) or \(n,\)"),
        (([1], [1, 2]), ShapeError, r"true has shape \(2, 1\), expected \(1, 1\) as predicted has"),
        (([1], [1], ["a", "b"]), ShapeError, "names has 2 entries, expected 1, one per target"),
        (([1], [1], None, [1, 2]), ShapeError, r"weights has shape \(2, 1\), expected \(1,\) or \(1, 1\)"),
        (([1], [np.nan]), DataError, "weights has negative or infinite numbers, or no point has one above 0"),
        (([np.inf], [1]), DataError, "predicted has NaN or infinite numbers, expected finite numbers"),
    ],
)  # fmt: skip
def test_wrong_numbers_are_refused(arguments, error, message):
    """The error names the argument."""
    with pytest.raises(error, match=message):
        ResidualsDisplay(*arguments)
