"""`fastbp.inspect.diagnose`: its measures against NumPy, hostile data and networks, and what it prints."""

import numpy as np
import pytest

import fastbp
import fastbp.reference
from fastbp import SGD, DataError, Dense, Network, ParameterError, ShapeError
from fastbp.inspect import diagnose
from fastbp.inspect._diagnosis.layer_states import SLOPE_EDGES
from helpers import sick


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("network_class", [Network, fastbp.reference.Network])
def test_measures_are_those_of_numpy(network_class):
    """A sigmoid and a relu layer with the loss mse, computed here in full."""
    X, y = sick.numbers(5000)  # several blocks
    tried = np.arange(256) * len(X) // 256  # the rows of the next step
    layers = [6, Dense(5, "sigmoid"), Dense(4, "relu"), 1]
    net = network_class(layers, seed=1, dtype="float64", optimizer=SGD(0.1, momentum=0.5))
    net.weights[1][:, 2] = -1  # a unit that is dead
    (W1, W2, W3), (b1, b2, b3) = net.weights, net.biases
    z1 = X @ W1 + b1
    y1 = sigmoid(z1)
    z2 = y1 @ W2 + b2
    y2 = np.maximum(z2, 0)
    d3 = 2 * (y2 @ W3 + b3 - y) / len(X)
    d2 = d3 @ W3.T * (z2 > 0)
    d1 = d2 @ W2.T * y1 * (1 - y1)
    found = diagnose(net, X, y)
    assert found.rows == len(X)
    assert found.loss == pytest.approx(net.evaluate(X, y)["loss"], rel=1e-12)
    assert found.baseline == pytest.approx(y.var(), rel=1e-12)
    slopes = [y1 * (1 - y1), (z2 > 0) * 1.0, np.ones_like(d3)]
    parts = zip(found.layers, [X, y1, y2], [d1, d2, d3], slopes, [W1, W2, W3], strict=True)
    for i, (state, x, delta, slope, W) in enumerate(parts):
        d_W, d_b = x.T @ delta, delta.sum(axis=0)
        step = 0.1 * x[tried].T @ (delta[tried] * len(X) / len(tried))
        output = [y1, y2, y2 @ W3 + b3][i]
        expected = {
            "gradient_norm": np.hypot(np.linalg.norm(d_W), np.linalg.norm(d_b)),
            "gradient_rms": np.sqrt(np.mean(d_W**2)),
            "delta_norm": np.linalg.norm(delta),
            "delta_rms": np.sqrt(np.mean(delta**2)),
            "mean_slope": slope.mean(),
            "least_slope": slope.min(),
            "saturated": np.mean(slope < 0.05 * [0.25, 1, 1][i]),
            "zero_gradients": np.mean(np.append(d_W, d_b) == 0),
            "update_ratio": np.linalg.norm(step) / np.linalg.norm(W),
            "mean": output.mean(),
            "std": output.std(),
            "least": output.min(),
            "most": output.max(),
        }
        for name, value in expected.items():
            assert getattr(state, name) == pytest.approx(value, rel=1e-9, abs=1e-15), (i, name)
        assert state.slope_counts.sum() == slope.size
        np.testing.assert_array_equal(state.slope_counts, np.histogram(slope, [*SLOPE_EDGES, np.inf])[0])
    assert found.layers[1].dead_units == 1
    assert found.layers[1].dead.tolist() == [2]
    assert found.layers[1].zero_gradients == 1 / 4
    ratio = found.layers[0].gradient_rms / found.layers[2].gradient_rms
    assert found.gradient_ratio == pytest.approx(ratio)


def test_the_update_of_other_optimizers_is_that_of_a_step():
    X, y = sick.classes()
    net = sick.classifier()
    net.fit(X, y, epochs=2)
    state = net.__getstate__()["numbers"]
    found = diagnose(net, X, y)
    for before, after in zip(state, net.__getstate__()["numbers"], strict=True):
        np.testing.assert_array_equal(before, after)
    stepped = net.clone()
    stepped.train_on_batch(X, y)
    for layer, W, before in zip(found.layers, stepped.weights, net.weights, strict=True):
        expected = np.linalg.norm(W - before) / np.linalg.norm(before)
        assert layer.update_ratio == pytest.approx(expected, rel=1e-4)


