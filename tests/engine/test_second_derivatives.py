"""Second derivatives of activations and losses: differences of the first ones, native code, far out."""

import numpy as np
import pytest
from mpmath import mp, mpf

from fastbp import _core, activations, losses, reference
from fastbp.exceptions import DTypeError, ShapeError
from fastbp.losses import CrossEntropy, Huber, Quantile, Quantiles
from helpers import isas, tables
from helpers.differences import KINKS

STEP, MARGIN = 1e-5, 1e-3
LOSSES = [
    *losses.LOSSES.values(),
    Huber(delta=0.3),
    Quantile(q=0.9),
    Quantiles([0.2, 0.7]),
    CrossEntropy(label_smoothing=0.1),
]
RTOL = {np.float32: 1e-5, np.float64: 1e-13}
every_dtype = pytest.mark.parametrize("dtype", RTOL)


def is_smooth(name, values):
    """Which values are far enough from a kink for a difference."""
    return np.all([abs(values - kink) > MARGIN for kink in KINKS.get(name, (np.inf,))], axis=0)


def second_of(activation, z):
    """f''(z) of the reference."""
    row = reference.ACTIVATIONS[activation.name]
    with np.errstate(all="ignore"):
        return row.second(z, row.function(z, activation.alpha), activation.alpha)


# ---- activations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", tables.ACTIVATIONS, ids=repr)
def test_it_is_the_difference_of_the_slopes(activation):
    row = reference.ACTIVATIONS[activation.name]

    def slopes(z):
        return row.derivative(z, row.function(z, activation.alpha), activation.alpha)

    z = np.random.default_rng(0).uniform(-9, 9, (300, 3))
    z = z[is_smooth(activation.name, z).all(axis=1)]
    differences = np.empty_like(z)
    for j in range(3):  # one at a time, for softmax
        step = STEP * (np.arange(3) == j)
        differences[:, j] = (slopes(z + step) - slopes(z - step))[:, j] / (2 * STEP)
    scale = np.abs(second_of(activation, z)).max()
    np.testing.assert_allclose(second_of(activation, z), differences, rtol=1e-7, atol=1e-9 * max(scale, 1))


@every_dtype
@pytest.mark.parametrize("activation", tables.ACTIVATIONS, ids=repr)
def test_the_native_one_is_the_references(activation, dtype):
    rng = np.random.default_rng(0)
    for shape, scale in (((40, 7), 1), ((3, 5, 33), 10), ((), 1), ((70,), 3), ((0,), 1), ((4, 0), 1)):
        if activation.name == "softmax" and (not shape or not shape[-1]):
            continue
        z = rng.normal(0, scale, shape).astype(dtype)
        expected = second_of(activation, z)
        largest = np.abs(expected).max(initial=0)
        for isa in isas.ISAS:
            with isas.using(isa):
                second = activation.second_derivative(z)
                assert (np.shape(second), second.dtype) == (shape, dtype)
                np.testing.assert_allclose(second, expected, rtol=RTOL[dtype], atol=RTOL[dtype] * largest)


@pytest.mark.parametrize(
    ("name", "z", "second"),
    [
        ("relu", [0], [0]),
        ("relu6", [0, 6], [0, 0]),
        ("leaky_relu", [0], [0]),
        ("elu", [0], [1]),
        ("celu", [0], [1]),
        ("softsign", [0], [0]),
        ("hard_sigmoid", [-3, 3], [0, 0]),
        ("hard_swish", [-3, 3], [0, 0]),
        ("hard_tanh", [-1, 1], [0, 0]),
        ("step", [0], [0]),
    ],
)
def test_where_the_slope_jumps(name, z, second):
    activation, z = activations.get(name), np.array(z, float)
    np.testing.assert_array_equal(second_of(activation, z), second)
    for isa in isas.ISAS:
        with isas.using(isa):
            np.testing.assert_array_equal(activation.second_derivative(z), second)


