"""Targets that losses declare: which values they accept, and which of these are classes."""

import numpy as np
import pytest

from fastbp import Network, losses
from fastbp._data import sample_weights
from fastbp.exceptions import DataError
from fastbp.losses._targets import OneOf, Probabilities


@pytest.mark.parametrize("dtype", ["bool", "i1", "u1", "i8", "u8", "f2", "f4", "f8"])
@pytest.mark.parametrize("classes", [(-1, 1), (0, 1), (-2, 0, 3), (1,)])
def test_integers_that_are_classes_are_accepted_in_every_dtype(dtype, classes):
    values = np.arange(-4, 5).astype(dtype).reshape(3, 3)
    assert np.array_equal(OneOf(*classes).accepts(values), np.isin(values, classes))


def test_only_the_values_of_some_targets_are_all_classes():
    for loss in losses.LOSSES.values():
        targets = loss.targets
        if targets.classes:
            between = np.linspace(-2, 2, 33)
            accepted = {*between[targets.accepts(between)]}
            assert targets.only_classes == (accepted == {*targets.classes})
    assert OneOf(0, 1).only_classes
    assert not Probabilities().only_classes


@pytest.mark.parametrize("dtype", ["i1", "i8", "f4", "f8"])
def test_targets_that_the_loss_has_checked_are_not_checked_again_for_class_weights(monkeypatch, dtype):
    def fail(*_):
        raise AssertionError("checked again")

    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([-1, 1, 1], dtype)
    net = Network([1, 1], loss="hinge", seed=1)
    same = net.clone()
    monkeypatch.setattr(sample_weights, "check_values", fail)
    net.fit(x, y, class_weight={-1: 3.0})
    same.fit(x, y, sample_weight=[3.0, 1.0, 1.0])
    assert np.array_equal(net.parameters, same.parameters)


def test_probabilities_that_are_no_classes_have_no_class_weight():
    net = Network([1, 1], loss="binary_cross_entropy", output_activation="sigmoid")
    with pytest.raises(DataError, match=r"y\[1, 0\] is 0.5, expected a label, 0 or 1, with class_weight"):
        net.fit([[0.0], [1.0]], [0.0, 0.5], class_weight="balanced")


class Three(losses.MSE):
    """With three classes."""

    targets = OneOf(-1, 0, 2)


def test_three_classes_of_one_output():
    x, y = np.arange(4.0).reshape(4, 1), np.array([2, -1, 0, 2])
    net = Network([1, 1], loss=Three(), seed=1)
    same = net.clone()
    net.fit(x, y, class_weight={-1: 3.0, 2: 0.5})
    same.fit(x, y, sample_weight=[0.5, 3.0, 1.0, 0.5])
    assert np.array_equal(net.parameters, same.parameters)
    with pytest.raises(DataError, match=r"y\[0\] is 1.0, expected -1 or 0 or 2"):
        net.fit(x, [1.0, 0, 0, 0])
