"""`inspect.check_gradients`: right gradients pass, wrong ones do not, kinks are told from mistakes."""

import numpy as np
import pytest

import fastbp
from fastbp import Dense, activations, inspect, losses, reference
from fastbp.activations import CustomActivation
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.inspect import _gradient_check
from fastbp.inspect._differences import Differences, relative_error
from helpers.inside import state_of
from helpers.noted import noted
from helpers.problems import fitting, problem
from helpers.tables import ACTIVATIONS, DTYPES, ENGINES
from helpers.weighted import LOSSES

SIZES = (3, 5, 4, 2)


def make(activation="tanh", loss="mse", dtype="float64", engine=fastbp.Network, sizes=SIZES, **options):
    activation, loss = activations.get(activation), losses.get(loss)
    output = activation if losses.allowed(loss, activation) else None
    hidden = "tanh" if activation.name == "softmax" else activation
    options = {"activation": hidden, "output_activation": output, "seed": 3} | options
    return engine(list(sizes), loss=loss, dtype=dtype, **options)


def test_right_gradients_pass():
    """Of every activation and every loss, in both engines and both precisions."""
    cases = [(f, "mse") for f in ACTIVATIONS if f.name != "step"] + [("tanh", loss) for loss in LOSSES]
    for i, (activation, loss) in enumerate(cases):
        sizes = fitting(SIZES, losses.get(loss))
        net = make(activation, loss, DTYPES[i % 2], ENGINES[i // 2 % 2], sizes)
        net.parameters[:] += np.random.default_rng(i).normal(
            0, 0.3, net.parameters.size
        )  # biases of 0 are kinks
        check = inspect.check_gradients(net, *problem(sizes, 12, losses.get(loss)))
        with noted(str(check)):
            assert check.passed
            assert not check.is_kink.any()
            assert check.parted_layer is None
            np.testing.assert_array_equal(check.indices, np.arange(net.parameters.size))
            assert check.relative_errors.max() <= 1e-6
            assert check.numerical.any()


@pytest.mark.parametrize(
    "options", [{"dropout": 0.5}, {"l1": 0.1, "l2": 0.3}, {"trainable": False}, {"bias": False}]
)
def test_options_of_layers_do_not_count(options):
    net = make(sizes=(3, Dense(5, **options), 2), input_noise=0.3)
    before = state_of(net)
    X, y = problem((3, 2), 12)
    check = inspect.check_gradients(net, X, y)
    assert check.passed
    assert check.loss == pytest.approx(net.evaluate(X, y)["loss"], rel=1e-14)
    assert state_of(net) == before


def test_the_loss_is_that_of_evaluate(rng):
    """With scaling, weights, unknown targets and labels."""
    X, y = problem((3, 2), 12)
    net = make()
    net.adapt(5 * X + 1, 7 * y)
    weights = rng.integers(0, 3, y.shape) / 2
    check = inspect.check_gradients(net, 5 * X + 1, 7 * y, sample_weight=weights)
    assert check.passed
    assert check.loss == pytest.approx(
        net.evaluate(5 * X + 1, 7 * y, sample_weight=weights)["loss"], rel=1e-12
    )
    net, labels = make(loss="cross_entropy", dtype="float32"), rng.integers(0, 2, 12)
    check = inspect.check_gradients(net, X, labels)
    assert check.passed
    assert check.loss == pytest.approx(net.evaluate(X, labels)["loss"], rel=1e-6)
    unknown = np.where(rng.random(y.shape) < 0.3, np.nan, y)
    assert inspect.check_gradients(make(loss=losses.MSE(ignore_nan=True)), X, unknown).passed


def off_by(factor):
    def loss(h, t):
        return float(np.mean((h - t) ** 2)), factor * 2 * (h - t) / h.size

    return loss


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1, "exact"), (1 + 1e-5, "fine"), (1.001, "doubtful"), (1.1, "wrong"), (-1, "wrong")],
)
def test_a_wrong_custom_loss(factor, verdict, engine):
    X, y = problem((3, 2), 12)
    net = make(loss=off_by(factor), output_activation="sigmoid", engine=engine, dtype="float32")
    check = inspect.check_gradients(net, X, y)
    assert check.verdict == verdict
    assert check.passed == (verdict in ("exact", "fine"))
    assert check.parted_layer == (None if check.passed else 3)
    if verdict == "wrong":
        assert "look at the derivative of its activation sigmoid or of the loss" in str(check)
        expected = abs(factor - 1) / max(abs(factor), 1)
        assert check.relative_errors == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("engine", ["native float64", "reference float64", "native float32"])
