"""Functions of the user's on arrays, element by element: what they return is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import as_array
from fastbp._base.fields import checked_by, text
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.exceptions import DTypeError, ParameterError, ShapeError

Array: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[[Any], Any]

_ROUNDING = float(np.finfo(np.float64).eps)
STEP = _ROUNDING ** (1 / 3)  # 6e-6, of central differences: rounding and truncation are alike
_TOLERANCE = 1e-5  # of a derivative of float64 against differences, relative to the larger of it and 1


def _check_function(argument: str, function: Any) -> Function:
    if isinstance(function, type) or not callable(function):
        raise ParameterError(f"{argument} is {shown(function)}, expected a callable on arrays")
    checked: Function = function
    return checked


class Elementwise(Value):
    """A Python function that takes an array and returns another of its shape.

    Parameters
    ----------
    function : callable
    what : str
        What it is, for errors: "the activation swish".
    """

    function: Function = checked_by(_check_function, "callable")
    what: str = text(default="the function")

    @classmethod
    def of(cls, argument: str, given: Any, what: str) -> Self:
        """Return the value for a callable, or for the `Elementwise` of another value: itself if it fits."""
        if isinstance(given, cls) and given.what == what:
            return given
        if isinstance(given, Elementwise):
            given = given.function
        return cls(_check_function(argument, given), what)

    def __call__(self, x: ArrayLike) -> Array:
        """Return the function of x, an array of any shape; float32 stays float32, all else is float64."""
        return self.measure(float_array("x", x))

    def measure(self, z: Array) -> Array:
        """Return the function of z, float32 or float64, as a new C-contiguous array of its shape and dtype.

        The function gets a copy, which it may write to. Overflow shows in the result, without warnings.

        Raises
        ------
        DTypeError, ShapeError
            The function returns something else. Exceptions that it raises itself are passed on.
        """
        shape, dtype = z.shape, z.dtype.newbyteorder("=")
        with np.errstate(all="ignore"):
            returned = self.function(np.array(z, dtype, order="C"))
            try:
                found = np.array(as_array("y", returned), dtype, order="C")
            except DTypeError:
                raise DTypeError(
                    f"{self.what} returned {shown(returned)}, expected an array of real numbers"
                ) from None
            except ShapeError:  # rows of different lengths
                raise self._misshaped(shown(returned), shape) from None
        if found.shape != shape:
            raise self._misshaped(f"an array of shape {found.shape}", shape)
        return found

    def _misshaped(self, returned: str, shape: tuple[int, ...]) -> ShapeError:
        return ShapeError(f"{self.what} returned {returned}, expected an array of shape {shape} as z has")

    def __repr__(self) -> str:
        return repr(self.function)

    def __str__(self) -> str:
        return str(getattr(self.function, "__name__", type(self.function).__name__))


def _check_elementwise(argument: str, function: Any) -> Elementwise:
    if not isinstance(function, Elementwise):
        raise ParameterError(f"{argument} is {shown(function)}, expected an Elementwise")
    return function


class Differences(Value):
    """The derivative of a function by central differences, computed in float64.

    Parameters
    ----------
    function : Elementwise
    """

    function: Elementwise = checked_by(_check_elementwise, "Elementwise")

    def __call__(self, x: ArrayLike) -> Array:
        """Return (f(x + h) - f(x - h)) / 2 h for x of any shape; float32 stays float32."""
        return self.measure(float_array("x", x))

    def measure(self, z: Array) -> Array:
        """Return the differences at z, float32 or float64, as a new array of its shape and dtype."""
        exact = z.astype(np.float64)
        h = STEP * np.maximum(1, np.abs(exact))
        with np.errstate(all="ignore"):
            above, below = exact + h, exact - h
            difference = self.function.measure(above) - self.function.measure(below)
            return np.array(difference / (above - below), z.dtype.newbyteorder("="), order="C")


class Mismatch(NamedTuple):
    """Where a derivative is not that of its function."""

    z: float
    derivative: float  # as given
    quotient: float  # the central difference quotient of the function


def worst_mismatch(f: Elementwise, derivative: Elementwise, z: Array | None = None) -> Mismatch | None:
    """Return where a derivative and differences of f part most, at z (k,) or from -30 to 30, or None.

    At a kink, where the one-sided difference quotients differ, any number between them is a derivative.
    Points where f is not finite are left out.
    """
    if z is None:
        z = np.concatenate([np.linspace(-6, 6, 241), np.linspace(-5.987, 5.987, 97), [-30, -12.5, 12.5, 30]])
    h = STEP * np.maximum(1, np.abs(z))
    with np.errstate(all="ignore"):
        left, y, right = f.measure(z - h), f.measure(z), f.measure(z + h)
        d = derivative.measure(z)
        quotients = np.stack([(y - left) / h, (right - left) / (2 * h), (right - y) / h])  # (3, points)
        low, high = quotients.min(axis=0), quotients.max(axis=0)
        excess = np.maximum(low - d, d - high)  # > 0 outside of the quotients
        excess[~np.isfinite(d)] = np.inf
        excess[~np.isfinite(quotients).all(axis=0)] = 0
        scale = np.maximum(1, np.maximum(np.abs(low), np.abs(high)))
        noise = _ROUNDING * np.abs(np.stack([left, y, right])).max(axis=0) / h
        over = np.where(excess > _TOLERANCE * scale + 10 * noise, excess, 0)
    at = int(over.argmax())
    return Mismatch(float(z[at]), float(d[at]), float(quotients[1, at])) if over[at] > 0 else None


def float_array(argument: str, x: ArrayLike) -> Array:
    """Return x as an array of float32 or float64; other numbers become float64."""
    array = as_array(argument, x)
    kept = np.float32 if array.dtype.newbyteorder("=") == np.float32 else np.float64
    return np.asarray(array, kept)
