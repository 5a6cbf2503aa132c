"""`fastbp.dask.evaluate`, and the validation of a fit over shards."""

import numpy as np
import pytest

import fastbp
from fastbp import DataError, ParameterError, ShapeError, losses
from fastbp._training.train import fit_of
from fastbp.dask._evaluation import evaluate, validation_of
from fastbp.dask._executor import SerialExecutor
from helpers.errors import refuses
from helpers.scaled import squares
from helpers.shards import Loader, cut

AT = [1, 1, 18, 40]  # shards of one row, of none, and of more


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 3))
    return X, rng.normal(size=(60, 2)), rng.uniform(0.5, 2, 60)


def make(loss="mse", network_class=fastbp.Network, **options):
    return network_class([3, 4, 2], **{"loss": loss, "dtype": "float64", "seed": 1} | options)


def assert_same(found, expected):
    assert list(found) == list(expected)
    np.testing.assert_allclose([*found.values()], [*expected.values()], rtol=1e-12, atol=1e-15)


def targets_of(loss, rng):
    """Targets that the loss accepts, (60, 2), or (60,) for labels."""
    if loss.targets.takes_labels:
        return rng.integers(0, 2, 60)
    y = rng.integers(0, 2, (60, 2)).astype(float)
    return 2 * y - 1 if loss.name == "hinge" else y


# ---- evaluate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_every_loss_is_that_of_evaluate(rng, data, name, network_class):
    loss = losses.LOSSES[name]
    net = network_class([3, 4, 2 * loss.outputs_per_target], loss=loss, dtype="float64", seed=1)
    X, y, w = data[0], targets_of(loss, rng), data[2]
    w[7], w[18:40] = 0, 0  # a row, and a shard
    for weights in (None, w):
        given = cut(X, y, at=AT) if weights is None else cut(X, y, w, at=AT)
        found = evaluate(None, net, *given[:2], sample_weight=None if weights is None else given[2])
        assert_same(found, net.evaluate(X, y, sample_weight=weights))


def test_one_shard_has_the_bits_of_evaluate(rng):
    """Though a loss times a weight, divided by the weight, may be another number."""
    net = fastbp.Network([3, 4, 3], dtype="float64", seed=1)
    for n in range(2, 60):
        X, y, w = rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), rng.uniform(0.5, 2, n)
        for weights in ((), (w,)):
            expected = net.evaluate(X, y, sample_weight=weights[0] if weights else None)
            assert evaluate(None, net, shards=[Loader(X, y, *weights)]) == expected
            assert net.evaluate([(X, y, *weights)]) == expected


@pytest.mark.parametrize("shards", [1, 3, 60, None])
@pytest.mark.parametrize("metrics", [None, (), "mae", ["r2", "mae"]])
def test_metrics_are_those_of_all_rows(data, shards, metrics):
    X, y, w = data
    net = make()
    net.adapt(X, y)
    found = evaluate(None, net, X, y, metrics, sample_weight=w, shards=shards)
    assert_same(found, net.evaluate(X, y, metrics, sample_weight=w))


def test_metrics_of_functions_get_all_rows(data):
    X, y, _ = data
    seen = []

    def rows(output, target):
        seen.append((output.copy(), target.copy()))
        return 2.5

    net = make()
    assert evaluate(None, net, *cut(X, y, at=AT), metrics=[rows])["rows"] == 2.5
    assert np.array_equal(seen[0][0], net.predict(X))
    assert np.array_equal(seen[0][1], y)


def test_a_custom_loss_is_the_mean_over_shards(data):
    X, y, _ = data
    net = make(squares)
    assert_same(evaluate(None, net, *cut(X, y, at=AT)), net.evaluate(X, y))  # for it is a mean over rows


def test_unknown_targets(data):
    X, y, _ = data
    net = make(losses.MSE(ignore_nan=True))
    y[18:40], y[50, 1] = np.nan, np.nan
    assert_same(evaluate(None, net, *cut(X, y, at=AT)), net.evaluate(X, y))


def test_loaders_and_the_network_stay_as_they_are(data):
    X, y, w = data
    net = make()
    before = net.parameters.copy()
    loaders = [Loader(X[:20], y[:20], w[:20]), Loader(X[20:], y[20:], w[20:])]
    assert_same(evaluate(None, net, shards=loaders), net.evaluate(X, y, sample_weight=w))
    assert np.array_equal(net.parameters, before)


