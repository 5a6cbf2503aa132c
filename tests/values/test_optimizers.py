"""The optimizers: the reference against the papers' formulas, and what holds for every row."""

import dataclasses
import math

import numpy as np
import pytest

import fastbp
from fastbp import (
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    IRprop,
    Lion,
    NAdam,
    ParameterError,
    Quickprop,
    RAdam,
    RMSprop,
    optimizers,
)
from fastbp.reference import OPTIMIZERS as RULES
from helpers.inside import engine_of
from helpers.optimizers import DECAYING, OPTIMIZERS, VARIANTS
from helpers.tables import DTYPES, ENGINES

# ---- the formulas ------------------------------------------------------------------------------------------


def adam(o, p, gradients):
    """The parameter after each step; also for those that change a detail of it."""
    m = v = largest = 0.0
    decay = getattr(o, "weight_decay", 0.0)
    for t, g in enumerate(gradients, 1):
        p -= o.learning_rate * decay * p
        m = o.beta1 * m + (1 - o.beta1) * g
        v = o.beta2 * v + (1 - o.beta2) * g**2
        largest = max(largest, v)
        corrected = (largest if o.row == "amsgrad" else v) / (1 - o.beta2**t)
        p -= o.learning_rate * m / (1 - o.beta1**t) / (math.sqrt(corrected) + o.epsilon)
        yield p


def nadam(o, p, gradients):
    m, v, product = 0.0, 0.0, 1.0

    def mu(t):
        return o.beta1 * (1 - 0.5 * 0.96 ** (t * o.momentum_decay))

    for t, g in enumerate(gradients, 1):
        product *= mu(t)
        m = o.beta1 * m + (1 - o.beta1) * g
        v = o.beta2 * v + (1 - o.beta2) * g**2
        ahead = mu(t + 1) * m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        p -= o.learning_rate * ahead / (math.sqrt(v / (1 - o.beta2**t)) + o.epsilon)
        yield p


def radam(o, p, gradients):
    m, v, longest = 0.0, 0.0, 2 / (1 - o.beta2) - 1
    for t, g in enumerate(gradients, 1):
        m = o.beta1 * m + (1 - o.beta1) * g
        v = o.beta2 * v + (1 - o.beta2) * g**2
        corrected, length = m / (1 - o.beta1**t), longest - 2 * t * o.beta2**t / (1 - o.beta2**t)
        if length > 5:
            numerator, denominator = ((x - 4) * (x - 2) / x for x in (length, longest))
            adaptive = math.sqrt(1 - o.beta2**t) / (math.sqrt(v) + o.epsilon)
            corrected *= math.sqrt(numerator / denominator) * adaptive
        p -= o.learning_rate * corrected
        yield p


def adamax(o, p, gradients):
    m = u = 0.0
    for t, g in enumerate(gradients, 1):
        m = o.beta1 * m + (1 - o.beta1) * g
        u = max(o.beta2 * u, abs(g) + o.epsilon)
        p -= o.learning_rate / (1 - o.beta1**t) * m / u
        yield p


def sgd(o, p, gradients):
    velocity = 0.0
    for g in gradients:
        g += o.weight_decay * p
        velocity = o.momentum * velocity + g
        p -= o.learning_rate * (g + o.momentum * velocity if o.nesterov else velocity)
        yield p


def rmsprop(o, p, gradients):
    v = b = mean = 0.0
    for g in gradients:
        v = o.alpha * v + (1 - o.alpha) * g**2
        mean = o.alpha * mean + (1 - o.alpha) * g if o.centered else 0.0
        b = o.momentum * b + g / (math.sqrt(v - mean**2) + o.epsilon)
        p -= o.learning_rate * b
        yield p


def adagrad(o, p, gradients):
    for t in range(1, len(gradients) + 1):
        squares = sum(g**2 for g in gradients[:t])
        p -= o.learning_rate * gradients[t - 1] / (math.sqrt(squares) + o.epsilon)
        yield p


