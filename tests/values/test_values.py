"""Activations, losses, optimizers and layers as frozen values, and the functions that they are."""

import copy
import dataclasses
import math
import pickle

import numpy as np
import pytest

from fastbp import _core, activations, losses, optimizers, reference
from fastbp.activations import CELU, ELU, Activation, LeakyReLU
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError
from fastbp.layers import Dense
from fastbp.losses import (
    MAE,
    MSE,
    BinaryCrossEntropy,
    CrossEntropy,
    HalfSSE,
    Hinge,
    Huber,
    LogCosh,
    Poisson,
    Quantile,
)
from fastbp.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, IRprop, Lion, NAdam, Quickprop, RMSprop
from fastbp.schedules import Constant, Cosine, Exponential, InverseScaling, OneCycle, Step

nan, inf = math.nan, math.inf

VALUES = {
    "relu": lambda: Activation("relu"),
    "LeakyReLU(alpha=0.2)": lambda: LeakyReLU(alpha=0.2),
    "ELU(alpha=2.0)": lambda: ELU(alpha=2),
    "CELU(alpha=0.5)": lambda: CELU(0.5),
    "HalfSSE(reduction='mean')": lambda: HalfSSE(reduction="mean"),
    "MSE()": MSE,
    "MAE()": MAE,
    "Huber(delta=2.0)": lambda: Huber(delta=2),
    "LogCosh()": LogCosh,
    "Quantile(q=0.9)": lambda: Quantile(q=0.9),
    "Hinge()": Hinge,
    "Poisson()": Poisson,
    "BinaryCrossEntropy()": BinaryCrossEntropy,
    "CrossEntropy(label_smoothing=0.1)": lambda: CrossEntropy(label_smoothing=0.1),
    "SGD(learning_rate=0.1, momentum=0.9, nesterov=True)": lambda: SGD(0.1, 0.9, nesterov=True),
    "SGD(learning_rate=Step(learning_rate=0.1, every=9, factor=0.5), momentum=0.0, nesterov=False)": lambda: (
        SGD(Step(0.1, 9, 0.5))
    ),
    "Constant(learning_rate=0.0)": lambda: Constant(0),
    "Step(learning_rate=0.1, every=9, factor=0.5)": lambda: Step(0.1, 9, 0.5),
    "Exponential(learning_rate=0.1, decay=0.9, every=1)": lambda: Exponential(0.1, 0.9),
    "InverseScaling(learning_rate=0.1, power=0.5)": lambda: InverseScaling(0.1),
    "Cosine(learning_rate=0.1, steps=9, final=0.0, warmup=0)": lambda: Cosine(0.1, np.int64(9)),
    "OneCycle(learning_rate=0.1, steps=9, warmup_share=0.3, start_divisor=25.0, final_divisor=10000.0)": (
        lambda: OneCycle(0.1, 9)
    ),
    "Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, amsgrad=False)": Adam,
    "Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, amsgrad=True)": lambda: Adam(
        amsgrad=True
    ),
    "AdamW(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01)": AdamW,
    "NAdam(learning_rate=0.002, beta1=0.9, beta2=0.999, epsilon=1e-08, momentum_decay=0.004)": NAdam,
    "RMSprop(learning_rate=0.01, alpha=0.99, epsilon=1e-08, momentum=0.0)": RMSprop,
    "Adagrad(learning_rate=0.01, epsilon=1e-10)": Adagrad,
    "Adadelta(learning_rate=1.0, rho=0.9, epsilon=1e-06)": Adadelta,
    "Lion(learning_rate=0.0001, beta1=0.9, beta2=0.99, weight_decay=0.0)": Lion,
    "IRprop(learning_rate=0.01, eta_minus=0.5, eta_plus=1.2, step_min=1e-06, step_max=50.0)": IRprop,
    "Quickprop(learning_rate=0.01, mu=1.75)": Quickprop,
    "Dense(units=3, activation=relu, initializer='he_uniform', l1=0.0, l2=0.0, dropout=0.1, max_norm=2.0)": (
        lambda: Dense(np.int64(3), "relu", "he", dropout=0.1, max_norm=2)
    ),
}


@pytest.mark.parametrize("text", VALUES)
def test_values_are_frozen_hashable_and_equal_by_content(text):
    value, twin = VALUES[text](), VALUES[text]()
    assert repr(value) == text
    assert value == twin
    assert hash(value) == hash(twin)
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    with pytest.raises(AttributeError):
        setattr(value, dataclasses.fields(value)[0].name if dataclasses.fields(value) else "name", 1)
    assert [key for key, make in VALUES.items() if make() == value] == [text]


