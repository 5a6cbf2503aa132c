"""`fastbp.dask.adapt`: the scaling of `Network.adapt`, measured over shards."""

import numpy as np
import pytest

import fastbp
from fastbp import BusyError, DataError, ParameterError, ShapeError, losses
from fastbp._data import scaling
from fastbp.dask._scaling import adapt
from helpers.errors import refuses
from helpers.shards import Loader, cut

AT = [1, 1, 18, 40]  # shards of one row, of none, and of more


@pytest.fixture
def data(rng):
    """Inputs with offsets and scales, and targets."""
    X = rng.normal(size=(60, 3)) * [1, 1e-3, 1e6] + [1e8, 0, -3]
    return X, rng.normal(size=(60, 2)) * [3000, 0.01] + [9000, -0.5]


def make(loss="mse", **options):
    return fastbp.Network([3, 4, 2], **{"loss": loss, "dtype": "float64", "seed": 1} | options)


def numbers(net):
    """Mean and scale of inputs and targets; None: not scaled."""
    pairs = net._model.scaling, net._model.target_scaling
    return [None if pair is None else np.stack(pair) for pair in pairs]


def assert_like_adapt(net, *arrays, **options):
    """Check that the scalings are those of `Network.adapt` on all of the data."""
    other = make(net.loss)
    other.adapt(*arrays, **options)
    for found, expected in zip(numbers(net), numbers(other), strict=True):
        assert (found is None) == (expected is None)
        if found is not None:
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


# ---- what is measured --------------------------------------------------------------------------------------


def test_inputs_targets_or_both(data):
    X, y = data
    Xs, ys = cut(X, y, at=AT)
    for given, whole in [((Xs,), (X,)), ((..., ys), (..., y)), ((Xs, ys), (X, y)), ((None, ys), (None, y))]:
        net = make()
        adapt(None, net, *given)
        assert_like_adapt(net, *whole)


@pytest.mark.parametrize("shards", [1, 2, 9, 60, None])
def test_any_number_of_shards(data, shards):
    net = make()
    adapt(None, net, *data, shards=shards)
    assert_like_adapt(net, *data)


def test_one_shard_has_the_bits_of_adapt(data):
    net, other = make(), make()
    adapt(None, net, *data, shards=1)
    other.adapt(*data)
    for found, expected in zip(numbers(net), numbers(other), strict=True):
        assert np.array_equal(found, expected)


def test_what_is_not_measured_stays(data):
    X, y = data
    net = make()
    net.adapt(X[:9], y[:9])
    before = numbers(net)
    adapt(None, net, *cut(X, at=AT))
    assert np.array_equal(numbers(net)[1], before[1])
    adapt(None, net, None, *cut(y, at=AT))
    assert numbers(net)[0] is None
    adapt(None, net, y=None)
    assert numbers(net) == [None, None]


def test_a_list_of_loaders(data):
    X, y = data
    loaders = [Loader(X[:20], y[:20]), Loader(X[20:], y[20:])]
    net = make()
    adapt(None, net, shards=loaders)
    assert_like_adapt(net, X)
    adapt(None, net, shards=loaders, targets=True)
    assert_like_adapt(net, X, y)


def test_parquet(data, tmp_path):
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    X, y = data
    frame = pd.DataFrame(X, columns=list("abc")).assign(s=y[:, 0], t=y[:, 1], w=1.5)
    for i in range(3):
        frame[20 * i : 20 * i + 20].to_parquet(tmp_path / f"{i}.parquet")
    files, net = [tmp_path / f"{i}.parquet" for i in range(3)], make()
    adapt(None, net, shards=files, targets=True, target=["s", "t"], weight="w")
    assert_like_adapt(net, X, y)
    assert net.feature_names == ("a", "b", "c")


@pytest.mark.parametrize("at", [AT, [10, 30]])
def test_offsets_cost_no_digits(rng, at):
    X = rng.normal([1e12, -1.6e9, 0], size=(50, 3))
    net = make()
    adapt(None, net, *cut(X, at=at))
    np.testing.assert_allclose(net.input_scale, (X - X[0]).std(axis=0), rtol=1e-13)


def test_a_constant_column_is_exact(data):
    X, _ = data
    X[:, 0], X[:, 1] = 0.1, 1e300
    net = make()
    adapt(None, net, *cut(X, at=AT))
    assert net.input_mean[:2].tolist() == [0.1, 1e300]
    assert net.input_scale[:2].tolist() == [1, 1]


def test_columns_that_are_constant_in_each_shard(rng):
    X = np.repeat(rng.normal(size=(3, 3)), [5, 7, 1], axis=0)
    net = make()
    adapt(None, net, *cut(X, at=[5, 12]))
    assert_like_adapt(net, X)


