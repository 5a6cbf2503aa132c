"""Extreme eigenvalues by Lanczos' method, against those of the full matrix."""

import numpy as np
import pytest

import fastbp
from fastbp import Dense, ParameterError, reference
from fastbp.inspect import (
    Spectrum,
    _lanczos,
    gauss_newton_product,
    hessian_eigenvalues,
    hessian_vector_product,
)

ENDS = {"both": (1, 1), "largest": (0, 1), "smallest": (1, 0)}


def symmetric(values, seed=1):
    """Return a symmetric matrix with these eigenvalues."""
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    H = (Q * values) @ Q.T
    return (H + H.T) / 2


def extremes(values, low, high):
    """Return the `low` smallest and the `high` largest of some values, the largest first."""
    ascending = np.sort(values)
    return ascending[[i for i in range(len(values)) if i < low or i >= len(values) - high]][::-1]


def found_in(H, low, high, **options):
    options = {"tol": 1e-8, "max_products": 300, "seed": 0} | options
    return _lanczos.extreme_eigenpairs(lambda v: H @ v, len(H), low, high, **options)


def assert_pairs(found, H, values, tolerance=1e-8):
    """Check the values, and that the vectors belong to them as closely as the residuals say."""
    scale = np.abs(np.linalg.eigvalsh(H)).max() or 1.0
    np.testing.assert_allclose(found.values, values, rtol=0, atol=tolerance * scale)
    residuals = np.linalg.norm(found.vectors @ H - found.values[:, None] * found.vectors, axis=1)
    np.testing.assert_allclose(residuals, found.residuals, rtol=1e-6, atol=1e-13 * scale)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(len(values)), atol=1e-9)
    peaks = np.abs(found.vectors).argmax(axis=1)
    assert (found.vectors[range(len(peaks)), peaks] > 0).all()


SPECTRA = {
    "one": [3.0],
    "two": [3.0, -1.0],
    "identity": [1.0] * 7,
    "zeros": [0.0] * 4,
    "multiple ends": [3, 3, 3, 1, 1, 0, 0, -2, -2, -2.0],
    "opposite": [2.0, -2.0] * 5,
    "one of a thousandth": [*np.zeros(30), 1e-3],
    "few of many": [*np.zeros(40), *np.logspace(-3, 1, 20)],
    "close": [1, 1 + 1e-9, 0.5, *np.linspace(-0.1, 0.1, 40)],
    "huge": [1e150, -1e150, 3e149, 1e100],
    "tiny": [1e-150, -1e-150, 3e-151, 1e-170],
}


@pytest.mark.parametrize("name", SPECTRA)
def test_known_spectra(name):
    values = np.array(SPECTRA[name], float)
    H = symmetric(values)
    for low, high in ((1, 1), (0, 1), (1, 0), (3, 3), (0, 3), (len(values), len(values))):
        found = found_in(H, low, high)
        assert found.converged, (low, high)
        assert_pairs(found, H, extremes(values, low, high))