def test_a_value_can_be_replaced_by_one_like_it():
    assert dataclasses.replace(LeakyReLU(0.2), alpha=0.3) == LeakyReLU(0.3)
    assert dataclasses.replace(Adam(beta1=0.5), learning_rate=1) == Adam(1.0, beta1=0.5)


NUMBERS = [
    (LeakyReLU, "alpha", [-0.1, nan, inf], ">= 0"),
    (ELU, "alpha", [0, -1.0, nan, inf], "> 0"),
    (CELU, "alpha", [0, -1.0, nan, inf], "> 0"),
    (Huber, "delta", [0, -1.0, nan, inf], "> 0"),
    (Quantile, "q", [0, 1, -0.1, nan, inf], "> 0 and < 1"),
    (CrossEntropy, "label_smoothing", [-0.1, 1, nan, inf], ">= 0 and < 1"),
    (IRprop, "eta_minus", [0, 1.0, nan], "> 0 and < 1"),
    (IRprop, "eta_plus", [1.0, nan, inf], "> 1"),
    (IRprop, "step_min", [0, 1e-40, nan, inf], ">= 1.17549e-38"),
    (IRprop, "step_max", [0, 1e-7, nan, inf], ">= 1e-06"),
]
SHARED_NUMBERS = {
    "learning_rate": ([0, -0.1, nan, inf], "> 0"),
    "mu": ([0, -0.1, nan, inf], "> 0"),
    "epsilon": ([0, -1e-8, 1e-40, nan, inf], ">= 1.17549e-38"),
    **dict.fromkeys(("momentum", "beta1", "beta2", "alpha", "rho"), ([-0.1, 1.0, nan], ">= 0 and < 1")),
    **dict.fromkeys(("weight_decay", "momentum_decay"), ([-0.1, nan, inf], ">= 0")),
}
NUMBERS += [
    (type(optimizer), field.name, *SHARED_NUMBERS[field.name])
    for optimizer in optimizers.OPTIMIZERS.values()
    for field in dataclasses.fields(optimizer)
    if field.name in SHARED_NUMBERS
]


@pytest.mark.parametrize(
    ("kind", "argument", "value", "expected"),
    [
        (kind, argument, value, text)
        for kind, argument, values, text in NUMBERS
        for value in (*values, "1", None, True)
    ],
)
def test_bad_numbers_are_named(kind, argument, value, expected):
    with pytest.raises(ParameterError) as error:
        kind(**{argument: value})
    assert str(error.value) == f"{argument} is {value!r}, expected a finite number {expected}"


@pytest.mark.parametrize("units", [0, -1, 2.0, "3", None, True])
def test_bad_units_are_named(units):
    with pytest.raises(ParameterError) as error:
        Dense(units)
    assert str(error.value) == f"units is {units!r}, expected an integer >= 1"


def test_other_bad_parameters_are_named():
    with pytest.raises(ParameterError, match="reduction is 'max', expected one of: sum, mean"):
        HalfSSE(reduction="max")
    with pytest.raises(ParameterError, match=r"delta is 10+, expected a finite number > 0"):
        Huber(delta=10**400)
    with pytest.raises(ParameterError, match="nesterov is 1, expected True or False"):
        SGD(momentum=0.9, nesterov=1)
    with pytest.raises(ParameterError, match="amsgrad is 'yes', expected True or False"):
        Adam(amsgrad="yes")
    with pytest.raises(ParameterError, match=r"momentum is 0\.0 with nesterov=True, expected a momentum > 0"):
        SGD(nesterov=True)


@pytest.mark.parametrize(
    ("get", "argument", "names"),
    [
        (activations.get, "activation", activations.ACTIVATIONS),
        (losses.get, "loss", losses.LOSSES),
        (optimizers.get, "optimizer", optimizers.OPTIMIZERS),
    ],
)
def test_names_and_values_are_both_accepted(get, argument, names):
    for name, value in names.items():
        assert get(name) is value
        assert get(value) is value
    for unknown in ("rleu", "", None, 3, ["relu"]):
        with pytest.raises(ParameterError) as error:
            get(unknown)
        assert str(error.value) == f"{argument} is {unknown!r}, expected one of: {', '.join(names)}"
    with pytest.raises(ParameterError, match="expected one of: identity, sigmoid"):
        Activation("rleu")


