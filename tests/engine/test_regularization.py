"""Penalties, dropout, noise, max-norm and clipping, each and all together, in both engines."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest

import fastbp
from fastbp import Dense, activations, losses, optimizers, reference
from fastbp.exceptions import ParameterError
from helpers.inside import engine_of, run_of

DTYPES = ("float32", "float64")
ENGINES = (fastbp.Network, reference.Network)
EMPTY = MappingProxyType({})


class Option(NamedTuple):
    """What a layer, a hidden layer, the network and the optimizer are asked for."""

    layer: Mapping = EMPTY
    hidden: Mapping = EMPTY
    network: Mapping = EMPTY
    clipping: Mapping = EMPTY


OPTIONS = {
    "l1": Option(layer={"l1": 0.01}),
    "l2": Option(layer={"l2": 0.1}),
    "dropout": Option(hidden={"dropout": 0.4}),
    "noise": Option(network={"input_noise": 0.3}),
    "max-norm": Option(layer={"max_norm": 0.6}),
    "clip_value": Option(clipping={"clip_value": 0.01}),
    "clip_norm": Option(clipping={"clip_norm": 0.1}),
    "fused": Option({"l1": 0.01, "l2": 0.1, "max_norm": 0.9}, {"dropout": 0.2}, {"input_noise": 0.1}),
    "all": Option(
        {"l1": 0.01, "l2": 0.1, "max_norm": 0.9},
        {"dropout": 0.2},
        {"input_noise": 0.1},
        {"clip_value": 0.05, "clip_norm": 0.2},
    ),
}
SMOOTH = ("l1", "l2", "dropout", "noise", "all")  # what changes the loss


def make(network_class, sizes, name, *, activation="tanh", optimizer="adam", dtype="float64", **arguments):
    option = OPTIONS.get(name, Option())
    hidden = [Dense(n, activation, **option.layer, **option.hidden) for n in sizes[1:-1]]
    output = Dense(sizes[-1], **option.layer)
    optimizer = replace(optimizers.get(optimizer), **option.clipping)
    arguments = {"seed": 3} | arguments | option.network
    return network_class([sizes[0], *hidden, output], optimizer=optimizer, dtype=dtype, **arguments)


def data_for(sizes, rows, loss="mse", seed=0):
    """Inputs and targets, in float32 values so that both dtypes learn from the same."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, sizes[0])).astype(np.float32)
    if loss == "cross_entropy":
        return X, rng.integers(0, sizes[-1], rows)
    y = rng.random((rows, sizes[-1])).astype(np.float32)
    return X, np.sign(y - 0.5) if loss == "hinge" else y


# ---- the gradient is that of the loss ----------------------------------------------------------------------

SIZES = (3, 5, 4, 2)
H = 1e-5  # half the step of a difference
HIDDEN = [name for name in activations.ACTIVATIONS if name not in ("softmax", "step")]
PROBLEMS = [
    *((name, "tanh", "mse") for name in SMOOTH),
    *(("all", activation, "mse") for activation in HIDDEN),
    *(("all", "sigmoid", loss) for loss in losses.LOSSES),
]


def differences(f, vector):
    """df/dvector with steps of H on either side; `f` reads the vector."""
    one_sided = np.empty((2, len(vector)))
    middle = f()
    for i, value in enumerate(vector):
        for side, step in enumerate((H, -H)):
            vector[i] = value + step
            one_sided[side, i] = (f() - middle) / step
        vector[i] = value
    return one_sided


def smooth_case(network_class, name, activation, loss):
    """A network and data without a kink nearby: there the differences to both sides are not the same."""
    for seed in itertools.count():
        net = make(network_class, SIZES, name, activation=activation, loss=loss, seed=seed)
        X, y = data_for(SIZES, 6, loss, seed)
        one_sided = differences(lambda: net.loss_and_gradients(X, y)[0], net.parameters)  # noqa: B023
        if np.abs(one_sided[0] - one_sided[1]).max() < 2e-3:
            return net, X, y, one_sided.mean(axis=0)


