"""The importance of the inputs."""

import warnings

import numpy as np
import pytest

import fastbp
from fastbp import Dense, inspect
from fastbp.datasets import load_digits
from fastbp.exceptions import DTypeError, ParameterError, ShapeError
from helpers import inside
from helpers.problems import problem
from helpers.tables import DIFFERENTIABLE, DTYPES, ENGINES


@pytest.fixture(scope="module")
def trained():
    """A regression on three of four inputs, of which the first counts most, and its data."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = 3 * X[:, 0] + X[:, 1] * X[:, 2]
    net = fastbp.Network([4, 16, 1], activation="tanh", optimizer=fastbp.Adam(0.01), seed=1)
    net.adapt(X)
    net.fit(X, y, epochs=100)
    return net, X, y


# ---- permutation


def test_columns_that_matter(trained):
    net, X, y = trained
    found = inspect.feature_importance(net, X, y)
    assert found.values.shape == (10, 4)
    np.testing.assert_array_equal(found.mean, found.values.mean(axis=0))
    np.testing.assert_array_equal(found.std, found.values.std(axis=0))
    assert found.names == ("x1", "x2", "x3", "x4")
    assert [f.name for f in found.features(1)] == ["x1"]
    assert found.mean[:3].min() > 10 * abs(found.mean[3])
    # of a column that is added, the loss rises by twice its part of the variance
    assert found.mean[0] == pytest.approx(2 * 9, rel=0.2)
    text = str(found)
    assert "how much loss is worse with a permuted column, 10 repeats; all 4 features" in text
    assert text.splitlines()[3].startswith("x1")
    assert repr(found) == text
    assert found.differences is None


def test_permuted_columns_by_hand(trained):
    """The loss is that of the data with one column exchanged; X stays as it is."""
    net, X, y = trained
    before = X.copy()
    seen = []
    evaluate, net_class = fastbp.Network.evaluate, type(net)

    class Watched(net_class):
        def evaluate(self, rows, *arguments, **options):
            seen.append(np.array(rows))
            assert X.tobytes() == before.tobytes()
            return evaluate(self, rows, *arguments, **options)

    net = net.clone()
    net.__class__ = Watched
    found = inspect.feature_importance(net, X, y, n_repeats=2, seed=5)
    assert len(seen) == 1 + 2 * 4
    for k, rows in enumerate(seen[1:]):
        column, repeat = divmod(k, 2)
        changed = [i for i in range(4) if not np.array_equal(rows[:, i], X[:, i])]
        assert changed == [column]
        np.testing.assert_array_equal(np.sort(rows[:, column]), np.sort(X[:, column]))
        loss = fastbp.Network.evaluate(net, rows, y, [])["loss"]
        expected = loss - fastbp.Network.evaluate(net, X, y, [])["loss"]
        assert found.values[repeat, column] == expected
    again = inspect.feature_importance(net, X, y, n_repeats=2, seed=5)
    assert again.values.tobytes() == found.values.tobytes()
    other = inspect.feature_importance(net, X, y, n_repeats=2, seed=6)
    assert (other.values != found.values).all()
    assert found.values[0, 0] != found.values[1, 0]


def test_metrics_and_their_signs(trained):
    net, X, y = trained

    def error(output, target):
        return float(abs(output - target).max())

    def score(output, target):
        return -error(output, target)

    score.greater_is_better = True
    options = {"n_repeats": 3}
    mae, r2, worst, best = (
        inspect.feature_importance(net, X, y, metric=m, **options) for m in ("mae", "r2", error, score)
    )
    for found, name in ((mae, "mae"), (r2, "r2"), (worst, "error"), (best, "score")):
        assert found.measure == name
        assert found.mean[0] > 0.3
    np.testing.assert_allclose(best.values, worst.values, rtol=1e-12)
    constant = 1 - 2 * np.var(y) / np.var(y)
    assert 1 - r2.mean[0] > constant


def test_against_scikit_learn():
    sklearn = pytest.importorskip("sklearn.inspection")
    from fastbp.sklearn import MLPClassifier

    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 3))
    y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)
    with warnings.catch_warnings(action="ignore"):  # it could learn more
        model = MLPClassifier((8,), max_iter=60, learning_rate_init=0.05, random_state=0).fit(X, y)
    theirs = sklearn.permutation_importance(model, X, y, n_repeats=30, random_state=0)
    net = model.network_
    ours = inspect.feature_importance(net, X, y, metric="accuracy", n_repeats=30)
    error = np.hypot(theirs.importances_std, ours.std) / np.sqrt(30)
    assert (abs(theirs.importances_mean - ours.mean) <= 5 * error + 1e-12).all()
    np.testing.assert_allclose(theirs.importances_std, ours.std, rtol=0.5, atol=1e-3)
    assert ours.mean[0] > ours.mean[1] > 5 * abs(ours.mean[2])


def test_data_of_other_kinds(trained):
    pd, sparse = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")
    net, X, y = trained
    weights = np.arange(300) % 2
    plain = inspect.feature_importance(net, X, y, n_repeats=1, sample_weight=weights)
    named = net.clone()
    named.feature_names = list("abcd")
    frame = pd.DataFrame(X, columns=[*"abcd"])[[*"dcba"]]
    for network, data in ((net, sparse.csr_array(X)), (named, frame)):
        found = inspect.feature_importance(network, data, y, n_repeats=1, sample_weight=weights)
        np.testing.assert_allclose(found.values, plain.values, rtol=1e-6, atol=1e-9)
    assert found.names == ("a", "b", "c", "d")
    labels = fastbp.Network([4, 5, 3], loss="cross_entropy")
    found = inspect.feature_importance(labels, X, np.arange(300) % 3, metric="accuracy", n_repeats=1)
    assert found.values.shape == (1, 4)
    one = inspect.feature_importance(named, X[:1], y[:1])
    assert not one.values.any()


# ---- integrated gradients


def test_attributions_are_complete():
    """The sum over the inputs is the difference of the outputs, for all smooth activations."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, 4))
    smooth = {name for name in DIFFERENTIABLE if "relu" not in name and "hard" not in name} - {"softsign"}
    for name in sorted(smooth):
        for network in ENGINES:
            net = network([4, 6, 5, 3], activation=name, output_activation="tanh", dtype="float64", seed=2)
            net.parameters[:] *= 0.7
            found = inspect.feature_importance(
                net, X, method="integrated_gradients", output=1, tolerance=1e-10
            )
            expected = net.predict(X)[:, 1] - net.predict(np.zeros((1, 4)))[0, 1]
            np.testing.assert_allclose(found.differences, expected, atol=1e-14)
            np.testing.assert_allclose(found.values.sum(axis=1), expected, rtol=0, atol=1e-10)
            assert found.incompleteness <= 1e-10


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "hard_swish", "hard_tanh", "softsign"])
def test_kinks_are_found(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 4))
    net = fastbp.Network([4, 16, 16, 1], activation=name, dtype="float64", seed=2)
    scale = abs(net.predict(X)).max()
    for tolerance in (1e-2, 1e-6):
        found = inspect.feature_importance(net, X, method="integrated_gradients", tolerance=tolerance)
        assert found.incompleteness <= tolerance * max(scale, abs(net.predict(np.zeros((1, 4)))).max())


