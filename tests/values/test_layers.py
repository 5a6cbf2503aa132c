"""The list of layers: what it may hold, and how wrong ones are refused."""

import numpy as np
import pytest

from fastbp import (
    Dense,
    Network,
    ParameterError,
    reference,
)
from helpers.names import name_of


@pytest.mark.parametrize(
    "layers",
    [
        lambda: np.array([3, 4, 1]),
        lambda: np.array([3, 4, 1], np.uint8),
        lambda: (3, 4, 1),
        lambda: range(3, 0, -1),
        lambda: (units for units in (3, 4, 1)),
        lambda: iter([3, Dense(4), np.int32(1)]),
        lambda: np.array([3, Dense(4), 1], object),
        lambda: [3, np.array(4), 1],
    ],
)
@pytest.mark.parametrize("kind", [Network, reference.Network])
def test_layers_in_any_iterable(kind, layers):
    net = kind(layers())
    assert (net.layers[0].n_in, net.layers[-1].n_out) == (3, 1)


@pytest.mark.parametrize(
    "layers",
    [
        b"\x04\x02",
        bytearray(b"\x04\x02"),
        memoryview(b"\x04\x02"),
        "42",
        {3: 4, 1: 2},
        {3, 1},
        3,
        None,
        [3],
        np.array(3),
    ],
    ids=name_of,
)
def test_what_is_no_list_of_layers(layers):
    with pytest.raises(
        ParameterError, match=r"^layers is .*expected a list of the inputs .*like \[4, 8, 1\]"
    ):
        Network(layers)


@pytest.mark.parametrize("layers", [[10**400, 1], [3, 10**400, 1], [3, 10**5000], [3, Dense(10**400)]])
def test_sizes_beyond_the_largest_float(layers):
    with pytest.raises(
        ParameterError, match=r"^layers have .*1?e\+.* parameters, .*the address space"
    ) as caught:
        Network(layers)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "arguments",
    [
        {"loss": "cross_entropy"},
        {"output_activation": "softmax"},
        {"layers": [3, Dense(1, "softmax")]},
        {"layers": [3, 4, Dense(1, "softmax")], "loss": "cross_entropy"},
        {"loss": lambda h, t: (0.0, h), "output_activation": "softmax"},
    ],
    ids=name_of,
)
@pytest.mark.parametrize("kind", [Network, reference.Network])
def test_a_softmax_of_one_unit_is_refused_with_the_remedy(kind, arguments):
    with pytest.raises(
        ParameterError, match=r"has 1 unit .*softmax.*sigmoid and the loss binary_cross_entropy"
    ):
        kind(**{"layers": [3, 1]} | arguments)


def test_a_layer_cannot_be_set_and_names_what_can():
    net = Network([3, 4, 1])
    with pytest.raises(AttributeError, match=r"trainable of a layer cannot be set.*Network\.trainable"):
        net.layers[0].trainable = False
    assert net.trainable == (True, True)
