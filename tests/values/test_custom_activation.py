"""`CustomActivation` as a value: calls, errors, names, its derivative compared with differences."""

import copy
import pickle

import numpy as np
import pytest

import fastbp
from fastbp import ParameterError, ShapeError, activations
from fastbp.activations import CustomActivation
from fastbp.exceptions import DTypeError
from helpers.tables import ACTIVATIONS


def cube(z):
    return z**3


def cube_slope(z):
    return 3 * z**2


CUBE = CustomActivation(cube, cube_slope, "cube")
TABLE = [f for f in ACTIVATIONS if f.name != "softmax"]  # whose derivative is a diagonal


def test_calls():
    for dtype in (np.float32, np.float64, ">f8"):
        for shape in ((), (1,), (3, 5), (2, 3, 4), (0,), (4, 0)):
            z = np.random.default_rng(0).normal(size=shape).astype(dtype)
            for got, expected in (
                (CUBE(z), cube(z)),
                (CUBE.derivative(z), cube_slope(z)),
                (CUBE.second_derivative(z), 6 * z),
            ):
                assert got.dtype == np.dtype(dtype).newbyteorder("=")
                assert got.shape == shape
                np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
    z = np.arange(6.0).reshape(2, 3)
    assert CUBE(z, out=z) is z
    np.testing.assert_array_equal(z.ravel(), np.arange(6) ** 3)
    np.testing.assert_array_equal(CUBE([1, 2]), [1, 8])
    exact = CustomActivation(cube, cube_slope, second_derivative=lambda z: 6 * z)
    assert exact.second_derivative([0.3]) == 6 * 0.3
    for out, error in (([1.0], DTypeError), (np.zeros(2), ShapeError), (np.zeros(3, "f"), DTypeError)):
        with pytest.raises(error, match="out "):
            CUBE(np.zeros(3), out=out)
    with pytest.raises(DTypeError, match="x has dtype complex128"):
        CUBE.derivative(np.zeros(3, complex))


def test_apply():
    z = np.random.default_rng(0).normal(size=(4, 3)).astype("f")
    y, slope = CUBE.apply(z)
    assert y.dtype == slope.dtype == np.float32
    np.testing.assert_array_equal(y, z**3)
    np.testing.assert_array_equal(slope, 3 * z**2)
    assert CUBE.apply(z, with_slope=False)[1] is None


def test_the_arguments_stay_the_users():
    def careless(z):
        z[...] = 0
        return z

    z = np.ones(3)
    own = CustomActivation(careless, careless)
    for function in (own, own.derivative, own.second_derivative, lambda z: own.apply(z)[0]):
        assert (function(z) == 0).all()
        assert (z == 1).all()


def test_as_a_value():
    assert CustomActivation(cube, cube_slope, "cube") == CUBE
    assert len({CUBE, CustomActivation(cube, cube_slope, "cube")}) == 1
    for other in (
        CustomActivation(cube, cube_slope),
        CustomActivation(cube, np.cos, "cube"),
        CustomActivation(np.sin, cube_slope, "cube"),
        CustomActivation(cube, cube_slope, "cube", second_derivative=np.cos),
        activations.tanh,
    ):
        assert other != CUBE
    for twin in (copy.copy(CUBE), copy.deepcopy(CUBE), pickle.loads(pickle.dumps(CUBE)), CUBE.__replace__()):
        assert twin == CUBE
    assert CUBE.__replace__(name="other").derivative.what == "the derivative of the activation other"
    changed = CUBE.__replace__(derivative=np.cos)
    np.testing.assert_allclose(changed.second_derivative([0.5]), -np.sin([0.5]), rtol=1e-8)
    assert (
        repr(CustomActivation(np.sin, np.cos)) == "CustomActivation(<ufunc 'sin'>, <ufunc 'cos'>, 'custom')"
    )
    assert repr(CustomActivation(np.sin, np.cos, second_derivative=np.tan)).endswith(
        "'custom', second_derivative=<ufunc 'tan'>)"
    )
    assert (str(CUBE), CUBE.formula, CUBE.initializer) == ("cube", "y = cube(z)", "glorot_uniform")
    assert fastbp.CustomActivation is CustomActivation
    assert activations.get(CUBE) is CUBE
    with pytest.raises(AttributeError):
        CUBE.name = "other"


