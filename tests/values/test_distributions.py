"""GaussianNLL and Quantiles as values: formulas, outputs taken apart, metrics of the point prediction."""

import pickle
import warnings

import numpy as np
import pytest

import fastbp
from fastbp import GaussianNLL, ParameterError, Quantile, Quantiles, ShapeError, metrics

LOSSES = (GaussianNLL(), Quantiles(), Quantiles([0.3, 0.4]), Quantiles([0.8]))
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def outputs_and_targets(rng, loss, n_targets, rows=20):
    return rng.normal(size=(rows, n_targets * loss.outputs_per_target)), rng.normal(size=(rows, n_targets))


# ---- formulas ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_targets", [1, 3])
def test_gaussian_nll_is_the_formula(n_targets, rng):
    output, y = outputs_and_targets(rng, GaussianNLL(), n_targets)
    mean, s = output[:, 0::2], output[:, 1::2]
    expected = np.mean(0.5 * (s + (y - mean) ** 2 * np.exp(-s)))
    assert GaussianNLL()(output, y) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("quantiles", [[0.1, 0.5, 0.9], [0.7], [0.25, 0.75]])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_quantiles_are_the_mean_of_single_ones(n_targets, quantiles, rng):
    loss = Quantiles(quantiles)
    output, y = outputs_and_targets(rng, loss, n_targets)
    output[0, 0] = y[0, 0]  # where the slope is 0
    gradient = loss.gradient(output, y)
    alone = []
    for i, q in enumerate(quantiles):
        own = np.ascontiguousarray(output[:, i :: len(quantiles)])
        alone.append(Quantile(q)(own, y))
        expected = Quantile(q).gradient(own, y) / len(quantiles)
        np.testing.assert_allclose(gradient[:, i :: len(quantiles)], expected, rtol=1e-14)
    assert loss(output, y) == pytest.approx(np.mean(alone), rel=1e-14)


def test_gaussian_nll_is_pytorchs(torch, rng):
    output, y = outputs_and_targets(rng, GaussianNLL(), 3)
    theirs = torch.tensor(output, requires_grad=True)
    value = torch.nn.GaussianNLLLoss(eps=1e-300)(theirs[:, ::2], torch.tensor(y), theirs[:, 1::2].exp())
    value.backward()
    assert GaussianNLL()(output, y) == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(GaussianNLL().gradient(output, y), theirs.grad.numpy(), rtol=1e-11, atol=1e-15)


def test_one_row_and_one_target_need_one_dimension():
    assert (
        GaussianNLL()([1.0, 0.5], 2.0)
        == GaussianNLL()([[1.0, 0.5]], [2.0])
        == GaussianNLL()([[1, 0.5]], [[2]])
    )
    assert GaussianNLL().gradient([1.0, 0.5], 2.0).shape == (2,)
    assert Quantiles([0.2, 0.7])([1.0, 2.0, 3.0, 4.0], [1.5, 2.5]) == pytest.approx(
        (0.2 * 0.5 + 0.3 * 0.5 + 0.8 * 0.5 + 0.3 * 1.5) / 4
    )


@every_loss
def test_shapes_that_do_not_fit(loss, rng):
    each = loss.outputs_per_target
    output, y = outputs_and_targets(rng, loss, 2)
    for target in (y[:, :1], y[:-1], np.hstack([y, y]), y[0]):
        with pytest.raises(ShapeError, match=r"target has shape .* expected \(20, 2\)"):
            loss(output, target)
    if each > 1:
        for call in (
            lambda h: loss(h, y),
            loss.mean_and_std if each == 2 and loss == LOSSES[0] else loss.split,
        ):
            with pytest.raises(ShapeError, match=rf"expected \(rows, outputs\), {each} outputs per target"):
                call(output[:, 1:])


@every_loss
@pytest.mark.parametrize("n_targets", [1, 3])
def test_output_scaling(loss, n_targets, rng):
    """A loss of raw outputs and targets follows from that of scaled ones."""
    output, y = outputs_and_targets(rng, loss, n_targets)
    mean, scale = rng.normal(size=n_targets), np.full(n_targets, 2.5)
    factor, offset = loss.output_scaling(mean, scale)
    assert factor.shape == offset.shape == (output.shape[1],)
    raw = loss(output * factor + offset, y * scale + mean)
    expected = loss(output, y) + np.log(2.5) if loss == GaussianNLL() else 2.5 * loss(output, y)
    assert raw == pytest.approx(expected, rel=1e-12)


# ---- outputs taken apart -----------------------------------------------------------------------------------


def test_mean_and_std():
    output = np.array([[1.0, 0.0, 3.0, np.log(4.0)], [5.0, np.log(9.0), 7.0, np.log(0.25)]])
    mean, std = GaussianNLL().mean_and_std(output)
    np.testing.assert_array_equal(mean, [[1, 3], [5, 7]])
    np.testing.assert_allclose(std, [[1, 2], [3, 0.5]], rtol=1e-15)
    mean, std = GaussianNLL().mean_and_std(output[0])
    np.testing.assert_array_equal(mean, [1, 3])
    assert std.shape == (2,)
    assert GaussianNLL().mean_and_std(output.astype(np.float32))[1].dtype == np.float32
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert GaussianNLL().mean_and_std([0.0, 1e5])[1] == np.inf
    assert GaussianNLL().mean_and_std(np.empty((0, 4)))[0].shape == (0, 2)