@pytest.mark.parametrize(("name", "activation", "loss"), PROBLEMS)
def test_gradient_is_the_numerical_one(network_class, name, activation, loss):
    """Every call at one step of the optimizer drops the same units and adds the same noise."""
    net, X, y, numerical = smooth_case(network_class, name, activation, loss)
    np.testing.assert_allclose(net.loss_and_gradients(X, y)[1], numerical, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", SMOOTH)
def test_own_loss_has_the_same_gradient(network_class, name):
    net = make(network_class, SIZES, name)
    X, y = data_for(SIZES, 6)
    _, gradients = net.loss_and_gradients(X, y)
    gradients = gradients.copy()
    d_X = net.backward(net.loss.gradient(net.forward(X), y))
    np.testing.assert_allclose(net.gradients, gradients, rtol=1e-12, atol=1e-15)

    X = X.astype(np.float64)
    numerical = differences(lambda: net.loss_and_gradients(X, y)[0], X.reshape(-1)).mean(axis=0)
    np.testing.assert_allclose(d_X.reshape(-1), numerical, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 20, 9000])
def test_penalties_are_the_formula(network_class, rows, dtype, isa):
    """In the training loss, once a batch however many blocks of rows it has; weights only."""
    sizes, l1, l2 = (7, 40, 3), 0.02, 0.3
    plain = make(network_class, sizes, "none", dtype=dtype)
    net = network_class([7, Dense(40, "tanh", l2=l2), Dense(3, l1=l1)], dtype=dtype, seed=3)
    net.weights[1][0, 0] = 0  # where |w| has no derivative
    net.biases[0][:] = plain.biases[0][:] = 5
    plain.parameters[:] = net.parameters
    X, y = data_for(sizes, rows)
    (loss, gradients), (bare, bare_gradients) = (n.loss_and_gradients(X, y) for n in (net, plain))

    first, second = (W.astype(np.float64) for W in net.weights)
    penalty = l2 / 2 * np.square(first).sum() + l1 * np.abs(second).sum()
    zeros = np.zeros(40), np.zeros(3)
    expected = np.hstack([l2 * first.ravel(), zeros[0], l1 * np.sign(second).ravel(), zeros[1]])
    tolerance = 1e-6 if dtype == "float32" else 1e-13
    assert loss - bare == pytest.approx(penalty, rel=tolerance)
    np.testing.assert_allclose(gradients - bare_gradients, expected, atol=tolerance)
    assert net.evaluate(X, y) == plain.evaluate(X, y)
    assert net.fit(X, y, batch_size=None).loss == [pytest.approx(loss, rel=tolerance)]


@pytest.mark.parametrize("name", SMOOTH)
def test_a_loss_that_is_a_function_has_them_all(network_class, name):
    """As the built-in one: in the loss that is reported, in the gradient, in training."""
    X, y = data_for(SIZES, 20)
    built_in, own = (
        make(network_class, SIZES, name, loss=loss)
        for loss in ("mse", lambda h, t: (np.mean((h - t) ** 2), 2 * (h - t) / t.size))
    )
    for net in (built_in, own):
        net.fit(X, y, epochs=3, batch_size=7)
    np.testing.assert_allclose(own.parameters, built_in.parameters, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(own.history.loss, built_in.history.loss, rtol=1e-12)


# ---- both engines do the same ------------------------------------------------------------------------------

# all layers narrow; wide ones of odd sizes, one narrower than a vector; copies of W
SHAPES = {"narrow": (3, 16, 5, 2), "wide": (7, 40, 33, 3), "large": (300, 270, 4)}
BATCHES = {"rows": 1, "batches": 7, "blocks": None}
BLOCKS = {"narrow": 4096 + 33, "wide": 2 * 1600 + 33, "large": 512 + 33}  # rows
PARITY = [(s, b) for s in SHAPES for b in BATCHES if (s, b) != ("large", "rows")]


def trained(network_class, name, shape, batch, dtype, start=None):
    sizes = SHAPES[shape]
    net = make(network_class, sizes, name, optimizer=fastbp.SGD(0.05), dtype=dtype)
    if start is not None:
        net.parameters[:] = start
    X, y = data_for(sizes, BLOCKS[shape] if batch == "blocks" else 24)
    history = net.fit(X, y, epochs=3, batch_size=BATCHES[batch])
    return net.parameters.astype(np.float64), np.array(history.loss)


@cache
def reference_result(name, shape, batch, dtype):
    start = make(reference.Network, SHAPES[shape], name, dtype="float32").parameters
    return trained(reference.Network, name, shape, batch, dtype, start)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "batch"), PARITY)
