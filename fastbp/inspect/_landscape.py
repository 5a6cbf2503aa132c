"""The loss landscape: the loss on a grid along two directions through the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import integer, number
from fastbp._base.arrays import as_array
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.inspect._curvature import Curvature
from fastbp.inspect._eigenvalues import spectrum
from fastbp.inspect._names import parameter_index
from fastbp.inspect._probe import Probe, quietly
from fastbp.inspect._surface import Progress, Surface
from fastbp.layers import Layer, split
from fastbp.network import Network

Array: TypeAlias = NDArray[Any]
Doubles: TypeAlias = NDArray[np.float64]
Range: TypeAlias = tuple[float, float]

MOST_POINTS = 4096  # along an axis
WIDEST = 1e307  # a coordinate, so that the length of an axis is finite
PARALLEL = 1e-12  # 1 - cos^2 of the angle between two directions that count as parallel


class Landscape(NamedTuple):
    """Losses on a grid of points origin + a u + b v of the space of parameters.

    All arrays are float64 and read-only.

    Attributes
    ----------
    a, b : array, shape (na,) and (nb,)
        Coordinates of the columns and of the rows of the grid. Along the axes of two named weights they are
        the values of these weights.
    losses : array, shape (nb, na)
        ``losses[i, j]`` is the loss at ``at(a[j], b[i])``. It may be infinite or NaN.
    directions : array, shape (2, P)
        u and v.
    center : array, shape (P,)
        The parameters in the middle of the grid, unless `span` says otherwise.
    origin : array, shape (P,)
        The point a = b = 0: the center; for two named weights, the center with 0 for these.
    names : tuple of two str
        What the axes are.
    """

    a: Doubles
    b: Doubles
    losses: Doubles
    directions: Doubles
    center: Doubles
    origin: Doubles
    names: tuple[str, str]

    @quietly
    def at(self, a: ArrayLike, b: ArrayLike) -> Doubles:
        """Return the parameters (P,) at a point, or (k, P) at k points with a and b (k,)."""
        u, v = self.directions
        a, b = (np.asarray(x, np.float64)[..., None] for x in (a, b))
        return np.asarray(self.origin + a * u + b * v)

    @quietly
    def project(self, path: ArrayLike) -> Doubles:
        """Return the coordinates (a, b), (2,) or (k, 2), of the points of the plane closest to a path.

        Parameters
        ----------
        path : array_like, shape (P,) or (k, P)
            Parameter vectors, such as `RecordPath.path`.

        Raises
        ------
        ShapeError, DTypeError
            The path is not as above.
        """
        array = as_array("path", path)
        if array.ndim not in (1, 2) or array.shape[-1] != self.origin.size:
            raise ShapeError(f"path has shape {array.shape}, expected (k, {self.origin.size}), or one row")
        rows = np.atleast_2d(array)
        products = np.array([self.directions @ (row - self.origin) for row in rows]).reshape(-1, 2)
        found = np.linalg.solve(self.directions @ self.directions.T, products.T).T
        return found if array.ndim == 2 else found[0]

    def __str__(self) -> str:
        axes = zip("ab", (self.a, self.b), self.names, strict=True)
        lines = [f"loss landscape, {self.a.size} x {self.b.size} points"]
        lines += [f"{axis}: {name}, {x[0]:.6g} to {x[-1]:.6g}" for axis, x, name in axes]
        finite = np.isfinite(self.losses)
        for what, find in (("least", np.argmin), ("largest", np.argmax)) if finite.any() else ():
            worst = np.inf if what == "least" else -np.inf
            i, j = np.unravel_index(find(np.where(finite, self.losses, worst)), self.losses.shape)
            lines += [f"{what} loss {self.losses[i, j]:.6g} at a = {self.a[j]:.6g}, b = {self.b[i]:.6g}"]
        if missing := int((~finite).sum()):
            lines += [f"not finite at {missing:,} points"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Landscape: {', '.join(self.names)}; {self.a.size} x {self.b.size} points>"


@quietly
def landscape(
    net: Network,
    X: Inputs,
    y: ArrayLike,
    *,
    directions: str | tuple[str, str] | ArrayLike = "random",
    resolution: int | tuple[int, int] = 101,
    span: float | tuple[Range, Range] = 1.0,
    center: ArrayLike | None = None,
    seed: int = 0,
    sample_weight: ArrayLike | None = None,
    progress: Progress | None = None,
) -> Landscape:
    """Return the loss on a grid of a plane through the parameters of a network.

    The loss at each point is that of all rows of (X, y) together, as of `Network.evaluate`, with the
    penalties l1 and l2 of layers that are not frozen; dropout and noise are off. The native engine computes
    several points at a time, one per thread; the numbers do not depend on the threads. The network is not
    changed, and may be trained meanwhile.

    Parameters
    ----------
    net : Network
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`.
    directions : str, tuple of two str, or array_like of shape (2, P)
        "random": two random directions, normalized per unit: the weights into a unit have the norm that they
        have in the center, and biases do not change, as in the method of Li et al. "hessian": the
        eigenvectors of the two Hessian eigenvalues of largest magnitude, of unit length. Two names such as
        ("w14", "b6"): these weights themselves, with units numbered through all layers, inputs first. Or two
        vectors.
    resolution : int or (int, int), 2 to 4096
        Number of points along a, and along b.
    span : float, > 0 and < 1e307, or ((a0, a1), (b0, b1))
        How far the grid reaches on both sides of the center, or its ends.
    center : array_like, shape (P,), optional
        Parameters to use in place of the network's.
    seed : int, >= 0
        Seed of random directions, and of the search for eigenvectors.
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Weights of the loss, as for `evaluate`.
    progress : callable, optional
        Called as progress(done, points) about twenty times per second, or after each point.

    Returns
    -------
    Landscape

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above, or as for `evaluate`; two directions are parallel, or one is 0.
    BusyError
        Another thread is changing the network when the call begins.

    Notes
    -----
    Each thread has a copy of the parameters and a workspace. Inputs of another dtype, or that the network
    scales, are converted once if they take at most 256 MiB.

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer and T. Goldstein, Visualizing the loss landscape of neural nets, 2018.

    Examples
    --------
    The path of a fit in the plane through its end::

        path = fastbp.callbacks.RecordPath()
        net.fit(X, y, epochs=100, callbacks=path)
        landscape = fastbp.inspect.landscape(net, X, y)
        coordinates = landscape.project(path.path)  # (k, 2)
    """
    probe = Probe(net)
    counts, seed = _resolution(resolution), integer("seed", seed, at_least=0)
    if progress is not None and not callable(progress):
        raise ParameterError(f"progress is {shown(progress)}, expected a function of two numbers, or None")
    middle = probe.parameters.astype(np.float64)
    if center is not None:
        middle = _vectors("center", center, middle.shape)
    origin, own = middle.copy(), np.zeros(2)  # `own` are the coordinates of the center
    if isinstance(directions, str) and directions == "hessian":
        exact = Probe(net, dtype=np.float64, parameters=middle)
        plane, names = _eigenvectors(Curvature(exact, exact.examples(X, y, sample_weight)), seed)
    else:
        plane, names = _directions(probe.layers, directions, middle, seed)
    _check_plane(plane, is_random=isinstance(directions, str) and directions == "random")
    if _are_names(directions):
        own = middle[plane.argmax(axis=1)]
        origin[plane.any(axis=0)] = 0
    ends = zip(_ranges(span, own), counts, strict=True)
    a, b = (np.linspace(low, high, n) for (low, high), n in ends)
    points = np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)
    surface = Surface(probe, X, y, sample_weight, origin, plane)
    losses = surface.losses(points, progress).reshape(b.size, a.size)
    for array in (a, b, losses, plane, middle, origin):
        array.flags.writeable = False
    return Landscape(a, b, losses, plane, middle, origin, names)


# ---- arguments ---------------------------------------------------------------------------------------------


def _resolution(value: Any) -> tuple[int, int]:
    """Return the number of points along a and along b."""
    pair = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value, value)
    first, second = (integer("resolution", n, at_least=2, below=MOST_POINTS + 1) for n in pair)
    return first, second


def _ranges(span: Any, own: Doubles) -> list[Range]:
    """Return the ends of the two axes; `own` are the coordinates of the center."""
    if not isinstance(span, (tuple, list)):
        width = number("span", span, above=0, below=WIDEST)
        return [(x - width, x + width) for x in own.tolist()]
    if len(span) != 2 or not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in span):
        raise ParameterError(f"span is {shown(span)}, expected a number, or ((a0, a1), (b0, b1))")
    ends = (number("span", end, above=-WIDEST, below=WIDEST) for pair in span for end in pair)
    ranges = list(zip(ends, ends, strict=True))
    for low, high in ranges:
        if low >= high:
            raise ParameterError(f"span has the ends {low:g} and {high:g}, expected the lower one first")
    return ranges


def _vectors(argument: str, value: Any, shape: tuple[int, ...]) -> Doubles:
    """Return finite vectors of this shape, as a copy."""
    array = as_array(argument, value)
    if array.shape != shape:
        raise ShapeError(f"{argument} has shape {array.shape}, expected {shape}")
    copy = np.array(array, np.float64, order="C")
    if not np.isfinite(copy).all():
        raise DataError(f"{argument} has numbers that are NaN or infinite, expected finite ones")
    return copy


def _are_names(directions: Any) -> bool:
    """Tell whether these are names of weights: a tuple or list with a string in it."""
    return isinstance(directions, (tuple, list)) and any(isinstance(name, str) for name in directions)


def _check_plane(plane: Doubles, *, is_random: bool) -> None:
    """Raise ParameterError unless the two directions span a plane."""
    expected = "expected two that span a plane"
    if is_random:  # zeros stay zeros, and one weight per unit leaves only its sign to chance
        expected += (
            "; the random ones have the norms of the weights into each unit: name two weights, such as "
            "('w13', 'b3'), or pass two vectors"
        )
    scale = np.abs(plane).max(axis=1, keepdims=True)
    lengths = np.linalg.norm(plane / np.where(scale == 0, 1, scale), axis=1, keepdims=True) * scale
    if (lengths == 0).any():
        raise ParameterError(f"directions has a vector of zeros, {expected}")
    u, v = plane / lengths
    if 1 - (u @ v) ** 2 < PARALLEL:
        raise ParameterError(f"directions are parallel, {expected}")


# ---- directions --------------------------------------------------------------------------------------------


def _directions(
    layers: Sequence[Layer], directions: Any, center: Doubles, seed: int
) -> tuple[Doubles, tuple[str, str]]:
    """Return directions (2, P) that do not depend on the loss, and their names."""
    if _are_names(directions):
        return _axes(layers, directions)
    if not isinstance(directions, str):
        return _vectors("directions", directions, (2, center.size)), ("direction 1", "direction 2")
    if directions != "random":
        raise ParameterError(
            f"directions is {shown(directions)}, expected 'random', 'hessian', two names of weights "
            "or two vectors"
        )
    return _random(layers, center, seed), ("random direction 1", "random direction 2")


def _axes(layers: Sequence[Layer], names: Any) -> tuple[Doubles, tuple[str, str]]:
    """Return the unit vectors (2, P) of two named weights, and the names."""
    if len(names) != 2 or names[0] == names[1]:
        raise ParameterError(f"directions is {shown(names)}, expected the names of two weights")
    plane = np.zeros((2, sum(layer.n_parameters for layer in layers)))
    for axis, name in zip(plane, names, strict=True):
        axis[parameter_index(layers, name, "directions")] = 1
    return plane, (str(names[0]), str(names[1]))


def _random(layers: Sequence[Layer], center: Doubles, seed: int) -> Doubles:
    """Return two random directions (2, P) whose columns of W have the norms of the center's; b is 0."""
    random = np.random.default_rng(seed)
    plane = np.zeros((2, center.size))
    for direction in plane:
        parts = zip(split(direction, layers), split(center, layers), strict=True)
        for (drawn, _), (W, _) in parts:
            drawn[:] = random.standard_normal(W.shape)
            drawn *= np.linalg.norm(W, axis=0) / np.linalg.norm(drawn, axis=0)
    return plane


def _eigenvectors(curvature: Curvature, seed: int) -> tuple[Doubles, tuple[str, str]]:
    """Return the eigenvectors (2, P) of the two eigenvalues of largest magnitude, and their names."""
    n = curvature.probe.parameters.size
    if n < 2:
        raise ParameterError("directions is 'hessian' with one parameter, expected at least two")
    found = spectrum(curvature.hessian, n, 2, (1, 1), seed=seed)
    first, second = np.argsort(-np.abs(found.values), kind="stable")[:2]
    names = (f"eigenvector of {found.values[i]:.4g}" for i in (first, second))
    return found.vectors[[first, second]], (next(names), next(names))
