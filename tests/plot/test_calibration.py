"""`CalibrationDisplay`: bins of probabilities, the expected calibration error, and quantiles."""

from statistics import NormalDist

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastbp
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.plot import CalibrationDisplay

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
W = RNG.random(80)


def display_of(net, y, **options):
    """Return the display of a network on X, on axes of its own."""
    return CalibrationDisplay.from_network(net, X, y, ax=Figure().subplots(), **options)


def binned(p, came_true, w, n_bins):
    """Return mean probability, share of events and weight of each bin, one after the other."""
    bins = [(p >= i / n_bins) & (p < (i + 1) / n_bins) for i in range(n_bins)]
    return [
        [np.average(values[b], weights=w[b]) if b.any() else np.nan for b in bins]
        for values in (p, came_true)
    ] + [[w[b].sum() for b in bins]]


def case(name):
    """Return a network, targets, and for each answer the probability, and whether it came true."""
    if name == "yes":
        net, y = fastbp.Network([3, 1], loss="binary_cross_entropy", seed=1), RNG.integers(0, 2, 80)
        return net, y, net.predict(X)[:, 0], y
    if name == "second class":
        net, y = fastbp.Network([3, 2], loss="cross_entropy", seed=1), RNG.integers(0, 2, 80)
        return net, y, net.predict(X)[:, 1], y
    if name == "predicted class":
        net, y = fastbp.Network([3, 4], loss="cross_entropy", seed=1), RNG.integers(0, 4, 80)
        return net, y, net.predict(X).max(axis=1), net.predict_classes(X) == y
    net, y = fastbp.Network([3, 2], loss="binary_cross_entropy", seed=1), RNG.integers(0, 2, (80, 2))
    return net, y, net.predict(X).ravel(), y.ravel()


@pytest.mark.parametrize("name", ["yes", "second class", "predicted class", "several answers"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_bins_have_mean_probability_and_share_of_events(name, is_weighted):
    """The error is the mean distance of the two, by the rows in the bins."""
    net, y, p, came_true = case(name)
    weights = W if is_weighted else np.ones(80)
    display = display_of(net, y, n_bins=7, sample_weight=W if is_weighted else None)
    w = np.repeat(weights, len(p) // 80)
    predicted, observed, counts = map(np.array, binned(p, came_true, w, 7))
    np.testing.assert_allclose(display.predicted, predicted, rtol=1e-6)
    np.testing.assert_allclose(display.observed, observed)
    np.testing.assert_allclose(display.counts, counts)
    error = np.nansum(counts * np.abs(observed - predicted)) / counts.sum()
    assert display.error == pytest.approx(error, rel=1e-6)
    assert display.ax_.get_title() == f"expected calibration error {error:.3f}"


def test_picture_has_points_diagonal_and_histogram():
    """Empty bins have no point."""
    nan = np.nan
    display = CalibrationDisplay([0.1, nan, 0.8], [0.2, nan, 0.75], [3, 0, 1], event="$x$")
    ax = display.plot(Figure().subplots()).ax_
    diagonal, points = ax.lines
    np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [1, 1]])
    np.testing.assert_array_equal(points.get_xydata(), [[0.1, 0.2], [0.8, 0.75]])
    assert [bar.get_height() for bar in ax.patches] == [0.75, 0, 0.25]
    np.testing.assert_allclose([bar.get_x() for bar in ax.patches], [0, 1 / 3, 2 / 3])
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"predicted probability of \$x\$", "observed share")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["calibrated", "observed", "share of the predictions"]
    assert display.error == pytest.approx((3 * 0.1 + 0.05) / 4)


def test_labels_say_what_is_predicted():
    """The event of one output, the class of several."""
    net, y, *_ = case("yes")
    net.class_names = ["ill"]
    assert display_of(net, y).ax_.get_xlabel() == "predicted probability of ill"
    net, y, *_ = case("predicted class")
    ax = display_of(net, y).ax_
    assert ax.get_xlabel() == "probability of the predicted class"
    assert ax.get_ylabel() == "share of right predictions"
    net, y, *_ = case("several answers")
    assert display_of(net, y).ax_.get_xlabel() == "predicted probability"


def test_unknown_targets_are_left_out():
    """NaN of one of two answers, and all of the rest of its row stays."""
    net, y, *_ = case("several answers")
    net = fastbp.Network([3, 2], loss=fastbp.BinaryCrossEntropy(ignore_nan=True), seed=1)
    some = np.where(np.arange(160).reshape(80, 2) % 3, y, np.nan)
    display = display_of(net, some)
    known = ~np.isnan(some)
    expected = binned(net.predict(X)[known], some[known], np.ones(known.sum()), 10)
    np.testing.assert_allclose(display.observed, expected[1])
    np.testing.assert_allclose(display.counts, expected[2])


@pytest.mark.parametrize("loss", [fastbp.Quantiles([0.2, 0.5, 0.7]), fastbp.GaussianNLL()])
def test_quantiles_have_the_share_of_targets_below_them(loss):
    """For normal distributions those at 0.1, 0.2, ... 0.9; in the units of the data."""
    y = RNG.normal(50, 10, size=(80, 2))
    net = fastbp.Network([3, 2 * loss.outputs_per_target], loss=loss, seed=0)
    net.adapt(X, y)
    display = display_of(net, y, sample_weight=W)
    outputs = net.predict(X)
    if isinstance(loss, fastbp.Quantiles):
        levels, quantiles = [0.2, 0.5, 0.7], np.moveaxis(net.loss.split(outputs), 2, 0)
    else:
        mean, std = net.loss.mean_and_std(outputs)
        levels = np.arange(1, 10) / 10
        quantiles = [mean + std * NormalDist().inv_cdf(level) for level in levels]
    shares = [np.average((y <= q).mean(axis=1), weights=W) for q in quantiles]
    np.testing.assert_allclose(display.predicted, levels)
    np.testing.assert_allclose(display.observed, shares)
    assert display.error == pytest.approx(np.mean(np.abs(np.array(shares) - levels)))
    ax = display.ax_
    assert ax.get_xlabel() == "level of the predicted quantile"
    assert ax.get_ylabel() == "share of targets below it"
    assert ax.get_title() == f"calibration error {display.error:.3f}"
    assert not ax.patches


@pytest.mark.parametrize("loss", ["mse", "hinge"])
def test_network_without_probabilities_is_refused(loss):
    """The error says what it has."""
    net = fastbp.Network([3, 1], loss=loss)
    with pytest.raises(
        ParameterError, match=f"net has the loss {loss!r} and .*, expected softmax or sigmoid"
    ):
        CalibrationDisplay.from_network(net, X, np.ones(80))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([0.1], [0.2], [1, 2]), {}, ShapeError, r"predicted has shape \(1,\), expected \(k,\)"),
        (([0.1], [0.2], [0]), {}, DataError, "counts has a negative or infinite number or only 0"),
        (([0.1], [0.2], [1]), {"kind": "odd"}, ParameterError, "kind is 'odd', expected one of: event"),
    ],
)
def test_wrong_numbers_are_refused(arguments, options, error, message):
    """The error names the argument."""
    with pytest.raises(error, match=message):
        CalibrationDisplay(*arguments, **options)
    with pytest.raises(ParameterError, match="n_bins is 0, expected an integer >= 1"):
        CalibrationDisplay.from_network(case("yes")[0], X, np.ones(80), n_bins=0)
