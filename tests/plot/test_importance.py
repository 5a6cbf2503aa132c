"""`FeatureImportanceDisplay`: bars in order, their whiskers and names."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastbp
from fastbp.exceptions import ParameterError
from fastbp.inspect import feature_importance
from fastbp.plot import FeatureImportanceDisplay

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 4)), RNG.normal(size=20)
NAMES = ("$x$", "<script>alert(1)</script>", "a\nb", "_under")


@pytest.fixture(scope="module")
def net():
    """A network whose inputs have names that a plot could stumble over."""
    net = fastbp.Network([4, 3, 1], seed=0)
    net.feature_names = NAMES
    return net


@pytest.fixture(scope="module")
def importance(net):
    """Importance by permutation; some of it is negative, since the network has learned nothing."""
    return feature_importance(net, X, Y, n_repeats=3)


def whiskers(display):
    """Return the ends of the whiskers, (bars, 2)."""
    (lines,) = display.ax_.containers[1].lines[2]
    return np.array(lines.get_segments())[:, :, 0]


def test_bars_are_the_means_and_the_largest_is_on_top(importance):
    """Whiskers are as long as the standard deviation to both sides."""
    display = FeatureImportanceDisplay.from_importance(importance, ax=Figure().subplots())
    found = importance.features()
    means, stds = np.array([[each.mean, each.std] for each in found]).T
    assert means[0] > 0 > means[-1]
    np.testing.assert_allclose([bar.get_width() for bar in display.ax_.patches], means)
    np.testing.assert_allclose(whiskers(display), np.c_[means - stds, means + stds])
    low, high = display.ax_.get_ylim()
    assert low > high  # place 0 is on top
    names = {"$x$": r"\$x\$", "<script>alert(1)</script>": "<script>aler…1)</script>", "a\nb": "a b"}
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == [names.get(each.name, each.name) for each in found]
    assert display.ax_.get_xlabel() == "how much worse the loss is\nwith the input permuted (3 repeats)"
    assert display.ax_.get_title() == "all inputs"


def test_network_gives_what_its_importance_gives(net, importance):
    """Options are those of feature_importance; the title says how many inputs are left out."""
    display = FeatureImportanceDisplay.from_network(net, X, Y, limit=2, n_repeats=3, ax=Figure().subplots())
    np.testing.assert_array_equal(display.importance.values, importance.values)
    assert len(display.ax_.patches) == 2
    assert display.ax_.get_title() == "the 2 most important of 4 inputs"
    scored = FeatureImportanceDisplay.from_network(net, X, Y, metric="r2", ax=Figure().subplots())
    assert scored.ax_.get_xlabel() == "how much worse r2 is\nwith the input permuted (10 repeats)"


def test_attributions_are_magnitudes(net):
    """So no whisker goes below 0."""
    display = FeatureImportanceDisplay.from_network(
        net, X, method="integrated_gradients", ax=Figure().subplots()
    )
    stds, ends = np.array([each.std for each in display.importance.features()]), whiskers(display)
    means = np.array([bar.get_width() for bar in display.ax_.patches])
    assert (stds > means).any()
    np.testing.assert_allclose(ends, np.c_[np.maximum(means - stds, 0), means + stds], atol=1e-12)
    assert display.ax_.get_xlabel() == "mean magnitude of the input's share\nof the output (20 rows)"


def test_wrong_arguments_are_refused(net, importance):
    """Before anything is computed."""
    with pytest.raises(ParameterError, match=r"importance is a list, expected a fastbp\.inspect\.Feature"):
        FeatureImportanceDisplay([])
    with pytest.raises(ParameterError, match="limit is 0, expected an integer >= 1"):
        FeatureImportanceDisplay(importance, limit=0)
    with pytest.raises(ParameterError, match="limit is 0, expected an integer >= 1"):
        FeatureImportanceDisplay.from_network(net, X, Y, limit=0)