def adadelta(o, p, gradients):
    def rms(mean):
        return math.sqrt(mean + o.epsilon)

    squares = changes = 0.0
    for g in gradients:
        squares = o.rho * squares + (1 - o.rho) * g**2
        change = -rms(changes) / rms(squares) * g
        changes = o.rho * changes + (1 - o.rho) * change**2
        p += o.learning_rate * change
        yield p


def lion(o, p, gradients):
    m = 0.0
    for g in gradients:
        update = math.copysign(1, o.beta1 * m + (1 - o.beta1) * g)
        m = o.beta2 * m + (1 - o.beta2) * g
        p -= o.learning_rate * (update + o.weight_decay * p)
        yield p


def irprop(o, p, gradients):
    size, last = o.learning_rate, 0.0
    for g in gradients:
        if g * last > 0:
            size = min(size * o.eta_plus, o.step_max)
        elif g * last < 0:
            size = max(size * o.eta_minus, o.step_min)
            g = 0.0
        size = min(max(size, o.step_min), o.step_max)  # the first one, too
        p -= size * (g > 0) - size * (g < 0)
        last = g
        yield p


def quickprop(o, p, gradients):
    """The cases as Fahlman programmed them, with slopes that point downhill."""
    step = last = 0.0
    shrink = o.mu / (1 + o.mu)
    for g in gradients:
        slope, change = -g, 0.0
        if step > 0:
            if slope > 0:
                change += o.learning_rate * slope
            change += o.mu * step if slope > shrink * last else slope / (last - slope) * step
        elif step < 0:
            if slope < 0:
                change += o.learning_rate * slope
            change += o.mu * step if slope < shrink * last else slope / (last - slope) * step
        else:
            change += o.learning_rate * slope
        p += change
        step, last = change, slope
        yield p


TEXTBOOK = {
    fastbp.SGD: sgd, Adam: adam, AdamW: adam, NAdam: nadam, RMSprop: rmsprop, Adagrad: adagrad,
    Adadelta: adadelta, Lion: lion, IRprop: irprop, Quickprop: quickprop, RAdam: radam, Adamax: adamax,
}  # fmt: skip


def test_every_row_is_tested():
    assert {name: o.row for name, o in OPTIMIZERS.items()} == {name: name for name in RULES}
    assert {type(o) for o in OPTIMIZERS.values()} == set(TEXTBOOK)
    assert {type(o) for o in OPTIMIZERS.values()} == {type(o) for o in optimizers.OPTIMIZERS.values()}
    assert all(getattr(fastbp, kind.__name__) is kind for kind in TEXTBOOK)


@pytest.mark.parametrize("optimizer", VARIANTS.values(), ids=VARIANTS)
def test_optimizer_follows_the_textbook(optimizer):
    n_states, rule = RULES[optimizer.row]
    p, state = np.array([1.0, -2.0, 3.0]), np.zeros((n_states, 3))
    gradients = np.random.default_rng(0).normal(size=(100, 3))
    gradients[:, 1] += 1  # the signs change less often
    gradients[:, 2] *= np.linspace(1, 0, 100)
    expected = [TEXTBOOK[type(optimizer)](optimizer, p[i], gradients[:, i]) for i in range(3)]
    for t, (g, *after) in enumerate(zip(gradients, *expected, strict=True), 1):
        rule(p, g.copy(), state, t, *optimizer.hyperparameters)
        np.testing.assert_allclose(p, after, rtol=1e-11)


@pytest.mark.parametrize("optimizer", VARIANTS.values(), ids=VARIANTS)
def test_float32_stays_float32(optimizer):
    rng = np.random.default_rng(0)
    net = fastbp.reference.Network([3, 4, 2], activation="tanh", loss="huber", optimizer=optimizer, seed=0)
    assert net.train_on_batch(rng.normal(size=(5, 3)), rng.normal(size=(5, 2))) > 0
    engine = engine_of(net)
    assert engine.gradients.dtype == engine.state.dtype == engine.parameters.dtype == np.float32


