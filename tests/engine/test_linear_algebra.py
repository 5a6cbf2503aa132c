"""Cholesky factorization and orthonormal columns, as NumPy has them."""

import numpy as np
import pytest

import fastbp
import fastbp.reference
from fastbp import _core


def positive_definite(n):
    """A matrix (n, n) whose condition number is about n."""
    J = np.random.default_rng(n).standard_normal((n + 5, n))
    return J.T @ J + np.eye(n)


MATRICES = (1, 2, 3, 63, 64, 65, 130, 257, 600)


@pytest.mark.parametrize("n", MATRICES)
def test_cholesky_and_what_follows_from_it(n, isa):
    """L L^T = A, whatever lies above the diagonal; solution and trace of the inverse are NumPy's."""
    A = positive_definite(n)
    factor = np.tril(A) + np.triu(np.full((n, n), np.nan), 1)
    assert _core.cholesky(factor)
    L = np.tril(factor)
    np.testing.assert_allclose(L @ L.T, A, rtol=0, atol=1e-14 * np.abs(A).max())
    b = np.arange(n, dtype=float)
    np.testing.assert_allclose(_core.cholesky_solve(factor, b), np.linalg.solve(A, b), rtol=1e-9, atol=1e-11)
    assert _core.inverse_trace(factor) == pytest.approx(np.trace(np.linalg.inv(A)), rel=1e-10)


@pytest.mark.parametrize("n", [1, 64, 65, 300])
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_matrices_without_a_factor(n, bad, isa):
    for at in {0, n // 2, n - 1}:
        A = positive_definite(n)
        A[at, at] = bad
        assert not _core.cholesky(A)


def test_matrices_that_do_not_fit():
    with pytest.raises(fastbp.ShapeError, match="2 rows and 3 columns"):
        _core.cholesky(np.zeros((2, 3)))
    with pytest.raises(fastbp.ShapeError, match="b has 3 elements, expected 2"):
        _core.cholesky_solve(np.eye(2), np.ones(3))
    with pytest.raises(fastbp.ShapeError, match="2 rows and 3 columns"):
        _core.orthonormal_columns(np.zeros((2, 3)))


@pytest.mark.parametrize(("rows", "n"), [(1, 1), (3, 1), (5, 5), (70, 65), (65, 65), (1500, 7), (2100, 300)])
def test_orthonormal_columns(rows, n, isa):
    """NumPy's Q, with the signs that make the diagonal of R positive."""
    z = np.random.default_rng(n).standard_normal((rows, n))
    q = _core.orthonormal_columns(z)
    expected, r = np.linalg.qr(z)
    np.testing.assert_allclose(q.T @ q, np.eye(n), atol=1e-14)
    np.testing.assert_allclose(q, expected * np.sign(np.diagonal(r)), atol=1e-11)


@pytest.mark.parametrize("condition", [1e3, 1e8, 1e11])
def test_orthonormal_columns_of_bad_matrices(condition, isa):
    """The squares of such condition numbers are beyond float64."""
    rng = np.random.default_rng(0)
    (u, _), (v, _) = (np.linalg.qr(rng.standard_normal((40, 40))) for _ in range(2))
    z = u * np.geomspace(1, 1 / condition, 40) @ v
    q = _core.orthonormal_columns(z)
    np.testing.assert_allclose(q.T @ q, np.eye(40), atol=1e-14)
    np.testing.assert_allclose(np.tril(q.T @ z, -1), 0, atol=1e-14)


@pytest.mark.parametrize("z", [np.zeros((3, 2)), np.ones((3, 2)), np.full((2, 2), np.nan)], ids=str)
def test_columns_that_are_linearly_dependent(z, isa):
    with pytest.raises(fastbp.Error, match="linearly dependent"):
        _core.orthonormal_columns(z)


def test_linear_algebra_on_any_number_of_threads(isa):
    """The same bits."""
    results = []
    for threads in (1, 2, 5):
        with fastbp.threads(threads):
            factor = positive_definite(700)
            assert _core.cholesky(factor)
            numbers = [np.tril(factor), _core.cholesky_solve(factor, np.ones(700))]
            numbers += [
                np.array(_core.inverse_trace(factor)),
                _core.orthonormal_columns(positive_definite(300)),
            ]
            results.append([a.tobytes() for a in numbers])
    assert results[0] == results[1] == results[2]
