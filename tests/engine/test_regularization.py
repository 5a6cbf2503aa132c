"""Penalties, dropout, noise, max-norm and clipping together: gradients, parity of the engines, equal bits."""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import fastbp
from fastbp import Dense, losses, reference
from fastbp.exceptions import ParameterError
from helpers.engines_agree import assert_all_close, assert_parity
from helpers.errors import refuses
from helpers.inside import engine_of, run_of
from helpers.isas import ISAS, using
from helpers.problems import fitting, problem
from helpers.pytorch import assert_same_parameters, model_of
from helpers.regularized import OPTIONS, SHAPES, SIZES, make
from helpers.tables import DIFFERENTIABLE, DTYPES, ENGINES

SMOOTH = ("l1", "l2", "dropout", "noise", "all")  # what changes the loss


# ---- the gradient is that of the loss ----------------------------------------------------------------------

H = 1e-5  # half the step of a difference

PROBLEMS = [
    *((name, "tanh", "mse") for name in SMOOTH),
    *(("all", activation, "mse") for activation in DIFFERENTIABLE),
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
        sizes = fitting(SIZES, loss)
        net = make(network_class, sizes, name, activation=activation, loss=loss, seed=seed)
        X, y = problem(sizes, 6, loss, seed)
        one_sided = differences(lambda: net.loss_and_gradients(X, y)[0], net.parameters)  # noqa: B023
        if np.abs(one_sided[0] - one_sided[1]).max() < 2e-3:
            return net, X, y, one_sided.mean(axis=0)


@pytest.mark.parametrize(("name", "activation", "loss"), PROBLEMS)
def test_gradient_is_the_numerical_one(network_class, name, activation, loss):
    """Every call at one step of the optimizer drops the same units and adds the same noise."""
    net, X, y, numerical = smooth_case(network_class, name, activation, loss)
    np.testing.assert_allclose(net.loss_and_gradients(X, y)[1], numerical, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", SMOOTH)
def test_custom_loss_has_the_same_gradient(network_class, name):
    net = make(network_class, SIZES, name)
    X, y = problem(SIZES, 6)
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
    """Penalties count once per batch in the training loss, for any number of row blocks; weights only."""
    sizes, l1, l2 = (7, 40, 3), 0.02, 0.3
    plain = make(network_class, sizes, "none", dtype=dtype)
    net = network_class([7, Dense(40, "tanh", l2=l2), Dense(3, l1=l1)], dtype=dtype, seed=3)
    net.weights[1][0, 0] = 0  # where |w| has no derivative
    net.biases[0][:] = plain.biases[0][:] = 5
    plain.parameters[:] = net.parameters
    X, y = problem(sizes, rows)
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
    """All options act as with the built-in loss: on the reported loss, the gradient and training."""
    X, y = problem(SIZES, 20)
    built_in, own = (
        make(network_class, SIZES, name, loss=loss)
        for loss in ("mse", lambda h, t: (np.mean((h - t) ** 2), 2 * (h - t) / t.size))
    )
    for net in (built_in, own):
        net.fit(X, y, epochs=3, batch_size=7)
    np.testing.assert_allclose(own.parameters, built_in.parameters, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(own.history.loss, built_in.history.loss, rtol=1e-12)


# ---- both engines do the same ------------------------------------------------------------------------------

BATCHES = {"rows": 1, "batches": 7, "blocks": None}
BLOCKS = {"narrow": 4096 + 33, "wide": 2 * 1600 + 33, "large": 512 + 33}  # rows
PARITY = [(s, b) for s in SHAPES for b in BATCHES if (s, b) != ("large", "rows")]


def trained(network_class, name, shape, batch, dtype, start=None):
    sizes = SHAPES[shape]
    net = make(network_class, sizes, name, optimizer=fastbp.SGD(0.05), dtype=dtype)
    if start is not None:
        net.parameters[:] = start
    X, y = problem(sizes, BLOCKS[shape] if batch == "blocks" else 24)
    history = net.fit(X, y, epochs=3, batch_size=BATCHES[batch])
    return net.parameters.astype(np.float64), np.array(history.loss)


@cache
def reference_result(name, shape, batch, dtype):
    start = make(reference.Network, SHAPES[shape], name, dtype="float32").parameters
    return trained(reference.Network, name, shape, batch, dtype, start)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "batch"), PARITY)
@pytest.mark.parametrize("name", OPTIONS)
def test_both_engines_do_the_same(name, shape, batch, dtype):
    """float64 within 1e-9, float32 as near to float64 as 4 times NumPy's float32."""
    start = make(reference.Network, SHAPES[shape], name, dtype="float32").parameters
    truth = reference_result(name, shape, batch, "float64")
    numpy = reference_result(name, shape, batch, "float32")
    for isa in ISAS:
        with using(isa):
            native = trained(fastbp.Network, name, shape, batch, dtype, start)
            assert_parity(native, truth, numpy, dtype)


def test_every_option_makes_a_difference():
    """The comparisons above do not compare plain networks."""
    plain = reference_result("none", "wide", "batches", "float64")
    for name in OPTIONS:
        parameters, _ = reference_result(name, "wide", "batches", "float64")
        assert np.abs(parameters - plain[0]).max() > 1e-3, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 5, 4096 + 33])
def test_a_custom_loss(rows, dtype):
    X, y = problem(SHAPES["wide"], rows)

    def found(network_class):
        net = make(network_class, SHAPES["wide"], "all", dtype=dtype, optimizer=fastbp.SGD(0.1))
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


# ---- the same bits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [1, 7, 32])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["l1", "l2", "dropout", "max-norm", "fused"])
def test_fused_and_stored(name, shape, batch_size, dtype, isa):
    X, y = problem(SHAPES[shape], 45)
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
    X, y = problem(sizes, rows)
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
    X, y = problem(SHAPES["wide"], 50)
    once, twice = (make(network_class, SHAPES["wide"], name) for _ in range(2))
    once.fit(X, y, epochs=4)
    twice.fit(X, y, epochs=2)
    twice = twice.clone()
    twice.fit(X, y, epochs=2)
    assert once.parameters.tobytes() == twice.parameters.tobytes()
    assert once.history.loss == twice.history.loss


# ---- PyTorch -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["l2", "clip_norm", "clip_value", "both"])
@pytest.mark.parametrize("optimizer", [fastbp.SGD(0.1, 0.9), fastbp.Adam(0.01)], ids=lambda o: o.row)
def test_training_is_pytorchs(optimizer, option, torch):
    clipping = {"clip_value": 0.005} if option in ("clip_value", "both") else {}
    clipping |= {"clip_norm": 0.02} if option in ("clip_norm", "both") else {}
    l2 = 0.03 if option == "l2" else 0.0
    layers = [3, Dense(8, "tanh", l2=l2), Dense(4, l2=l2)]
    options = {"optimizer": replace(optimizer, **clipping), "dtype": "float64", "seed": 0}
    nets = [network_class(layers, loss="cross_entropy", **options) for network_class in ENGINES]
    X, y = problem((3, 4), 20, "cross_entropy")
    model = model_of(torch, nets[0])
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
    for net in nets:
        assert_same_parameters(net, model)


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
    refuses(call, ParameterError, *parts)
