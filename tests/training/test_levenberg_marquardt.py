"""Levenberg-Marquardt training: its steps, what it estimates and what it refuses."""

import numpy as np
import pytest

import fastbp
import fastbp.reference
from fastbp import ParameterError
from fastbp.callbacks import ReduceLROnPlateau
from helpers.inside import normal_equations

LOSSES = ["mse", "half_sse", fastbp.HalfSSE(reduction="mean")]


@pytest.fixture
def waves():
    """A smooth function of two inputs, two outputs."""
    rng = np.random.default_rng(3)
    X = rng.uniform(-1, 1, (90, 2))
    return X, np.column_stack([np.sin(3 * X[:, 0]), X[:, 0] * X[:, 1]])


def trained(network_class, X, y, sizes=(2, 8, 2), epochs=60, dtype="float64", loss="mse", **options):
    net = network_class(
        list(sizes),
        activation="tanh",
        loss=loss,
        dtype=dtype,
        seed=1,
        optimizer=fastbp.LevenbergMarquardt(**options),
    )
    return net, net.fit(X, y, epochs=epochs, batch_size=None)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_linear_least_squares(network_class, loss, rng):
    """On an exact model the first steps reach the minimum, except for the damping, which vanishes."""
    X = rng.standard_normal((40, 3))
    y = X @ rng.standard_normal((3, 2)) + 0.1 * rng.standard_normal((40, 2)) + [4, -1]
    net, history = trained(network_class, X, y, [3, 2], loss=loss)
    exact = np.linalg.lstsq(np.column_stack([X, np.ones(40)]), y, rcond=None)[0]
    np.testing.assert_allclose(net.parameters.reshape(4, 2), exact, rtol=1e-7, atol=1e-7)
    assert history.loss[2] == pytest.approx(history.loss[-1], rel=1e-4)
    assert history.stopped == "converged"
    assert len(history) < 20


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_loss_never_rises(network_class, loss, waves):
    net, history = trained(network_class, *waves, loss=loss, damping=1e-8)
    fresh = network_class([2, 8, 2], activation="tanh", loss=loss, dtype="float64", seed=1)
    assert history.loss[0] == pytest.approx(fresh.evaluate(*waves)["loss"], rel=1e-12)
    assert (np.diff(history.loss) <= 0).all()
    assert net.evaluate(*waves)["loss"] <= history.loss[-1] < 1e-3 * history.loss[0]


def test_the_same_minimum_whatever_the_loss_is_divided_by(network_class, waves):
    nets = [trained(network_class, *waves, epochs=20, loss=loss)[0] for loss in LOSSES]
    for net in nets[1:]:
        np.testing.assert_allclose(net.parameters, nets[0].parameters, rtol=1e-6)