def test_one_wrong_number_is_named(engine, monkeypatch):
    """The second weight into the second hidden layer, of one engine only."""
    net = make(dtype="float32")
    index = 3 * 5 + 5 + 4 * 1 + 2
    own = _gradient_check.Engines.gradient

    def gradient(self, model):
        found = own(self, model)
        kind = "reference" if model.engine.isa == "numpy" else "native"
        if f"{kind} {model.architecture.dtype}" == engine:
            found[index] += 0.05
        return found

    monkeypatch.setattr(_gradient_check.Engines, "gradient", gradient)
    check = inspect.check_gradients(net, *problem((3, 2), 12))
    worst = check.worst
    assert (worst.name, worst.place, worst.layer, worst.engine) == ("w_5_11", index, 2, engine)
    assert worst.gradient - worst.numerical == pytest.approx(0.05, rel=1e-3)
    assert check.verdict == "wrong"
    assert check.parted_layer == 2
    assert f"worst: w_5_11 in layers[2], {worst.gradient:.6g} by {engine}" in str(check)
    others = np.delete(check.relative_errors, index)
    assert others.max() <= 1e-7


def test_kinks_at_the_point_are_left_out():
    """Inputs of 0 and biases of 0: every relu stands at its kink."""
    net = make("relu", output_activation="identity")
    X = np.vstack([np.zeros((1, 3)), np.random.default_rng(0).normal(size=(3, 3))])
    check = inspect.check_gradients(net, X, np.ones((4, 2)))
    biases = np.flatnonzero(check.is_kink)
    assert biases.size >= 5
    assert set(biases) <= {*range(15, 20), *range(40, 44)}
    assert np.isnan(check.relative_errors[biases]).all()
    assert check.passed
    assert f"{biases.size} at kinks left out" in str(check)


def test_a_kink_within_the_step_needs_a_smaller_one():
    net = make("relu", sizes=(1, 1, 1), output_activation="identity")
    net.parameters[:] = [1, 2e-6, 1, 0]
    check = inspect.check_gradients(net, [[0.0], [1.0], [-1.0]], [[1.0], [2.0], [0.0]])
    assert check.passed
    assert not check.is_kink.any()
    assert check.steps[1] < 2e-6 < check.steps[0]


def test_a_wrong_slope_is_no_kink():
    """The slopes of both sides agree, or the gradient is not between them."""

    def loss(h, t):
        return float(np.abs(h - t).mean()), np.where(h == t, 0.3, 1.5 * np.sign(h - t)) / h.size

    net = make(loss=loss, sizes=(1, 1), output_activation="identity")
    net.parameters[:] = [1, 0]
    check = inspect.check_gradients(net, [[1.0], [2.0]], [[0.0], [0.0]])
    assert not check.is_kink.any()
    assert check.verdict == "wrong"
    at_kink = inspect.check_gradients(net, [[1.0], [2.0]], [[1.0], [2.0]])
    assert at_kink.is_kink.all()
    assert (at_kink.verdict, at_kink.worst, at_kink.passed) == ("unknown", None, False)


def test_a_loss_that_rounds_is_not_blamed():
    """Its rounding errors are measured: a sum with a large constant has few digits left."""

    def loss(h, t):
        return float(np.mean((h - t) ** 2) + 1e6), 2 * (h - t) / h.size

    check = inspect.check_gradients(make(loss=loss), *problem((3, 2), 12))
    assert check.passed


def difference(f, gradient, at=0.0):
    """The difference of a function of one number beside a gradient, and its relative error."""
    w = np.array([at])
    found = Differences(lambda: float(f(w[0])), w).by(0, gradient)
    return found, relative_error(gradient, found.value, found.rounding)


def test_what_counts_as_a_kink():
    found, _ = difference(lambda w: abs(w) + w, 0.5)  # slopes 0 and 2
    assert found.is_kink
    found, error = difference(lambda w: abs(w) + w, 2.5)  # beyond both
    assert not found.is_kink
    assert error > 0.5
    found, error = difference(lambda w: np.expm1(1e6 * w), 1e6)  # strongly bent, but smooth
    assert not found.is_kink
    assert error < 1e-4


