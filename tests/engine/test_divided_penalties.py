"""`Dense(divide_penalty=True)`: l1 and l2 over the rows of the batch, or over the sum of their weights."""

import itertools

import numpy as np
import pytest

import fastbp
from fastbp import Dense, reference
from fastbp.exceptions import ParameterError
from helpers.differences import central_differences
from helpers.engines_agree import assert_parity
from helpers.inside import run_of
from helpers.isas import ISAS, using
from helpers.problems import problem
from helpers.tables import DTYPES, ENGINES

sp = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")

L1, L2 = 0.02, 0.9
SHAPES = {"narrow": (3, 16, 5, 2), "wide": (7, 40, 33, 3)}
BLOCKS = {"narrow": 2 * 4096 + 33, "wide": 1600 + 33}  # rows of several blocks, the last one short


def network(network_class, sizes, *, divide=True, by=1.0, penalized=True, **options):
    """A network with penalties in all layers but the last; they are divided by `by` in any case."""
    l1, l2 = (L1 / by, L2 / by) if penalized else (0, 0)
    layers = [Dense(n, "tanh", l1=l1, l2=l2, divide_penalty=divide) for n in sizes[1:-1]]
    options = {"optimizer": fastbp.SGD(0.05), "dtype": "float64", "seed": 3} | options
    return network_class([sizes[0], *layers, Dense(sizes[-1])], **options)


def squares(output, target):
    """The mean of squares as a custom loss."""
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


def weights_of(kind, y):
    """Weights whose sums are exact in any order: one per row, some of them 0, or one per target."""
    if kind is None:
        return None
    weights = np.random.default_rng(5).integers(0, 9, y.shape if kind == "targets" else len(y)) / 4
    weights[-1] = 2
    return weights


# ---- the definition ----------------------------------------------------------------------------------------


def check_formula(network_class, sizes, X, y, loss, weights, divisor):
    """The penalty counts once per batch, over the divisor, in the loss and in the gradient."""
    net, plain = (network(network_class, sizes, penalized=p, loss=loss) for p in (True, False))
    (J, g), (bare, d) = (n.loss_and_gradients(X, y, sample_weight=weights) for n in (net, plain))
    value, gradient = 0.0, []
    for i, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        l1, l2 = (L1, L2) if i + 1 < len(net.weights) else (0, 0)
        value += l1 * np.abs(W).sum() + l2 / 2 * np.square(W).sum()
        gradient += [(l1 * np.sign(W) + l2 * W).ravel(), 0 * b]
    assert J - bare == pytest.approx(value / divisor, rel=1e-9)
    np.testing.assert_allclose(g - d, np.concatenate(gradient) / divisor, rtol=1e-9, atol=1e-12)
    assert net.evaluate(X, y) == plain.evaluate(X, y)


def test_the_formula(network_class):
    """For any number of blocks, whatever the loss divides by."""
    for shape, kind in itertools.product(SHAPES, (None, "rows", "targets")):
        for rows, loss in [(1, "mse"), (5, "half_sse"), (5, fastbp.HalfSSE("mean")), (BLOCKS[shape], "mse")]:
            X, y = problem(SHAPES[shape], rows)
            weights = weights_of(kind, y)
            divisor = rows if weights is None else weights.sum() / (y.shape[1] if kind == "targets" else 1)
            check_formula(network_class, SHAPES[shape], X, y, loss, weights, divisor)


def test_unknown_targets_do_not_count(network_class):
    """A row with some unknown targets counts by the share that is known; one without any does not count."""
    sizes = SHAPES["wide"]
    X, y = problem(sizes, 8)
    y[0], y[1, :2] = np.nan, np.nan
    check_formula(network_class, sizes, X, y, fastbp.MSE(ignore_nan=True), None, 6 + 1 / 3)
    y[1] = np.nan
    check_formula(network_class, sizes, X, y, fastbp.MSE(ignore_nan=True), None, 6)


def test_the_gradient_is_the_numerical_one(network_class):
    sizes = (3, 4, 2)
    X, y = problem(sizes, 6)
    for weights in (None, weights_of("rows", y), weights_of("targets", y)):
        net = network(network_class, sizes)
        net.weights[0][np.abs(net.weights[0]) < 1e-3] = 0.1  # away from the kink
        numerical = central_differences(
            lambda: net.loss_and_gradients(X, y, sample_weight=weights)[0],  # noqa: B023
            net.parameters,
            1e-5,
        )
        found = net.loss_and_gradients(X, y, sample_weight=weights)[1]
        np.testing.assert_allclose(found, numerical, rtol=1e-6, atol=1e-8)


def test_minimize_divides_by_all_rows(network_class):
    X, y = problem((3, 4, 2), 20)
    nets = [network(network_class, (3, 4, 2), divide=d, by=b) for d, b in ((True, 1), (False, 20))]
    for net in nets:
        fastbp.minimize(net, X, y, max_iterations=5)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


# ---- every way of training: batches of n rows are those of penalties over n, bit for bit -------------------


def fitted(net, X, y, batch_size, weights=None):
    history = net.fit(X, y, epochs=2, batch_size=batch_size, sample_weight=weights)
    return net.parameters.tobytes(), tuple(history.loss)


def by_steps(net, X, y, rows):
    losses = [net.train_on_batch(X[i : i + rows], y[i : i + rows]) for i in range(0, len(X), rows)]
    return net.parameters.tobytes(), tuple(losses)


def by_halves(net, X, y, rows):
    """A step from the outside: the loss is the caller's."""
    for i in range(0, len(X), rows):
        h = net.forward(X[i : i + rows])
        net.backward((h - y[i : i + rows]) / rows)
        net.step()
    return net.parameters.tobytes()


