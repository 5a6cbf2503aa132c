"""Target scaling: trains as on targets scaled beforehand; outputs, metrics and derivatives are raw."""

import copy
import pickle

import numpy as np
import pytest

import fastbp
from fastbp import DataError, ParameterError, ShapeError, losses, reference
from fastbp._data import scaling
from fastbp._engine import inference
from helpers.differences import central_differences
from helpers.engines_agree import assert_close
from helpers.tables import DTYPES, ENGINES

NETS = {"narrow": [5, 7, 3], "wide": [5, 40, 3], "deep": [5, 17, 4, 3], "one layer": [5, 3]}
SCALED = [name for name, loss in losses.LOSSES.items() if loss.scales_targets]


def problem(rng, rows=60):
    """Inputs, and targets with offsets and scales of their own that follow from them."""
    X = rng.normal(size=(rows, 5))
    return X, np.tanh(X @ rng.normal(size=(5, 3))) * [3000, 0.01, 7] + [9000, -0.5, 0]


def scaled(y, net):
    """y as the loss gets it, in the network's dtype."""
    return ((y.astype(np.float64) - net.target_mean) * (1 / net.target_scale)).astype(net.dtype)


def raw(output, net):
    """Outputs of a network of scaled targets in raw units."""
    return (net.target_scale * output + net.target_mean).astype(net.dtype)


def pair(network_class, sizes, X, y, **options):
    """A network that scales its targets, and an equal one that does not."""
    net = network_class(sizes, **{"seed": 0, "activation": "tanh"} | options)
    plain = net.clone()
    net.adapt(None, y)
    return net, plain


# ---- the same as scaling beforehand ------------------------------------------------------------------------


def training(net, X, y):
    """Losses and parameters of all calls that take targets."""
    weights = np.arange(1, len(X) + 1) % 3
    history = net.fit(X, y, epochs=2, batch_size=16, validation_data=(X, y))
    results = [history.loss, history.validation_loss]
    results += [
        net.fit(X[:20], y[:20], batch_size=1).loss,  # padded, or narrow, plans
        net.fit(X, y, batch_size=16, shuffle=False, sample_weight=weights).loss,
        net.fit(X, y, epochs=3, batch_size=None).loss,
        net.fit(X, y, epochs=2, batch_size=None, gradient_tol=1e-12).loss,  # stored gradients
        net.train_on_batch(X, y),
        net.train_on_batch(X[:1], y[:1]),
        *net.loss_and_gradients(X, y, sample_weight=weights),
        net.evaluate(X, y)["loss"],
    ]
    return [*results, net.parameters.copy()]