def test_optimizers_have_the_numbers_of_their_row():
    assert (SGD(0.1).row, SGD(0.1).hyperparameters) == ("sgd", (0.1,))
    assert (SGD(0.1, 0.9).row, SGD(0.1, 0.9).hyperparameters) == ("momentum", (0.1, 0.9))
    assert SGD(0.1, 0.9, nesterov=True).row == "nesterov"
    assert (Adam(1).row, Adam(1).hyperparameters) == ("adam", (1.0, 0.9, 0.999, 1e-8))
    assert Adam(1, amsgrad=True).row == "amsgrad"
    assert Adam(1, amsgrad=True).hyperparameters == Adam(1).hyperparameters
    assert (RMSprop(1).row, RMSprop(1).hyperparameters) == ("rmsprop", (1.0, 0.99, 1e-8))
    assert RMSprop(1, momentum=0.5).row == "rmsprop_momentum"
    assert RMSprop(1, momentum=0.5).hyperparameters == (1.0, 0.99, 1e-8, 0.5)
    assert IRprop(1).hyperparameters == (1.0, 0.5, 1.2, 1e-6, 50.0)
    assert all(value.hyperparameters[0] == value.learning_rate for value in optimizers.OPTIMIZERS.values())


# ---- the tables --------------------------------------------------------------------------------------------


def test_both_engines_have_the_same_tables():
    assert tuple(reference.ACTIVATIONS) == tuple(name for name, *_ in _core.ACTIVATIONS)
    assert {name: n_states for name, (n_states, _) in reference.OPTIMIZERS.items()} == dict(_core.OPTIMIZERS)
    assert tuple(losses.LOSSES) == tuple(name for name, *_ in _core.LOSSES)
    links = {name: link for name, link, _ in _core.LOSSES if link != "none"}
    assert links == {name: loss.activation for name, loss in losses.LOSSES.items() if loss.activation}
    assert links.keys() == reference.JOINT.keys()


def test_every_row_is_an_activation_of_the_module():
    for name, alpha, formula, _ in _core.ACTIVATIONS:
        value = getattr(activations, name)
        assert (value.name, value.alpha, value.formula) == (name, alpha, formula)
    assert activations.leaky_relu == LeakyReLU() == LeakyReLU(0.01)
    assert (activations.elu, activations.celu) == (ELU(), CELU()) == (ELU(1.0), CELU(1.0))


# ---- activations as functions ------------------------------------------------------------------------------

FUNCTIONS = [*activations.ACTIVATIONS.values(), LeakyReLU(0.2), ELU(0.7), CELU(1.7)]
SHAPES = [(), (1,), (70,), (3, 5), (2, 3, 4), (0,), (4, 0)]
TOLERANCES = {np.float32: {"rtol": 5e-6, "atol": 2e-6}, np.float64: {"rtol": 1e-13, "atol": 1e-14}}


def reference_of(activation, z):
    """The reference's f(z) and f'(z)."""
    row = reference.ACTIVATIONS[activation.name]
    with np.errstate(over="ignore"):
        y = row.function(z, activation.alpha)
        return y, row.derivative(z, y, activation.alpha)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("activation", FUNCTIONS, ids=repr)
def test_activation_is_the_references(activation, dtype):
    for scale in (1, 10):
        z = np.random.default_rng(0).normal(0, scale, (40, 7)).astype(dtype)
        y, slope = reference_of(activation, z)
        for ours, expected in ((activation(z), y), (activation.derivative(z), slope)):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, expected, **TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("activation", FUNCTIONS, ids=repr)
def test_activation_takes_any_shape(activation, dtype):
    for shape in SHAPES:
        if activation.name == "softmax" and (not shape or not shape[-1]):
            continue
        z = np.random.default_rng(0).normal(size=shape).astype(dtype)
        y, slope = reference_of(activation, z)
        for ours, expected in ((activation(z), y), (activation.derivative(z), slope)):
            assert (np.shape(ours), ours.dtype) == (shape, dtype)
            np.testing.assert_allclose(ours, expected, **TOLERANCES[dtype])


@pytest.mark.parametrize("activation", FUNCTIONS, ids=repr)
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


@pytest.mark.parametrize("activation", FUNCTIONS, ids=repr)
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
@pytest.mark.parametrize("activation", FUNCTIONS, ids=repr)
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


# ---- losses as functions -----------------------------------------------------------------------------------

H = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
T = np.array([[0.0, 1.0, 0.0], [0.7, 0.2, 0.1]])


