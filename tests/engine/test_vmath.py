"""The vector math of every instruction set: its error, its special values, its independence of position."""

import math
import runpy
from functools import cache

import numpy as np
import pytest
from mpmath import mp, mpf

from fastbp import _core, reference
from helpers.paths import ROOT

# The same function in float64, the truth for float32, and in mpmath, the truth for float64.
TRUTH = {
    "exp": (np.exp, mp.exp),
    "expm1": (np.expm1, mp.expm1),
    "log1p": (np.log1p, mp.log1p),
    "tanh": (np.tanh, mp.tanh),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / (1 + mp.exp(-x))),
    "softplus": (lambda x: np.logaddexp(0, x), lambda x: mp.log1p(mp.exp(x))),
    "sin": (np.sin, mp.sin),
    "cos": (np.cos, mp.cos),
}
# at -inf, -0, 0, inf
LIMITS = {
    "exp": (0, 1, 1, np.inf),
    "expm1": (-1, -0.0, 0, np.inf),
    "log1p": (np.nan, -0.0, 0, np.inf),
    "tanh": (-1, -0.0, 0, 1),
    "sigmoid": (0, 0.5, 0.5, 1),
    "softplus": (0, math.log(2), math.log(2), np.inf),
    "sin": (np.nan, -0.0, 0, np.nan),
    "cos": (np.nan, 1, 1, np.nan),
}
#: the largest error in ulp; 3 of the functions that are not named
LARGEST = {"tanh": 2.6, "sigmoid": 2.6}
every_function = pytest.mark.parametrize("name", _core.VECTOR_MATH)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def float32_points():
    """Every 10 007th of all float32 numbers, infinities and NaN included, and more around 1."""
    spread = np.arange(0, 2**32, 10_007, dtype=np.uint64).astype(np.uint32).view(np.float32)
    near_one = (1 + np.arange(-40_000, 40_000, 7) * 2.0**-24).astype(np.float32)
    return np.concatenate([spread, near_one, -near_one])


def float64_points(name):
    """Random numbers of all magnitudes, more where the functions bend, and the edges of their ranges."""
    rng = np.random.default_rng(0)
    everywhere = rng.integers(0, 2**64, 1000, dtype=np.uint64).view(np.float64)
    bend = np.ldexp(rng.uniform(1, 2, 1200), rng.integers(-30, 11, 1200)) * rng.choice([-1, 1], 1200)
    edges = [-745.2, -745.1, -708.4, -40, -37, 36, 40, 709.7, 709.8, 2.0**20, 2e6]
    zeros_of_sine = np.arange(1, 20_000, 200) * np.pi / 2
    x = np.concatenate([everywhere, bend, edges, zeros_of_sine, -zeros_of_sine])
    return x[np.isfinite(x) & ((x > -1) | (name != "log1p"))]


