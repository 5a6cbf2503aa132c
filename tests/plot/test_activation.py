"""`ActivationDisplay`: the curves are those of the activation, and interrupted where they jump."""

import numpy as np
import pytest

import fastbp
from fastbp import activations
from fastbp.plot import ActivationDisplay


def points(line):
    """Return z and values of a curve, without the interruptions."""
    z, values = line.get_data()
    measured = ~np.isnan(values)
    return z[measured], values[measured]


def jumps(line):
    """Return where a curve is interrupted."""
    z, values = line.get_data()
    return z[np.isnan(values)]


def test_draws_the_function_and_its_derivative(ax):
    display = ActivationDisplay.from_activation("tanh", span=(-2, 3), ax=ax)
    f, derivative = ax.get_lines()[:2]
    assert [line.get_label() for line in (f, derivative)] == ["f(z)", "f'(z)"]
    z, values = points(f)
    assert (z[0], z[-1]) == (-2, 3)
    np.testing.assert_allclose(values, np.tanh(z))
    z, slopes = points(derivative)
    np.testing.assert_allclose(slopes, 1 - np.tanh(z) ** 2, atol=1e-15)
    assert ax.get_title() == "tanh\ny = tanh(z)"
    assert f.get_linestyle() != derivative.get_linestyle()
    assert display.ax_ is ax


@pytest.mark.parametrize(
    ("name", "of_f", "of_derivative"),
    [("relu", [], [0]), ("step", [0], []), ("hard_sigmoid", [], [-3, 3]), ("elu", [], []), ("tanh", [], [])],
)
def test_a_line_is_interrupted_where_it_jumps(ax, name, of_f, of_derivative):
    ActivationDisplay.from_activation(name, ax=ax)
    f, derivative = ax.get_lines()[:2]
    np.testing.assert_allclose(jumps(f), of_f, atol=1e-9)
    np.testing.assert_allclose(jumps(derivative), of_derivative, atol=1e-9)
    z, slopes = points(derivative)
    assert set(slopes) <= set(activations.get(name).derivative(z)) | set(slopes[[0, -1]])


def test_a_steep_line_is_not_interrupted(ax):
    steep = fastbp.CustomActivation(lambda z: np.tanh(200 * z), np.ones_like, "$steep$")
    ActivationDisplay.from_activation(steep, ax=ax)
    assert jumps(ax.get_lines()[0]).size == 0
    assert ax.get_title() == r"\$steep\$"  # no formula


def test_softmax_says_what_the_other_sums_are(ax):
    net = fastbp.Network([2, 5, 3], loss="cross_entropy", activation=activations.LeakyReLU(0.3))
    ActivationDisplay.from_network(net, layer=2, ax=ax)
    assert ax.get_title() == "softmax\nover one z; 2 others at 0"
    z, values = points(ax.get_lines()[0])
    np.testing.assert_allclose(values, np.exp(z) / (np.exp(z) + 2))
    first = ActivationDisplay.from_network(net, ax=ax)
    assert first.title == "leaky_relu\ny = z if z > 0 else alpha z, alpha = 0.3"


def test_values_that_are_not_finite_are_left_out(ax):
    pole = fastbp.CustomActivation(lambda z: 1 / z, lambda z: -1 / z**2)
    z, values = points(ActivationDisplay.from_activation(pole, ax=ax).ax_.get_lines()[0])
    assert np.isfinite(values).all()
    assert 0 not in z


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"span": (3, 3)}, r"span is \(3, 3\), expected the lower end first"),
        ({"span": 5}, "span is 5, expected two numbers"),
        ({"span": (0, np.inf)}, "span is inf, expected a finite number"),
        ({"ax": 3}, "ax is 3, expected axes"),
        ({"activation": "tan"}, "activation is 'tan', expected one of: identity"),
    ],
)
def test_refuses_what_it_cannot_draw(options, message):
    with pytest.raises(fastbp.ParameterError, match=message):
        ActivationDisplay.from_activation(**{"activation": "tanh", **options})


def test_refuses_a_layer_that_is_not_there(ax):
    with pytest.raises(fastbp.ParameterError, match="layer is 3, expected an integer >= 1 and < 3"):
        ActivationDisplay.from_network(fastbp.Network([2, 3, 1]), layer=3, ax=ax)
    with pytest.raises(fastbp.ParameterError, match="net is a str, expected"):
        ActivationDisplay.from_network("net", ax=ax)