def test_losses_by_hand():
    r = H - T
    assert losses.half_sse(H, T) == pytest.approx(np.sum(r**2) / 2, rel=1e-15)
    assert HalfSSE(reduction="mean")(H, T) == pytest.approx(np.sum(r**2) / 4, rel=1e-15)
    assert losses.mse(H, T) == pytest.approx(np.sum(r**2) / 6, rel=1e-15)
    assert losses.mae(H, T) == pytest.approx(np.sum(abs(r)) / 6, rel=1e-15)
    assert Huber(delta=0.4)([[0, 0.3, -2]], [[0, 0, 0]]) == pytest.approx((0.045 + 0.4 * 1.8) / 3, rel=1e-15)
    assert losses.log_cosh([[0, 0.5, -800]], [[0, 0, 0]]) == pytest.approx(
        (math.log(math.cosh(0.5)) + 800 - math.log(2)) / 3, rel=1e-15
    )
    assert Quantile(0.9)([[1, 2, 5]], [[3, 2, 1]]) == pytest.approx((0.9 * 2 + 0.1 * 4) / 3, rel=1e-15)
    assert losses.hinge([[0.5, -2, 3]], [[1, 1, -1]]) == pytest.approx((0.5 + 3 + 4) / 3, rel=1e-15)
    assert losses.poisson([[2, 0.5]], [[3, 0]]) == pytest.approx((2 - 3 * math.log(2) + 0.5) / 2, rel=1e-15)
    assert CrossEntropy(0.3)(H[:1], [1]) == pytest.approx(
        -(0.1 * math.log(0.2) + 0.8 * math.log(0.5) + 0.1 * math.log(0.3)), rel=1e-15
    )
    assert losses.binary_cross_entropy([0.25], [0.5]) == pytest.approx(-math.log(0.25 * 0.75) / 2, rel=1e-15)
    assert losses.cross_entropy(H, [1, 0]) == pytest.approx(-math.log(0.5 * 0.6) / 2, rel=1e-15)


def test_slopes_at_kinks():
    """As documented: 0 for all three."""
    for loss, h, t in (
        (losses.mae, 2.0, 2.0),
        (Quantile(0.9), 2.0, 2.0),
        (losses.hinge, 1.0, 1.0),
        (losses.hinge, -1.0, -1.0),
    ):
        assert loss.gradient([h], [t]) == 0


@pytest.mark.parametrize(
    "loss",
    [*losses.LOSSES.values(), HalfSSE(reduction="mean"), Huber(0.4), Quantile(0.9), CrossEntropy(0.1)],
    ids=repr,
)
def test_loss_gradient_is_the_numerical_one(loss):
    numerical = np.empty_like(H)
    for i in np.ndindex(H.shape):
        step = np.zeros_like(H)
        step[i] = 1e-6
        numerical[i] = (loss(H + step, T) - loss(H - step, T)) / 2e-6
    gradient = loss.gradient(H, T)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-8, atol=1e-9)
    single = loss.gradient(H.astype(np.float32), T)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, gradient, rtol=1e-6)


@pytest.mark.parametrize("loss", losses.LOSSES.values(), ids=repr)
def test_loss_leaves_its_arguments_alone(loss):
    h, t = H.copy(), T.copy()
    assert isinstance(loss(h, t), float)
    loss.gradient(h, t)
    np.testing.assert_array_equal(h, H)
    np.testing.assert_array_equal(t, T)