def test_the_engines_agree():
    X, y = sick.classes()
    for options in ({"activation": "gelu"}, {"activation": "tanh", "dtype": "float64"}):
        pair = [
            diagnose(kind([6, 9, 3], loss="cross_entropy", seed=4, **options), X, y)
            for kind in (Network, fastbp.reference.Network)
        ]
        for own, other in zip(*(found.layers for found in pair), strict=True):
            for a, b in zip(own, other, strict=True):
                if not isinstance(a, (str, np.ndarray)):
                    assert a == pytest.approx(b, rel=2e-4, abs=1e-6)


def sum_of_squares(output, target):
    error = output - target
    return float((error**2).sum()), 2 * error


NETWORKS = {
    "custom loss": lambda: (Network([6, 8, 1], loss=sum_of_squares, seed=1), "numbers"),
    "gaussian_nll": lambda: (Network([6, 8, 2], loss="gaussian_nll", seed=1), "numbers"),
    "quantiles": lambda: (Network([6, 8, 2], loss=fastbp.Quantiles([0.1, 0.9]), seed=1), "numbers"),
    "poisson": lambda: (Network([6, 8, 1], loss="poisson", seed=1), "counts"),
    "hinge": lambda: (Network([6, 8, 1], loss="hinge", seed=1), "signs"),
    "no bias": lambda: (Network([6, Dense(8, bias=False), Dense(3, bias=False)], seed=1), "three"),
    "one layer": lambda: (Network([6, 3], loss="cross_entropy", seed=1), "labels"),
    "frozen": lambda: (
        Network([6, Dense(8, trainable=False), 3], loss="cross_entropy", seed=1),
        "labels",
    ),
    "all frozen": lambda: (
        Network([6, Dense(8, trainable=False), Dense(1, trainable=False)], seed=1),
        "numbers",
    ),
    "levenberg_marquardt": lambda: (
        Network([6, 4, 1], optimizer=fastbp.LevenbergMarquardt(), seed=1),
        "numbers",
    ),
    "step output": lambda: (Network([6, Dense(1, "step")], seed=1), "numbers"),
    "dropout": lambda: (
        Network([6, Dense(8, dropout=0.5), 1], seed=1, input_noise=0.1, optimizer="sgd"),
        "numbers",
    ),
    "unknown targets": lambda: (
        Network([6, 8, 3], loss=fastbp.losses.MSE(ignore_nan=True), seed=1),
        "unknown",
    ),
    "custom activation": lambda: (
        Network([6, Dense(8, fastbp.CustomActivation(np.sin, np.cos)), 1], optimizer="sgd", seed=1),
        "numbers",
    ),
    "schedule": lambda: (Network([6, 8, 1], optimizer=SGD(lambda epoch: 0.01), seed=1), "numbers"),
} | {
    name: lambda name=name: (Network([6, 8, 1], optimizer=name, seed=1), "numbers")
    for name in fastbp.optimizers.OPTIMIZERS
}


def targets(kind):
    _X, y = sick.numbers()
    return {
        "numbers": y,
        "counts": np.floor(np.abs(3 * y)),
        "signs": np.where(y > 0, 1, -1),
        "three": np.hstack([y, -y, y**2]),
        "unknown": np.where(np.abs(y) > 1, np.nan, np.hstack([y, -y, y**2])),
        "labels": sick.classes()[1],
    }[kind]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_network_can_be_diagnosed(name):
    net, kind = NETWORKS[name]()
    X, y = sick.numbers()[0], targets(kind)
    before = net.parameters.copy()
    found = diagnose(net, X, y)
    np.testing.assert_array_equal(net.parameters, before)
    assert found.loss == pytest.approx(net.evaluate(X, y, [])["loss"], rel=1e-5)
    expected = {"step output": ["zero derivative"]}
    assert [finding.kind for finding in found.findings] == expected.get(name, [])
    weights = np.linspace(0, 2, len(X))
    if name != "custom loss":
        weighted = diagnose(net, X, y, sample_weight=weights)
        assert weighted.loss == pytest.approx(net.evaluate(X, y, [], sample_weight=weights)["loss"], rel=1e-5)
    assert diagnose(net, X[:1], y[:1]).rows == 1