def test_wrong_arguments():
    for arguments, message in (
        ((3, np.cos), "^f is 3, expected a callable on arrays"),
        ((np.sin, None), "^derivative is None, expected a callable on arrays"),
        ((np.sin, float), "^derivative is <class 'float'>, expected a callable"),
        ((np.sin, np.cos, "tanh"), "^name is 'tanh', expected printable text that is not the name"),
        ((np.sin, np.cos, ""), "^name is '', expected"),
        ((np.sin, np.cos, "a\nb"), r"^name is 'a\\nb', expected printable text"),
        ((np.sin, np.cos, 3), "^name is 3, expected"),
    ):
        with pytest.raises(ParameterError, match=message):
            CustomActivation(*arguments)
    with pytest.raises(ParameterError, match=r"^second_derivative is 3, expected a callable"):
        CustomActivation(np.sin, np.cos, second_derivative=3)
    with pytest.raises(ParameterError, match=r"^check is 1, expected"):
        CustomActivation(np.sin, np.cos, check=1)
    with pytest.raises(TypeError, match="deriv"):
        CustomActivation(np.sin, deriv=np.cos)
    with pytest.raises(ParameterError, match=r"output_activation|loss is CrossEntropy"):
        fastbp.Network([2, 3], output_activation=CUBE, loss="cross_entropy")


def test_derivatives_of_the_table_pass():
    """Those with kinks and jumps, too."""
    for f in TABLE:
        CustomActivation(f, f.derivative, "own", check=True)
    CustomActivation(np.log, np.reciprocal, check=True)  # not finite for z < 0
    CustomActivation(lambda z: np.where(z > 0, z, 0), lambda z: z > 0, check=True)
    CustomActivation(lambda z: 1e9 * np.sin(z), lambda z: 1e9 * np.cos(z), check=True)


def test_wrong_derivatives_do_not():
    """Constant, zero, of the wrong sign, of another function, NaN."""
    for f in TABLE:
        wrong = [lambda z, f=f: -f.derivative(z), lambda z, f=f: f.derivative(z) + 1e-3]
        if f.name not in ("step", "identity"):
            wrong += [np.zeros_like, np.ones_like]
        if f.name == "step":  # whose derivative has no sign
            del wrong[0]
        for derivative in [
            *wrong,
            lambda z: np.full(z.shape, np.nan),
            lambda z: np.where(z > 5.9, np.inf, 0),
        ]:
            with pytest.raises(ParameterError, match=r"^derivative of the activation own is .* at z = "):
                CustomActivation(f, derivative, "own", check=True)
    with pytest.raises(ParameterError):
        CustomActivation(activations.gelu, activations.gelu_tanh.derivative, check=True)


def test_where_they_part_most():
    own = CustomActivation(np.sin, lambda z: np.cos(z) + (np.abs(z - 2) < 0.03))
    assert own.mismatch().z == pytest.approx(2, abs=0.03)
    z, derivative, quotient = own.mismatch()
    assert derivative == pytest.approx(np.cos(z) + 1)
    assert quotient == pytest.approx(np.cos(z), rel=1e-8)
    with pytest.raises(
        ParameterError, match=rf"is {derivative:.6g} at z = {z:.6g}, expected {quotient:.6g}, "
    ):
        own.check()
    assert CUBE.mismatch() is None
    CUBE.check()


def test_functions_that_fail_when_checked():
    for functions in ((np.sin, lambda z: {}["mine"]), (lambda z: {}["mine"], np.cos)):
        with pytest.raises(KeyError, match="mine"):
            CustomActivation(*functions, check=True)
    with pytest.raises(
        ShapeError, match="the derivative of the activation custom returned an array of shape"
    ):
        CustomActivation(np.sin, lambda z: z[:3], check=True)