def test_evaluate_refuses(data):
    X, y, w = data
    net = make()
    for given, options, error, *says in [
        ((X, y), {"metrics": "accuracy"}, ParameterError, "metrics has 'accuracy'"),
        ((X,), {}, ParameterError, "y is None"),
        (cut(X[:, :2], y, at=AT), {}, ShapeError, "shard 1 of 5: X has 2 columns"),
        (cut(X, y, at=AT), {"sample_weight": [w[:0] for _ in range(5)]}, ShapeError, "shard 1 of 5"),
        (([X[:0]], [y[:0]]), {}, DataError, "none of 1 shards has a row"),
    ]:
        refuses(lambda g=given, o=options: evaluate(None, net, *g, **o), error, *says)


# ---- validation --------------------------------------------------------------------------------------------


def validation(net, *given, metrics=None, every=1, **options):
    return validation_of(SerialExecutor(), net._model, *given, metrics, every=every, epochs=5, **options)


def test_validation_over_shards_follows_the_parameters(data):
    X, y, w = data
    net = make()
    over = [
        validation(net, tuple(cut(X, y, w, at=AT)), None),
        validation(net, None, [Loader(X[:9], y[:9], w[:9]), Loader(X[9:], y[9:], w[9:])]),
    ]
    for _ in range(2):
        expected = net.evaluate(X, y, sample_weight=w)
        for one in over:
            assert one.calls_user
            found = one.measure()
            assert list(found) == ["validation_loss", "validation_r2"]
            np.testing.assert_allclose([*found.values()], [*expected.values()], rtol=1e-12)
        net.fit(X, y)


def test_validation_in_memory_is_that_of_fit(data):
    X, y, _ = data
    net = make()
    one = validation(net, (X, y), None, metrics="mae")
    assert not one.calls_user
    assert [*one.measure().values()] == [*net.evaluate(X, y, "mae").values()]
    assert validation(net, None, None) is None


def test_a_fit_with_validation_over_shards(data, monkeypatch):
    """The fit is one in memory, whose validation is replaced."""
    X, y, _ = data
    nets = [make(), make()]
    nets[0].fit(X, y, epochs=5, validation_data=(X, y), validation_every=2)
    one = validation(nets[1], tuple(cut(X, y, at=AT)), None, every=2)

    def fit_over_shards(model, network, data, validation, *arguments, **options):
        return fit_of(model, network, data, one, *arguments, **options)

    monkeypatch.setattr("fastbp._training.train.fit_of", fit_over_shards)
    nets[1].fit(X, y, epochs=5)
    a, b = (net.history.validation_loss for net in nets)
    np.testing.assert_allclose(a, b, rtol=1e-12)
    assert np.isnan(b).tolist() == [True, False, True, False, False]


def test_the_digest_is_that_of_data_and_shards(data):
    X, y, w = data
    net = make()
    digests = [
        validation(net, tuple(cut(*arrays, at=at)), None).digest()
        for arrays, at in [
            ((X, y), AT),
            ((X.copy(), y), AT),
            ((X, y), [9]),
            ((X + 1, y), AT),
            ((X, y, w), AT),
        ]
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_names_of_the_inputs_of_the_fit(data):
    pd = pytest.importorskip("pandas")
    X, y, _ = data
    frame = pd.DataFrame(X, columns=list("abc"))[["c", "a", "b"]]
    net = make()
    one = validation(net, ([frame], [y]), None, names=("a", "b", "c"))
    np.testing.assert_allclose(one.measure()["validation_loss"], net.evaluate(X, y)["loss"], rtol=1e-12)


def test_validation_refuses(data):
    X, y, _ = data
    net = make()
    for given, options, error, *says in [
        (((X, y), [Loader(X, y)]), {}, ParameterError, "validation_shards is given beside validation_data"),
        ((None, 4), {}, ParameterError, "validation_shards is a int"),
        ((None, None), {"metrics": "mae"}, ParameterError, "without validation_data"),
        ((None, [Loader(X, y)]), {"every": 0}, ParameterError, "validation_every is 0"),
        ((None, [Loader(X, y)]), {"metrics": "f1"}, ParameterError, "metrics has 'f1'"),
        ((None, [Loader(X[:, :1], y)]), {}, ShapeError, "validation shard 1 of 1: X has 1 columns"),
        ((None, [Loader(X[:0], y[:0])]), {}, DataError, "none of 1 validation shards"),
    ]:
        refuses(lambda g=given, o=options: validation(net, *g, **o), error, *says)
