"""Layers without bias, frozen layers, learning-rate factors: gradients, parity of the engines, equal bits."""

from functools import cache

import numpy as np
import pytest

import fastbp
from fastbp import Dense, reference
from helpers import layered
from helpers.differences import central_differences
from helpers.engines_agree import assert_all_close, assert_parity
from helpers.inside import engine_of, normal_equations, run_of
from helpers.isas import ISAS, using
from helpers.layered import CLIPPED, FROZEN, LAYERED, SHAPES, SLOW, make
from helpers.optimizers import OPTIMIZERS, batches
from helpers.problems import problem
from helpers.tables import DTYPES, ENGINES

SIZES = (3, 5, 4, 2)

# ---- the gradient is that of the loss ----------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERED)
def test_gradient_is_the_numerical_one(network_class, name):
    """It is 0 in frozen layers, whose penalties do not count."""
    net = make(network_class, SIZES, name)
    X, y = problem(SIZES, 6)
    numerical = central_differences(lambda: net.loss_and_gradients(X, y)[0], net.parameters, 1e-6)
    gradients = net.loss_and_gradients(X, y)[1]
    for part, layer in zip(layered.parts(net), net.layers, strict=True):
        expected = numerical[part] if layer.trainable else np.zeros(layer.n_parameters)
        np.testing.assert_allclose(gradients[part], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [*LAYERED, "all frozen"])
def test_backward_returns_the_derivative_by_the_inputs(network_class, name):
    """Also below the lowest layer that is trained."""
    net = make(network_class, SIZES, name)
    if name == "all frozen":
        net.trainable = False
    X, y = problem(SIZES, 6)
    X = X.astype(np.float64)
    d_X = net.backward(net.loss.gradient(net.forward(X), y))
    trained = net.gradients.copy()
    numerical = central_differences(lambda: net.loss_and_gradients(X, y)[0], X, 1e-6)
    np.testing.assert_allclose(d_X, numerical, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(trained, net.loss_and_gradients(X, y)[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", ["mse", "cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("sizes", SHAPES.values(), ids=SHAPES)
def test_no_bias_is_a_bias_of_zeros(network_class, sizes, loss, isa):
    """Outputs, loss and dJ/dW are those of a network with biases that are 0."""
    net, twin = (make(network_class, sizes, name, loss=loss) for name in ("no biases", ""))
    assert [b.shape for b in net.biases] == [(0,)] * 3
    assert net.parameters.size == sum(W.size for W in net.weights)
    for W, other in zip(net.weights, twin.weights, strict=True):
        other[:] = W
    X, y = problem(sizes, 9, loss)
    for rows in (X, X[:1], X[0]):
        np.testing.assert_array_equal(net.predict(rows), twin.predict(rows))
    results = [each.loss_and_gradients(X, y) for each in (net, twin)]
    assert results[0][0] == results[1][0]
    pieces = zip(layered.parts(net), layered.parts(twin), net.weights, strict=True)
    for part, other, W in pieces:
        np.testing.assert_array_equal(results[0][1][part], results[1][1][other][: W.size])


# ---- both engines do the same ------------------------------------------------------------------------------

BATCHES = {"rows": 1, "batches": 7, "blocks": None}
BLOCKS = {"narrow": 4096 + 33, "wide": 2 * 1600 + 33, "large": 512 + 33}  # rows
PARITY = [(s, b) for s in SHAPES for b in BATCHES if (s, b) != ("large", "rows")]
STATEFUL = fastbp.AdamW(0.01, weight_decay=0.1, epsilon=1e-3)  # does not turn rounding into steps


def trained(network_class, name, shape, batch, dtype, optimizer=STATEFUL, start=None):
    net = make(network_class, SHAPES[shape], name, optimizer=optimizer, dtype=dtype)
    if start is not None:
        net.parameters[:] = start
    X, y = problem(SHAPES[shape], BLOCKS[shape] if batch == "blocks" else 24)
    history = net.fit(X, y, epochs=3, batch_size=batches(optimizer, BATCHES[batch]))
    return net.parameters.astype(np.float64), np.array(history.loss)


@cache
def reference_result(name, shape, batch, dtype, optimizer=STATEFUL):
    start = make(reference.Network, SHAPES[shape], name, dtype="float32").parameters
    return trained(reference.Network, name, shape, batch, dtype, optimizer, start)


def check_parity(name, shape, batch, dtype, optimizer=STATEFUL):
    """float64 within 1e-9, float32 as near to float64 as 4 times NumPy's float32."""
    start = make(reference.Network, SHAPES[shape], name, dtype="float32").parameters
    truth = reference_result(name, shape, batch, "float64", optimizer)
    numpy = reference_result(name, shape, batch, "float32", optimizer)
    for isa in ISAS:
        with using(isa):
            native = trained(fastbp.Network, name, shape, batch, dtype, optimizer, start)
            assert_parity(native, truth, numpy, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "batch"), PARITY)
@pytest.mark.parametrize("name", LAYERED)
def test_both_engines_do_the_same(name, shape, batch, dtype):
    check_parity(name, shape, batch, dtype)


@pytest.mark.parametrize("row", OPTIMIZERS)
@pytest.mark.parametrize("shape", ["narrow", "wide"])
@pytest.mark.parametrize("name", ["frozen between", "two slow", "clipped"])
def test_every_optimizer(name, shape, row):
    check_parity(name, shape, "batches", "float64", OPTIMIZERS[row])


def test_every_option_makes_a_difference():
    """The comparisons above do not compare plain networks."""
    plain = trained(reference.Network, "none", "wide", "batches", "float64")[1]
    for name in LAYERED:
        assert np.abs(reference_result(name, "wide", "batches", "float64")[1] - plain).max() > 1e-4, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 5, 4096 + 33])