def test_fewer_vectors_in_memory_find_the_same(monkeypatch):
    values = np.linspace(-1, 1, 80) ** 3
    H = symmetric(values)
    for size in (8 * 80 * 20, 0):
        monkeypatch.setattr(_lanczos, "BASIS_BYTES", size)
        for low, high in ((2, 2), (0, 3), (1, 0)):
            found = found_in(H, low, high, tol=1e-6, max_products=2000)
            assert found.converged
            assert_pairs(found, H, extremes(values, low, high))
            longest = max(low + high + max(low, high) + _lanczos.SPARE, size // (8 * 80))
            assert found.n_products > longest  # so it has restarted


def test_it_says_that_it_has_not_converged():
    values = np.linspace(-1, 1, 80)
    H = symmetric(values)
    found = found_in(H, 2, 2, max_products=12)
    assert not found.converged
    assert found.n_products == 12
    assert_pairs(found, H, found.values)
    assert found.residuals.max() > 1e-3
    errors = np.abs(found.values[:, None] - values).min(axis=1)
    assert (errors <= found.residuals).all()
    assert found_in(H, 2, 2, max_products=1).n_products == 4  # as many as there are values


def test_residuals_tell_of_products_that_are_inexact():
    """Such as those of a network in float32."""
    H = symmetric(np.linspace(-1, 1, 20))
    noisy = H + 1e-3 * np.random.default_rng(0).normal(size=H.shape)
    found = found_in(noisy, 2, 2, max_products=20)
    assert not found.converged
    residuals = np.linalg.norm(found.vectors @ noisy.T - found.values[:, None] * found.vectors, axis=1)
    np.testing.assert_allclose(found.residuals, residuals, rtol=1e-6)
    np.testing.assert_allclose(found.values, extremes(np.linspace(-1, 1, 20), 2, 2), atol=1e-2)


@pytest.mark.parametrize("kind", [fastbp.Network, reference.Network])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_networks(kind, dtype, data):
    """The products are taken in float64, also of networks in float32."""
    X, y = data
    layers = [4, Dense(3, "tanh", l2=0.01), Dense(2, trainable=False, l2=5.0)]
    net, exact = kind(layers, dtype=dtype, seed=1), kind(layers, dtype="float64", seed=1)
    exact.parameters[:] = net.parameters
    before, units = net.parameters.tobytes(), np.eye(net.n_parameters)
    products = {"hessian": hessian_vector_product, "gauss_newton": gauss_newton_product}
    for (operator, product), weights in zip(products.items(), (None, np.arange(23.0)), strict=True):
        H = np.array([product(exact, X, y, unit, sample_weight=weights) for unit in units])
        values = np.linalg.eigvalsh(H)
        for which, (low, high) in ENDS.items():
            options = {"k": 2, "which": which, "sample_weight": weights, "operator": operator, "tol": 1e-6}
            found = hessian_eigenvalues(net, X, y, **options)
            assert found.converged
            assert_pairs(found, H, extremes(values, 2 * low, 2 * high), 1e-6)
    assert net.parameters.tobytes() == before
    again = hessian_eigenvalues(net, X, y, seed=3)
    np.testing.assert_array_equal(again.values, hessian_eigenvalues(net, X, y, seed=3).values)


def test_a_linear_network_has_the_hessian_of_least_squares(data):
    """That of the mean squared error is 2 / n [X 1]^T [X 1] for one output."""
    X, y = data[0], data[1][:, :1]
    net = fastbp.Network([4, 1], dtype="float64", seed=0)
    A = np.hstack([X, np.ones((23, 1))])
    exact = np.linalg.eigvalsh(2 / 23 * A.T @ A)
    found = hessian_eigenvalues(net, X, y, k=5)
    np.testing.assert_allclose(found.values, exact[::-1], rtol=1e-6)
    for trainable in (True, False):  # a frozen layer has no penalty
        layer = Dense(1, l2=3.0, bias=False, trainable=trainable)
        exact = np.linalg.eigvalsh(2 / 23 * X.T @ X)[::-1] + 3 * trainable
        found = hessian_eigenvalues(fastbp.Network([4, layer], dtype="float64", seed=0), X, y, k=2)
        np.testing.assert_allclose(found.values, exact, rtol=1e-6)


def test_it_says_what_it_found(data):
    net = fastbp.Network([4, 3, 2], seed=1)
    found = hessian_eigenvalues(net, *data)
    assert isinstance(found, Spectrum)
    text = str(found)
    assert all(f"{value:.6g}" in text for value in found.values)
    assert f"converged after {found.n_products} products" in text
    assert repr(found) == text
    assert "not converged" in str(found._replace(converged=False))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k is 0, expected an integer >= 1"),
        ({"k": 24}, "k is 24, expected 1 to 23, the number of parameters"),
        ({"which": "middle"}, "which is 'middle', expected one of: both, largest, smallest"),
        ({"tol": 0}, "tol is 0, expected a finite number > 0"),
        ({"max_iterations": 0}, "max_iterations is 0, expected an integer >= 1"),
        ({"seed": -1}, "seed is -1, expected an integer >= 0"),
        ({"operator": "fisher"}, "operator is 'fisher', expected one of: hessian, gauss_newton"),
    ],
)
def test_wrong_arguments(options, message, data):
    with pytest.raises(ParameterError, match=message):
        hessian_eigenvalues(fastbp.Network([4, 3, 2], seed=1), *data, **options)


def test_derivatives_that_are_not_finite_are_refused(data):
    net = fastbp.Network([4, 3, 2], activation="identity", dtype="float64", seed=1)
    net.parameters[:] = 1e200
    with pytest.raises(fastbp.DataError, match="a product with the Hessian is NaN or infinite"):
        hessian_eigenvalues(net, *data)
