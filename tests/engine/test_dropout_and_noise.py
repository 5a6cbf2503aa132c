"""Dropout and input noise: the random numbers that are drawn, their distribution, and where they act."""

import numpy as np
import pytest

import fastbp
from fastbp import Dense
from helpers.inside import engine_of
from helpers.problems import problem
from helpers.regularized import OPTIONS, SHAPES, SIZES, make
from helpers.tables import DTYPES, ENGINES


def words(seed, purpose, step, rows, n):
    """n words of NumPy's Philox per row; each row begins with a new block of four."""
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
    """16 bits per unit from words by (seed, layer, step, row); the kept share and its inverse are exact."""
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
    """Every unit is kept equally often."""
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
    """The rows stay unchanged also where a plain network would read them in place."""
    nets = [make(c, SHAPES[shape], "noise", optimizer=fastbp.SGD(1e-3)) for c in ENGINES]
    X, y = (a.astype(np.float64) for a in problem(SHAPES[shape], 24))
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
    X, y = problem(sizes, 40)
    net.fit(X, y, epochs=2)
    plain.parameters[:] = net.parameters
    assert net.predict(X).tobytes() == plain.predict(X).tobytes()
    assert net.predict(X[0]).tobytes() == plain.predict(X[0]).tobytes()
    assert net.evaluate(X, y) == plain.evaluate(X, y)


@pytest.mark.parametrize("name", ["dropout", "noise"])
def test_every_step_draws_anew(network_class, name):
    net = make(network_class, SIZES, name)
    X, y = problem(SIZES, 20)
    start = net.parameters.copy()
    before = net.loss_and_gradients(X, y)[0]
    assert net.loss_and_gradients(X, y)[0] == before
    assert net.train_on_batch(X, y) == pytest.approx(before, rel=1e-14)
    net.parameters[:] = start
    assert net.loss_and_gradients(X, y)[0] != pytest.approx(before, rel=1e-3)