def ulps(y, nearest, rest):
    """Return the error of y in units in the last place, where the truth is nearest + rest such units."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs((y - nearest) / np.spacing(np.abs(nearest)) - rest)
    equal = (y == nearest) | (np.isnan(y) & np.isnan(nearest))
    return np.where(np.isfinite(nearest), np.nan_to_num(error, nan=np.inf), np.where(equal, 0, np.inf))


@pytest.fixture(scope="module", params=_core.VECTOR_MATH)
def truth(request):
    """A name; float32 points, the numbers nearest to their truth, the rest in ulps; the same for float64."""
    name = request.param
    in_float64, exactly = TRUTH[name]
    x32, x64 = float32_points(), float64_points(name)
    with np.errstate(all="ignore"):
        y32 = in_float64(x32.astype(np.float64))
        nearest32 = y32.astype(np.float32)
        rest32 = (y32 - nearest32) / np.spacing(np.abs(nearest32))
    with mp.workprec(120):
        y64 = [exactly(mpf(x)) for x in x64.tolist()]
        nearest64 = np.array([float(y) for y in y64])
        unit64 = np.spacing(np.abs(nearest64))
        rest64 = np.array([float((y - n) / u) for y, n, u in zip(y64, nearest64, unit64, strict=True)])
    return name, (x32, nearest32, rest32), (x64, nearest64, rest64)


def test_error_in_float32(truth, isa):
    name, (x, nearest, rest), _ = truth
    y = _core.vector_math(name, x)
    assert y.dtype == np.float32
    error = ulps(y, nearest, rest)
    assert error.max() <= LARGEST.get(name, 3), (name, x[error.argmax()])


def test_error_in_float64(truth, isa):
    name, _, (x, nearest, rest) = truth
    error = ulps(_core.vector_math(name, x), nearest, rest)
    assert error.max() <= LARGEST.get(name, 3), (name, x[error.argmax()])


@every_function
@every_dtype
def test_limits_and_zeros(name, dtype, isa):
    y = _core.vector_math(name, np.array([-np.inf, -0.0, 0.0, np.inf], dtype))
    expected = np.array(LIMITS[name], dtype)
    np.testing.assert_allclose(y, expected, rtol=np.finfo(dtype).eps)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y)[known], np.signbit(expected)[known])
    assert np.isnan(_core.vector_math(name, np.array([np.nan], dtype))).all()


@every_dtype
def test_pole_and_domain_of_log1p(dtype, isa):
    y = _core.vector_math("log1p", np.array([-1, np.nextafter(dtype(-1), dtype(-2)), -2, -1e30], dtype))
    assert y[0] == -np.inf
    assert np.isnan(y[1:]).all()


@every_dtype
def test_tiny_arguments_come_back(dtype, isa):
    x = np.arange(-5, 6) * np.finfo(dtype).smallest_subnormal
    for name in ("tanh", "expm1", "log1p", "sin"):
        np.testing.assert_allclose(
            _core.vector_math(name, x), x, rtol=0, atol=np.finfo(dtype).smallest_subnormal
        )


@every_dtype
def test_bounded_functions_keep_their_bounds(dtype, isa):
    x = np.linspace(-50, 50, 100_001).astype(dtype)
    for name, low in (("tanh", -1), ("sigmoid", 0)):
        y = _core.vector_math(name, x)
        assert y.min() >= low
        assert y.max() == 1
        assert y[-1] == 1


@every_function
@every_dtype
def test_a_result_does_not_depend_on_its_neighbors(name, dtype, isa):
    x = np.random.default_rng(0).normal(size=70).astype(dtype) * 10
    x[::9] = 1e8  # beyond the vector code of sin and cos
    whole = _core.vector_math(name, x)
    for n in range(1, len(x)):
        np.testing.assert_array_equal(_core.vector_math(name, x[:n]), whole[:n])
        np.testing.assert_array_equal(_core.vector_math(name, x[n:]), whole[n:])


# ---- activations, far out ----------------------------------------------------------------------------------


def logistic(z):
    return 1 / (1 + mp.exp(-z))


def normal(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2


def gelu_tanh_argument(z):
    return mp.sqrt(8 / mp.pi) * z * (1 + mpf(0.044715) * z * z)


def mish_factor(z):
    return mp.tanh(mp.log1p(mp.exp(z)))


ONE_SIXTH = mpf(1) / 6
ALPHA, SCALE = mpf("1.6732632423543772848170429916717"), mpf("1.0507009873554804934193349852946")

#: y = f(z), f'(z), and the argument of an exponential that is rounded before it is taken, else 0
EXACT = {
    "sigmoid": (logistic, lambda z: logistic(z) * logistic(-z), 0),
    "log_sigmoid": (lambda z: -mp.log1p(mp.exp(-z)), lambda z: logistic(-z), 0),
    "tanh": (mp.tanh, lambda z: 1 / mp.cosh(z) ** 2, 0),
    "elu": (lambda z: z if z > 0 else mp.expm1(z), lambda z: 1 if z > 0 else mp.exp(z), 0),
    "selu": (
        lambda z: SCALE * (z if z > 0 else ALPHA * mp.expm1(z)),
        lambda z: SCALE * (1 if z > 0 else ALPHA * mp.exp(z)),
        0,
    ),
    "celu": (lambda z: z if z > 0 else mp.expm1(z), lambda z: 1 if z > 0 else mp.exp(z), 0),
    "gelu": (
        lambda z: z * normal(z),
        lambda z: normal(z) + z * mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi),
        0,
    ),
    "gelu_tanh": (
        lambda z: z * logistic(gelu_tanh_argument(z)),
        lambda z: (
            logistic(gelu_tanh_argument(z))
            * (1 + logistic(-gelu_tanh_argument(z)) * mp.sqrt(8 / mp.pi) * (z + 3 * mpf(0.044715) * z**3))
        ),
        gelu_tanh_argument,
    ),
    "silu": (lambda z: z * logistic(z), lambda z: logistic(z) * (1 + z * logistic(-z)), 0),
    "mish": (
        lambda z: z * mish_factor(z),
        lambda z: mish_factor(z) + z * logistic(z) / mp.cosh(mp.log1p(mp.exp(z))) ** 2,
        0,
    ),
    "exponential": (mp.exp, mp.exp, 0),
    "softplus": (lambda z: mp.log1p(mp.exp(z)), logistic, 0),
    "softsign": (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2, 0),
    "hard_sigmoid": (
        lambda z: min(max((z + 3) / 6, mpf(0)), mpf(1)),
        lambda z: ONE_SIXTH if -3 < z < 3 else 0,
        0,
    ),
    "hard_swish": (
        lambda z: z * min(max((z + 3) / 6, mpf(0)), mpf(1)),
        lambda z: 0 if z <= -3 else 1 if z >= 3 else z / 3 + mpf(0.5),
        0,
    ),
    "gaussian": (lambda z: mp.exp(-z * z), lambda z: -2 * z * mp.exp(-z * z), 0),
}
#: activations whose derivative comes from y, which is rounded where it is close to a bound
FROM_Y = {"sigmoid", "tanh", "elu", "selu", "celu", "softsign"}


@cache
def far_out(name, dtype):
    """z, y and f'(z) in mpmath, and how far each of them may be off, but for factors of a few units."""
    ends = {np.float32: 105, np.float64: 750}[dtype]
    z = np.concatenate([np.geomspace(1e-8, ends, 120), np.linspace(1, 40, 157)])
    z = np.concatenate([z, -z]).astype(dtype)
    value, slope, argument = EXACT[name]
    eps, tiny = (mpf(float(x)) for x in (np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal))
    rows = []
    with mp.workprec(200):
        for x in map(mpf, z.tolist()):
            y, d = value(x), slope(x)
            unit = eps * (1 + (abs(argument(x)) if argument else 0))
            d_scale = eps * SCALE * ALPHA if name in FROM_Y else unit * (abs(d) + 2 * abs(y / x))
            d_tiny = tiny * (1 + abs(x) + abs(d * x / y if y else 0))  # y / x may be rounded to a subnormal
            rows.append((y, unit * abs(y) + tiny * (1 + abs(x)), d, d_scale + d_tiny))
    return z, rows