def test_rounding_does_not_excuse_a_wrong_derivative():
    """Smaller steps are of no use where rounding would explain any difference."""
    _, error = difference(lambda w: 1e6 + w, 1.015)
    assert error > 1e-2
    _, error = difference(lambda w: 1e6 + w, 1.0)
    assert error <= 1e-7
    assert difference(lambda w: w, np.nan)[1] == difference(lambda w: w, np.inf)[1] == np.inf


def test_a_sample_of_the_parameters():
    net = make(sizes=(20, 30, 3))
    X, y = problem((20, 3), 12)
    check = inspect.check_gradients(net, X, y, parameters=40)
    assert np.bincount(check.places).tolist() == [0, 20, 20]
    assert (np.diff(check.indices) > 0).all()
    again = inspect.check_gradients(net, X, y, parameters=40)
    np.testing.assert_array_equal(check.indices, again.indices)
    np.testing.assert_array_equal(check.numerical, again.numerical)
    other = inspect.check_gradients(net, X, y, parameters=40, seed=1)
    assert set(other.indices) != set(check.indices)
    few = inspect.check_gradients(net, X, y, parameters=700)
    assert np.bincount(few.places).tolist() == [0, 607, 93]
    assert inspect.check_gradients(net, X, y, parameters="all").indices.size == net.parameters.size
    assert inspect.check_gradients(net, X, y, parameters=1).indices.size == 1


def test_sparse_inputs():
    scipy = pytest.importorskip("scipy.sparse")
    X, y = problem((30, 2), 12)
    X[np.random.default_rng(0).random(X.shape) < 0.8] = 0
    net = make(sizes=(30, 4, 2))
    dense, sparse = (inspect.check_gradients(net, x, y) for x in (X, scipy.csr_array(X)))
    assert sparse.passed
    np.testing.assert_allclose(sparse.numerical, dense.numerical, rtol=1e-6, atol=1e-9)


def test_arguments():
    net, (X, y) = make(), problem((3, 2), 12)
    for wrong in (0, -3, 2.5, True, None):
        with pytest.raises(ParameterError, match=r"parameters is .*, expected an integer >= 1"):
            inspect.check_gradients(net, X, y, parameters=wrong)
    with pytest.raises(ParameterError, match="parameters is 'some', expected a number of them, or 'all'"):
        inspect.check_gradients(net, X, y, parameters="some")
    for wrong in (-1, 0, 1e-13, 1, np.nan):
        with pytest.raises(ParameterError, match=r"step is .*, expected"):
            inspect.check_gradients(net, X, y, step=wrong)
    for step in (1e-12, 1e-8, 1e-3, 0.99):
        assert np.isfinite(inspect.check_gradients(net, X, y, step=step).numerical).all()
    with pytest.raises(ParameterError, match="seed is -1"):
        inspect.check_gradients(net, X, y, seed=-1)
    with pytest.raises(ShapeError, match="X has 2 columns, expected 3"):
        inspect.check_gradients(net, X[:, :2], y)
    net.parameters[0] = np.nan
    with pytest.raises(DataError, match="the loss is nan at the network's parameters"):
        inspect.check_gradients(net, X, y)


def test_text():
    net = make(engine=reference.Network, dtype="float32")
    check = inspect.check_gradients(net, *problem((3, 2), 12))
    text = str(check)
    assert text.startswith("gradient check: exact, 54 of 54 parameters, loss ")
    head = text.splitlines()[3].split("  ")
    assert [*filter(None, map(str.strip, head))] == [
        "layer", "activation", "checked", "kinks", "native float64", "reference float64", "reference float32"
    ]  # fmt: skip
    assert repr(check) == text
    assert "<table" in check._repr_html_()


WRONG = {
    "constant": lambda z: np.ones_like(z),
    "zero": lambda z: np.zeros_like(z),
    "of the wrong sign": lambda z: np.tanh(z) ** 2 - 1,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_a_wrong_custom_activation_is_found_in_its_layer(layer, engine):
    X, y = problem((3, 2), 12)
    for name, derivative in [*WRONG.items(), ("right", lambda z: 1 - np.tanh(z) ** 2)]:
        layers = [3, Dense(5, "sigmoid"), Dense(4, "tanh"), Dense(2, "tanh")]
        layers[layer] = Dense(layers[layer].units, CustomActivation(np.tanh, derivative, name))
        check = inspect.check_gradients(engine(layers, seed=1), X, y)
        assert check.passed == (name == "right")
        assert check.parted_layer == (None if check.passed else layer)
        assert check.passed or f"layers[{layer}]: look at the derivative of its activation {name}" in str(
            check
        )
