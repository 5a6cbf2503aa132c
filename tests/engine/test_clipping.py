"""Gradient clipping before the update, and max-norm after it."""

import numpy as np
import pytest

import fastbp
from fastbp import Dense, optimizers
from helpers.inside import engine_of
from helpers.names import name_of
from helpers.problems import problem
from helpers.regularized import OPTIONS, SHAPES, SIZES, make
from helpers.tables import DTYPES, ENGINES


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_norms_stay_below_max_norm(network_class, shape, dtype, isa):
    """The norms are bounded after every step, and only larger ones are changed."""
    sizes, largest = SHAPES[shape], 0.6
    X, y = problem(sizes, 20)
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


@pytest.mark.parametrize(("clipping", "formula"), CLIPPINGS, ids=name_of)
@pytest.mark.parametrize("sizes", [SIZES, (40, 60, 3)])
def test_the_optimizer_sees_the_clipped_gradient(network_class, sizes, clipping, formula):
    net = network_class(list(sizes), optimizer=fastbp.SGD(1.0, **clipping), dtype="float64", seed=0)
    X, y = problem(sizes, 30)
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
    X, y = problem((2, 40), 3)
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
    X, y = problem(SIZES, 20)
    net = make(network_class, SIZES, "none", optimizer=fastbp.SGD(0.1, clip_value=1e-9))
    assert net.fit(X, y, batch_size=None, epochs=3, gradient_tol=1e-6).stopped == "epochs"


@pytest.mark.parametrize("optimizer", optimizers.OPTIMIZERS.values(), ids=repr)
def test_every_optimizer_clips(optimizer, rng):
    """Clipping is given by keyword and gives the same results in both engines."""
    clipping = OPTIONS["all"].clipping
    optimizer = type(optimizer)(**clipping)
    assert {name: getattr(optimizer, name) for name in clipping} == clipping
    X, y = problem(SIZES, 30)
    nets = [
        network_class(list(SIZES), optimizer=optimizer, dtype="float64", seed=0) for network_class in ENGINES
    ]
    for net in nets:
        net.fit(X, y, epochs=5, batch_size=None)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-8, atol=1e-10)