@pytest.mark.parametrize("name", LAYERED)
def test_a_custom_loss(name, rows, dtype):
    X, y = problem(SHAPES["wide"], rows)

    def found(network_class):
        net = make(network_class, SHAPES["wide"], name, dtype=dtype, optimizer=fastbp.SGD(0.1))
        results = []
        for _ in range(2):
            h = net.forward(X)
            results += [h, net.backward((h - y) / rows), net.gradients.copy()]
            net.step()
        return *results, net.parameters

    numpy = found(reference.Network)
    for isa in ISAS:
        with using(isa):
            assert_all_close(found(fastbp.Network), numpy, 1e-10 if dtype == "float64" else 1e-4)


@pytest.mark.parametrize("name", ["no biases", "one bias"])
def test_normal_equations(name, isa):
    X, y = problem(SIZES, 9)
    native, numpy = (normal_equations(make(each, SIZES, name), X, y) for each in ENGINES)
    np.testing.assert_allclose(native, numpy, rtol=1e-10, atol=1e-12)


# ---- frozen layers stay ------------------------------------------------------------------------------------

ALL = layered.PENALTIES | FROZEN


@pytest.mark.parametrize("stored", [False, True], ids=["fused", "stored"])
@pytest.mark.parametrize("row", ["sgd", "amsgrad", "adamw", "lion", "quickprop"])
@pytest.mark.parametrize("shape", SHAPES)
def test_frozen_layers_and_their_state_stay(network_class, shape, row, stored):
    """Neither gradients nor decay, penalties or max_norm change them, and they do not count for clipping."""
    sizes = SHAPES[shape]
    hidden = [Dense(sizes[1], "tanh"), *(Dense(n, "tanh", **ALL) for n in sizes[2:-1])]
    net = network_class([sizes[0], *hidden, sizes[-1]], optimizer=OPTIMIZERS[row], seed=1)
    before = net.parameters.copy()
    X, y = problem(sizes, 30)
    for size in (None, 7, 1):
        net.fit(X, y, epochs=2, batch_size=batches(OPTIMIZERS[row], size))
    if stored:
        net.fit(X, y, epochs=2, batch_size=None, gradient_tol=1e-30)
        net.loss_and_gradients(X, y)
        net.gradients[:] = 1  # what the user writes there
        net.step()
    for part, layer in zip(layered.parts(net), net.layers, strict=True):
        changed = (net.parameters[part] != before[part]).mean()
        assert changed > 0.5 if layer.trainable else changed == 0
        assert layer.trainable or not engine_of(net).state[:, part].any()