# states that are no negative numbers
POSITIVE = {
    "adam": [1], "amsgrad": [1, 2], "adamw": [1], "nadam": [1], "rmsprop": [0], "rmsprop_momentum": [0],
    "radam": [1], "adamax": [1], "rmsprop_centered": [0], "rmsprop_centered_momentum": [0],
    "adagrad": [0], "adadelta": [0, 1], "irprop": [1],
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", OPTIMIZERS)
def test_one_step_of_both_engines(row, dtype, isa, rng):
    """From states and gradients of all sizes and signs, each element like NumPy's."""
    n, optimizer = 2000, dataclasses.replace(OPTIMIZERS[row], learning_rate=0.1)
    if row == "quickprop":
        optimizer = Quickprop(0.1)
    gradient = rng.normal(size=n) * 10.0 ** rng.integers(-12, 4, n)
    gradient[:100] = 0
    nets = [each([1, n], optimizer=optimizer, dtype=dtype, seed=0) for each in ENGINES]
    state = rng.normal(size=engine_of(nets[0]).state.shape) * 10.0 ** rng.integers(-6, 2, 2 * n)
    for i in POSITIVE.get(row, ()):
        state[i] = np.abs(state[i])
    if optimizer.row.startswith("rmsprop_centered"):
        state[1] = np.sqrt(state[0]) * rng.uniform(-0.9, 0.9, 2 * n)  # the variance is > 0
    if row == "irprop":
        state[0] = rng.integers(-1, 2, 2 * n)
    if row == "quickprop":
        state[1] = -np.copysign(state[1], state[0])  # where the last change went
        state[:, ::7] = 0
    for net in nets:
        engine_of(net).state[:] = state
        engine_of(net).t = 2
        net.forward(np.ones((1, 1)))
        net.backward(gradient[None])
        net.step()
    native, numpy = (np.vstack([engine_of(net).state, net.parameters]) for net in nets)
    tolerance = {"float32": 3e-6, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(native, numpy, rtol=tolerance, atol=tolerance)


# ---- states ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", DECAYING)
def test_states_below_the_normal_numbers_are_cleared(row, dtype):
    n_states, rule = RULES[row]
    tiny = np.finfo(dtype).smallest_normal
    state = np.full((n_states, 3), tiny * dtype(1.0001))
    state[:, 2] = 100 * tiny
    state[0, 1] *= 1 if 0 in POSITIVE.get(row, ()) else -1
    rule(np.ones(3, dtype), np.zeros(3, dtype), state, 2, *DECAYING[row].hyperparameters)
    assert not state[:2, :2].any()
    assert state[:, 2].all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", OPTIMIZERS)
def test_no_state_is_ever_subnormal(row, dtype, network_class):
    """However small the gradients, and the squares of gradients."""
    normal = np.finfo(dtype).smallest_normal
    exponents = np.arange(-45, 3) if dtype == "float32" else np.arange(-323, 3)
    gradients = np.concatenate([3.0**-0.5 * 10.0**exponents, -(10.0 ** (exponents / 2))])
    net = network_class([1, len(gradients)], optimizer=OPTIMIZERS[row], dtype=dtype, seed=0)
    for factor in (1, 0.9, -0.3, 0.01, 1e-20, 0, 0):
        for _ in range(2):
            net.forward([[1.0]])
            net.backward(factor * gradients[None])
            net.step()
            state = np.abs(engine_of(net).state)
            assert ((state == 0) | (state >= normal)).all()
    assert np.isfinite(net.parameters).all()


@pytest.mark.parametrize("row", OPTIMIZERS)
def test_idle_weights_stay(row, network_class, isa):
    """Gradients of 0 from the first step on, with the smallest epsilon there may be."""
    optimizer = OPTIMIZERS[row]
    names = {field.name for field in dataclasses.fields(optimizer)}
    smallest = {"epsilon": 2**-126, "step_min": 2**-126, "weight_decay": 0}
    optimizer = dataclasses.replace(optimizer, **{name: x for name, x in smallest.items() if name in names})
    net = network_class([2, 20], optimizer=optimizer, seed=0)
    before = net.parameters.copy()
    for _ in range(5):
        net.backward(0 * net.forward([[1.0, -1.0]]))
        net.step()
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("row", OPTIMIZERS)
def test_nan_is_not_swallowed(row, network_class, isa):
    """A gradient of NaN makes its parameter NaN, in this step and the next."""
    net = network_class([1, 20], optimizer=OPTIMIZERS[row], seed=0)
    for nan_first in (True, False):
        engine_of(net).parameters[:] = 1
        for i in range(3):
            net.forward([[1.0]])
            net.backward(np.ones((1, 20)))
            engine_of(net).gradients[5] = np.nan if i == 0 or not nan_first else 1
            net.step()
            assert np.isnan(net.parameters[5])
            assert np.isfinite(np.delete(net.parameters, 5)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_the_variance_is_never_negative(momentum, dtype, network_class, isa):
    """Of gradients that stay the same it is 0, and rounding may make v - u^2 less than that."""
    optimizer = RMSprop(0.01, alpha=0.5, momentum=momentum, centered=True)
    net = network_class([1, 200], optimizer=optimizer, dtype=dtype, seed=0)
    gradients = np.linspace(-3, 3, 200)[None]
    below = 0
    for _ in range(100):
        net.forward([[1.0]])
        net.backward(gradients)
        net.step()
        v, u = engine_of(net).state[:2]
        below += np.count_nonzero(v < u * u)
    assert below > 0
    assert np.isfinite(net.parameters).all()


def test_nadam_needs_no_state_but_the_step_number(rng, network_class):
    """A copied network continues in the middle of training, as if it had never been copied."""
    optimizer = NAdam(0.01, beta1=0.999, momentum_decay=0.7)
    net, rng = (
        network_class([3, 4, 1], optimizer=optimizer, dtype="float64", seed=0),
        np.random.default_rng(0),
    )
    X, y = rng.normal(size=(8, 3)), rng.normal(size=8)
    for _ in range(60):
        net.train_on_batch(X, y)
    twin = net.clone()
    for each in (net, twin):
        for _ in range(60):
            each.train_on_batch(X, y)
            each.loss_and_gradients(X, y)
            each.step()
    assert net.parameters.tobytes() == twin.parameters.tobytes()


# ---- full batches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", OPTIMIZERS)
def test_mini_batches_are_refused_by_name(row, rng, network_class, state_of):
    optimizer = OPTIMIZERS[row]
    net = network_class([3, 2], optimizer=optimizer, seed=0)
    X, y = rng.random((33, 3)), rng.random((33, 2))
    for batch_size in (None, 33, 50):
        net.fit(X, y, batch_size=batch_size)
    before = state_of(net)
    if not optimizer.full_batch:
        net.fit(X, y)
        return
    for batch_size in (32, 1):
        expected = (
            f"batch_size is {batch_size} for 33 rows, expected batch_size=None: {type(optimizer).__name__}"
        )
        with pytest.raises(ParameterError, match=expected):
            net.fit(X, y, batch_size=batch_size)
    assert state_of(net) == before


@pytest.mark.parametrize("optimizer", [IRprop(), Quickprop()], ids=repr)
def test_full_batches_pay(optimizer, rng, network_class):
    """On a small smooth problem both reach in 100 steps what gradient descent does not in 1000."""
    X = rng.uniform(-1, 1, (50, 2))
    y = np.sin(3 * X[:, 0]) * X[:, 1]

    def loss(optimizer, epochs):
        net = network_class([2, 8, 1], activation="tanh", optimizer=optimizer, dtype="float64", seed=0)
        return net.fit(X, y, epochs=epochs, batch_size=None).loss[-1]

    assert loss(optimizer, 100) < loss(fastbp.SGD(0.1), 1000)
