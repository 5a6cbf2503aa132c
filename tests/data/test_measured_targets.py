"""Target scaling: what is measured, and what the network keeps of it."""

import copy
import pickle

import numpy as np
import pytest

import fastbp
from fastbp import DataError, ParameterError, ShapeError, reference
from fastbp._data import scaling
from helpers.scaled import NETS, pair, problem, raw, scaled, squares
from helpers.tables import DTYPES

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