@pytest.mark.parametrize("shape", ["narrow", "wide"])
@pytest.mark.parametrize("clipping", [{}, {"clip_norm": 0.01}, {"clip_value": 1e-3}], ids=str)
def test_a_frozen_body_is_a_function_of_the_inputs(network_class, shape, clipping):
    """Training the output alone is training a network of one layer on the outputs of the body."""
    sizes = SHAPES[shape][:2] + SHAPES[shape][-1:]
    optimizer = fastbp.SGD(0.5, momentum=0.9, **clipping)
    options = {"activation": "tanh", "optimizer": optimizer, "dtype": "float64", "seed": 4}
    net = network_class([sizes[0], Dense(sizes[1], trainable=False), sizes[2]], **options)
    head = network_class([sizes[1], sizes[2]], **options)
    head.parameters[:] = net.parameters[layered.parts(net)[1]]
    X, y = problem(sizes, 40)
    features = np.tanh(X.astype(np.float64) @ net.weights[0] + net.biases[0])
    for each, inputs in ((net, X), (head, features)):
        each.fit(inputs, y, epochs=4, batch_size=9)
    np.testing.assert_allclose(net.weights[1], head.weights[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(net.history.loss, head.history.loss, rtol=1e-9)


@pytest.mark.parametrize("sizes", SHAPES.values(), ids=SHAPES)
def test_gradients_of_frozen_layers_count_for_nothing(network_class, sizes):
    """Not even those that the user writes; the next gradients are 0 there again."""
    net = make(network_class, sizes, "frozen between", optimizer=fastbp.SGD(1.0, clip_norm=1e-3))
    X, y = problem(sizes, 9)
    first, frozen, last = layered.parts(net)
    for begin in (
        lambda: net.loss_and_gradients(X, y),
        lambda: net.backward(net.loss.gradient(net.forward(X), y)),
    ):
        begin()
        net.gradients[frozen] = 1e3
        before = net.parameters.copy()
        net.step()
        step = before - net.parameters
        assert not step[frozen].any()
        assert np.linalg.norm(step) == pytest.approx(1e-3, rel=1e-2)
        begin()
        assert not net.gradients[frozen].any()
        assert net.gradients[first].any()
        assert net.gradients[last].any()


@pytest.mark.parametrize("limit", [1e-3, 1e-200])
def test_clipping_norms_beyond_the_largest_number(network_class, limit, isa):
    """Squares overflow: the norm is that of the layers that are trained."""
    net = make(network_class, (1, 2, 3, 40), "frozen between", optimizer=fastbp.SGD(1.0, clip_norm=limit))
    before = net.parameters.copy()
    net.forward(np.ones((1, 1)))
    with np.errstate(over="ignore"):
        net.backward(np.full((1, 40), 1e200))
    net.step()
    step = before - net.parameters
    first, frozen, last = layered.parts(net)
    assert not step[frozen].any()
    moved = np.concatenate([step[first], step[last]])
    if limit > 1e-100:  # else the step is below the resolution of the parameters
        assert np.linalg.norm(moved) == pytest.approx(limit, rel=1e-6)


def test_factors_scale_the_step(network_class):
    """One step of SGD: each layer's own share of the rate."""
    sizes = SHAPES["wide"]
    X, y = problem(sizes, 20)
    plain, net = (
        network_class([7, Dense(40, **options), 3], optimizer=fastbp.SGD(0.1), dtype="float64", seed=0)
        for options in ({}, SLOW)
    )
    before = net.parameters.copy()
    for each in (plain, net):
        each.train_on_batch(X, y)
    (slow, rest), steps = layered.parts(net), [before - each.parameters for each in (plain, net)]
    np.testing.assert_allclose(steps[1][slow], steps[0][slow] / 4, rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(steps[1][rest], steps[0][rest])


# ---- the same bits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [1, 7, 32])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [name for name in LAYERED if name not in CLIPPED])
def test_fused_and_stored(name, shape, batch_size, dtype, isa):
    X, y = problem(SHAPES[shape], 45)
    fused, stored = (
        run_of(
            make(fastbp.Network, SHAPES[shape], name, dtype=dtype),
            *(X, y),
            batch_size=batch_size,
            stored=mode,
        )
        for mode in (False, True)
    )
    assert fused[:3] == stored[:3]


@pytest.mark.parametrize("name", ["no biases", "frozen first", "three rates", "clipped"])
@pytest.mark.parametrize("shape", SHAPES)
def test_repeated_rows(name, shape, isa):
    """Steps on the same rows, which are prepared once: the same as steps that are prepared one by one."""
    X, y = problem(SHAPES[shape], 40)
    options = {"batch_size": 40, "shuffle": False, "epochs": 7, "stored": False}
    once, one_by_one = (
        run_of(make(fastbp.Network, SHAPES[shape], name), X, y, **options, seconds=seconds)
        for seconds in (10.0, 0.0)
    )
    assert once[:3] == one_by_one[:3]
    assert once[3] < one_by_one[3]


# products that threads share; blocks of rows side by side, of wide and of narrow layers
THREADED = {
    "products": ((131, 257, 67, 3), 300, 263),
    "lanes": ((61, 67, 33, 17), 3 * 960 + 17, 3 * 960 + 13),
    "narrow": ((3, 16, 7, 2), 2 * 4096 + 17, 2 * 4096 + 5),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", THREADED)
@pytest.mark.parametrize("name", LAYERED)
def test_any_number_of_threads_gives_the_same_bits(name, case, dtype):
    sizes, rows, batch_size = THREADED[case]
    X, y = problem(sizes, rows)
    found = set()
    for threads in (1, 2, 3, 8):
        with fastbp.threads(threads):
            net = make(fastbp.Network, sizes, name, dtype=dtype)
            net.fit(X, y, epochs=2, batch_size=batch_size)
            gradients = net.loss_and_gradients(X, y)[1]
            found.add((net.parameters.tobytes(), engine_of(net).state.tobytes(), gradients.tobytes()))
    assert len(found) == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_options_that_change_nothing_change_no_bits(shape, isa):
    """Layers that ask for what is the default train like plain ones."""
    X, y = problem(SHAPES[shape], 30)
    asked = {"bias": True, "trainable": True, "learning_rate_factor": 1.0}
    sizes = SHAPES[shape]
    nets = [
        fastbp.Network([sizes[0], *(Dense(n, **options) for n in sizes[1:])], seed=0)
        for options in ({}, asked)
    ]
    nets.append(fastbp.Network(list(sizes), seed=0))
    nets[0].trainable = False
    nets[0].trainable = True
    for net in nets:
        for size in (None, 7, 1):
            net.fit(X, y, epochs=2, batch_size=size)
    assert len({net.parameters.tobytes() for net in nets}) == 1


def test_narrow_rows_without_a_bias_are_those_of_a_batch_of_one(isa):
    """The copy of the parameters for single rows has no b either."""
    X, y = problem(SIZES, 20)
    nets = [make(fastbp.Network, SIZES, "one bias", optimizer=fastbp.Adam(0.1)) for _ in range(2)]
    nets[0].fit(X, y, epochs=2, batch_size=1, shuffle=False)
    for _ in range(2):
        for x, t in zip(X, y, strict=True):
            nets[1].loss_and_gradients(x[None], t[None])
            nets[1].step()
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