@pytest.mark.parametrize("bayesian", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_engines_take_the_same_steps(dtype, bayesian, isa, waves):
    """From the same initial weights; rounding grows from step to step, where the valley is flat."""
    results = [
        trained(each, *waves, epochs=12, dtype=dtype, bayesian=bayesian)
        for each in (fastbp.Network, fastbp.reference.Network)
    ]
    (native, losses), (numpy, numpy_losses) = results
    np.testing.assert_allclose(losses.loss, numpy_losses.loss, rtol=1e-7)
    np.testing.assert_allclose(native.parameters, numpy.parameters, rtol=1e-4, atol=1e-5)


def test_float32_is_rounded_last(network_class, waves):
    """The steps are those of the float64 network that has the same initial weights."""
    single, history = trained(network_class, *waves, dtype="float32", epochs=30)
    assert single.parameters.dtype == np.float32
    double = network_class([2, 8, 2], activation="tanh", dtype="float64", optimizer=single.optimizer)
    double.parameters[:] = network_class([2, 8, 2], activation="tanh", seed=1).parameters
    np.testing.assert_allclose(double.fit(*waves, epochs=30, batch_size=None).loss, history.loss, rtol=1e-6)
    np.testing.assert_allclose(single.parameters, double.parameters, rtol=1e-4, atol=1e-5)


def test_a_step_by_hand(network_class, waves):
    """(J^T J + mu I) d = -J^T r, with mu the damping times the largest of the diagonal; the next mu."""
    net = network_class([2, 4, 2], activation="tanh", dtype="float64", seed=1)
    sums = normal_equations(net, *waves)
    A, g, errors = sums[:-1, :-1], sums[-1, :-1], sums[-1, -1]
    mu = 0.5 * A.diagonal().max()
    d = -np.linalg.solve(A + mu * np.eye(len(A)), g)
    expected = net.parameters + d
    net.optimizer = fastbp.LevenbergMarquardt(damping=0.5)
    net.fit(*waves, batch_size=None)
    np.testing.assert_allclose(net.parameters, expected, rtol=1e-10)
    net.reset()
    history = net.fit(*waves, epochs=2, batch_size=None)
    decrease = 0.5 * (errors - waves[1].size * history.loss[1])
    gain = decrease / -(d @ g + 0.5 * d @ A @ d)
    assert 0.5 < gain < 0.99
    np.testing.assert_allclose(history.damping, [mu, mu * max(1 / 3, 1 - (2 * gain - 1) ** 3)], rtol=1e-9)


def test_the_evidence_by_hand(network_class, waves):
    """gamma, alpha and beta where the second step begins, from the ridge of the first."""
    net = network_class([2, 4, 2], activation="tanh", dtype="float64", seed=1)
    net.optimizer = fastbp.LevenbergMarquardt(bayesian=True)
    history = net.fit(*waves, epochs=2, batch_size=None)
    net.reset()
    net.fit(*waves, epochs=1, batch_size=None)
    sums = normal_equations(net, *waves)
    A, errors, squares = sums[:-1, :-1], sums[-1, -1], net.parameters @ net.parameters
    eigenvalues = np.linalg.eigvalsh(A)
    gamma = (eigenvalues / (eigenvalues + history.alpha[0] / history.beta[0])).sum()
    expected = gamma, gamma / squares, (waves[1].size - gamma) / errors
    found = history.gamma[1], history.alpha[1], history.beta[1]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_bayesian_finds_noise_and_what_the_data_determine(network_class):
    """On pure noise hardly anything; on a function with noise, this noise, without learning it."""
    rng = np.random.default_rng(5)
    X = rng.uniform(-1, 1, (200, 1))
    noise = rng.standard_normal((200, 1))
    P = 3 * 12 + 1
    for y, fewest, most in ((noise, 0, 8), (np.sin(4 * X) + 0.3 * noise, 4, 15)):
        free, plain = trained(network_class, X, y, [1, 12, 1], epochs=100)
        net, history = trained(network_class, X, y, [1, 12, 1], epochs=100, bayesian=True)
        gamma = history.gamma[-1]
        assert fewest < gamma < most < P
        scale = np.std(noise) * (1 if y is noise else 0.3)
        assert history.beta[-1] == pytest.approx(1 / scale**2, rel=0.15)
        assert history.alpha[-1] == pytest.approx(gamma / (net.parameters @ net.parameters), rel=0.05)
        assert plain.loss[-1] < history.loss[-1]
        assert np.abs(net.parameters).max() < np.abs(free.parameters).max()
    X_new = np.linspace(-1, 1, 50)[:, None]
    assert np.mean((net.predict(X_new) - np.sin(4 * X_new)) ** 2) < 0.02


def test_columns_of_the_history(network_class, waves):
    net, history = trained(network_class, *waves, epochs=5, bayesian=True)
    assert {"damping", "alpha", "beta", "gamma"} < set(history.to_dict())
    net.optimizer = "adam"
    net.fit(*waves, epochs=2)
    assert len(net.history.gamma) == 7
    assert np.isnan(net.history.gamma[5:]).all()


def test_the_learning_rate_is_nan(network_class, waves):
    """It is nan in the history and the network; the rate of the next optimizer is a number again."""
    net, history = trained(network_class, *waves, epochs=3)
    assert np.isnan([*history.learning_rate, net.learning_rate]).all()
    assert len(history.learning_rate) == 3
    net.optimizer = "adam"
    assert net.learning_rate == net.fit(*waves).learning_rate[0] == 0.001


def test_numpy_is_enough(python):
    code = """
    import sys; sys.modules["scipy"] = None
    import fastbp
    net = fastbp.Network([1, 3, 1], seed=0, optimizer=fastbp.LevenbergMarquardt(bayesian=True))
    net.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0], epochs=3, batch_size=None)
    """
    result = python(code)
    assert result.returncode == 0, result.stderr


def test_it_goes_on_and_stops_like_other_fits(network_class, waves):
    net, history = trained(network_class, *waves, epochs=3)
    loss = history.loss[-1]
    assert net.evaluate(*waves)["loss"] < loss
    assert net.fit(*waves, epochs=200, batch_size=None, tol=0.5, patience=2).stopped == "tol"
    stopped = net.fit(*waves, epochs=2000, batch_size=None, gradient_tol=1e-3)
    assert stopped.stopped == "gradient_tol"
    assert np.abs(net.loss_and_gradients(*waves)[1]).max() < 2e-3


def test_nothing_left_to_gain(network_class, waves):
    """An exact fit: converged, the weights as they were."""
    X, _ = waves
    exact = network_class([2, 3, 2], dtype="float64", seed=0, optimizer=fastbp.LevenbergMarquardt())
    before = exact.parameters.copy()
    assert exact.fit(X, exact.predict(X), epochs=9, batch_size=None).stopped == "converged"
    np.testing.assert_array_equal(exact.parameters, before)


@pytest.mark.parametrize("bayesian", [False, True])
def test_a_dead_network(network_class, bayesian, waves, monkeypatch):
    """Converged at once, without a search for a damping; the data determine nothing."""
    optimizer = fastbp.LevenbergMarquardt(bayesian)
    dead = network_class([2, 3, 2], output_activation="relu", seed=0, optimizer=optimizer)
    dead.biases[-1][:] = -100
    before = dead.parameters.copy()
    monkeypatch.setattr(
        fastbp._training.levenberg_marquardt.LevenbergMarquardtRun,
        "_step",
        lambda self: pytest.fail("a search"),
    )
    history = dead.fit(*waves, epochs=9, batch_size=None)
    assert (history.stopped, len(history)) == ("converged", 1)
    np.testing.assert_array_equal(dead.parameters, before)
    if bayesian:
        assert history.gamma[0] < 1e-300


@pytest.mark.parametrize("start", [0.0, 1e-300, 1e-160, 1e-150])
def test_bayesian_from_zeros(network_class, start, rng):
    """Zeros tell nothing about the variance of parameters: all columns are finite, and it learns from 0."""
    X = rng.standard_normal((40, 3))
    y = X @ [[1.0], [-2.0], [3.0]] + 0.1 * rng.standard_normal((40, 1))
    net = network_class([3, 1], dtype="float64", optimizer=fastbp.LevenbergMarquardt(bayesian=True))
    net.parameters[:] = start
    history = net.fit(X, y, epochs=50, batch_size=None)
    for name in ("damping", "alpha", "beta", "gamma"):
        assert np.isfinite(history[name]).all(), name
    assert history.stopped == "converged"
    if start**2 == 0:
        assert history.alpha[0] == 0
        np.testing.assert_allclose(net.weights[0][:, 0], [1, -2, 3], atol=0.1)


def test_nan_is_no_convergence(network_class, waves, monkeypatch):
    net = network_class([2, 3, 2], dtype="float64", seed=0, optimizer=fastbp.LevenbergMarquardt())
    before = net.parameters.copy()
    Run = fastbp._training.levenberg_marquardt.LevenbergMarquardtRun
    monkeypatch.setattr(Run, "_objective", lambda self, w, loss: np.nan)
    with pytest.raises(fastbp.DivergenceError):
        net.fit(*waves, epochs=9, batch_size=None)
    np.testing.assert_array_equal(net.parameters, before)


def test_numbers_that_overflow(network_class, waves):
    """The fit raises the same error as with other optimizers, and the weights are as before."""
    X, y = waves
    net = network_class([2, 3, 2], dtype="float64", seed=0, optimizer=fastbp.LevenbergMarquardt())
    before = net.parameters.copy()
    with pytest.raises(fastbp.DivergenceError, match=r"in epoch 1 of this fit, step 1 of 1;") as raised:
        net.fit(X, y * 1e200, epochs=9, batch_size=None)
    assert "learning rate" not in str(raised.value)
    np.testing.assert_array_equal(net.parameters, before)


def test_an_exception_leaves_a_complete_step(network_class, waves, monkeypatch):
    """The exception may come in the middle of a step, here in the factorization."""
    net, _ = trained(network_class, *waves, epochs=4)
    complete = net.parameters.copy()
    other = network_class([2, 8, 2], activation="tanh", dtype="float64", seed=1, optimizer=net.optimizer)
    calls = []
    Run = fastbp._training.levenberg_marquardt.LevenbergMarquardtRun
    factorize = Run._factorize

    def interrupted(self, shift):
        calls.append(shift)
        if self.epoch == 4:
            raise KeyboardInterrupt
        return factorize(self, shift)

    monkeypatch.setattr(Run, "_factorize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        other.fit(*waves, epochs=20, batch_size=None)
    np.testing.assert_array_equal(other.parameters, complete)
    assert (len(other.history), other.history.stopped) == (4, "interrupted")


def test_copies_train_as_the_network_does(network_class, waves):
    net, _ = trained(network_class, *waves, epochs=4)
    twin = net.clone()
    assert twin.optimizer == net.optimizer
    for each in (net, twin):
        each.fit(*waves, epochs=4, batch_size=None)
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_scaled_inputs(network_class, waves):
    """The twin in float64 scales them, too."""
    X, y = waves
    raw, scaled = (
        network_class([2, 5, 2], dtype="float64", seed=1, optimizer=fastbp.LevenbergMarquardt())
        for _ in range(2)
    )
    scaled.adapt(X)
    scaled.fit(X, y, epochs=5, batch_size=None)
    raw.fit((X - X.mean(axis=0)) / X.std(axis=0), y, epochs=5, batch_size=None)
    np.testing.assert_allclose(scaled.parameters, raw.parameters, rtol=1e-6, atol=1e-8)


WRONG = [
    ({"loss": "mae"}, {}, r"loss is MAE\(\) with the optimizer LevenbergMarquardt.*mse or half_sse"),
    ({"loss": "binary_cross_entropy"}, {}, r"expected mse or half_sse"),
    ({"layers": [2, 1250, 2]}, {}, r"6,252 parameters, expected at most 5,000.*6.3e\+08 bytes"),
    ({"layers": [2, fastbp.Dense(4, l2=0.1), 2]}, {}, r"layers\[1\] has l2=0.1, expected none with the opt"),
    ({"layers": [2, fastbp.Dense(4, dropout=0.5), 2]}, {}, r"layers\[1\] has dropout=0.5"),
    ({"layers": [2, 4, fastbp.Dense(2, max_norm=1)]}, {}, r"layers\[2\] has max_norm=1.0"),
    ({"input_noise": 0.1}, {}, r"input_noise is 0.1, expected none"),
    (
        {},
        {"sample_weight": np.ones(90)},
        "sample_weight or class_weight is given, or y has rows of which only",
    ),
    (
        {},
        {"batch_size": 32},
        r"batch_size is 32 for 90 rows, expected .*=None: Lev\w+ makes steps of all rows",
    ),
    (
        {},
        {"callbacks": [print, ReduceLROnPlateau("loss")]},
        r"callbacks\[1\] is Reduce.* has a learning rate",
    ),
]


@pytest.mark.parametrize(("network", "fit", "message"), WRONG)
def test_what_it_refuses(network_class, network, fit, message, waves, state_of):
    options = {"layers": [2, 4, 2], "seed": 0, "optimizer": fastbp.LevenbergMarquardt()} | network
    net = network_class(**options)
    X, y = waves[0], np.abs(waves[1]) > 0.3 if net.loss.name == "binary_cross_entropy" else waves[1]
    before = state_of(net)
    with pytest.raises(ParameterError, match=message):
        net.fit(X, y, **({"batch_size": None} | fit))
    assert state_of(net) == before


def test_it_has_no_steps_by_themselves(network_class, waves):
    net = network_class([2, 4, 2], optimizer=fastbp.LevenbergMarquardt())
    net.loss_and_gradients(*waves)
    for call in (lambda: net.train_on_batch(*waves), net.step):
        with pytest.raises(ParameterError, match=r"optimizer is Lev.*works in fit alone"):
            call()
    with pytest.raises(ParameterError, match=r"learning_rate is 0.1 .* has none"):
        net.learning_rate = 0.1
    assert net.gradients.any()  # which are not stale


def test_the_value():
    value = fastbp.LevenbergMarquardt(bayesian=True, damping=0.1)
    assert repr(value) == "LevenbergMarquardt(bayesian=True, damping=0.1, max_fail=6)"
    assert value == fastbp.LevenbergMarquardt(True, 0.1) != fastbp.LevenbergMarquardt()
    for wrong in ({"bayesian": 1}, {"damping": 0}, {"damping": np.nan}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            fastbp.LevenbergMarquardt(**wrong)
