"""Input scaling: exact mean and scale, and the same results as data scaled beforehand."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbp
from fastbp import DataError, DTypeError, ShapeError, reference
from fastbp._data import scaling
from helpers.isas import ISAS, using
from helpers.layouts import FLOATS, INTEGERS, LAYOUTS
from helpers.memory import traced_peak
from helpers.scaled import scaled_inputs as scaled
from helpers.tables import DTYPES

NETS = {"narrow": [5, 7, 3], "wide": [5, 40, 3], "deep": [5, 17, 4, 3], "one layer": [5, 3]}


def exact(X):
    """Mean and standard deviation of each column, in rational numbers but for the root."""
    columns = [[Fraction(float(x)) for x in column] for column in np.asarray(X, np.float64).T]
    means = [sum(column) / len(column) for column in columns]
    squares = [sum((x - m) ** 2 for x in c) / len(c) for c, m in zip(columns, means, strict=True)]
    return np.array([float(m) for m in means]), np.sqrt([float(s) for s in squares])


def raw(rng, rows=60, kind="f8"):
    """Columns of different sizes and offsets that all dtypes hold."""
    return (rng.random((rows, 5)) * [3, 40, 90, 20, 7] + [0, 10, 30, 100, 2]).astype(kind)


# ---- what is found -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 7, 10**6])
@pytest.mark.parametrize("offset", [0, -1.6e9, 1e12])
def test_statistics_are_exact_whatever_the_offset(rng, monkeypatch, block, offset):
    monkeypatch.setattr(scaling, "BLOCK", 4 * block)
    X = rng.normal(size=(50, 4)) * [1, 1e-2, 1e6, 30] + np.array([0, 1, 1, -1]) * offset
    X[:, 3] = np.sort(X[:, 3])  # blocks with different means
    mean, scale = scaling.measure(X)
    true_mean, true_scale = exact(X)
    rounding = np.finfo(np.float64).eps * (np.abs(true_mean) + len(X) / 2 * true_scale)  # up to one per block
    assert (np.abs(mean - true_mean) <= rounding).all()
    np.testing.assert_allclose(scale, true_scale, rtol=1e-14)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("kind", [*FLOATS, *INTEGERS, "?"])
def test_statistics_of_any_dtype_and_layout(rng, kind, layout):
    X = raw(rng, kind=kind)
    found, true = scaling.measure(LAYOUTS[layout](X)), exact(X)
    np.testing.assert_allclose(found.mean, true[0], rtol=1e-15)
    np.testing.assert_allclose(found.scale, np.where(true[1] == 0, 1, true[1]), rtol=1e-14)


@pytest.mark.parametrize("rows", [1, 2, 10, 1000])
def test_constant_columns_have_the_scale_1(network_class, rows):
    X = np.full((rows, 3), [0.1, -1e300, 0.0])  # the sum of ten times 0.1 is not 1
    net = network_class([3, 2], dtype="float64", seed=0)
    net.adapt(X)
    np.testing.assert_array_equal(net.input_mean, X[0])
    np.testing.assert_array_equal(net.input_scale, 1)
    np.testing.assert_array_equal(net.predict(X), 0)


def test_spreads_at_the_ends_of_float64(network_class):
    net = network_class([2, 1], dtype="float64", seed=0)
    net.adapt([[1e-160, 0], [2e-160, 1e150]])  # the first one's squares are not normal numbers
    np.testing.assert_array_equal(net.input_scale, [1, 5e149])
    with pytest.raises(DataError, match=r"X\[:, 1\] spreads too far, from -1e\+308 to 1e\+308, exp"):
        net.adapt([[0, -1e308], [0, 1e308]])
    np.testing.assert_array_equal(net.input_scale, [1, 5e149])


# ---- what is made of it ------------------------------------------------------------------------------------


def everything(net, X, y):
    """Results of all calls that take X."""
    history = net.fit(X, y, epochs=2, batch_size=16, validation_data=(X, y))
    results = [history.loss, history.validation_loss]
    results += [
        net.fit(X, y, batch_size=16, shuffle=False).loss,
        net.fit(X, y, epochs=3, batch_size=None).loss,
    ]
    results += [net.train_on_batch(X, y), *net.loss_and_gradients(X, y), net.evaluate(X, y)["loss"]]
    results += [net.predict(X), net.predict(X[0]), net.predict(X[:1]), net.predict(X[3:5])]
    output = net.forward(X)
    d_input = net.backward(np.cos(output))
    results += [output, net.gradients.copy()]
    net.step()
    return [*results, net.parameters], d_input


@pytest.mark.parametrize("rows", [33, 5000])  # the latter are several row blocks
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", NETS.values(), ids=NETS.keys())
def test_equals_scaling_beforehand(network_class, rng, isa, sizes, dtype, rows):
    """All calls give the same bits; only dJ/dX differs, because it is by the raw inputs."""
    X, y = raw(rng, rows), rng.random((rows, 3))
    adapted = network_class(sizes, dtype=dtype, seed=0)
    plain = adapted.clone()
    adapted.adapt(X[: rows // 2])
    got, d_input = everything(adapted, X, y)
    expected, d_scaled = everything(plain, scaled(X, adapted), y)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(d_input, (d_scaled * (1 / adapted.input_scale)).astype(dtype))


def test_with_a_custom_loss(network_class, rng):
    def squares(output, target):
        error = output - target
        return np.square(error).mean(), 2 * error / error.size

    X, y = raw(rng), rng.random((60, 3))
    adapted = network_class([5, 40, 3], loss=squares, dtype="float64", seed=0)
    plain = adapted.clone()
    adapted.adapt(X)
    for a, b in zip(everything(adapted, X, y)[0], everything(plain, scaled(X, adapted), y)[0], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rows", [33, 5000])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", NETS.values(), ids=NETS.keys())
def test_both_engines_agree(rng, sizes, dtype, rows):
    X, y = raw(rng, rows), rng.random((rows, 3))

    def found(network_class):
        net = network_class(sizes, dtype=dtype, seed=0)
        net.adapt(X)
        results, d_input = everything(net, X, y)
        return [np.asarray(result) for result in (*results, d_input)]

    numpy = found(reference.Network)
    for isa in ISAS:
        with using(isa):
            for a, b in zip(found(fastbp.Network), numpy, strict=True):
                bound = {"float32": 1e-4, "float64": 1e-11}[dtype] * np.abs(b).max()
                np.testing.assert_allclose(a, b, rtol=0, atol=bound)


@settings(max_examples=300)
@given(
    kind=st.sampled_from([*FLOATS, *INTEGERS, "?"]),
    layout=st.sampled_from(sorted(LAYOUTS)),
    rows=st.integers(2, 30),
    dtype=st.sampled_from(DTYPES),
    sizes=st.sampled_from(sorted(NETS)),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_dtype_and_layout(kind, layout, rows, dtype, sizes, seed):
    rng = np.random.default_rng(seed)
    X, y = raw(rng, rows, kind), rng.random((rows, 3))
    adapted = fastbp.Network(NETS[sizes], dtype=dtype, seed=1)
    plain = adapted.clone()
    adapted.adapt(LAYOUTS[layout](X))
    inputs = scaled(X, adapted)
    losses = [
        net.fit(data, y, epochs=2, batch_size=4).loss
        for net, data in ((adapted, LAYOUTS[layout](X)), (plain, inputs))
    ]
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(adapted.predict(LAYOUTS[layout](X)), plain.predict(inputs))
    np.testing.assert_array_equal(adapted.forward(LAYOUTS[layout](X)), plain.forward(inputs))


def test_rows_longer_than_a_piece(network_class, rng):
    """Longer rows are converted piece by piece."""
    X = (9 * rng.random((7, 1031)) + 5).astype("f4")[:, ::-1]
    net = network_class([1031, 20], dtype="float64", seed=0)
    plain = net.clone()
    net.adapt(X)
    np.testing.assert_array_equal(net.predict(X), plain.predict(scaled(X, net)))


def test_float32_networks_tell_seconds_of_this_century_apart(network_class, rng):
    """float32 itself has steps of 128 seconds there."""
    seconds = 1.6e9 + np.arange(200.0)[:, None]
    y = np.sin(seconds / 40)
    net = network_class([1, 32, 1], activation="tanh", optimizer=fastbp.Adam(0.02), seed=0)
    net.adapt(seconds)
    net.fit(seconds, y, epochs=300)
    assert net.evaluate(seconds, y)["r2"] > 0.99


@pytest.mark.parametrize("sizes", NETS.values(), ids=NETS.keys())
def test_backward_returns_the_derivative_by_raw_inputs(network_class, rng, sizes):
    X, y = raw(rng, 6), rng.random((6, 3))
    net = network_class(sizes, activation="tanh", dtype="float64", seed=0)
    net.adapt(raw(rng))
    d_input = net.backward(net.loss.gradient(net.forward(X), y))
    for i in np.ndindex(X.shape):
        h = 1e-5 * net.input_scale[i[1]]
        losses = []
        for sign in (1, -1):
            moved = X.copy()
            moved[i] += sign * h
            losses.append(net.loss(net.predict(moved), y))
        assert d_input[i] == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-6, abs=1e-12)


def test_numbers_that_are_not_finite_go_through_predict(network_class):
    net = network_class([2, 40], seed=0)
    net.adapt([[0, 0], [1, 1e-3]])
    net.weights[0][:] = 1
    output = net.predict([[np.nan, 0], [np.inf, 0], [0, 3e38], [0.5, 5e-4]])
    assert np.isnan(output[0]).all()
    assert (output[1:3] == np.inf).all()
    np.testing.assert_allclose(output[3], 0, atol=1e-6)


# ---- what it is to the network -----------------------------------------------------------------------------


@pytest.fixture
def net(network_class, rng):
    net = network_class([5, 7, 3], seed=0)
    net.fit(raw(rng), rng.random((60, 3)))
    return net


def test_changes_nothing_that_is_learnt_and_can_be_undone(net, rng, state_of):
    assert net.input_mean is None
    assert net.input_scale is None
    X, before = raw(rng), state_of(net)
    output = net.predict(X)
    net.adapt(X)
    assert state_of(net) == before
    assert not np.allclose(net.predict(X), output)
    net.adapt(None)
    assert net.input_mean is None
    assert state_of(net) == before
    np.testing.assert_array_equal(net.predict(X), output)


def test_again_replaces_and_reset_keeps(net, rng):
    net.adapt(raw(rng))
    net.adapt(100 * raw(rng) - 7)
    mean = net.input_mean
    assert mean[0] > 50
    net.reset()
    net.optimizer = "sgd"
    np.testing.assert_array_equal(net.input_mean, mean)
    X = raw(rng)
    fresh = type(net)([5, 7, 3], seed=0)
    np.testing.assert_array_equal(net.predict(X), fresh.predict(scaled(X, net)))


@pytest.mark.parametrize(
    "duplicate", [fastbp.Network.clone, copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))]
)
def test_copies_keep_it_and_are_independent(net, rng, duplicate):
    X = raw(rng)
    net.adapt(X)
    twin, output, mean = duplicate(net), net.predict(X), net.input_mean.copy()
    np.testing.assert_array_equal(twin.predict(X), output)
    net.adapt(7 * X)
    np.testing.assert_array_equal(twin.predict(X), output)
    np.testing.assert_array_equal(twin.input_mean, mean)
    for numbers in (twin.input_mean, twin.input_scale):
        with pytest.raises(ValueError, match="read-only"):
            numbers[0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            numbers.flags.writeable = True


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e39])
def test_refuses_what_fit_refuses(net, rng, wrong, state_of):
    X = raw(rng)
    net.adapt(X)
    before, mean = state_of(net), net.input_mean.copy()
    X[3, 2] = wrong
    with pytest.raises(DataError, match=r"X\[3, 2\] is .*, expected a finite number"):
        net.adapt(X)
    for shape in ((5,), (3, 4), (0, 5)):
        with pytest.raises(ShapeError, match="X has"):
            net.adapt(np.ones(shape))
    with pytest.raises(DTypeError, match="X has dtype complex128"):
        net.adapt(X.astype(complex))
    assert state_of(net) == before
    np.testing.assert_array_equal(net.input_mean, mean)


def test_data_are_not_copied(rng):
    X = rng.random((200_000, 40), dtype=np.float32)[:, ::2]
    net = fastbp.Network([20, 8, 3], seed=0)
    assert traced_peak(lambda: net.adapt(X)) < 2_000_000


def test_ctrl_c_stops_between_blocks(net, rng, monkeypatch):
    def blocks(array, elements):
        yield 0, array[:10]
        raise KeyboardInterrupt

    monkeypatch.setattr(scaling, "blocks", blocks)
    with pytest.raises(KeyboardInterrupt):
        net.adapt(raw(rng))
    assert net.input_mean is None
    net.fit(raw(rng), rng.random((60, 3)))