def test_sparse_inputs_without_their_mean(data):
    sparse = pytest.importorskip("scipy.sparse")
    X = np.where(data[0] > data[0].mean(axis=0), data[0], 0)
    net = make()
    adapt(None, net, [sparse.csr_array(part) for part in np.split(X, AT)], center=False)
    assert_like_adapt(net, X, center=False)
    adapt(None, net, sparse.csc_array(X), shards=7)
    assert_like_adapt(net, X)


@pytest.mark.parametrize("shards", [1, 6, 60])
def test_targets_that_are_partly_unknown(data, shards):
    loss = losses.MSE(ignore_nan=True)
    y = data[1]
    y[:25, 0] = y[30:, 1] = np.nan  # shards without a known target of one or of the other
    net = make(loss)
    adapt(None, net, y=y, shards=shards)
    assert_like_adapt(net, ..., y)
    y[:, 1] = np.nan
    refuses(lambda: adapt(None, net, y=y, shards=shards), DataError, "y[:, 1] has no known element")


def test_the_layout_does_not_count(data):
    X = data[0]
    nets = [make(), make()]
    for net, array in zip(nets, (X, np.asfortranarray(X)), strict=True):
        adapt(None, net, *cut(array, at=[30]))
    assert np.array_equal(*(numbers(net)[0] for net in nets))


def test_the_network_of_the_reference(data):
    nets = [make(), fastbp.reference.Network([3, 4, 2], loss="mse", dtype="float64")]
    for net in nets:
        adapt(None, net, *data, shards=5)
    for found, expected in zip(*map(numbers, nets), strict=True):
        assert np.array_equal(found, expected)


def test_moments_of_any_parts_are_those_of_the_whole(rng):
    X = rng.normal(size=(40, 2)) * [1, 1e5] + [1e7, 3]
    parts = [scaling.moments(part) for part in np.split(X, [3, 4, 31])]
    whole = scaling.moments(X)
    joined = parts[0].joined(parts[1]).joined(parts[2].joined(parts[3]))
    assert joined.n == whole.n == 40
    np.testing.assert_allclose(joined.origin + joined.mean, X.mean(axis=0), rtol=1e-15)
    np.testing.assert_allclose(joined.squares, whole.squares, rtol=1e-13)


# ---- errors ------------------------------------------------------------------------------------------------


def test_errors_name_the_shard_and_change_nothing(data):
    X, y = data
    net = make()
    net.adapt(X[:7], y[:7])
    before = numbers(net)
    bad = X.copy()
    bad[50, 2] = np.inf
    huge = X.copy()
    huge[[19, 20], 1] = 1e200, -1e200
    far = np.repeat([[1e200], [-1e200]], 30, axis=0) * np.ones(3)
    for given, error, *says in [
        ((cut(bad, at=AT)[0],), DataError, "shard 5 of 5: X[10, 2] is inf"),
        ((cut(huge, at=AT)[0],), DataError, "shard 4 of 5: X[:, 1] spreads too far, from -1e+200 to 1e+200"),
        ((cut(far, at=[30])[0],), DataError, "X[:, 0] spreads too far over the shards"),
        ((cut(X[:, :2], at=AT)[0],), ShapeError, "shard 1 of 5: X has 2 columns"),
        (cut(X, y[:, :1], at=AT), ShapeError, "shard 1 of 5: y has shape (1, 1)"),
        (([X[:0], X[:0]],), ShapeError, "2 shards have no rows"),
        ((X[:0],), ShapeError, "X has no rows"),
    ]:
        refuses(lambda g=given: adapt(None, net, *g), error, *says)
        assert all(map(np.array_equal, numbers(net), before))


def test_arguments_that_do_not_go_together(data):
    X, y = data
    for given, options, *says in [
        ((X,), {"shards": [Loader(X, y)]}, "X or y is given with a list of shards"),
        ((X,), {"targets": True}, "targets is True without a list of shards"),
        ((X,), {"scale": 2.0}, "scale is given together with X"),
        ((None, y), {"scale": 2.0}, "scale is given together with X"),
        ((..., y), {"center": False}, "center is False without X"),
        ((), {"shards": [Loader(X, y)], "scale": 2.0}, "scale is given together with X"),
        ((), {"shards": 4}, "shards is 4 without X and y"),
    ]:
        refuses(lambda g=given, o=options: adapt(None, make(), *g, **o), ParameterError, *says)
    message = "shard 1 of 2: y is given with the loss 'cross_entropy'"
    refuses(lambda: adapt(None, make("cross_entropy"), y=y, shards=2), ParameterError, message)


def test_a_factor_beside_measured_targets(data):
    y = data[1]
    net, other = make(), make()
    adapt(None, net, y=y, scale=[1, 2, 4], shards=1)
    other.adapt(y=y, scale=[1, 2, 4])
    assert all(map(np.array_equal, numbers(net), numbers(other)))


def test_while_the_network_is_busy(data):
    net = make()
    with pytest.raises(BusyError):
        net._model.guard.writing("fit", None, lambda: adapt(None, net, data[0]))