def test_a_linear_network_has_its_weights():
    net = fastbp.Network([3, 2], loss="mse", dtype="float64")
    X = np.random.default_rng(0).normal(size=(6, 3))
    baseline = np.array([1.0, 2, 3])
    output = np.arange(6) % 2
    found = inspect.feature_importance(
        net, X, method="integrated_gradients", output=output, baseline=baseline
    )
    np.testing.assert_allclose(found.values, (X - baseline) * net.weights[0].T[output], atol=1e-13)
    each = inspect.feature_importance(
        net, X, method="integrated_gradients", output=1, baseline=X[::-1].copy()
    )
    np.testing.assert_allclose(each.values, (X - X[::-1]) * net.weights[0][:, 1], atol=1e-13)
    np.testing.assert_allclose(each.mean, abs(each.values).mean(axis=0))


def test_inputs_with_the_same_weights_share_by_their_size():
    """F = g(a x1 + b x2) gives each input the part of the difference that its product has in the sum."""
    net = fastbp.Network([2, 1, 1], activation="gaussian", dtype="float64", seed=1)
    X = np.array([[0.4, 0.9], [-1, 2]])
    found = inspect.feature_importance(net, X, method="integrated_gradients", tolerance=1e-12)
    products = X * net.weights[0][:, 0]
    expected = products / products.sum(axis=1, keepdims=True) * found.differences[:, None]
    np.testing.assert_allclose(found.values, expected, atol=1e-12)


