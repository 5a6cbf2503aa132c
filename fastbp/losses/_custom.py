"""Losses that are Python functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastbp._base.arrays import as_array
from fastbp._base.shown import shown
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError
from fastbp.losses._base import Array, Divisor, Loss

LossFunction: TypeAlias = Callable[[Any, Any], tuple[Any, Any]]


class CustomLoss(Loss):
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
    function: LossFunction

    def __init__(self, function: LossFunction) -> None:
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
