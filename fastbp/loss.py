"""Base classes of losses: those that the engines compute, and functions of the user's."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp.arrays import as_array
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError
from fastbp.shown import shown
from fastbp.values import Value

Array: TypeAlias = NDArray[np.floating[Any]]
OwnFunction: TypeAlias = Callable[[Any, Any], tuple[Any, Any]]
Divisor: TypeAlias = Literal["one", "rows", "elements"]


class Loss(Value, ABC):
    """One observed error J, a function of output and target."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def divisor(self) -> Divisor:
        """What J is a sum over: "one", or a mean over: "rows" or "elements"."""

    @abstractmethod
    def __call__(self, output: ArrayLike, target: ArrayLike) -> float:
        """Return J(output, target)."""

    @abstractmethod
    def gradient(self, output: ArrayLike, target: ArrayLike) -> Array:
        """Return dJ/doutput, in the shape of `output`."""


class SumLoss(Loss):
    """What the engines know: the sum of `terms` over rows and outputs, over 1, the rows or the elements."""

    @property
    def parameter(self) -> float:
        """The loss's parameter, 0 where it has none."""
        return 0.0

    @property
    def divisor(self) -> Divisor:
        """What the sum of the terms is divided by: "one", "rows" or "elements"."""
        return "elements"

    def divide_by(self, rows: float, outputs: int) -> float:
        """Return the divisor of a batch of so many rows, or of rows that weigh so much together."""
        return {"one": 1, "rows": rows, "elements": rows * outputs}[self.divisor]

    @abstractmethod
    def terms(self, h: Array, t: Array) -> Array:
        """Return the terms of the sum, before the division."""

    @abstractmethod
    def slopes(self, h: Array, t: Array) -> Array:
        """Return the derivative of the sum by each output, before the division, as a new array like h."""

    def expected(self, t: Array) -> Array:
        """Return what `terms` and `slopes` compare h with, for a target t (m, n_out)."""
        return t

    @np.errstate(all="ignore")  # what overflows shows in the result, what underflows is 0
    def __call__(self, output: ArrayLike, target: ArrayLike) -> float:
        """Return J(output, target).

        Parameters
        ----------
        output : array_like (m, n_out), or (n_out,) for one row
            float32 is computed in float32, everything else in float64; the sum is float64.
        target : array_like of the same shape
            Or (m,) for one output. `cross_entropy`: integer labels (m,) or probabilities (m, n_out).
            Values are taken as they are: that probabilities are some, that a count is not negative, is for
            `fit` and `evaluate` to check.

        Raises
        ------
        ShapeError, DTypeError, DataError
            The shapes do not fit, an array is masked or not numeric, a label is out of range.
        ParameterError
            float32 does not hold the loss's parameter.
        """
        h, t = self._operands(as_array("output", output), as_array("target", target))
        self.check_dtype(h.dtype)
        return float(self.terms(h, self.expected(t)).sum(dtype=np.float64)) / self.divide_by(*h.shape)

    @np.errstate(all="ignore")  # what overflows shows in the result, what underflows is 0
    def gradient(self, output: ArrayLike, target: ArrayLike) -> Array:
        """Return dJ/doutput, in the shape of `output`. Parameters and errors as for the call itself."""
        given = as_array("output", output)
        h, t = self._operands(given, as_array("target", target))
        self.check_dtype(h.dtype)
        gradient = self.slopes(h, self.expected(t))
        gradient /= self.divide_by(*h.shape)
        return gradient.reshape(given.shape)

    def _operands(self, output: NDArray[Any], target: NDArray[Any]) -> tuple[Array, Array]:
        """Check both; return them as (m, n_out) arrays of the dtype to compute in."""
        h = as_rows(output)
        is_column = h.shape[1] == 1 and target.shape == output.shape[:-1]
        if target.shape != output.shape and not is_column:
            raise ShapeError(f"target has shape {target.shape}, expected {output.shape} as output has")
        return h, target.reshape(h.shape).astype(h.dtype, copy=False)


class OwnLoss(Loss):
    """A loss of the user's own.

    `Network(..., loss=function)` makes one of any callable. Targets come as they are, in any number of
    columns: floats in the network's dtype, integers and bool in their own.

    Parameters
    ----------
    function : callable
        From the output (m, n_out) and the target (m,) or (m, k) of a batch to a pair: its loss, a number, and
        the derivative of that by the output, (m, n_out).
    """

    name: ClassVar[str] = "own"
    function: OwnFunction

    def __init__(self, function: OwnFunction) -> None:
        if isinstance(function, type) or not callable(function):
            raise ParameterError(f"function is {shown(function)}, expected a callable of (output, target)")
        self._set(function=function)

    def __str__(self) -> str:
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def divisor(self) -> Divisor:
        return "rows"

    def __call__(self, output: ArrayLike, target: ArrayLike) -> float:
        return self._measured(output, target)[0]

    def gradient(self, output: ArrayLike, target: ArrayLike) -> Array:
        return self._measured(output, target)[1]

    def _measured(self, output: ArrayLike, target: ArrayLike) -> tuple[float, Array]:
        """Measure copies, which the function may write to."""
        return self.measure(as_array("output", output).copy(), as_array("target", target).copy())

    def measure(self, output: Array, target: Array) -> tuple[float, Array]:
        """Return J and dJ/doutput, which is finite if J is.

        Raises
        ------
        DTypeError, ShapeError, DataError
            The function returns something else. What it raises itself goes through.
        """
        expected = output.shape  # before the function has it
        returned = self.function(output, target)
        loss = real(returned[0]) if isinstance(returned, tuple) and len(returned) == 2 else None
        if loss is None:
            raise DTypeError(
                f"the loss {self} returned {shown(returned)}, "
                "expected a pair (loss, d_output), the loss a number"
            )
        try:
            slope = as_array("d_output", returned[1])
        except ShapeError:  # rows of different lengths
            raise ShapeError(
                f"the loss {self} returned the d_output {shown(returned[1])}, "
                f"expected an array of shape {expected} as output has"
            ) from None
        if slope.shape != expected:
            raise ShapeError(
                f"the loss {self} returned a d_output of shape {slope.shape}, "
                f"expected {expected} as output has (target: {target.shape})"
            )
        if math.isfinite(loss) and not np.isfinite(slope).all():
            raise DataError(f"the loss {self} returned a d_output with NaN or infinity and the loss {loss}")
        return loss, slope


def real(value: Any) -> float | None:
    """Return the value as a float, None where it is no real number."""
    try:
        return float(value) if np.ndim(value) == 0 and not isinstance(value, (str, bytes)) else None
    except (TypeError, ValueError, OverflowError):
        return None


def as_rows(output: NDArray[Any]) -> Array:
    """Return the output as a non-empty (m, n_out) array of float32 or float64."""
    if output.ndim not in (1, 2) or output.size == 0:
        raise ShapeError(f"output has shape {output.shape}, expected (rows, outputs), both at least 1")
    return np.atleast_2d(output).astype(np.float32 if output.dtype == np.float32 else np.float64, copy=False)
