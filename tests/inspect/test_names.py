"""Names of units and parameters."""

from itertools import pairwise

import pytest

from fastbp.exceptions import ParameterError
from fastbp.inspect import _names
from fastbp.layers import Layer


def make(*sizes, without_bias=()):
    return [Layer(*pair, "tanh", bias=i not in without_bias) for i, pair in enumerate(pairwise(sizes))]


def test_names_of_the_worked_example():
    from worked_example import LAYOUT

    layers = make(3, 2, 1)
    assert tuple(_names.parameter_name(layers, i) for i in range(11)) == LAYOUT
    assert _names.unit_names(layers) == [("x1", "x2", "x3"), ("4", "5"), ("6",)]
    assert _names.unit_names(layers, ["a", "b", "c"])[0] == ("a", "b", "c")
    assert _names.first_units(layers) == [1, 4, 6]


@pytest.mark.parametrize("without_bias", [(), (0,), (1,), (0, 1, 2)])
def test_each_name_has_its_index(without_bias):
    layers = make(5, 8, 3, 2, without_bias=without_bias)
    names = [_names.parameter_name(layers, i) for i in range(sum(layer.n_parameters for layer in layers))]
    assert len(set(names)) == len(names)
    assert [_names.parameter_index(layers, name) for name in names] == list(range(len(names)))
    assert {"w16", "w_5_13", "w_13_16", "w_16_18"} <= set(names)
    assert ("b6" in names) == (0 not in without_bias)
    assert ("b_14" in names) == (1 not in without_bias)


@pytest.mark.parametrize(
    "name", ["w41", "w16", "b1", "b7", "b_0", "w_1_99", "x1", "", "w1", "w_1_" + "9" * 30, "w14 ", 3, None]
)
def test_other_names_are_refused(name):
    with pytest.raises(ParameterError, match=r"axis is .*expected .*'w14'"):
        _names.parameter_index(make(3, 2, 1), name, "axis")


def test_layers_without_bias_have_no_names_of_biases():
    for name in ("b4", "b5"):
        with pytest.raises(ParameterError, match="expected a parameter of the network, from 'w14' to 'b6'"):
            _names.parameter_index(make(3, 2, 1, without_bias=(0,)), name)


def test_an_index_beyond_the_vector():
    for index in (-1, 11):
        with pytest.raises(IndexError):
            _names.parameter_place(make(3, 2, 1), index)