@pytest.mark.parametrize("name", OPTIONS)
def test_both_engines_do_the_same(name, shape, batch, dtype, isa):
    """float64 within 1e-9, float32 as near to float64 as 4 times NumPy's float32."""
    start = make(reference.Network, SHAPES[shape], name, dtype="float32").parameters
    native = trained(fastbp.Network, name, shape, batch, dtype, start)
    truth = reference_result(name, shape, batch, "float64")
    numpy = reference_result(name, shape, batch, "float32")
    for got, exact, numpy_float32 in zip(native, truth, numpy, strict=True):
        scale = np.abs(exact).max()
        if dtype == "float64":
            bound = 1e-9 * scale
        else:
            bound = 4 * max(np.abs(numpy_float32 - exact).max(), np.finfo(np.float32).eps * scale)
        assert np.abs(got - exact).max() <= bound


def test_every_option_makes_a_difference():
    """What the comparisons above compare is not the plain network."""
    plain = reference_result("none", "wide", "batches", "float64")
    for name in OPTIONS:
        parameters, _ = reference_result(name, "wide", "batches", "float64")
        assert np.abs(parameters - plain[0]).max() > 1e-3, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 5, 4096 + 33])
def test_a_loss_of_the_users_own(rows, dtype, isa, rng):
    results = []
    X, y = data_for(SHAPES["wide"], rows)
    for network_class in ENGINES:
        net = make(network_class, SHAPES["wide"], "all", dtype=dtype, optimizer=fastbp.SGD(0.1))
        found = []
        for _ in range(2):
            h = net.forward(X)
            found += [h, net.backward((h - y) / rows), net.gradients.copy()]
            net.step()
        results.append((*found, net.parameters))
    tolerance = 1e-10 if dtype == "float64" else 1e-4
    for native, numpy in zip(*results, strict=True):
        np.testing.assert_allclose(native, numpy, rtol=tolerance, atol=tolerance * np.abs(numpy).max())


# ---- dropout and noise: what is drawn ----------------------------------------------------------------------


