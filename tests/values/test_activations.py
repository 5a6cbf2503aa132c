"""Activations as functions of arrays: values, shapes, layouts, NaN, refusals."""

import math

import numpy as np
import pytest

from fastbp import activations, reference
from fastbp.exceptions import DTypeError, ShapeError
from helpers.tables import ACTIVATIONS

nan, inf = math.nan, math.inf


SHAPES = [(), (1,), (70,), (3, 5), (2, 3, 4), (0,), (4, 0)]
TOLERANCES = {np.float32: {"rtol": 5e-6, "atol": 2e-6}, np.float64: {"rtol": 1e-13, "atol": 1e-14}}


def reference_of(activation, z):
    """The reference's f(z) and f'(z)."""
    row = reference.ACTIVATIONS[activation.name]
    with np.errstate(over="ignore"):
        y = row.function(z, activation.alpha)
        return y, row.derivative(z, y, activation.alpha)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activation_is_the_references(activation, dtype):
    for scale in (1, 10):
        z = np.random.default_rng(0).normal(0, scale, (40, 7)).astype(dtype)
        y, slope = reference_of(activation, z)
        for ours, expected in ((activation(z), y), (activation.derivative(z), slope)):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, expected, **TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activation_takes_any_shape(activation, dtype):
    for shape in SHAPES:
        if activation.name == "softmax" and (not shape or not shape[-1]):
            continue
        z = np.random.default_rng(0).normal(size=shape).astype(dtype)
        y, slope = reference_of(activation, z)
        for ours, expected in ((activation(z), y), (activation.derivative(z), slope)):
            assert (np.shape(ours), ours.dtype) == (shape, dtype)
            np.testing.assert_allclose(ours, expected, **TOLERANCES[dtype])


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activation_takes_any_layout(activation):
    z = np.random.default_rng(0).normal(size=(6, 8))
    expected = activation(z)
    read_only = z.copy()
    read_only.flags.writeable = False
    misaligned = np.frombuffer(b"\0" + z.tobytes(), np.uint8)[1:].view(np.float64).reshape(z.shape)
    for like_z in (
        np.asfortranarray(z),
        z[::-1, ::-1].copy()[::-1, ::-1],
        read_only,
        z.astype(">f8"),
        misaligned,
    ):
        np.testing.assert_array_equal(activation(like_z), expected)
    np.testing.assert_array_equal(activation(z.tolist()), expected)
    np.testing.assert_array_equal(activation([[1, -2, 3]]), activation(np.array([[1.0, -2.0, 3.0]])))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activation_writes_to_out(activation):
    z = np.random.default_rng(0).normal(size=(6, 8))
    expected = activation(z)
    out = np.empty_like(z)
    assert activation(z, out=out) is out
    np.testing.assert_array_equal(out, expected)
    strided = np.zeros((6, 16))
    activation(z, out=strided[:, ::2])
    np.testing.assert_array_equal(strided[:, ::2], expected)
    assert not strided[:, 1::2].any()
    activation(z, out=z)
    np.testing.assert_array_equal(z, expected)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activation_passes_nan_on(activation, dtype):
    for columns in (1, 3, 16, 33):
        y = activation(np.full((2, columns), nan, dtype))
        assert np.isnan(y).all()


def test_activation_refuses_what_it_cannot_compute():
    with pytest.raises(DTypeError, match="x has dtype complex128, expected"):
        activations.tanh(np.zeros(3, complex))
    with pytest.raises(ShapeError, match=r"out has shape \(2,\), expected \(3,\)"):
        activations.tanh(np.zeros(3), out=np.zeros(2))
    with pytest.raises(DTypeError, match="out has dtype float32, expected float64"):
        activations.tanh(np.zeros(3), out=np.zeros(3, np.float32))
