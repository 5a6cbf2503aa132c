"""The largest and the smallest eigenvalues of the Hessian of a network's loss."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import choice, integer, number
from fastbp._base.sparse import Inputs
from fastbp.exceptions import ParameterError
from fastbp.inspect._curvature import Curvature
from fastbp.inspect._lanczos import Product, extreme_eigenpairs
from fastbp.inspect._probe import Probe, quietly
from fastbp.network import Network

Array: TypeAlias = NDArray[Any]

ENDS = {"both": (1, 1), "largest": (0, 1), "smallest": (1, 0)}  # of the smallest and of the largest ones


class Spectrum(NamedTuple):
    """Eigenvalues of a symmetric matrix H (P, P), the largest first.

    Attributes
    ----------
    values : array, shape (m,)
        The largest first.
    vectors : array, shape (m, P)
        An eigenvector per row, of unit length; its element of largest magnitude is positive.
    residuals : array, shape (m,)
        |H v - value v|. An eigenvalue of H is that close to the value.
    n_products : int
        Number of products with H that were taken.
    converged : bool
        Whether every residual is within the tolerance.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    residuals: NDArray[np.float64]
    n_products: int
    converged: bool

    def __str__(self) -> str:
        end = "converged" if self.converged else "not converged"
        lines = [f"{'eigenvalue':>12}  {'residual':>9}"]
        lines += [
            f"{value:12.6g}  {residual:9.2g}"
            for value, residual in zip(self.values, self.residuals, strict=True)
        ]
        return "\n".join([*lines, f"{end} after {self.n_products:,} products with the matrix"])

    def __repr__(self) -> str:
        return str(self)


@quietly
def hessian_eigenvalues(
    net: Network,
    X: Inputs,
    y: ArrayLike,
    *,
    k: int = 1,
    which: Literal["both", "largest", "smallest"] = "both",
    tol: float = 1e-4,
    max_iterations: int = 100,
    seed: int = 0,
    sample_weight: ArrayLike | None = None,
    operator: Literal["hessian", "gauss_newton"] = "hessian",
) -> Spectrum:
    """Return the largest and the smallest eigenvalues of the Hessian of the loss, with their vectors.

    The Hessian H (P, P) holds the second derivatives of the loss, with the penalties l2 of layers that are
    not frozen, by all parameters. Gradient descent with a learning rate above 2 / (largest eigenvalue)
    diverges on the quadratic model; a negative eigenvalue is a direction in which the loss curves down. H is
    never formed: Lanczos' method with full reorthogonalization takes products of H with vectors, in float64.

    Parameters
    ----------
    net : Network
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`.
    k : int, 1 to P
        Number of eigenvalues at each end. An eigenvalue that occurs several times is found up to k times.
    which : {"both", "largest", "smallest"}
        The ends of the spectrum: largest and smallest are meant with their signs.
    tol : float, > 0
        Largest residual, relative to the largest magnitude of an eigenvalue.
    max_iterations : int, >= 1
        Most products with H; as many as there are eigenvalues to return are taken in any case. If the result
        has not converged by then, `converged` is False, and the residuals tell how far off it is.
    seed : int, >= 0
        Seed of the first vectors.
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Weights of the loss, as for `evaluate`.
    operator : {"hessian", "gauss_newton"}
        The matrix: the Hessian, or the Gauss-Newton matrix as of `gauss_newton_product`.

    Returns
    -------
    Spectrum
        k eigenvalues, or 2 k for both ends; P if that is less.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above, or as for `evaluate`; the loss has derivatives that are not finite.
    BusyError
        Another thread is changing the network when the call begins.

    Notes
    -----
    The vectors take 8 P bytes per product. From 512 MiB on, the method restarts with the best vectors found
    so far, and needs more products.

    References
    ----------
    C. Lanczos, An iteration method for the solution of the eigenvalue problem of linear differential and
    integral operators, 1950. K. Wu and H. Simon, Thick-restart Lanczos method for large symmetric eigenvalue
    problems, 2000.
    """
    ends = choice("which", which, ENDS)
    tol, most = number("tol", tol, above=0), integer("max_iterations", max_iterations, at_least=1)
    seed, k = integer("seed", seed, at_least=0), integer("k", k, at_least=1)
    is_hessian = choice("operator", operator, {"hessian": True, "gauss_newton": False})
    probe = Probe(net, dtype=np.float64)
    curvature = Curvature(probe, probe.examples(X, y, sample_weight))
    product = curvature.hessian if is_hessian else curvature.gauss_newton
    return spectrum(product, curvature.probe.parameters.size, k, ends, tol, most, seed)


def spectrum(
    product: Product,
    n: int,
    k: int,
    ends: tuple[int, int],
    tol: float = 1e-4,
    max_iterations: int = 100,
    seed: int = 0,
) -> Spectrum:
    """Return k eigenvalues of each of the ends (smallest, largest) that are 1, of a matrix (n, n)."""
    if k > n:
        raise ParameterError(f"k is {k}, expected 1 to {n}, the number of parameters")
    low, high = (k * end for end in ends)
    return Spectrum(
        *extreme_eigenpairs(product, n, low, high, tol=tol, max_products=max_iterations, seed=seed)
    )