@pytest.mark.parametrize("rows", [33, 5000])  # the latter are several row blocks
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", NETS.values(), ids=NETS.keys())
def test_trains_as_on_scaled_targets(network_class, rng, isa, sizes, dtype, rows):
    """The same bits."""
    X, y = problem(rng, rows)
    net, plain = pair(network_class, sizes, X, y, dtype=dtype)
    for a, b in zip(training(net, X, y), training(plain, X, scaled(y, net)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", SCALED)
def test_every_loss_of_numbers(network_class, rng, loss, dtype):
    X, y = problem(rng)
    sizes = [5, 40, 3 * losses.get(loss).outputs_per_target]
    net, plain = pair(network_class, sizes, X, y, dtype=dtype, loss=loss, optimizer="irprop")
    for each, targets in ((net, y), (plain, scaled(y, net))):
        each.fit(X, targets, epochs=5, batch_size=None)
    np.testing.assert_array_equal(net.history.loss, plain.history.loss)
    factor, offset = net.loss.output_scaling(net.target_mean, net.target_scale)
    np.testing.assert_array_equal(net.predict(X), (factor * plain.predict(X) + offset).astype(dtype))


def test_the_losses():
    assert {"mse", "half_sse", "mae", "huber", "log_cosh", "quantile"} < set(SCALED)
    assert {"gaussian_nll", "quantiles"} < set(SCALED)
    assert not {"cross_entropy", "binary_cross_entropy", "hinge", "poisson"} & set(SCALED)


@pytest.mark.parametrize("output_activation", ["tanh", "softmax", "gelu", "sigmoid"])
def test_other_output_activations(network_class, rng, output_activation):
    """The raw output is scale f(z) + mean."""
    X, y = problem(rng)
    net, plain = pair(network_class, [5, 40, 3], X, y, output_activation=output_activation)
    for a, b in zip(training(net, X, y), training(plain, X, scaled(y, net)), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(net.predict(X), raw(plain.predict(X), net))


def test_levenberg_marquardt(network_class, rng):
    X, y = problem(rng)
    nets = pair(
        network_class, [5, 3, 3], X, y, dtype="float64", optimizer=fastbp.LevenbergMarquardt(bayesian=True)
    )
    for net, targets in zip(nets, (y, scaled(y, nets[0])), strict=True):
        net.fit(X, targets, epochs=4, batch_size=None)
    for column in ("loss", "damping", "alpha"):
        np.testing.assert_array_equal(nets[0].history[column], nets[1].history[column])
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


def test_minimize(network_class, rng):
    pytest.importorskip("scipy")
    X, y = problem(rng)
    net, plain = pair(network_class, [5, 7, 3], X, y, dtype="float64")
    for each, targets in ((net, y), (plain, scaled(y, net))):
        fastbp.minimize(each, X, targets, max_iterations=5)
    np.testing.assert_array_equal(net.parameters, plain.parameters)
    np.testing.assert_array_equal(net.history.loss, plain.history.loss)


def test_a_scaler_around_the_network(rng):
    """scikit-learn's StandardScaler finds the same mean and scale, and its inverse gives the same outputs."""
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    X, y = problem(rng)
    net, plain = pair(fastbp.Network, [5, 16, 3], X, y, dtype="float64")
    scaler = preprocessing.StandardScaler().fit(y)
    np.testing.assert_allclose(net.target_mean, scaler.mean_, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(net.target_scale, scaler.scale_, rtol=1e-13)
    net.fit(X, y, epochs=5)
    plain.fit(X, scaler.transform(y), epochs=5)
    np.testing.assert_allclose(net.predict(X), scaler.inverse_transform(plain.predict(X)), rtol=1e-9)


# ---- raw outputs and their derivatives ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", NETS.values(), ids=NETS.keys())
def test_outputs_are_raw(network_class, rng, isa, monkeypatch, sizes, dtype):
    """Any number of rows, plain and strided, in `out`, in slices, of a training pass: rounded once."""
    X, y = problem(rng, 5000)
    X = X.astype(dtype)
    net, plain = pair(network_class, sizes, X, y, dtype=dtype)
    strided = np.repeat(X, 2, axis=1)[:, ::2]
    for rows in (slice(0), 0, slice(1), slice(4), slice(5), slice(90), slice(5000)):
        expected = raw(plain.predict(X[rows]), net)
        out = np.zeros_like(expected)
        assert net.predict(strided[rows], out=out) is out
        for output in (net.predict(X[rows]), net.predict(strided[rows]), out):
            np.testing.assert_array_equal(output, expected)
    np.testing.assert_array_equal(net.forward(X), raw(plain.forward(X), net))
    monkeypatch.setattr(inference, "SLICE_ROWS", 1000)
    np.testing.assert_array_equal(net.predict(strided), raw(plain.predict(strided), net))


@pytest.mark.parametrize("sizes", NETS.values(), ids=NETS.keys())
@pytest.mark.parametrize("output_activation", ["identity", "tanh", "softmax"])
def test_backward_takes_and_returns_raw_derivatives(network_class, rng, sizes, output_activation):
    X, y = problem(rng, 6)
    X = 4 * X + 20
    options = {"activation": "tanh", "output_activation": output_activation, "dtype": "float64", "seed": 0}
    net = network_class(sizes, **options)
    net.adapt(X, y)
    factors = rng.normal(size=y.shape)
    d_input, gradients = net.backward((net.forward(X), factors)[1]), net.gradients.copy()

    def loss():
        return float((factors * net.predict(X)).sum())

    scale = np.abs(d_input).max()
    numerical = central_differences(loss, X, 1e-4)
    np.testing.assert_allclose(d_input, numerical, rtol=1e-6, atol=1e-7 * scale)
    numerical = central_differences(loss, net.parameters, 1e-5)
    np.testing.assert_allclose(gradients, numerical, rtol=1e-6, atol=1e-7 * np.abs(gradients).max())


@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_by_parts_are_training_steps(network_class, rng, dtype):
    """The derivative by raw outputs of the loss of scaled ones is divided by the scale."""
    X, y = problem(rng)
    net, twin = pair(network_class, [5, 40, 3], X, y, dtype=dtype, optimizer=fastbp.SGD(0.1))
    twin.adapt(None, y)
    h = (net.forward(X) - net.target_mean) / net.target_scale
    net.backward(net.loss.gradient(h, (y - net.target_mean) / net.target_scale) / net.target_scale)
    net.step()
    twin.train_on_batch(X, y)
    tolerance = {"float32": 1e-4, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_losses_are_scaled_and_metrics_raw(network_class, rng, loss):
    X, y = problem(rng)
    net, _ = pair(network_class, [5, 16, 3], X, y, dtype="float64", loss=loss)
    history = net.fit(X, y, epochs=30, validation_data=(X, y), metrics=["r2", "mae", largest_output])
    output = net.predict(X)
    found = net.evaluate(X, y, metrics=["r2", "mae", largest_output])
    h, t = (np.asarray(a - net.target_mean) / net.target_scale for a in (output, y))
    assert found["loss"] == history.validation_loss[-1] == pytest.approx(net.loss(h, t), rel=1e-12)
    assert found["r2"] == history.validation_r2[-1] == fastbp.metrics.r2(output, y)
    assert found["mae"] == fastbp.metrics.mae(output, y) > 100
    assert found["largest_output"] == output.max()
    assert net.loss(output, y) > 100  # of what it is given
    assert net.loss_and_gradients(X, y)[0] == pytest.approx(found["loss"], rel=1e-12)


def largest_output(output, target):
    assert target.max() > 9000
    return output.max()


def test_float32_networks_resolve_offsets(network_class, rng):
    """float32 has steps of 1/16 at a million."""
    X = rng.uniform(-1, 1, (300, 2))
    y = 1e6 + X[:, :1] * X[:, 1:]
    net = network_class([2, 24, 1], activation="tanh", optimizer=fastbp.Adam(0.01), seed=0)
    net.adapt(X, y)
    net.fit(X, y, epochs=300)
    assert net.evaluate(X, y)["loss"] < 1e-3
    np.testing.assert_allclose(net.predict(X), y, rtol=0, atol=0.15)


# ---- both engines, any number of threads -------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 4, 33, 5000])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", NETS.values(), ids=NETS.keys())
def test_both_engines_agree(rng, isa, sizes, dtype, rows):
    X, y = problem(rng, max(rows, 2))
    # not Adam, whose steps along gradients of rounding errors differ
    nets = [
        each(sizes, activation="tanh", optimizer=fastbp.SGD(0.05), dtype=dtype, seed=0) for each in ENGINES
    ]
    found = []
    for net in nets:
        net.adapt(X, y)
        d_input = net.backward(np.cos((net.forward(X[:rows]), y[:rows])[1]))
        results = [d_input, net.gradients.copy(), *training(net, X[:rows], y[:rows]), net.predict(X[:rows])]
        found.append([*results, net.evaluate(X, y)["r2"]])
    for native, numpy in zip(*found, strict=True):
        assert_close(np.asarray(native), np.asarray(numpy), {"float32": 3e-4, "float64": 1e-10}[dtype])


@pytest.mark.parametrize("sizes", NETS.values(), ids=NETS.keys())
def test_any_number_of_threads(rng, isa, sizes):
    """The same bits."""
    X, y = problem(rng, 9000)
    found = []
    for threads in (1, 2, 3, 8):
        with fastbp.threads(threads):
            net = fastbp.Network(sizes, seed=0)
            net.adapt(X, y)
            d_input = net.backward(0 * net.forward(X) + 1)
            history = net.fit(X, y, epochs=2, batch_size=9000)
            found.append([d_input, history.loss, net.parameters, net.predict(X), net.evaluate(X, y)["loss"]])
    for results in found[1:]:
        for a, b in zip(results, found[0], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["f2", "f4", ">f8", "i2", "u1", "?"])
def test_targets_of_any_dtype(network_class, rng, kind):
    X, y = problem(rng)
    y = (y[:, ::-1] > 0.3 if kind == "?" else np.abs(y) % 200).astype(kind)[::2]
    net, plain = pair(network_class, [5, 7, 3], X, y, dtype="float64")
    for a, b in zip(training(net, X[::2], y), training(plain, X[::2], scaled(y, net)), strict=True):
        np.testing.assert_array_equal(a, b)


# ---- several outputs per target ----------------------------------------------------------------------------

SEVERAL = {"gaussian_nll": losses.GaussianNLL(), "quantiles": losses.Quantiles([0.1, 0.5, 0.9])}


@pytest.mark.parametrize("sizes", [[5, 7], [5, 40], [5]], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", SEVERAL)
def test_several_outputs_per_target(network_class, rng, isa, loss, dtype, sizes):
    """Training is as on scaled targets, and each raw output follows from the unscaled one."""
    X, y = problem(rng)
    each = SEVERAL[loss].outputs_per_target
    net, plain = pair(network_class, [*sizes, 3 * each], X, y, dtype=dtype, loss=SEVERAL[loss])
    assert net.target_mean.shape == (3,)
    t = scaled(y, net)
    for a, b in zip(training(net, X, y), training(plain, X, t), strict=True):
        np.testing.assert_array_equal(a, b)
    factor, offset = SEVERAL[loss].output_scaling(net.target_mean, net.target_scale)
    expected = (factor * plain.predict(X) + offset).astype(dtype)
    for output in (net.predict(X), net.forward(X), net.clone().predict(X)):
        np.testing.assert_array_equal(output, expected)
    if dtype == "float64":
        assert net.evaluate(X, y)["r2"] == pytest.approx(plain.evaluate(X, t)["r2"], rel=1e-9)


def test_raw_outputs_of_a_normal_distribution(network_class, rng):
    """Mean and standard deviation are in the units of y: the likelihood only shifts by the log scale."""
    X, y = problem(rng)
    loss = losses.GaussianNLL()
    net, plain = pair(network_class, [5, 7, 6], X, y, dtype="float64", loss=loss)
    net.fit(X, y, epochs=20)
    plain.parameters[:] = net.parameters
    mean, deviation = loss.mean_and_std(net.predict(X))
    m, s = loss.mean_and_std(plain.predict(X))
    np.testing.assert_allclose(mean, m * net.target_scale + net.target_mean, rtol=1e-12)
    np.testing.assert_allclose(deviation, s * net.target_scale, rtol=1e-12)
    shift = np.log(net.target_scale).mean()
    assert net.loss(net.predict(X), y) == pytest.approx(net.evaluate(X, y)["loss"] + shift, rel=1e-9)


# ---- custom losses -----------------------------------------------------------------------------------------


def squares(output, target):
    """The mean squared error, of float arrays of one shape and dtype."""
    assert output.shape == target.shape
    assert output.dtype == target.dtype
    error = output - target
    return float(np.mean(error * error, dtype=np.float64)), 2 * error / error.size


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output_activation", ["identity", "tanh"])
def test_a_custom_loss_gets_scaled_outputs_and_targets(network_class, rng, dtype, output_activation):
    X, y = problem(rng)
    y += [0, 0, 1e6]  # which raw outputs in float32 would not resolve
    options = {"dtype": dtype, "output_activation": output_activation, "loss": squares}
    net, plain = pair(network_class, [5, 40, 3], X, y, **options)
    for each, targets in ((net, y), (plain, scaled(y, net))):
        each.fit(X, targets, epochs=3, batch_size=16, validation_data=(X, targets))
        each.train_on_batch(X, targets)
    np.testing.assert_array_equal(net.parameters, plain.parameters)
    np.testing.assert_array_equal(net.history.validation_loss, plain.history.validation_loss)
    assert net.evaluate(X, y)["loss"] == plain.evaluate(X, scaled(y, net))["loss"]
    np.testing.assert_array_equal(net.predict(X), raw(plain.predict(X), net))
    gradient = rng.normal(size=y.shape)  # after its own passes, those of the user are raw again
    output, d_input = net.forward(X), net.backward(gradient)
    np.testing.assert_array_equal(output, net.predict(X))
    plain.forward(X)
    d_plain = plain.backward(gradient * net.target_scale)
    tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(d_input, d_plain, rtol=tolerance, atol=tolerance * np.abs(d_plain).max())


def test_a_custom_loss_needs_a_target_per_output(network_class, rng):
    X, y = problem(rng)
    net = network_class([5, 7, 3], loss=squares, seed=0)
    message = r"y has shape \(60, 2\), expected \(60, 3\) \(adapt scales one target per output\), for 60 rows"
    with pytest.raises(ShapeError, match=message):
        net.adapt(X, y[:, :2])
    assert net.input_mean is None
    net.adapt(X, y)
    with pytest.raises(ShapeError, match=message):
        net.fit(X, y[:, :2])
    net.adapt(X, None)
    with pytest.raises(ValueError, match="broadcast"):  # the function may take them again
        network_class([5, 7, 3], loss=lambda h, t: h - t, seed=0).fit(X, y[:, :2])


def test_a_custom_loss_with_integers_and_one_column(network_class, rng):
    X, _ = problem(rng)
    y = rng.integers(0, 100, 60)
    nets = [network_class([5, 7, 1], loss=loss, seed=0, dtype="float64") for loss in (squares, "mse")]
    for net in nets:
        net.adapt(None, y)
        net.fit(X, y, epochs=3)
    np.testing.assert_allclose(nets[0].history.loss, nets[1].history.loss, rtol=1e-12)


# ---- what is measured --------------------------------------------------------------------------------------


def test_mean_and_scale(network_class, rng):
    X, y = problem(rng)
    y[:, 1] = 0.1
    net = network_class([5, 7, 3], seed=0)
    net.adapt(X, y)
    np.testing.assert_allclose(net.target_mean, y.mean(axis=0), rtol=1e-13)
    assert net.target_mean[1] == 0.1
    np.testing.assert_allclose(net.target_scale, [*y.std(axis=0)[:1], 1, y[:, 2].std()], rtol=1e-13)
    assert net.target_mean.dtype == net.target_scale.dtype == np.float64
    np.testing.assert_allclose(net.input_mean, X.mean(axis=0), rtol=1e-12, atol=1e-15)


def test_one_output_takes_a_vector(network_class, rng):
    X, y = problem(rng)
    nets = [network_class([5, 7, 1], seed=0) for _ in range(2)]
    for net, targets in zip(nets, (y[:, 0], y[:, :1]), strict=True):
        net.adapt(X, targets)
        net.fit(X, targets)
    assert nets[0].target_mean.shape == (1,)
    np.testing.assert_array_equal(nets[0].predict(X), nets[1].predict(X))


def exact(column):
    known = column[~np.isnan(column)]
    return known.mean(), known.std()


@pytest.mark.parametrize("rows_of_a_block", [1, 7, 10**6])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_known_elements(rng, monkeypatch, rows_of_a_block, share):
    monkeypatch.setattr(scaling, "BLOCK", 3 * rows_of_a_block)
    y = problem(rng, 50)[1] + 1e5
    y[rng.random(y.shape) < share] = np.nan
    y[20] = 1e5, 2e5, 3e5  # of each column one is known
    y[:9, 1] = np.nan
    found = scaling.measure(y, "y", skip_nan=True)
    mean, scale = np.transpose([exact(column) for column in y.T])
    np.testing.assert_allclose(found.mean, mean, rtol=1e-14)
    np.testing.assert_allclose(found.scale, scale, rtol=1e-9)
    if share == 0:
        y[:9, 1] = 0
        for a, b in zip(scaling.measure(y), scaling.measure(y, skip_nan=True), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_column_without_a_known_element():
    y = np.array([[1, np.nan, 3], [2, np.nan, np.nan]])
    with pytest.raises(DataError, match=r"y\[:, 1\] has no known element, expected at least one"):
        scaling.measure(y, "y", skip_nan=True)
    found = scaling.measure(y[:, ::2], "y", skip_nan=True)
    np.testing.assert_array_equal(found.mean, [1.5, 3])
    np.testing.assert_array_equal(found.scale, [0.5, 1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", NETS.values(), ids=NETS.keys())
def test_unknown_targets(network_class, rng, isa, sizes, dtype):
    """The known ones are measured, and training is as on targets scaled beforehand."""
    X, y = problem(rng)
    y[rng.random(y.shape) < 0.2] = np.nan
    y[7] = np.nan
    options = {"dtype": dtype, "loss": fastbp.losses.MSE(ignore_nan=True)}
    net, plain = pair(network_class, sizes, X, y, **options)
    np.testing.assert_allclose(net.target_mean, np.nanmean(y, axis=0), rtol=1e-13)
    np.testing.assert_allclose(net.target_scale, np.nanstd(y, axis=0), rtol=1e-12)
    t = scaled(y, net)
    for each, targets in ((net, y), (plain, t)):
        each.fit(X, targets, epochs=3, batch_size=16, validation_data=(X, targets))
        each.fit(X, targets, batch_size=1)
    np.testing.assert_array_equal(net.parameters, plain.parameters)
    np.testing.assert_array_equal(net.history.validation_loss, plain.history.validation_loss)
    assert net.evaluate(X, y)["loss"] == plain.evaluate(X, t)["loss"]
    r2 = {"float32": 1e-2, "float64": 1e-9}[dtype]  # rounded to float32, 9000 has steps of 0.001
    assert net.evaluate(X, y)["r2"] == pytest.approx(plain.evaluate(X, t)["r2"], abs=r2)


def test_unknown_targets_of_a_custom_loss(network_class, rng):
    def known_squares(output, target):
        error = np.where(np.isnan(target), 0, output - target)
        return float(np.square(error).mean()), 2 * error / error.size

    X, y = problem(rng)
    y[rng.random(y.shape) < 0.2] = np.nan
    loss = fastbp.losses.CustomLoss(known_squares, nan_targets=True)
    net, plain = pair(network_class, [5, 7, 3], X, y, loss=loss)
    net.fit(X, y)
    plain.fit(X, scaled(y, net))
    np.testing.assert_array_equal(net.parameters, plain.parameters)


def test_a_target_that_is_never_known(network_class, rng):
    X, y = problem(rng)
    y[:, 2] = np.nan
    net = network_class([5, 7, 3], loss=fastbp.losses.MSE(ignore_nan=True), seed=0)
    with pytest.raises(DataError, match=r"y\[:, 2\] has no known element, expected at least one"):
        net.adapt(X, y)
    assert net.input_mean is None


# ---- what it is to the network -----------------------------------------------------------------------------


def scalings(net):
    """All four vectors, as lists."""
    vectors = net.input_mean, net.input_scale, net.target_mean, net.target_scale
    return [None if vector is None else vector.tolist() for vector in vectors]


def test_each_argument_for_itself(network_class, rng, state_of):
    X, y = problem(rng)
    net = network_class([5, 7, 3], seed=0)
    output, before = net.predict(X), state_of(net)
    net.adapt(X, y)
    inputs, targets = scalings(net)[:2], scalings(net)[2:]
    assert scalings(net)[2:] != [None, None]
    net.adapt(2 * X)
    assert scalings(net)[:2] != inputs
    assert scalings(net)[2:] == targets
    net.adapt(None)
    assert scalings(net) == [None, None, *targets]
    net.adapt(X, None)
    assert scalings(net) == [*inputs, None, None]
    net.adapt(None, y)
    assert scalings(net) == [None, None, *targets]
    net.adapt(None, 2 * y)
    np.testing.assert_array_equal(net.target_scale, 2 * np.array(targets[1]))
    net.adapt(X)
    net.adapt(..., y)
    assert scalings(net) == [*inputs, *targets]
    net.adapt(..., None)
    assert scalings(net) == [*inputs, None, None]
    net.adapt(None, None)
    assert scalings(net) == [None] * 4
    np.testing.assert_array_equal(net.predict(X), output)
    assert state_of(net) == before


def test_plans_made_before_do_not_outlive_it(network_class, rng):
    """Each call uses the scaling that holds."""
    X, y = problem(rng)
    net, plain = pair(network_class, [5, 7, 3], X, y)
    for _ in range(2):
        for targets in (y, 3 * y, None):
            net.adapt(None, targets)
            for rows in (X, X[:1], X[0].astype(net.dtype)):
                expected = plain.predict(rows)
                expected = expected if targets is None else raw(expected, net)
                np.testing.assert_array_equal(net.predict(rows), expected)
            np.testing.assert_array_equal(net.forward(X), net.predict(X))
            t = y if targets is None else scaled(y, net)
            assert net.loss_and_gradients(X, y)[0] == plain.loss_and_gradients(X, t)[0]


@pytest.mark.parametrize(
    "duplicate", [fastbp.Network.clone, copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))]
)
@pytest.mark.parametrize("loss", ["mse", squares], ids=str)
def test_copies_keep_it_and_are_independent(network_class, rng, duplicate, loss):
    X, y = problem(rng)
    net = network_class([5, 7, 3], loss=loss, seed=0)
    net.adapt(X, y)
    twin, output, found = duplicate(net), net.predict(X), scalings(net)
    np.testing.assert_array_equal(twin.predict(X), output)
    net.adapt(7 * X, 3 * y)
    np.testing.assert_array_equal(twin.predict(X), output)
    assert scalings(twin) == found
    for numbers in (twin.target_mean, twin.target_scale):
        with pytest.raises(ValueError, match="read-only"):
            numbers[0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            numbers.flags.writeable = True
    net.adapt(X, y)
    for each in (net, twin):
        each.fit(X, y, epochs=2)
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_a_new_output_layer_has_targets_of_its_own(network_class, rng):
    X, y = problem(rng)
    net = network_class([5, 7, 3], seed=0)
    net.adapt(X, y)
    inputs = scalings(net)[:2]
    new = net.replace_output(2)
    assert scalings(new) == [*inputs, None, None]
    new.adapt(..., y[:, :2])
    np.testing.assert_array_equal(new.target_mean, net.target_mean[:2])
    new.fit(X, y[:, :2])
    assert scalings(new)[:2] == inputs
    assert net.predict(X).shape == (60, 3)


def test_reset_and_optimizers_keep_it(network_class, rng):
    X, y = problem(rng)
    net = network_class([5, 7, 3], seed=0)
    net.adapt(X, y)
    before, output = scalings(net), net.predict(X)
    net.fit(X, y)
    net.optimizer = "sgd"
    net.reset()
    assert scalings(net) == before
    np.testing.assert_array_equal(net.predict(X), output)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "hinge", "poisson"])
def test_losses_whose_targets_cannot_be_scaled(network_class, rng, loss):
    X, y = problem(rng)
    net = network_class([5, 7, 3], loss=loss, seed=0)
    with pytest.raises(ParameterError, match=f"y is given with the loss '{loss}', .* expected no y, or a"):
        net.adapt(X, y)
    assert scalings(net) == [None] * 4
    net.adapt(X, None)
    assert net.input_mean is not None


def test_a_state_whose_loss_cannot_have_it(rng):
    X, y = problem(rng)
    nets = [fastbp.Network([5, 7, 3], loss=loss, seed=0) for loss in ("mse", "hinge")]
    nets[0].adapt(X, y)
    states = [net.__getstate__() for net in nets]
    with pytest.raises(DataError, match="the targets are scaled, expected none with the loss 'hinge'"):
        nets[1].__setstate__(states[1] | {"target_scaling": states[0]["target_scaling"]})
    with pytest.raises(DataError, match=r"expected finite vectors \(3,\)"):
        nets[0].__setstate__(states[0] | {"target_scaling": states[0]["scaling"]})


WRONG = {
    "nan": (
        lambda X, y: (X, np.where(y > 9000, np.nan, y)),
        DataError,
        r"y\[\d+, 0\] is nan, expected a",
    ),
    "too large": (
        lambda X, y: (X, y * 1e36),
        DataError,
        r"y\[0, 0\] is .*, expected a finite number",
    ),
    "rows": (lambda X, y: (X, y[:-1]), ShapeError, r"y has shape \(59, 3\), expected \(60, 3\)"),
    "columns": (lambda X, y: (X, y[:, 0]), ShapeError, r"y has shape \(60,\), expected \(60, 3\)"),
    "columns alone": (lambda X, y: (None, y[:, 0]), ShapeError, r"y has shape \(60,\), expected \(60, 3\)"),
    "no rows": (lambda X, y: (None, y[:0]), ShapeError, r"y has shape \(0, 3\), expected at least one row"),
    "a number": (lambda X, y: (None, 7), ShapeError, r"y has shape \(\), expected at least one row"),
    "X": (lambda X, y: (X[:, 1:], y), ShapeError, "X has 4 columns, expected 5"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_targets_change_nothing(network_class, rng, case):
    X, y = problem(rng)
    wrong, error, message = WRONG[case]
    net = network_class([5, 7, 3], seed=0)
    net.adapt(X, y)
    before = scalings(net)
    with pytest.raises(error, match=message):
        net.adapt(*wrong(3 * X, y))
    assert scalings(net) == before


def test_spreads_too_far(network_class):
    net = network_class([1, 1], dtype="float64", seed=0)
    with pytest.raises(DataError, match=r"y\[:, 0\] spreads too far, from -1e\+308 to 1e\+308"):
        net.adapt(None, [-1e308, 1e308])


def test_the_reference_has_the_page(rng):
    """Forward, then the scaled loss by hand."""
    X, y = problem(rng)
    net, _ = pair(reference.Network, [5, 7, 3], X, y, dtype="float64")
    (W1, W2), (b1, b2) = net.weights, net.biases
    h = np.tanh(X @ W1 + b1) @ W2 + b2
    np.testing.assert_allclose(net.predict(X), h * y.std(axis=0) + y.mean(axis=0), rtol=1e-12)
    error = h - (y - y.mean(axis=0)) / y.std(axis=0)
    assert net.evaluate(X, y)["loss"] == pytest.approx(np.mean(error**2), rel=1e-12)
