"""`Display`: which axes the plots take."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastbp
from fastbp.exceptions import DTypeError, ParameterError, ShapeError
from fastbp.plot import (
    ActivationDisplay,
    CalibrationDisplay,
    ConfusionMatrixDisplay,
    GradientFlowDisplay,
    LandscapeDisplay,
    LearningCurveDisplay,
    NetworkDisplay,
    ResidualsDisplay,
    SaliencyDisplay,
    SlopesDisplay,
)

RNG = np.random.default_rng(0)
NET = fastbp.Network([2, 2], loss="cross_entropy", seed=0)
X, Y = RNG.normal(size=(20, 2)), RNG.integers(0, 2, 20)


@pytest.mark.parametrize("display", [ActivationDisplay, ConfusionMatrixDisplay, SlopesDisplay])
@pytest.mark.parametrize("projection", ["polar", "3d"])
def test_other_projections_are_errors(display, projection):
    ax = Figure().add_subplot(projection=projection)
    data = () if display is ActivationDisplay else (X, Y)
    with pytest.raises(ParameterError, match=f"ax has the projection '{projection}', expected 'rectilinear'"):
        display.from_network(NET, *data, ax=ax)


@pytest.mark.parametrize("display", [CalibrationDisplay, SlopesDisplay])
def test_removed_axes_are_an_error(display, ax):
    ax.remove()
    with pytest.raises(ParameterError, match="ax was removed from its figure"):
        display.from_network(NET, X, Y, ax=ax)


@pytest.mark.parametrize("layout", ["constrained", "tight"])
@pytest.mark.parametrize("is_inset", [False, True])
def test_color_bar_is_beside_its_axes(layout, is_inset):
    """An inset does not move to make room for the bar."""
    figure = Figure(layout=layout)
    outer = figure.subplots()
    ax = outer.inset_axes((0.2, 0.2, 0.4, 0.4)) if is_inset else outer
    options = {"resolution": 3, "ax": ax}
    LandscapeDisplay.from_network(NET, X, Y, **options)
    figure.draw_without_rendering()
    (bar,) = ax.child_axes or figure.axes[1:]
    assert 0 < bar.get_window_extent().x0 - ax.get_window_extent().x1 < 50
    assert bar.get_ylabel() == "loss"


@pytest.mark.parametrize("display", [CalibrationDisplay, NetworkDisplay])
def test_narrow_axes_have_room_for_the_legend(display):
    """The legend leaves room for the axes: matplotlib would warn."""
    figure = Figure(layout="constrained")
    display.from_network(NET, X, Y, ax=figure.subfigures(1, 2)[0].subplots())
    figure.savefig(io.BytesIO())


@pytest.mark.parametrize("display", [GradientFlowDisplay, SlopesDisplay])
def test_no_diagnosis_is_an_error(display):
    with pytest.raises(ParameterError, match="diagnosis is a dict, expected a fastbp"):
        display.from_diagnosis({})


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: LearningCurveDisplay("x"), "loss"),
        (lambda: LearningCurveDisplay([1], metrics={"accuracy": "x"}), "accuracy"),
        (lambda: GradientFlowDisplay("x", "a"), "gradients"),
        (lambda: GradientFlowDisplay([1], "a", deltas="x"), "deltas"),
        (lambda: GradientFlowDisplay([[1]], "a", steps="x"), "steps"),
        (lambda: SlopesDisplay("x", "a"), "counts"),
        (lambda: ResidualsDisplay([1], [1], names="x"), "names"),
        (lambda: ResidualsDisplay([1], [1], names=1), "names"),
        (lambda: ConfusionMatrixDisplay([[1]], names="x"), "names"),
        (lambda: CalibrationDisplay.from_network(NET, X, Y, n_bins=10**30), "n_bins"),
        (lambda: SaliencyDisplay.from_network(NET, X, image_shape=(1, 2), output=[[1, 2], [3]]), "output"),
    ],
)
def test_errors_name_the_argument(make, argument):
    with pytest.raises((DTypeError, ParameterError, ShapeError), match=argument):
        make()
