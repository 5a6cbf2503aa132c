"""Target scaling: trains as on targets scaled beforehand; outputs, metrics and derivatives are raw."""

import numpy as np
import pytest

import fastbp
from fastbp import ShapeError, losses, reference
from fastbp._engine import inference
from helpers.differences import central_differences
from helpers.engines_agree import assert_close
from helpers.isas import ISAS, using
from helpers.scaled import NETS, SCALED, pair, problem, raw, scaled, squares
from helpers.tables import DTYPES

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
def test_both_engines_agree(rng, sizes, dtype, rows):
    X, y = problem(rng, max(rows, 2))
    optimizer = fastbp.SGD(0.05)  # not Adam, whose steps along gradients of rounding errors differ

    def found(network_class):
        net = network_class(sizes, activation="tanh", optimizer=optimizer, dtype=dtype, seed=0)
        net.adapt(X, y)
        d_input = net.backward(np.cos((net.forward(X[:rows]), y[:rows])[1]))
        results = [d_input, net.gradients.copy(), *training(net, X[:rows], y[:rows]), net.predict(X[:rows])]
        return [np.asarray(result) for result in (*results, net.evaluate(X, y)["r2"])]

    numpy = found(reference.Network)
    for isa in ISAS:
        with using(isa):
            for a, b in zip(found(fastbp.Network), numpy, strict=True):
                assert_close(a, b, {"float32": 3e-4, "float64": 1e-10}[dtype])


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