@pytest.mark.parametrize("loss", losses.LOSSES.values(), ids=repr)
def test_loss_passes_nan_on(loss):
    h = H.copy()
    h[1, 0] = nan
    assert math.isnan(loss(h, T))
    assert math.isnan(loss.gradient(h, T)[1, 0])
    assert math.isnan(loss(H, np.full_like(T, nan)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_poisson_stays_finite_at_0(dtype):
    zero = np.zeros((1, 1), dtype)
    assert losses.poisson(zero, zero) == 0
    assert losses.poisson(zero, zero + 2) == 200
    assert np.isfinite(losses.poisson.gradient(zero, zero + 2)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropies_stay_finite_at_0_and_1(dtype):
    h = np.array([[0, 1], [1, 0]], dtype)
    assert losses.binary_cross_entropy(h, 1 - h) == 100
    assert losses.cross_entropy(h, 1 - h) == 100
    for loss in (losses.binary_cross_entropy, losses.cross_entropy):
        assert loss(h, h) == 0
        assert np.isfinite(loss.gradient(h, 1 - h)).all()


def test_loss_sums_in_double():
    h = np.full((100_000, 1), 0.1, np.float32)
    term = float(np.float32(0.5) * h[0, 0] * h[0, 0])
    assert losses.half_sse(h, np.zeros_like(h)) == pytest.approx(100_000 * term, rel=1e-11)


def test_one_row_and_one_output_need_one_dimension():
    assert losses.mse(H[0], T[0]) == losses.mse(H[:1], T[:1])
    assert HalfSSE(reduction="mean")(H[0], T[0]) == HalfSSE(reduction="mean")(H[:1], T[:1])
    assert losses.cross_entropy(H[0], 1) == losses.cross_entropy(H[:1], [1])
    assert losses.mse.gradient(H[0], T[0]).shape == (3,)
    assert losses.mse(H[:, :1], T[:, 0]) == losses.mse(H[:, :1], T[:, :1])
    np.testing.assert_array_equal(
        losses.mse.gradient(H[:, :1], T[:, 0]), losses.mse.gradient(H[:, :1], T[:, :1])
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64, ">i4", bool])
def test_labels_of_any_integer_dtype(dtype):
    assert losses.cross_entropy(H, np.array([1, 0], dtype)) == losses.cross_entropy(H, [[0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize("loss", [*losses.LOSSES.values(), losses.CrossEntropy(0.1)], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_where_numpy_raises(loss, dtype):
    """What over- or underflows is the loss's own affair, whatever numpy.seterr says."""
    numbers = [
        0,
        1e-320,
        1e-310,
        1e-200,
        1e-45,
        1e-39,
        1,
        100,
        500,
        1e20,
        1e38,
        1e308,
        -1e308,
        -500,
        math.inf,
        math.nan,
    ]
    for h in numbers:
        with np.errstate(all="ignore"):
            output = np.array([[h, 0.5]], dtype)
        for t in numbers:
            quiet = loss(output, [[t, 0.5]]), loss.gradient(output, [[t, 0.5]])
            with np.errstate(all="raise"):
                raising = loss(output, [[t, 0.5]]), loss.gradient(output, [[t, 0.5]])
            for one, other in zip(quiet, raising, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("loss", losses.LOSSES.values(), ids=repr)
def test_losses_of_one_output_do_not_broadcast(loss):
    """Targets (n,) of outputs (n, 1) are a column, and of no other shape."""
    output, target = np.linspace(0.1, 0.9, 5)[:, None], np.ones(5)
    if loss.name != "cross_entropy":
        assert loss(output, target) == loss(output, target[:, None])
        assert loss.gradient(output, target).shape == (5, 1)
    for h, t in (
        (output, target[:4]),
        (output[:, 0], target[:, None]),
        (output, target[None]),
        (output, 1.0),
    ):
        for call in (loss, loss.gradient):
            with pytest.raises(ShapeError, match="target has shape"):
                call(h, t)


@pytest.mark.parametrize("loss", losses.LOSSES.values(), ids=repr)
def test_loss_refuses_shapes_that_do_not_fit(loss):
    for target in (T[:1], T[:, :2], T.T, T[0], 0.5, T[None]):
        with pytest.raises(ShapeError, match="target has shape"):
            loss(H, target)
        with pytest.raises(ShapeError, match="target has shape"):
            loss.gradient(H, target)
    for output in (0.5, H[None], H[:0]):
        with pytest.raises(ShapeError, match=r"output has shape .* expected \(rows, outputs\)"):
            loss(output, T)
    with pytest.raises(DTypeError, match="output has dtype complex128, expected real numbers"):
        loss(H.astype(complex), T)
    with pytest.raises(DTypeError, match="target has dtype <U1, expected real numbers"):
        loss(H, np.full(T.shape, "a"))


def test_labels_are_checked():
    with pytest.raises(DataError, match="target has the label 3, expected 0 to 2"):
        losses.cross_entropy(H, [0, 3])
    with pytest.raises(DataError, match="target has the label -1, expected 0 to 2"):
        losses.cross_entropy(H, [-1, 0])
    with pytest.raises(
        ShapeError, match=r"target has shape \(2,\) and dtype float64, expected integer labels \(2,\)"
    ):
        losses.cross_entropy(H, [0.0, 1.0])


def test_pairs_that_make_no_sense_are_refused_by_name():
    for loss in losses.LOSSES.values():
        default = activations.get(losses.output_activation(loss))
        losses.check_pair(loss, default)
        for activation in activations.ACTIVATIONS.values():
            assert losses.allowed(loss, activation) == (loss.activation is None or activation == default)
    with pytest.raises(
        ParameterError, match=r"output_activation is 'relu' with the loss 'cross_entropy', .*'softmax'"
    ):
        losses.check_pair(losses.cross_entropy, activations.relu)
    with pytest.raises(
        ParameterError, match="'softmax' with the loss 'binary_cross_entropy', expected 'sigmoid'"
    ):
        losses.check_pair(losses.binary_cross_entropy, activations.softmax)
