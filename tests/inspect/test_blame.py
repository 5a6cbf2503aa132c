"""Shares of the error."""

import numpy as np
import pytest

import fastbp
from fastbp import Dense, inspect
from fastbp.exceptions import ParameterError, ShapeError
from helpers.problems import problem
from helpers.tables import DTYPES, ENGINES


def total(blame):
    return sum(part.sum() for part in (*blame.weight_shares, *blame.bias_shares))


@pytest.fixture
def worked():
    import worked_example

    return worked_example


def test_shares_of_the_worked_example(worked):
    blame = inspect.blame(worked.make_network(), worked.X, worked.Y)
    gradient = worked.gradient(worked.THETA)
    sizes = {name: abs(value) for name, value in gradient.items()}
    connections = blame.connections()
    assert [c.name for c in connections] == sorted(sizes, key=sizes.__getitem__, reverse=True)
    for c in connections:
        assert c.gradient == pytest.approx(gradient[c.name], abs=1e-15)
        assert c.share == pytest.approx(sizes[c.name] / sum(sizes.values()), abs=1e-15)
    first = connections[0]
    assert first[:6] == ("b6", 2, None, 0, "bias", "6")
    y4, y5, h = worked.forward(worked.THETA)
    delta6 = (h - worked.Y) * worked.slope(h)
    delta4, delta5 = (delta6 * worked.THETA[w] * worked.slope(y) for w, y in (("w46", y4), ("w56", y5)))
    sums = np.abs([delta4, delta5]).sum(axis=1)
    np.testing.assert_allclose(blame.unit_errors[0], sums, rtol=1e-13)
    np.testing.assert_allclose(blame.unit_shares[0], sums / sums.sum(), rtol=1e-13)
    np.testing.assert_allclose(blame.unit_signed[0], [delta4.sum(), delta5.sum()], rtol=1e-13)
    np.testing.assert_allclose(blame.row_shares, abs(delta6) / abs(delta6).sum(), rtol=1e-13)
    assert [u.name for u in blame.units()] == ["6", "4", "5"]


@pytest.mark.parametrize("network", ENGINES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ["mse", "cross_entropy", "gaussian_nll", "half_sse"])
def test_shares_sum_to_one_and_come_from_the_gradient(network, dtype, loss):
    layers = [5, Dense(7, "tanh", bias=False), Dense(6, "gelu", trainable=False), 4]
    net = network(layers, loss=loss, dtype=dtype, seed=3)
    X, y = problem([5, 7, 6, 4], 4200, loss)  # two blocks
    net.adapt(X)
    weights = np.arange(4200) % 3
    blame = inspect.blame(net, X, y, sample_weight=weights)
    assert total(blame) == pytest.approx(1, abs=1e-12)
    assert [shares.sum() for shares in blame.unit_shares] == pytest.approx([1, 1, 1], abs=1e-12)
    assert blame.layer_shares.sum() == pytest.approx(1, abs=1e-12)
    assert blame.row_shares.sum() == pytest.approx(1, abs=1e-12)
    assert not blame.row_shares[weights == 0].any()
    deltas = inspect.deltas(net, X, y, sample_weight=weights)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for delta, errors, signed in zip(deltas, blame.unit_errors, blame.unit_signed, strict=True):
        np.testing.assert_allclose(errors, np.abs(delta).sum(axis=0), rtol=tolerance)
        np.testing.assert_allclose(signed, delta.sum(axis=0), rtol=tolerance, atol=tolerance)
    rows = np.abs(deltas[-1]).sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(blame.row_shares, rows / rows.sum(), rtol=tolerance, atol=1e-12)
    net.trainable = True
    gradient = net.loss_and_gradients(X, y, sample_weight=weights)[1]
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(blame.gradient, gradient, atol=tolerance * scale)
    shares = np.concatenate(
        [part.ravel() for pair in zip(blame.weight_shares, blame.bias_shares, strict=True) for part in pair]
    )
    np.testing.assert_allclose(shares, np.abs(gradient) / np.abs(gradient).sum(), atol=10 * tolerance)
    listed = blame.connections()
    assert len(listed) == net.n_parameters
    assert [c.share for c in listed] == sorted((c.share for c in listed), reverse=True)
    for c in listed[:9]:
        part = blame.weight_shares[c.layer - 1][c.i] if c.i is not None else blame.bias_shares[c.layer - 1]
        assert part[c.j] == c.share
    for u in blame.units(5):
        assert blame.unit_shares[u.layer - 1][u.j] == u.share


def test_text_names_the_inputs_and_counts(worked):
    net = worked.make_network()
    net.feature_names = ["<a>", "b", "c"]
    blame = inspect.blame(net, worked.X, worked.Y)
    text = str(blame)
    assert "the 10 largest of 11 parameters" in text
    assert "all 3 units" in text
    assert "<a>" in text
    assert "w46" in text
    html = blame._repr_html_()
    assert "&lt;a&gt;" in html
    assert "<a>" not in html
    assert repr(blame) == text


def test_no_error_gives_no_shares():
    net = fastbp.Network([2, 3, 1], dtype="float64")
    X = np.ones((4, 2))
    blame = inspect.blame(net, X, net.predict(X))
    assert total(blame) == 0
    assert not any(shares.any() for shares in blame.unit_shares)
    assert not blame.row_shares.any()


def test_numbers_that_are_not_finite():
    net = fastbp.Network([2, 3, 1], dtype="float64")
    net.parameters[:] = np.nan
    blame = inspect.blame(net, np.ones((4, 2)), np.ones(4))
    assert np.isnan(blame.unit_shares[0]).all()
    assert "nan" in str(blame)
    net.parameters[:] = 1e200
    assert "w13" in str(inspect.blame(net, np.full((4, 2), 1e200), np.ones(4)))


def test_results_cannot_be_changed(worked):
    blame = inspect.blame(worked.make_network(), worked.X, worked.Y)
    for array in (blame.gradient, blame.row_shares, blame.unit_shares[0], blame.weight_shares[0]):
        assert not array.flags.writeable


def test_errors():
    net = fastbp.Network([2, 3, 1])
    with pytest.raises(ShapeError, match="X has 3 columns"):
        inspect.blame(net, np.ones((4, 3)), np.ones(4))
    with pytest.raises(ParameterError, match="net is a int"):
        inspect.blame(3, np.ones((4, 2)), np.ones(4))
    with pytest.raises(ParameterError, match="limit is -1"):
        inspect.blame(net, np.ones((4, 2)), np.ones(4)).units(-1)
