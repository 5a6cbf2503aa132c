"""SciPy's optimizers on networks of both engines."""

import sys

import numpy as np
import pytest

import fastbp
from fastbp import BusyError, DivergenceError, ParameterError, ShapeError
from fastbp._scipy import METHODS

pytest.importorskip("scipy", reason="SciPy is not installed: minimize cannot run")


@pytest.fixture
def data(rng):
    X = rng.uniform(-1, 1, (60, 3))
    return X, np.column_stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2]])


def make(network_class, **options):
    return network_class([3, 6, 2], **({"activation": "tanh", "dtype": "float64", "seed": 2} | options))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_lowers_the_loss(network_class, method, data):
    net = make(network_class)
    first = net.evaluate(*data)["loss"]
    result = fastbp.minimize(net, *data, method=method, max_iterations=100)
    assert result.fun < first / 10
    assert net.evaluate(*data)["loss"] == pytest.approx(result.fun, rel=1e-9)
    np.testing.assert_array_equal(net.parameters, result.x)
    history = net.history
    assert len(history) == result.nit > 5
    assert history.loss[0] == pytest.approx(first, rel=1e-12)
    assert (np.diff(history.loss) <= 0).all()
    assert (history.stopped == "converged") == result.success


@pytest.mark.parametrize("method", METHODS)
def test_linear_least_squares(network_class, method, rng):
    """The minimum is known, and found."""
    X = rng.standard_normal((40, 3))
    y = X @ [1.0, -2.0, 3.0] + 0.1 * rng.standard_normal(40) + 4
    net = network_class([3, 1], dtype="float64", seed=0)
    fastbp.minimize(net, X, y, method=method, tol=1e-10)
    exact = np.linalg.lstsq(np.column_stack([X, np.ones(40)]), y, rcond=None)[0]
    np.testing.assert_allclose(net.parameters, exact, rtol=1e-5)
    assert net.history.stopped in ("converged", "stalled")  # where no rounding hides a step down


def test_both_engines_take_the_same_way(data):
    nets = [make(each) for each in (fastbp.Network, fastbp.reference.Network)]
    for net in nets:
        fastbp.minimize(net, *data, max_iterations=15)
    np.testing.assert_allclose(nets[0].history.loss, nets[1].history.loss, rtol=1e-6)


def test_float32(network_class, data):
    """SciPy works in float64; the network's dtype stays what it is."""
    net = make(network_class, dtype="float32")
    first = net.evaluate(*data)["loss"]
    result = fastbp.minimize(net, *data, max_iterations=50)
    assert result.x.dtype == np.float64
    assert net.parameters.dtype == np.float32
    assert net.evaluate(*data)["loss"] < first / 10


def test_the_limit_and_the_options(network_class, data):
    net = make(network_class)
    result = fastbp.minimize(net, *data, max_iterations=3, options={"maxcor": 2})
    assert (result.nit, len(net.history), net.history.stopped) == (3, 3, "epochs")
    assert list(net.history) == ["loss", "learning_rate", "seconds"]
    assert np.isnan(net.history.learning_rate).all()
    fit = net.fit(*data, epochs=2)
    assert len(net.history) == 5
    assert net.history.learning_rate[3:] == fit.learning_rate
    assert net.history.loss[3:] == fit.loss


def test_losses_of_all_kinds(network_class, rng):
    X = rng.standard_normal((50, 3))
    labels = X.argmax(axis=1)
    net = network_class([3, 5, 3], loss="cross_entropy", dtype="float64", seed=0)
    fastbp.minimize(net, X, labels, max_iterations=200)
    assert net.evaluate(X, labels)["accuracy"] > 0.9
    own = network_class([3, 1], loss=lambda h, t: (np.sum((h - t) ** 4), 4 * (h - t) ** 3), dtype="float64")
    fastbp.minimize(own, X, X[:, :1])
    assert own.evaluate(X, X[:, :1])["loss"] < 1e-4