def test_sparse_inputs_are_like_dense_ones():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    X, y = sick.classes(400)
    X = np.where(X > 0.5, X, 0)
    for optimizer in ("adam", SGD(0.1)):
        net = sick.classifier(optimizer=optimizer)
        dense, sparse = diagnose(net, X, y), diagnose(net, scipy_sparse.csr_array(X), y)
        assert dense.loss == pytest.approx(sparse.loss, rel=1e-6)
        assert str(dense) == str(sparse)


def test_inputs_that_are_all_zero_and_numbers_that_overflow():
    X, y = sick.classes()
    assert diagnose(sick.classifier(activation="tanh"), X * 0, y).layers[0].dead_units == 16
    net = sick.classifier(hidden=[8] * 3)
    for W in net.weights:
        W[:] *= 1e20
    found = diagnose(net, X, y)
    assert found.findings[0].kind == "exploding gradient"
    X, y = sick.numbers()
    found = diagnose(sick.regression(dtype="float64"), X * 1e200, y)  # whose squares overflow
    unscaled = next(finding for finding in found.findings if finding.kind == "unscaled inputs")
    assert not unscaled.is_mechanical
    with pytest.raises(ParameterError, match="no mechanical remedy"):
        unscaled.apply(sick.regression())


def test_few_rows_are_not_judged_by_shares():
    """A single row lies where half of the relus are 0, and has one target."""
    X, y = sick.classes()
    for seed in range(20):
        net = sick.classifier(hidden=(3, 3), seed=seed)
        assert diagnose(net, X[[seed]], y[[seed]]).is_healthy
        assert diagnose(net, X[:9], y[:9] * 0).is_healthy


def test_wrong_arguments():
    net, (X, y) = sick.classifier(), sick.classes()
    for error, message, arguments, options in [
        (ParameterError, "net is a int", (3, X, y), {}),
        (ShapeError, "X has 2 columns", (net, X[:, :2], y), {}),
        (DataError, r"X\[0, 0\] is nan", (net, X * np.nan, y), {}),
        (ParameterError, "history is a list", (net, X, y), {"history": [1.0]}),
        (
            ParameterError,
            "y_val is None, expected both X_val and y_val, or neither",
            (net, X, y),
            {"X_val": X},
        ),
        (
            ParameterError,
            "X_val is None, expected both X_val and y_val, or neither",
            (net, X, y),
            {"y_val": y},
        ),
        (ShapeError, "X_val has 3 columns", (net, X, y), {"X_val": X[:, :3], "y_val": y}),
    ]:
        with pytest.raises(error, match=message):
            diagnose(*arguments, **options)


def test_text_has_verdict_then_findings_then_layers():
    case = sick.vanishing_gradient()
    found = diagnose(case.net, case.X * 100, case.y)
    text, kinds = str(found), [finding.kind for finding in found.findings]
    assert kinds == ["vanishing gradient", "unscaled inputs"]
    assert [finding.severity for finding in found.findings] == [3, 2]
    assert text.startswith("Not healthy: 2 findings, the most serious one: vanishing gradient in layers[1].")
    places = [text.index(f"\n\n{word}") for word in (*kinds, "layer ")]
    assert places == sorted(places)
    for word in ("cause: ", "evidence: ", "remedy: "):
        assert text.count(word) == 2
    assert "\n9      softmax" in text
    assert max(map(len, text.splitlines())) < 120
    assert repr(found) == text
    html = found._repr_html_()
    assert "vanishing gradient" in html
    assert "layers[9]" in html
    assert "|f&#x27;(z)|" in html


def test_text_of_a_healthy_network():
    X, y = sick.classes()
    found = diagnose(sick.classifier(), X, y)
    assert str(found).startswith("Healthy: no finding on 160 rows, loss 1.30")
    assert "remedy" not in found._repr_html_()


def test_of_many_rows_some_are_tried_at_equal_distances():
    X, y = sick.classes(256)
    net = sick.classifier()
    one, many = (diagnose(net, np.repeat(X, k, axis=0), np.repeat(y, k)) for k in (1, 8))
    for own, other in zip(one.layers, many.layers, strict=True):
        assert own.update_ratio == pytest.approx(other.update_ratio, rel=1e-5)