def words(seed, purpose, step, rows, n):
    """n words of NumPy's Philox for each row, which begins with a new block of four."""
    found = []
    for row in range(rows):
        counter = np.array([row * -(-n // 4), 0, step, 0], np.uint64)
        philox = np.random.Philox(key=np.array([seed, purpose], np.uint64), counter=counter)
        found.append(philox.random_raw(n))
    return np.array(found)


def mirror(network_class, n, dropout=0.0, **arguments):
    """A network whose hidden units and outputs are its inputs."""
    net = network_class([n, Dense(n, "identity", dropout=dropout), n], dtype="float64", **arguments)
    for W in net.weights:
        W[:] = np.eye(n)
    return net


@pytest.mark.parametrize("rate", [1e-9, 0.1, 0.5, 0.999999])
@pytest.mark.parametrize("n", [1, 15, 16, 17, 300])
def test_dropout_is_as_it_is_said(network_class, n, rate, isa):
    """16 bits a unit of words by (seed, layer, step, row): the kept share is exact, and so is its inverse."""
    net = mirror(network_class, n, rate, seed=2**63 + 1)
    engine_of(net).t = 5
    rows = 600  # more than a row block
    bits = words(2**63 + 1, 2**32, 5, rows, -(-n // 4)).astype("<u8").view("<u2")[:, :n]
    kept = max(1, round((1 - rate) * 2**16))
    expected = np.where(bits < kept, 2**16 / kept, 0)
    np.testing.assert_allclose(net.forward(np.ones((rows, n))), expected, rtol=1e-15)
    engine_of(net).t = 6
    assert (net.forward(np.ones((rows, n))) != expected).any() or rate in (1e-9, 0.999999)


def test_layers_drop_units_of_their_own(network_class):
    net = network_class([9, Dense(9, "identity", dropout=0.5), Dense(9, "identity", dropout=0.5), 9], seed=0)
    for W in net.weights:
        W[:] = np.eye(9)
    kept = (net.forward(np.ones((1000, 9))) > 0).mean()
    assert kept == pytest.approx(0.25, abs=0.03)


def test_dropout_keeps_the_mean(network_class):
    """And forgets no unit: each is kept as often as the others."""
    net = mirror(network_class, 33, 0.3, seed=0)
    h = net.forward(np.ones((20_000, 33)))
    deviation = np.sqrt(0.3 / 0.7 / 20_000)
    assert np.abs(h.mean(axis=0) - 1).max() < 5 * deviation
    assert np.abs(h.mean() - 1) < 5 * deviation / np.sqrt(33)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 301])
def test_noise_is_as_it_is_said(network_class, n, dtype, isa):
    """Box and Muller, from the 24 upper bits of both halves of a word."""
    stddev, rows = 0.5, 600
    net = network_class([n, n], input_noise=stddev, dtype=dtype, seed=7)
    net.weights[0][:] = np.eye(n)
    engine_of(net).t = 3
    word = words(7, 2, 3, rows, -(-n // 2))
    u, v = ((word >> np.uint64(shift)) % np.uint64(2**24) / 2**24 for shift in (8, 40))
    radius = np.sqrt(-2 * np.log1p(-u))
    normal = np.hstack([radius * np.cos(2 * np.pi * v), radius * np.sin(2 * np.pi * v)])[:, :n]
    tolerance = 2e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(net.forward(np.zeros((rows, n))), stddev * normal, rtol=0, atol=tolerance)


def test_noise_is_normal(network_class):
    net = network_class([32, 32], input_noise=2.0, dtype="float64", seed=0)
    net.weights[0][:] = np.eye(32)
    z = net.forward(np.zeros((10_000, 32))) / 2
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        assert np.mean(z**power) == pytest.approx(moment, abs=0.03)
    correlations = np.corrcoef(z.T) - np.eye(32)
    assert np.abs(correlations).max() < 0.05


@pytest.mark.parametrize("batch_size", [1, 8, None])
@pytest.mark.parametrize("shape", SHAPES)
def test_noise_leaves_the_callers_rows_alone(shape, batch_size):
    """Also where a plain network would read them in place, and does not fetch them again."""
    nets = [make(c, SHAPES[shape], "noise", optimizer=fastbp.SGD(1e-3)) for c in ENGINES]
    X, y = (a.astype(np.float64) for a in data_for(SHAPES[shape], 24))
    before = X.copy()
    for net in nets:
        net.fit(X, y, epochs=4, batch_size=batch_size, shuffle=False)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_of_it_in_predictions(network_class, shape, name):
    sizes = SHAPES[shape]
    net, plain = (make(network_class, sizes, each) for each in (name, "none"))
    X, y = data_for(sizes, 40)
    net.fit(X, y, epochs=2)
    plain.parameters[:] = net.parameters
    assert net.predict(X).tobytes() == plain.predict(X).tobytes()
    assert net.predict(X[0]).tobytes() == plain.predict(X[0]).tobytes()
    assert net.evaluate(X, y) == plain.evaluate(X, y)


@pytest.mark.parametrize("name", ["dropout", "noise"])
def test_every_step_draws_anew(network_class, name):
    net = make(network_class, SIZES, name)
    X, y = data_for(SIZES, 20)
    start = net.parameters.copy()
    before = net.loss_and_gradients(X, y)[0]
    assert net.loss_and_gradients(X, y)[0] == before
    assert net.train_on_batch(X, y) == pytest.approx(before, rel=1e-14)
    net.parameters[:] = start
    assert net.loss_and_gradients(X, y)[0] != pytest.approx(before, rel=1e-3)


# ---- the same bits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [1, 7, 32])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["l1", "l2", "dropout", "max-norm", "fused"])
def test_fused_and_stored(name, shape, batch_size, dtype, isa):
    X, y = data_for(SHAPES[shape], 45)
    fused, stored = (
        run_of(
            make(fastbp.Network, SHAPES[shape], name, dtype=dtype), X, y, batch_size=batch_size, stored=mode
        )
        for mode in (False, True)
    )
    assert fused[:3] == stored[:3]


# products that threads share; blocks of rows side by side, of wide and of narrow layers; and both
THREADED = {
    "products": ((131, 257, 67, 3), 300, 263),
    "lanes": ((61, 67, 17), 3 * 960 + 17, 3 * 960 + 13),
    "narrow": ((3, 16, 2), 2 * 4096 + 17, 2 * 4096 + 5),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["fused", "all"])
@pytest.mark.parametrize("case", THREADED)
def test_any_number_of_threads(case, name, dtype, isa):
    sizes, rows, batch_size = THREADED[case]
    X, y = data_for(sizes, rows)
    found = set()
    for threads in (1, 2, 3):
        with fastbp.threads(threads):
            net = make(fastbp.Network, sizes, name, dtype=dtype)
            history = net.fit(X, y, epochs=2, batch_size=batch_size)
            h = net.forward(X)
            d_X = net.backward(h - y)
            net.step()
        arrays = net.parameters, engine_of(net).state, np.array(history.loss), h, d_X
        found.add(tuple(array.tobytes() for array in arrays))
    assert len(found) == 1


@pytest.mark.parametrize("name", OPTIONS)
def test_two_fits_are_one(network_class, name):
    X, y = data_for(SHAPES["wide"], 50)
    once, twice = (make(network_class, SHAPES["wide"], name) for _ in range(2))
    once.fit(X, y, epochs=4)
    twice.fit(X, y, epochs=2)
    twice = twice.clone()
    twice.fit(X, y, epochs=2)
    assert once.parameters.tobytes() == twice.parameters.tobytes()
    assert once.history.loss == twice.history.loss


# ---- after the update, and before it -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_norms_stay_below_max_norm(network_class, shape, dtype, isa):
    """After every step, and only what is above is changed."""
    sizes, largest = SHAPES[shape], 0.6
    X, y = data_for(sizes, 20)
    net, free = (
        make(network_class, sizes, n, optimizer=fastbp.SGD(0.5), dtype=dtype) for n in ("max-norm", "")
    )
    scaled = 0
    for step in range(4):
        free.parameters[:] = net.parameters
        if step % 2:
            net.train_on_batch(X, y)
        else:
            net.loss_and_gradients(X, y)
            net.step()
        free.train_on_batch(X, y)
        for W, unbound in zip(net.weights, free.weights, strict=True):
            norms = np.linalg.norm(unbound.astype(np.float64), axis=0)
            bound = norms > largest
            scaled += bound.sum()
            np.testing.assert_allclose(np.linalg.norm(W[:, bound], axis=0), largest, rtol=1e-6)
            np.testing.assert_allclose(W, unbound * np.minimum(1, largest / norms), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(net.biases[0], free.biases[0], rtol=1e-5, atol=1e-6)
    assert scaled > 4
    loose = make(network_class, sizes, "", dtype=dtype)
    capped = network_class([sizes[0], *(Dense(n, "tanh", max_norm=1e3) for n in sizes[1:-1]), sizes[-1]],
                           dtype=dtype, seed=3)  # fmt: skip
    for each in (loose, capped):
        each.fit(X, y, epochs=2, batch_size=5)
    assert loose.parameters.tobytes() == capped.parameters.tobytes()


CLIPPINGS = [
    ({"clip_value": 0.01}, lambda g: np.clip(g, -0.01, 0.01)),
    ({"clip_norm": 0.1}, lambda g: g * min(1, 0.1 / (np.linalg.norm(g) + 1e-6))),
    ({"clip_norm": 1e3}, lambda g: g),
    (
        {"clip_norm": 0.02, "clip_value": 0.01},
        lambda g: (c := np.clip(g, -0.01, 0.01)) * min(1, 0.02 / (np.linalg.norm(c) + 1e-6)),
    ),
]


@pytest.mark.parametrize(("clipping", "formula"), CLIPPINGS, ids=str)
@pytest.mark.parametrize("sizes", [SIZES, (40, 60, 3)])
def test_the_optimizer_sees_the_clipped_gradient(network_class, sizes, clipping, formula):
    net = network_class(list(sizes), optimizer=fastbp.SGD(1.0, **clipping), dtype="float64", seed=0)
    X, y = data_for(sizes, 30)
    before = net.parameters.copy()
    gradients = net.loss_and_gradients(X, y)[1].copy()
    assert np.linalg.norm(gradients) > 0.1
    assert np.abs(gradients).max() > 0.01
    net.step()
    np.testing.assert_allclose(before - net.parameters, formula(gradients), rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(engine_of(net).gradients, gradients)


@pytest.mark.parametrize(
    "clipping", [{"clip_value": 0.1}, {"clip_norm": 0.1}, OPTIONS["all"].clipping], ids=str
)
def test_clipping_swallows_no_nan(network_class, clipping, isa):
    net = network_class([2, 40], optimizer=fastbp.SGD(1.0, **clipping), seed=0)
    X, y = data_for((2, 40), 3)
    net.loss_and_gradients(X, y)
    engine_of(net).gradients[7] = np.nan
    engine_of(net).update()
    assert np.isnan(net.parameters[7])
    assert np.isnan(net.parameters).all() == ("clip_norm" in clipping)


@pytest.mark.parametrize("size", [5e-324, 1e-315, 1e-200])
def test_clipping_leaves_the_smallest_gradients_alone(network_class, size):
    net = network_class([1, 1], optimizer=fastbp.SGD(1.0, clip_norm=1.0), dtype="float64", seed=0)
    net.parameters[:] = 0
    net.forward([[1.0]])
    net.backward([[size]])
    net.step()
    assert net.parameters.tolist() == [-size, -size]


def test_gradient_tol_is_about_the_gradient_of_the_loss(network_class):
    X, y = data_for(SIZES, 20)
    net = make(network_class, SIZES, "none", optimizer=fastbp.SGD(0.1, clip_value=1e-9))
    assert net.fit(X, y, batch_size=None, epochs=3, gradient_tol=1e-6).stopped == "epochs"


@pytest.mark.parametrize("optimizer", optimizers.OPTIMIZERS.values(), ids=repr)
def test_every_optimizer_clips(optimizer, rng):
    """By keyword, natively as in NumPy."""
    clipping = OPTIONS["all"].clipping
    optimizer = type(optimizer)(**clipping)
    assert {name: getattr(optimizer, name) for name in clipping} == clipping
    X, y = data_for(SIZES, 30)
    nets = [
        network_class(list(SIZES), optimizer=optimizer, dtype="float64", seed=0) for network_class in ENGINES
    ]
    for net in nets:
        net.fit(X, y, epochs=5, batch_size=None)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-8, atol=1e-10)


# ---- PyTorch -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["l2", "clip_norm", "clip_value", "both"])
@pytest.mark.parametrize("optimizer", [fastbp.SGD(0.1, 0.9), fastbp.Adam(0.01)], ids=lambda o: o.row)
def test_training_is_pytorchs(optimizer, option):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    clipping = {"clip_value": 0.005} if option in ("clip_value", "both") else {}
    clipping |= {"clip_norm": 0.02} if option in ("clip_norm", "both") else {}
    l2 = 0.03 if option == "l2" else 0.0
    layers = [3, Dense(8, "tanh", l2=l2), Dense(4, l2=l2)]
    options = {"optimizer": replace(optimizer, **clipping), "dtype": "float64", "seed": 0}
    nets = [network_class(layers, loss="cross_entropy", **options) for network_class in ENGINES]
    X, y = data_for((3, 4), 20, "cross_entropy")
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4)).double()
    with torch.no_grad():
        for W, b, layer in zip(nets[0].weights, nets[0].biases, model[::2], strict=True):
            layer.weight.copy_(torch.tensor(W.T.copy()))
            layer.bias.copy_(torch.tensor(b.copy()))
    groups = [
        {"params": [layer.weight for layer in model[::2]], "weight_decay": l2},
        {"params": [layer.bias for layer in model[::2]]},
    ]
    if optimizer.row == "adam":
        theirs = torch.optim.Adam(groups, optimizer.learning_rate)
    else:
        theirs = torch.optim.SGD(groups, optimizer.learning_rate, optimizer.momentum)
    for _ in range(100):
        theirs.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.tensor(X).double()), torch.tensor(y))
        loss.backward()
        penalty = sum(l2 / 2 * layer.weight.square().sum().item() for layer in model[::2])
        if "clip_value" in clipping:
            torch.nn.utils.clip_grad_value_(model.parameters(), clipping["clip_value"])
        if "clip_norm" in clipping:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clipping["clip_norm"])
        theirs.step()
        for net in nets:
            assert net.train_on_batch(X, y) == pytest.approx(loss.item() + penalty, rel=1e-9)
    for i, layer in enumerate(model[::2]):
        for net in nets:
            np.testing.assert_allclose(net.weights[i], layer.weight.detach().numpy().T, rtol=1e-9)
            np.testing.assert_allclose(net.biases[i], layer.bias.detach().numpy(), rtol=1e-9)


# ---- what is refused ---------------------------------------------------------------------------------------

BAD = [
    (lambda: Dense(3, l1=-1), ["l1 is -1", ">= 0"]),
    (lambda: Dense(3, l2=np.inf), ["l2 is inf", ">= 0"]),
    (lambda: Dense(3, dropout=1), ["dropout is 1", ">= 0 and < 1"]),
    (lambda: Dense(3, dropout=None), ["dropout is None"]),
    (lambda: Dense(3, max_norm=0), ["max_norm is 0", "> 0"]),
    (lambda: fastbp.Network([2, 3], input_noise=-0.1), ["input_noise is -0.1", ">= 0"]),
    (lambda: fastbp.Network([2, 3], input_noise="0.1"), ["input_noise is '0.1'"]),
    (lambda: fastbp.Network([2, 4, Dense(3, dropout=0.5)]), ["layers[2]", "dropout=0.5", "output"]),
    (lambda: fastbp.SGD(clip_norm=0), ["clip_norm is 0", "> 0"]),
    (lambda: fastbp.Adam(clip_value=np.nan), ["clip_value is nan", "> 0"]),
]


@pytest.mark.parametrize(("call", "parts"), BAD)
def test_bad_arguments_are_named(call, parts):
    with pytest.raises(ParameterError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