def test_what_is_raised_leaves_the_best(network_class, data):
    """The custom loss raises; the network has the parameters with the lowest loss until then."""
    seen = []

    def loss(output, target):
        error = output - target
        seen.append((np.mean(error**2), net.parameters.copy()))
        if len(seen) == 12:
            raise KeyboardInterrupt
        return seen[-1][0], 2 * error / error.size

    net = make(network_class, loss=loss)
    with pytest.raises(KeyboardInterrupt):
        fastbp.minimize(net, *data)
    best = min(seen[:-1], key=lambda entry: entry[0])
    np.testing.assert_array_equal(net.parameters, best[1])
    assert net.history.stopped == "interrupted"
    assert 0 < len(net.history) < 12


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite(network_class, value, data):
    calls = []

    def loss(output, target):
        calls.append(1)
        return (1 / len(calls) if len(calls) < 4 else value), output

    net = make(network_class, loss=loss)
    with pytest.raises(DivergenceError, match="parameters with the lowest loss"):
        fastbp.minimize(net, *data)
    assert np.isfinite(net.parameters).all()
    assert net.history.stopped == "diverged"
    start = make(network_class, loss=lambda output, target: (value, output))
    before = start.parameters.copy()
    with pytest.raises(DivergenceError, match="iteration 1"):
        fastbp.minimize(start, *data)
    np.testing.assert_array_equal(start.parameters, before)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"method": "Nelder-Mead"},
            ParameterError,
            "method is 'Nelder-Mead', expected .*: L-BFGS-B, BFGS",
        ),
        ({"max_iterations": 0}, ParameterError, "max_iterations is 0"),
        ({"tol": 0}, ParameterError, "tol is 0"),
        ({"options": 5}, ParameterError, r"options is 5, expected a mapping"),
        ({"verbose": 3}, ParameterError, "verbose is 3"),
        ({"y": np.ones((59, 2))}, ShapeError, "y has shape"),
        ({"sample_weight": np.ones(59)}, ShapeError, r"sample_weight has shape \(59,\), expected \(60,\)"),
        ({"class_weight": "balanced"}, ParameterError, "class_weight with the loss 'mse'"),
        ({"net": "net"}, ParameterError, "net is a str"),
    ],
)
def test_wrong_arguments(network_class, options, error, message, data, state_of):
    net = make(network_class)
    before = state_of(net)
    with pytest.raises(error, match=message):
        fastbp.minimize(**({"net": net, "X": data[0], "y": data[1]} | options))
    assert state_of(net) == before


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"layers": [3, fastbp.Dense(6, dropout=0.5), 2]}, r"layers\[1\] has dropout=0.5.* with minimize"),
        ({"layers": [3, fastbp.Dense(6, max_norm=1), 2]}, r"layers\[1\] has max_norm=1.0"),
        ({"layers": [3, 6, 2], "input_noise": 0.1}, "input_noise is 0.1"),
    ],
)
def test_objectives_that_it_would_not_see(network_class, network, message, data):
    net = network_class(**network)
    with pytest.raises(ParameterError, match=message):
        fastbp.minimize(net, *data)


def test_penalties_belong_to_the_objective(network_class, rng):
    """Ridge regression."""
    X = rng.standard_normal((40, 3))
    y = X @ [1.0, -2.0, 3.0]
    net = network_class([3, fastbp.Dense(1, l2=0.5)], dtype="float64", seed=0)
    fastbp.minimize(net, X, y, tol=1e-10)
    A = X - X.mean(axis=0)
    exact = np.linalg.solve(A.T @ A + 0.25 * 40 * np.eye(3), A.T @ (y - y.mean()))
    np.testing.assert_allclose(net.weights[0][:, 0], exact, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_weighted_least_squares(network_class, method, rng):
    X, weights = rng.standard_normal((40, 3)), rng.uniform(0.1, 5, 40)
    y = X @ [1.0, -2.0, 3.0] + rng.standard_normal(40)
    net = network_class([3, 1], dtype="float64", seed=0)
    result = fastbp.minimize(net, X, y, method=method, tol=1e-10, sample_weight=weights)
    A, root = np.column_stack([X, np.ones(40)]), np.sqrt(weights)
    exact, squares, *_ = np.linalg.lstsq(A * root[:, None], y * root, rcond=None)
    np.testing.assert_allclose(net.parameters, exact, rtol=1e-5)
    assert result.fun == pytest.approx(squares[0] / weights.sum(), rel=1e-9)


def test_rows_of_weight_zero_are_absent(network_class, data, rng):
    X, y = data
    weights = rng.integers(0, 3, 60)
    here = weights > 0
    X[~here] = 1e6
    with_them, without = make(network_class), make(network_class)
    fastbp.minimize(with_them, X, y, max_iterations=20, sample_weight=weights)
    fastbp.minimize(without, X[here], y[here], max_iterations=20, sample_weight=weights[here])
    assert with_them.history.loss == without.history.loss
    assert with_them.parameters.tobytes() == without.parameters.tobytes()


def test_class_weights(network_class, rng):
    X = rng.standard_normal((50, 3))
    labels = (X[:, 0] > 1).astype(int)
    nets = [network_class([3, 5, 2], loss="cross_entropy", dtype="float64", seed=0) for _ in range(2)]
    fastbp.minimize(nets[0], X, labels, max_iterations=5, class_weight={0: 0.5, 1: 3})
    fastbp.minimize(nets[1], X, labels, max_iterations=5, sample_weight=np.where(labels, 3, 0.5))
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_busy(network_class, data):
    def loss(output, target):
        with pytest.raises(BusyError, match="minimize"):
            net.reset()
        return 0.0, np.zeros_like(output)

    net = make(network_class, loss=loss)
    fastbp.minimize(net, *data)


def test_progress(network_class, data, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    fastbp.minimize(make(network_class), *data, max_iterations=3, verbose=2)
    printed = capsys.readouterr()
    assert [line.split()[:2] for line in printed.out.splitlines()] == [["epoch", f"{i}/3"] for i in (1, 2, 3)]
    assert "3/3 epochs" in printed.err


def test_without_scipy(network_class, data, monkeypatch, state_of):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    net = make(network_class)
    before = state_of(net)
    with pytest.raises(ImportError, match=r"minimize needs SciPy.*pip install"):
        fastbp.minimize(net, *data)
    assert state_of(net) == before