@every_dtype
@pytest.mark.parametrize("activation", tables.ACTIVATIONS, ids=repr)
def test_nan_and_infinity(activation, dtype):
    if activation.name == "softmax":
        return
    largest = np.finfo(dtype).max
    z = np.array([np.nan, -np.inf, np.inf, -largest, largest], dtype)
    limits = {"exponential": [0, np.inf, 0, np.inf], "sine": [np.nan, np.nan]}
    expected = np.array([*limits.get(activation.name, [0] * 4)], dtype)
    constant = activation.name in ("identity", "step")
    for isa in isas.ISAS:
        with isas.using(isa):
            for second in (activation.second_derivative(z), second_of(activation, z)):
                assert second.dtype == dtype
                assert np.isnan(second[0]) != constant
                np.testing.assert_array_equal(second[1 : 1 + len(expected)], expected)


def logistic(z):
    return 1 / (1 + mp.exp(-z))


def bell(z):
    return logistic(z) * logistic(-z)


def mish_second(z):
    s, t, sech = logistic(z), mp.tanh(mp.log1p(mp.exp(z))), mp.sech(mp.log1p(mp.exp(z)))
    return sech**2 * s * (2 + z * (1 - s - 2 * t * s))


#: f'' in mpmath, of activations with tails
EXACT = {
    "sigmoid": lambda z: -bell(z) * mp.tanh(z / 2),
    "log_sigmoid": lambda z: -bell(z),
    "tanh": lambda z: -2 * mp.tanh(z) * mp.sech(z) ** 2,
    "elu": lambda z: mp.exp(z) if z <= 0 else mpf(0),
    "celu": lambda z: mp.exp(z) if z <= 0 else mpf(0),
    "gelu": lambda z: (2 - z * z) * mp.npdf(z),
    "silu": lambda z: bell(z) * (2 - z * mp.tanh(z / 2)),
    "mish": mish_second,
    "exponential": mp.exp,
    "softplus": bell,
    "softsign": lambda z: -2 * mp.sign(z) / (1 + abs(z)) ** 3,
    "gaussian": lambda z: (4 * z * z - 2) * mp.exp(-z * z),
}


@every_dtype
@pytest.mark.parametrize("name", EXACT)
def test_digits_far_out(name, dtype):
    """Down to where it underflows, in relative error but for zeros of f''."""
    end = {np.float32: 88, np.float64: 700}[dtype]
    z = np.concatenate([np.geomspace(1e-6, end, 25), np.linspace(1, 40, 40)])
    z = np.concatenate([z, -z]).astype(dtype)
    eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).smallest_subnormal)
    with mp.workprec(250):
        exact = [EXACT[name](mpf(x)) for x in z.tolist()]
        # relative to the larger of f''(z) and its change when z changes by 1 %
        near = [abs(EXACT[name](mpf(x) * mpf(1.01)) - e) for x, e in zip(z.tolist(), exact, strict=True)]
        for isa in isas.ISAS:
            with isas.using(isa):
                got = _core.second_derivative(name, 1.0, z)
                for x, y, e, change in zip(z.tolist(), got.tolist(), exact, near, strict=True):
                    assert abs(mpf(y) - e) <= 16 * eps * (abs(e) + change) + 8 * tiny * (1 + x * x), (x, y, e)


# ---- losses ------------------------------------------------------------------------------------------------


