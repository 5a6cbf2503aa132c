"""Extreme eigenvalues of a symmetric operator, of which only products with vectors are known."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.exceptions import DataError

Vector: TypeAlias = NDArray[np.float64]
Product: TypeAlias = Callable[[Vector], NDArray[np.floating]]

BASIS_BYTES = 1 << 29  # most memory for the basis; then it is made shorter
SPARE = 8  # vectors in the shortest basis beside those that are wanted
NEGLIGIBLE = 1e-14  # relative to the operator: what is left of a vector that depends on the basis


class Ritz(NamedTuple):
    """Approximate eigenpairs (q): values in ascending order, and how the basis combines to vectors."""

    values: Vector  # (q,)
    combinations: Vector  # (products since the restart, q)
    residuals: Vector  # (q,) |H v - value v|


class Basis:
    """Orthonormal vectors Q that grow by products with H, and the coefficients of the products.

    Lanczos' method with several first vectors and full reorthogonalization: the product with a vector of the
    basis, less its part in the span of the basis, is the next vector. With b first vectors, an eigenvalue is
    found up to b times. If the span is invariant, a random vector goes on. A basis that is full keeps only
    combinations close to the wanted eigenvectors (a thick restart, Wu and Simon, 2000).

    Parameters
    ----------
    product : callable
        H times a vector (n,).
    n : int
        Size of the vectors.
    first : int
        Number of first vectors, drawn at random.
    room : int
        Most vectors in the basis.
    random : Generator
    """

    def __init__(self, product: Product, n: int, first: int, room: int, random: np.random.Generator) -> None:
        self._product, self._random = product, random
        self.vectors = np.empty((room, n))  # Q
        self.coefficients = np.zeros((room, room))  # column j: the product with vector j, by the vectors
        self.size, self.done = 0, 0  # vectors in the basis; those whose products are known
        for _ in range(first):
            self._draw()

    @property
    def is_invariant(self) -> bool:
        """Whether the basis spans the whole space and all products are known."""
        return self.done == self.vectors.shape[1]

    @property
    def is_full(self) -> bool:
        """Whether there is no room for the next product."""
        return self.size == len(self.vectors) < self.vectors.shape[1]

    def grow(self) -> None:
        """Take the product with the next vector."""
        with np.errstate(all="ignore"):  # checked next
            w = np.array(self._product(self.vectors[self.done]), np.float64)
            norm = float(np.linalg.norm(w))
        if not isfinite(norm):
            raise DataError(
                "a product with the Hessian is NaN or infinite, expected a network whose loss has finite "
                "derivatives"
            )
        self.coefficients[: self.size, self.done] = self._orthogonalize(w)
        left = float(np.linalg.norm(w))
        self.done += 1
        if self.size == self.vectors.shape[1]:
            return
        if left > NEGLIGIBLE * max(norm, float(np.abs(self.coefficients).max())):
            self.coefficients[self.size, self.done - 1] = left
            self._append(w)
        elif self.done == self.size:
            self._draw()

    def ritz(self) -> Ritz:
        """Return the eigenpairs of H restricted to the basis."""
        done, size = self.done, self.size
        columns = self.coefficients[:size, :done]
        square = columns[:done]
        values, combinations = np.linalg.eigh((square + square.T) / 2)
        errors = columns @ combinations
        errors[:done] -= combinations * values
        return Ritz(values, combinations, np.linalg.norm(errors, axis=0))

    def restart(self, ritz: Ritz, kept: list[int]) -> None:
        """Keep some Ritz vectors, and the vectors whose products are not known."""
        done, rest, n = self.done, self.size - self.done, len(kept)
        combinations = ritz.combinations[:, kept]
        coupled = self.coefficients[done : self.size, :done] @ combinations
        pending = self.vectors[done : self.size].copy()
        self.vectors[:n] = combinations.T @ self.vectors[:done]
        self.vectors[n : n + rest] = pending
        self.coefficients[:] = 0
        self.coefficients[range(n), range(n)] = ritz.values[kept]
        self.coefficients[n : n + rest, :n] = coupled
        self.done, self.size = n, n + rest

    def _orthogonalize(self, w: Vector) -> Vector:
        """Subtract the part of w in the span of the basis, twice; return its coefficients."""
        Q = self.vectors[: self.size]
        found = np.zeros(self.size)
        for _ in range(2):
            part = Q @ w
            w -= part @ Q
            found += part
        return found

    def _draw(self) -> None:
        """Append a random vector that is orthogonal to the others."""
        w = self._random.standard_normal(self.vectors.shape[1])
        self._orthogonalize(w)
        self._append(w)

    def _append(self, w: Vector) -> None:
        """Append w, which is orthogonal to the basis, with length 1."""
        self.vectors[self.size] = w / np.linalg.norm(w)
        self.size += 1


class Found(NamedTuple):
    """What `extreme_eigenpairs` returns: m pairs with the largest value first."""

    values: Vector  # (m,)
    vectors: Vector  # (m, n), unit length
    residuals: Vector  # (m,) |H v - value v|
    n_products: int
    converged: bool


def extreme_eigenpairs(
    product: Product, n: int, low: int, high: int, *, tol: float, max_products: int, seed: int
) -> Found:
    """Return the `low` smallest and the `high` largest eigenvalues of a symmetric H (n, n), with vectors.

    They have converged when every residual is at most `tol` times the largest magnitude of an eigenvalue. At
    least low + high products are taken, unless n is less. The basis takes 8 n bytes per product, up to
    `BASIS_BYTES`, or low + high + max(low, high) + `SPARE` vectors if these are more.
    """
    first, wanted = max(low, high), min(low + high, n)
    least = wanted + first + SPARE
    room = min(n, max(least, min(max_products + first, BASIS_BYTES // (8 * n))))
    basis = Basis(product, n, min(first, n), room, np.random.default_rng(seed))
    products, most = 0, max(max_products, wanted)
    while True:
        basis.grow()
        products += 1
        is_last = products == most or basis.is_invariant
        is_due = is_last or basis.is_full or products % (1 + products // 10) == 0
        if basis.done < wanted or not is_due:
            continue
        ritz, chosen = basis.ritz(), _ends(basis.done, low, high)
        converged = bool((ritz.residuals[chosen] <= tol * np.abs(ritz.values).max()).all())
        if converged or is_last:
            break
        if basis.is_full:
            extra = (basis.done - wanted) // 4
            basis.restart(ritz, _ends(basis.done, low + extra * bool(low), high + extra * bool(high)))
    chosen = chosen[::-1]
    vectors = ritz.combinations[:, chosen].T @ basis.vectors[: basis.done]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    peaks = np.abs(vectors).argmax(axis=1)
    vectors *= np.where(vectors[range(len(vectors)), peaks] < 0, -1.0, 1.0)[:, None]
    return Found(ritz.values[chosen], vectors, ritz.residuals[chosen], products, converged)


def _ends(n: int, low: int, high: int) -> list[int]:
    """Return the indices of the first `low` and the last `high` of n numbers, each once."""
    return [i for i in range(n) if i < low or i >= n - high]