@pytest.mark.parametrize("network", ENGINES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_scaled_inputs_and_targets(network, dtype):
    X, y = problem((3, 5, 2), 60)
    X = 100 + 7 * X
    net = network([3, 5, 2], activation="tanh", dtype=dtype, seed=1)
    net.adapt(X, 1000 * y)
    found = inspect.feature_importance(net, X, method="integrated_gradients", output=1, tolerance=1e-9)
    expected = net.predict(X)[:, 1] - net.predict(net.input_mean[None])[0, 1]
    size = 2e-4 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(found.values.sum(axis=1), expected, atol=size * abs(expected).max())
    given = inspect.feature_importance(
        net, X, method="integrated_gradients", output=1, tolerance=1e-9, baseline=net.input_mean
    )
    np.testing.assert_allclose(given.values, found.values, atol=1e-6 * abs(expected).max())


def test_classes_are_the_predicted_ones():
    data = load_digits()
    X, y = data[0][:30], data[1][:30]
    net = fastbp.Network([X.shape[1], 12, 10], loss="cross_entropy", seed=1)
    net.fit(X, y, epochs=5)
    predicted = net.predict_classes(X)
    method = {"method": "integrated_gradients", "tolerance": 1e-4}
    found = inspect.feature_importance(net, X, y, **method)
    given = inspect.feature_importance(net, X, output=predicted, **method)
    assert found.values.tobytes() == given.values.tobytes()
    expected = net.predict(X)[np.arange(30), predicted] - net.predict(np.zeros_like(X[:1]))[0, predicted]
    np.testing.assert_allclose(found.values.sum(axis=1), expected, atol=2e-4)
    other = inspect.feature_importance(net, X, output=y, **method)
    assert other.values.shape == (30, X.shape[1])
    assert "the 20 largest of 64 features" in str(other)


def test_a_jump_is_reported():
    net = fastbp.Network([1, Dense(1, "step"), 1], dtype="float64")
    net.parameters[:] = 1, -0.5, 1, 0
    found = inspect.feature_importance(net, [[1.0], [0.2]], method="integrated_gradients")
    assert found.differences.tolist() == [1, 0]
    assert found.incompleteness == pytest.approx(1)
    assert str(found).endswith("\n\nthe sum of each row is right to 1")
    assert "right to 1</div>" in found._repr_html_()
    net.parameters[0] = np.nan
    found = inspect.feature_importance(net, [[1.0], [0.2]], method="integrated_gradients")
    assert np.isnan(found.values).all()


def test_wrong_derivatives_come_to_an_end(monkeypatch):
    inside.set_output_gradients(monkeypatch, lambda u: np.zeros_like(u))
    net = fastbp.Network([2, 3, 1], activation="sine", dtype="float64", seed=1)
    X = np.ones((2, 2))
    found = inspect.feature_importance(net, X, method="integrated_gradients", tolerance=1e-12)
    assert not found.values.any()
    assert found.incompleteness == np.abs(found.differences).max() > 0


def test_blocks_of_rows_are_as_each_row_alone():
    X, _ = problem((3, 5, 1), 4200)  # two blocks
    net = fastbp.Network([3, 5, 1], activation="tanh", dtype="float64", seed=3)
    options = {"method": "integrated_gradients", "tolerance": 1e-6}
    found = inspect.feature_importance(net, X, baseline=X[::-1].copy(), **options)
    for i in (0, 2000, 4199):
        own = inspect.feature_importance(net, X[i : i + 1], baseline=X[::-1][i : i + 1].copy(), **options)
        np.testing.assert_allclose(own.values[0], found.values[i], atol=3e-6 * abs(net.predict(X)).max())


def test_errors(trained):
    net, X, y = trained
    two = fastbp.Network([4, 3, 2])
    integrated = {"method": "integrated_gradients"}
    for error, match, call in (
        (ParameterError, "method is 'shap', expected one of: permutation, ", lambda: {"method": "shap"}),
        (ParameterError, "n_repeats is 0", lambda: {"n_repeats": 0}),
        (ParameterError, "seed is -1", lambda: {"seed": -1}),
        (ParameterError, "metric has 'accuracy'", lambda: {"metric": "accuracy"}),
        (ParameterError, "metric has None", lambda: {"metric": None}),
        (ParameterError, "output is 0, expected None with method='permutation'", lambda: {"output": 0}),
        (ParameterError, "baseline is ", lambda: {"baseline": np.zeros(4)}),
        (ParameterError, "sample_weight is ", lambda: {"sample_weight": y, **integrated}),
        (ParameterError, "tolerance is 0", lambda: {"tolerance": 0, **integrated}),
        (ParameterError, "tolerance is 0", lambda: {"tolerance": 0}),
        (ParameterError, "n_repeats is 0", lambda: {"n_repeats": 0, **integrated}),
        (
            ParameterError,
            "output is 1, expected an integer >= 0 and < 1",
            lambda: {"output": 1, **integrated},
        ),
        (ParameterError, "output is .*expected integers", lambda: {"output": y.astype(int), **integrated}),
        (ShapeError, r"output has shape \(2,\)", lambda: {"output": [0, 0], **integrated}),
        (ShapeError, "baseline has 3 columns, expected 4", lambda: {"baseline": np.zeros(3), **integrated}),
        (ShapeError, "baseline has 2 rows", lambda: {"baseline": np.zeros((2, 4)), **integrated}),
        (DTypeError, "baseline", lambda: {"baseline": "zero", **integrated}),
    ):
        with pytest.raises(error, match=match):
            inspect.feature_importance(net, X, y, **call())
    with pytest.raises(ParameterError, match="y is None"):
        inspect.feature_importance(net, X)
    with pytest.raises(ParameterError, match="output is None, expected the index of one of the 2 outputs"):
        inspect.feature_importance(two, X, **integrated)
    with pytest.raises(ShapeError, match="X has 3 columns"):
        inspect.feature_importance(net, X[:, :3], y)