def test_split():
    output = np.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(
        Quantiles().split(output), [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]
    )
    np.testing.assert_array_equal(Quantiles([0.1, 0.9]).split(output[0]), [[0, 1], [2, 3], [4, 5]])
    assert Quantiles().split(np.empty((0, 6))).shape == (0, 2, 3)


@pytest.mark.parametrize(
    ("loss", "columns"),
    [
        (GaussianNLL(), [0, 2]),
        (Quantiles(), [1, 4]),
        (Quantiles([0.1, 0.4, 0.9]), [1, 4]),
        (Quantiles([0.25, 0.75]), [0, 2]),
        (Quantiles([0.9]), [0, 1]),
        (fastbp.losses.mse, [0, 1]),
    ],
    ids=repr,
)
def test_metrics_measure_the_estimate(loss, columns, network_class, rng):
    X, y = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    net = network_class([3, 4, 2 * loss.outputs_per_target], loss=loss, seed=0)
    output = net.predict(X)
    np.testing.assert_array_equal(loss.estimate(output), output[:, columns])
    found = net.evaluate(X, y, metrics=["r2", "mae", lambda output, target: output.shape[1]])
    assert found["r2"] == metrics.r2(output[:, columns], y)
    assert found["mae"] == metrics.mae(output[:, columns], y)
    assert found["<lambda>"] == 2 * loss.outputs_per_target  # a callable gets all outputs
    history = net.fit(X, y, epochs=2, validation_data=(X, y), metrics="mae")
    assert history.validation_mae[-1] == net.evaluate(X, y, metrics="mae")["mae"]


# ---- quantiles ---------------------------------------------------------------------------------------------


def test_quantiles_are_kept_as_a_tuple():
    for given in ([0.1, 0.9], (0.1, 0.9), np.array([0.1, 0.9]), iter([0.1, 0.9])):
        loss = Quantiles(given)
        assert loss == Quantiles((0.1, 0.9))
        assert hash(loss) == hash(Quantiles([0.1, 0.9]))
        assert repr(loss) == "Quantiles(quantiles=(0.1, 0.9))"
        assert pickle.loads(pickle.dumps(loss)) == loss
    assert fastbp.losses.get("quantiles") == Quantiles() == Quantiles([0.1, 0.5, 0.9])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r"quantiles is \[\], expected a list of numbers between 0 and 1"),
        (0.5, "quantiles is 0.5, expected a list of numbers"),
        ("0.5", "quantiles is '0.5', expected a list of numbers"),
        (None, "quantiles is None, expected a list of numbers"),
        ([0.5, 1.0], r"quantiles\[1\] is 1.0, expected a finite number > 0 and < 1"),
        ([0.0], r"quantiles\[0\] is 0.0, expected a finite number > 0 and < 1"),
        ([0.1, float("nan")], r"quantiles\[1\] is nan, expected a finite number"),
        ([0.1, "b"], r"quantiles\[1\] is 'b', expected a finite number"),
        ([0.5, 0.5], r"quantiles\[1\] is 0.5 after 0.5, expected each above the one before"),
        ([0.9, 0.1], r"quantiles\[1\] is 0.1 after 0.9, expected each above the one before"),
        ([[0.1, 0.9]], r"quantiles\[0\] is .*, expected a finite number"),
    ],
)
def test_bad_quantiles_are_named(given, message):
    with pytest.raises(ParameterError, match=message):
        Quantiles(given)


@pytest.mark.parametrize("given", [[0.5, 0.5 + 1e-12], [1 - 1e-12], [1e-300]])
def test_quantiles_that_float32_cannot_tell_apart(given, network_class):
    loss = Quantiles(given)
    network_class([2, len(given)], loss=loss, dtype="float64")
    with pytest.raises(ParameterError, match=r"quantiles\[\d\] is"):
        network_class([2, len(given)], loss=loss, dtype="float32")


def test_quantiles_learn_quantiles(network_class):
    """Outputs that depend on nothing become the quantiles of the targets."""
    y = np.random.default_rng(1).exponential(size=2000)
    net = network_class(
        [1, 3], loss=Quantiles([0.2, 0.5, 0.9]), optimizer=fastbp.SGD(0.5), seed=0, dtype="float64"
    )
    net.fit(np.zeros((2000, 1)), y, epochs=300, batch_size=None)
    np.testing.assert_allclose((y[:, None] <= net.predict([[0.0]])).mean(axis=0), [0.2, 0.5, 0.9], atol=0.01)


def test_a_gaussian_learns_mean_and_variance(network_class):
    y = np.random.default_rng(1).normal([3.0, -1.0], [0.5, 2.0], size=(2000, 2))
    net = network_class([1, 4], loss=GaussianNLL(), optimizer=fastbp.Adam(0.05), seed=0, dtype="float64")
    net.fit(np.zeros((2000, 1)), y, epochs=400, batch_size=None)
    mean, std = net.loss.mean_and_std(net.predict([0.0]))
    np.testing.assert_allclose(mean, y.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(std, y.std(axis=0), rtol=1e-3)
