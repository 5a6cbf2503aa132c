"""`GradientNormsDisplay`: which rows teach most, and how much of the gradients they have."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastbp
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.inspect import per_sample_gradient_norms
from fastbp.plot import GradientNormsDisplay


def labels(display):
    """Return the entries of the legend."""
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_network_gives_the_norms_of_its_rows(ax):
    """Sorted, the largest first; the title has the share of the largest tenth."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(25, 3)), rng.integers(0, 3, 25)
    net = fastbp.Network([3, 3], loss="cross_entropy", seed=0)
    display = GradientNormsDisplay.from_network(net, X, y, ax=ax)
    norms = per_sample_gradient_norms(net, X, y)
    np.testing.assert_array_equal(display.norms, norms)
    order = np.argsort(-norms)
    np.testing.assert_array_equal(display.rows(4), order[:4])
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.c_[np.arange(1, 26), norms[order]])
    share = norms[order[:3]].sum() / norms.sum()  # a tenth of 25, rounded up
    assert display.share() == pytest.approx(share)
    assert ax.get_title() == f"the 3 largest of 25 norms: {100 * share:.0f} % of their sum"
    assert labels(display) == [f"rows {', '.join(map(str, order[:3]))}"]
    assert ax.get_xlabel() == "rows, the largest gradient first"
    assert ax.get_ylabel() == "norm of the gradient of the row's loss"


def test_largest_tenth_is_marked(ax):
    """Up to half a row after its last one; of many rows the legend names five."""
    display = GradientNormsDisplay(np.arange(1, 101)).plot(ax)
    (mark,) = ax.patches
    assert (mark.get_x(), mark.get_x() + mark.get_width()) == (0.5, 10.5)
    assert labels(display) == ["rows 99, 98, 97, 96, 95, ..."]


def test_axis_is_logarithmic_for_norms_that_differ_widely():
    """With plain numbers, as in the other plots. Otherwise it begins at 0."""
    near, far = (GradientNormsDisplay([1, most]).plot(Figure().subplots()).ax_ for most in (20, 21))
    assert (near.get_yscale(), far.get_yscale()) == ("linear", "log")
    assert near.get_ylim()[0] == 0
    assert {"1", "10"} <= {label.get_text() for label in far.get_yticklabels()}


@pytest.mark.parametrize("largest", [1, 1000])
def test_norms_of_0_are_visible(ax, largest):
    """As a bar on the lower edge below their rows, on either axis."""
    display = GradientNormsDisplay([0, largest, 1, 0, 0]).plot(ax)
    curve, zeros = ax.lines
    np.testing.assert_array_equal(curve.get_ydata(), [largest, 1])
    np.testing.assert_array_equal(zeros.get_xydata(), [[2.5, 0], [5.5, 0]])
    assert zeros.get_transform() == ax.get_xaxis_transform()  # 0 is the lower edge
    assert labels(display) == ["row 1", "norm 0: 3 rows"]


def test_all_norms_may_be_0(ax):
    """They have no share of anything."""
    display = GradientNormsDisplay([0, 0]).plot(ax)
    assert np.isnan(display.share())
    assert ax.get_title() == "all norms are 0"


def test_share_takes_any_part():
    """Equal norms stay in order, and all rows have all."""
    display = GradientNormsDisplay([1, 2, 2, 5])
    assert [display.share(part) for part in (0.25, 0.3, 0.5, 1)] == [0.5, 0.7, 0.7, 1]
    np.testing.assert_array_equal(display.rows(3), [3, 1, 2])
    np.testing.assert_array_equal(display.rows(0), [])
    for part in (0, 1.1):
        with pytest.raises(ParameterError, match=f"part is {part}, expected a finite number"):
            display.share(part)
    with pytest.raises(ParameterError, match="limit is -1, expected an integer >= 0"):
        display.rows(-1)


@pytest.mark.parametrize(
    ("norms", "error", "message"),
    [
        ([[1]], ShapeError, r"norms has shape \(1, 1\), expected \(n,\), at least one"),
        ([], ShapeError, r"norms has shape \(0,\)"),
        ([1, -2], DataError, r"norms\[1\] is -2, expected a finite number >= 0"),
        ([1, np.nan], DataError, r"norms\[1\] is nan, expected a finite number >= 0"),
    ],
)
def test_wrong_norms_are_refused(norms, error, message):
    """The error names the argument."""
    with pytest.raises(error, match=message):
        GradientNormsDisplay(norms)