def problem(loss, rng, dtype=np.float64, rows=7):
    """Logits, outputs, targets and a direction, all (rows, 6), away from kinks."""
    z, r = rng.normal(size=(2, rows, 6))
    t = {"hinge": np.sign(z[::-1]), "poisson": rng.poisson(2, z.shape)}.get(
        loss.name, rng.normal(size=z.shape)
    )
    if loss.name in ("cross_entropy", "binary_cross_entropy"):
        t = rng.dirichlet(np.ones(6), rows)
    t = loss.expected(t[:, :: loss.outputs_per_target]).astype(dtype)
    z, r = z.astype(dtype), r.astype(dtype)
    h = activations.get(loss.activation or "identity")(z)
    return z, h, t, r


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_they_are_differences_of_the_slopes(loss):
    _, h, t, r = problem(loss, np.random.default_rng(1))
    step = 1e-6 * r
    expected = (loss.slopes(h + step, t) - loss.slopes(h - step, t)) / 2e-6
    smooth = is_smooth(loss.name, h - t) & (abs(1 - h * t) > MARGIN)
    assert smooth.mean() > 0.9
    product = loss.curvatures(h, t, r)
    scale = abs(expected[smooth]).max()
    np.testing.assert_allclose(product[smooth], expected[smooth], rtol=1e-6, atol=1e-8 * (1 + scale))


def joint_slopes(loss, z, t):
    """What the native loss calls its slope: by z, if it is joined with an activation."""
    return activations.get(loss.activation)(z) - t


@every_dtype
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_native_loss_curvatures(loss, dtype):
    for rows in (1, 7, 40):
        z, h, t, r = problem(loss, np.random.default_rng(rows), dtype, rows)
        expected = loss.curvatures(h, t, r)
        if loss.activation not in (None, "identity"):
            wide, along, goals = (a.astype(np.float64) for a in (z, 1e-5 * r, t))
            above, below = (joint_slopes(loss, wide + sign * along, goals) for sign in (1, -1))
            expected = (above - below) / 2e-5
        for isa in isas.ISAS:
            with isas.using(isa):
                product = _core.loss_curvature(loss.name, loss.parameter, z, t, r)
                assert product.dtype == dtype
                rtol = 1e-5 if dtype == np.float32 else 1e-9
                np.testing.assert_allclose(product, expected, rtol=rtol, atol=rtol * abs(expected).max())


@every_dtype
def test_losses_where_they_saturate(dtype):
    z = np.array([[-1e4, 1e4], [-90, 90], [-30, 30]], dtype)
    t, r = np.zeros_like(z), np.ones_like(z)
    bells = np.exp(-abs(z))
    for isa in isas.ISAS:
        with isas.using(isa):
            for name, expected in (
                ("binary_cross_entropy", bells),
                ("log_cosh", 4 * np.square(bells)),
                ("cross_entropy", 0 * z),
                ("half_sse", r),
                ("huber", 0 * z),
            ):
                product = _core.loss_curvature(name, 1.0 if name == "huber" else 0.0, z, t, r)
                np.testing.assert_allclose(product, expected, rtol=1e-5, atol=1e-40)
            zeros = _core.loss_curvature("gaussian_nll", 0.0, np.array([[0, -1e5]], dtype), t[:1], 0 * r[:1])
            np.testing.assert_array_equal(zeros, [[0, 0]])


def test_arguments_that_do_not_fit():
    z = np.ones((3, 2))
    out = np.empty_like(z)
    assert _core.loss_curvature("mse", 0.0, z, z, z, out) is out
    np.testing.assert_array_equal(out, 2)
    with pytest.raises(ShapeError, match=r"t has shape \(3, 1\), expected \(3, 2\) as h has"):
        _core.loss_curvature("mse", 0.0, z, z[:, :1], z)
    with pytest.raises(DTypeError, match="r has dtype float32, expected float64 as h has"):
        _core.loss_curvature("mse", 0.0, z, z, z.astype("f4"))
    with pytest.raises(ShapeError, match=r"h has shape \(3,\), expected \(rows, outputs\)"):
        _core.loss_curvature("mse", 0.0, z[:, 0], z, z)
    for columns in (0, 1, 3):  # an odd number of outputs has no pairs
        for name in losses.LOSSES:
            z = np.ones((2, columns))
            assert _core.loss_curvature(name, 0.0, z, z, z).shape == z.shape
