"""Displays take numbers: of what is none, the error names the argument."""

import pytest

import fastbp
from fastbp import inspect, plot

PLANE = inspect.landscape(fastbp.Network([1, 1]), [[1.0]], [[1.0]], resolution=2, directions=("w12", "b2"))

CASES = {
    "f": lambda bad: plot.ActivationDisplay(bad, [[0], [0]], title=""),
    "derivative": lambda bad: plot.ActivationDisplay([[0], [0]], bad, title=""),
    "validation_loss": lambda bad: plot.LearningCurveDisplay([1], bad),
    "parameters[0][0]": lambda bad: plot.NetworkDisplay([(bad, [1])]),
    "gradients[0][1]": lambda bad: plot.NetworkDisplay([([[1]], [1])], gradients=[([[1]], bad)]),
    "unit_shares[0]": lambda bad: plot.NetworkDisplay([([[1]], [1])], unit_shares=[bad]),
    "a": lambda bad: plot.DecisionBoundaryDisplay(bad, [0, 1], [[0, 1], [1, 2]]),
    "classes": lambda bad: plot.DecisionBoundaryDisplay([0, 1], [0], [[0, 1]], bad),
    "X": lambda bad: plot.DecisionBoundaryDisplay([0, 1], [0], [[0, 1]], X=bad),
    "y": lambda bad: plot.DecisionBoundaryDisplay([0, 1], [0], [[0, 1]], X=[[0, 1]], y=bad),
    "losses[0]": lambda bad: plot.LearningRateDisplay([1], [bad], ["converged"], PLANE, [[[0, 0]]]),
    "paths[0]": lambda bad: plot.LearningRateDisplay([1], [[1]], ["converged"], PLANE, [bad]),
    "response": lambda bad: plot.DecisionBoundaryDisplay([0, 1], [0, 1], bad),
}


@pytest.mark.parametrize("name", CASES)
def test_text_is_refused_by_the_name_of_its_argument(name):
    with pytest.raises(fastbp.DTypeError) as caught:
        CASES[name](["low", "high"])
    assert str(caught.value).startswith(f"{name} has dtype ")


@pytest.mark.parametrize("name", ["f", "derivative"])
def test_points_have_two_rows(name):
    with pytest.raises(fastbp.ShapeError, match=rf"^{name} has shape \(3,\), expected \(2, k\)"):
        CASES[name]([1, 2, 3])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: plot.DecisionBoundaryDisplay([0, 1], [0, 1, 2], [[0, 1]]), r"response has shape \(1, 2\)"),
        (
            lambda: plot.DecisionBoundaryDisplay([0, 1], [0], [[0, 1]], [[0, 1, 1]]),
            r"classes has shape \(1, 3\), expected \(1, 2\)",
        ),
        (
            lambda: plot.DecisionBoundaryDisplay([0, 1], [0], [[0, 1]], X=[[1, 2, 3]]),
            r"X has shape \(1, 3\), expected \(1, 2\)",
        ),
        (
            lambda: plot.DecisionBoundaryDisplay([0, 1], [0], [[0, 1]], X=[[1, 2]], y=[1, 2]),
            r"y has shape \(2,\), expected \(1,\)",
        ),
        (
            lambda: plot.LearningRateDisplay([1], [[1, 2]], ["slow"], PLANE, [[[1, 2]]]),
            r"paths\[0\] has shape \(1, 2\), expected \(2, 2\)",
        ),
        (
            lambda: plot.LearningRateDisplay([1, 2], [[1]], ["slow"], PLANE, []),
            "losses has 1 entries, expected 2, one per rate",
        ),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(make, message):
    with pytest.raises(fastbp.ShapeError, match=message):
        make()