def of_iterable(net, X, y, rows):
    batches = [(X[i : i + rows], y[i : i + rows]) for i in range(0, len(X), rows)]
    return net.parameters.tobytes(), tuple(net.fit(batches, epochs=2).loss)


WAYS = {
    "fit": (fitted, {}),
    "stored": (lambda net, X, y, rows: run_of(net, X, y, batch_size=rows, stored=True)[:3], {}),
    "clipped": (fitted, {"optimizer": fastbp.SGD(0.05, clip_norm=0.1)}),
    "Adam": (fitted, {"optimizer": "adam"}),
    "custom loss": (fitted, {"loss": squares}),
    "weights": (lambda *case: fitted(*case, weights=np.ones(len(case[1]))), {}),
    "ignore_nan": (fitted, {"loss": fastbp.MSE(ignore_nan=True)}),
    "sparse": (lambda net, X, y, rows: fitted(net, sp.csr_array(X), y, rows), {}),
    "steps": (by_steps, {}),
    "halves": (by_halves, {}),
    "iterable": (of_iterable, {}),
}


def check_way(name, network_class, shape, rows, batch_size, dtype):
    train, options = WAYS[name]
    X, y = problem(SHAPES[shape], rows)
    X[np.abs(X) < 1.3] = 0  # sparse enough for the entries
    cases = [(True, 1), (False, batch_size), (False, 1)]
    one, other, undivided = (
        train(
            network(network_class, SHAPES[shape], divide=d, by=by, dtype=dtype, **options), X, y, batch_size
        )
        for d, by in cases
    )
    assert one == other, (name, shape, batch_size)
    assert (one == undivided) is (batch_size == 1), (name, shape, batch_size)


@pytest.mark.parametrize("name", WAYS)
def test_every_way_of_training(name):
    """With batches of one row, of several, of all, and of several blocks; in one thread and in two."""
    for shape, dtype in itertools.product(SHAPES, DTYPES):
        for isa, batch_size in itertools.product(ISAS, (1, 8, 24)):
            with using(isa):
                check_way(name, fastbp.Network, shape, 24, batch_size, dtype)
        for threads in (1, 2):
            with fastbp.threads(threads):
                check_way(name, fastbp.Network, shape, BLOCKS[shape], BLOCKS[shape], dtype)
    for shape, batch_size in itertools.product(SHAPES, (1, 8, 24)):
        check_way(name, reference.Network, shape, 24, batch_size, "float64")


# ---- both engines do the same ------------------------------------------------------------------------------


def results(network_class, shape, kind, loss, batch_size, dtype, start, sparse):
    net = network(network_class, SHAPES[shape], dtype=dtype, loss=loss)
    net.parameters[:] = start
    X, y = problem(SHAPES[shape], 24)
    X[np.abs(X) < 1.3] = 0
    data = sp.csr_array(X) if sparse else X
    history = net.fit(data, y, epochs=3, batch_size=batch_size, sample_weight=weights_of(kind, y))
    return net.parameters.astype(np.float64), np.array(history.loss)


@pytest.mark.parametrize(
    ("loss", "kind"), [(squares, None), *itertools.product(["mse", "half_sse"], [None, "rows", "targets"])]
)
def test_parity(loss, kind):
    """Shuffled batches with a short last one: each is divided by its own rows, or by their weights."""
    for shape, batch_size, sparse in itertools.product(SHAPES, (1, 7), (False, True)):
        start = network(reference.Network, SHAPES[shape], dtype="float32").parameters
        case = shape, kind, loss, batch_size
        exact, rounded = (results(reference.Network, *case, dtype, start, sparse) for dtype in DTYPES[::-1])
        for isa, dtype in itertools.product(ISAS, DTYPES):
            with using(isa):
                found = {}
                for threads in (1, 2):
                    with fastbp.threads(threads):
                        found[threads] = results(fastbp.Network, *case, dtype, start, sparse)
                assert found[1][0].tobytes() == found[2][0].tobytes()
                assert_parity(found[1], exact, rounded, dtype)


# ---- as a field of the layer -------------------------------------------------------------------------------


def test_it_is_an_option_like_the_others(tmp_path):
    for network_class in ENGINES:
        net = network(network_class, (3, 4, 2))
        assert [layer.divide_penalty for layer in net.layers] == [True, False]
        assert "divide_penalty=True" in str(net.summary())
        net.save(tmp_path / "net.safetensors")
        assert network_class.load(tmp_path / "net.safetensors").layers == net.layers == net.clone().layers
        net.trainable = [True, False]  # makes new layers
        assert net.layers[0].divide_penalty
    assert repr(Dense(3)) == repr(Dense(3, divide_penalty=False))
    assert repr(Dense(3, divide_penalty=True)).endswith(", divide_penalty=True)")
    with pytest.raises(ParameterError, match="divide_penalty is 1, expected True or False"):
        Dense(3, divide_penalty=1)


def test_levenberg_marquardt_refuses_penalties_as_before():
    """Without penalties there is nothing to divide."""
    X, y = problem((3, 4, 2), 20)
    net = network(fastbp.Network, (3, 4, 2), penalized=False, optimizer=fastbp.LevenbergMarquardt())
    assert net.fit(X, y, epochs=1, batch_size=None).loss
    net = network(fastbp.Network, (3, 4, 2), optimizer=fastbp.LevenbergMarquardt())
    with pytest.raises(ParameterError, match=r"layers\[1\] has l1=0.02, expected none"):
        net.fit(X, y, epochs=1, batch_size=None)
