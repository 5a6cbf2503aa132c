"""`LearningCurveDisplay` and `History.plot`: the columns of a history over its epochs."""

import sys
from math import nan

import numpy as np
import pytest

import fastbp
from fastbp import History
from fastbp.plot import LearningCurveDisplay

LOSS, VALIDATION = [2.0, 0.5, 0.1, 0.05], [2.1, 0.7, 0.4, 0.6]


def history(**columns):
    return History({"loss": LOSS, **columns})


def curves(axes):
    """Return the points of the curves by their names in the legend."""
    legend = axes.get_legend()
    names = [text.get_text() for text in legend.get_texts()]
    return {name: line.get_xydata().tolist() for name, line in zip(names, axes.get_lines(), strict=True)}


def over_epochs(values):
    return [[i, value] for i, value in enumerate(values, 1)]


def test_draws_both_losses_and_marks_the_best_epoch(ax):
    display = LearningCurveDisplay.from_history(history(validation_loss=VALIDATION), ax=ax)
    drawn = curves(ax)
    assert list(drawn) == ["training", "held out", "best epoch: 3"]
    assert drawn["training"] == over_epochs(LOSS)
    assert drawn["held out"] == over_epochs(VALIDATION)
    assert {x for x, _ in drawn["best epoch: 3"]} == {3}
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("epoch", "loss", "log")
    assert all(tick == int(tick) for tick in ax.get_xticks())
    ax.figure.draw_without_rendering()
    assert {"0.05", "0.1", "0.5", "1", "2"} <= {label.get_text() for label in ax.get_yticklabels()}
    assert display.axes_ == [ax]


def test_metrics_are_in_a_panel_of_their_own(ax):
    columns = {"validation_loss": VALIDATION, "validation_r2": [0, 0.5, 0.8, 0.7]}
    display = LearningCurveDisplay.from_history(history(**columns, learning_rate=[1] * 4), ax=ax)
    _, metrics = display.axes_
    assert list(curves(metrics)) == ["R²", "best epoch: 3"]
    assert curves(metrics)["R²"] == over_epochs([0, 0.5, 0.8, 0.7])
    assert metrics.get_ylabel() == "R² of rows held out"
    both = LearningCurveDisplay(LOSS, metrics={"r2": LOSS, "_$mine$": LOSS}).plot(display.ax_)
    assert list(curves(both.axes_[1])) == ["R²", r"_\$mine\$"]
    assert both.axes_[1].get_ylabel() == "metrics of rows held out"


def test_compares_with_a_constant_answer(ax):
    baseline = {"loss": 2.5, "accuracy": 0.1, "f1": 0.2}
    display = LearningCurveDisplay(LOSS, metrics={"accuracy": VALIDATION}, baseline=baseline).plot(ax)
    for axes, value in zip(display.axes_, (2.5, 0.1), strict=True):
        assert {y for _, y in curves(axes)["the same answer for all rows"]} == {value}


def test_epochs_that_were_not_measured_have_no_point(ax):
    loss = np.geomspace(3, 1, 100)
    validation = np.where(np.arange(100) % 10 == 9, loss, nan)
    LearningCurveDisplay.from_history(History({"loss": loss, "validation_loss": validation}), ax=ax)
    training, held_out = ax.get_lines()[:2]
    assert held_out.get_xdata().tolist() == list(range(10, 101, 10))
    assert (training.get_marker(), held_out.get_marker()) == ("", "s")


@pytest.mark.parametrize(
    ("loss", "scale"),
    [([3, 2, 1], "linear"), ([-3, -9], "linear"), ([9, 1], "log"), ([0, 9], "linear"), ([nan], "linear")],
)
def test_the_axis_is_logarithmic_if_losses_differ_much(ax, loss, scale):
    LearningCurveDisplay(loss).plot(ax)
    assert ax.get_yscale() == scale


def test_one_epoch_is_a_point(ax):
    LearningCurveDisplay([0.5], [0.7]).plot(ax)
    assert [line.get_marker() for line in ax.get_lines()] == ["o", "s"]
    assert curves(ax) == {"training": [[1, 0.5]], "held out": [[1, 0.7]]}
    assert all(tick == int(tick) for tick in ax.get_xticks())


def test_a_history_draws_itself(ax):
    net = fastbp.Network([2, 3, 1])
    with pytest.raises(fastbp.ParameterError, match="expected at least one epoch: fit first"):
        net.history.plot(ax)
    net.fit(np.eye(2), np.eye(2)[:, :1], epochs=5)
    assert isinstance(net.history.plot(ax), LearningCurveDisplay)
    drawn = curves(ax)
    assert drawn == {"training": over_epochs(net.history.loss)}
    LearningCurveDisplay.from_network(net, ax=ax.figure.add_subplot())
    assert curves(ax.figure.axes[-1]) == drawn


def test_refuses_what_is_no_history(ax):
    with pytest.raises(fastbp.ParameterError, match="history is a dict, expected"):
        LearningCurveDisplay.from_history({"loss": [1]}, ax=ax)
    with pytest.raises(fastbp.ParameterError, match="net is a int, expected"):
        LearningCurveDisplay.from_network(3, ax=ax)
    with pytest.raises(fastbp.ShapeError, match=r"accuracy has shape \(1,\), expected that of loss, \(4,\)"):
        LearningCurveDisplay(LOSS, metrics={"accuracy": [1]})
    with pytest.raises(fastbp.ParameterError, match="best is 0, expected an integer >= 1"):
        LearningCurveDisplay(LOSS, best=0)


def test_says_how_to_install_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"History.plot needs matplotlib .*fastbp\[plot\]"):
        history().plot()