def assert_near(z, got, expected, slack):
    """No element is off by more than its unit times 8, or more where z is large and `slack` is not 0."""
    with mp.workprec(200):
        for x, y, (exact, unit) in zip(z.tolist(), got.tolist(), expected, strict=True):
            if abs(exact) < np.finfo(got.dtype).max:
                assert abs(mpf(y) - exact) <= (8 + slack * x * x) * unit, (x, y, mp.nstr(exact, 10))


@every_dtype
@pytest.mark.parametrize("name", EXACT)
def test_activations_keep_their_digits_far_out(name, dtype, isa):
    """Values and derivatives down to where they underflow, in relative error."""
    z, rows = far_out(name, dtype)
    assert_near(z, _core.activate(name, 1.0, z), [row[:2] for row in rows], 0)
    assert_near(z, _core.derivative(name, 1.0, z), [row[2:] for row in rows], 0)


@every_dtype
@pytest.mark.parametrize("name", EXACT)
def test_those_of_the_reference_too(name, dtype):
    """NumPy rounds the squares in the exponents of some activations, which costs digits."""
    z, rows = far_out(name, dtype)
    function, derivative, _ = reference.ACTIVATIONS[name]
    with np.errstate(all="ignore"):
        y = function(z, 1.0)
        slopes = derivative(z, y, 1.0)
    assert y.dtype == slopes.dtype == dtype
    assert_near(z, y, [row[:2] for row in rows], 1)
    assert_near(z, slopes, [row[2:] for row in rows], 1)


@every_dtype
def test_gelu_of_minus_six(dtype, isa):
    assert _core.activate("gelu", 0.0, np.array([-6], dtype))[0] == pytest.approx(-5.919525869e-9, rel=1e-6)


def test_header_holds_the_fitted_coefficients():
    tool = ROOT / "tools" / "fit_vmath.py"
    if not tool.exists():
        pytest.skip("the tool is not beside these tests")
    fit = runpy.run_path(str(tool))
    header = fit["HEADER"].read_text()
    single, double = fit["WIDTHS"]
    for width in (single, double):
        for name, value in fit["constants"](width):
            assert f"#define {name} {width.literal(value)}\n" in header
    for table in fit["TABLES"]:  # float64's take a minute: `tools/fit_vmath.py --check`
        assert fit["polynomial"](table, single) in header
