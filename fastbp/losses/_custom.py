"""Losses that are Python functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastbp._base.arrays import as_array
from fastbp._base.fields import checked_by, flag
from fastbp._base.shown import shown
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError
from fastbp.losses._base import Array, Divisor, Loss
from fastbp.losses._targets import AnyArray

LossFunction: TypeAlias = Callable[[Any, Any], tuple[Any, Any]]


def _check_function(argument: str, function: Any) -> LossFunction:
    if isinstance(function, type) or not callable(function):
        raise ParameterError(f"{argument} is {shown(function)}, expected a callable of (output, target)")
    checked: LossFunction = function
    return checked


class CustomLoss(Loss):
    """A loss computed by a Python function.

    `Network(..., loss=function)` makes one of any callable. The function gets the targets as they were given
    to `fit`, with any number of columns: floats in the network's dtype, integers and bool in their own.

    Parameters
    ----------
    function : callable
        Takes the output (m, n_out) and the target (m,) or (m, k) of a batch, and returns a pair: the loss, a
        number, and its derivative by the output, (m, n_out).
    nan_targets : bool
        Whether targets may be NaN, which the function then gets.
    """

    name = "custom"
    targets = AnyArray()
    ignore_nan: ClassVar[bool] = False  # the function may do so
    function: LossFunction = checked_by(_check_function, "callable")
    nan_targets: bool = flag(default=False, kw_only=True, is_quiet=True)

    def __str__(self) -> str:
        from fastbp._base.names import LONGEST, line  # few need it

        return line(getattr(self.function, "__name__", type(self.function).__name__), LONGEST)

    @property
    def metrics(self) -> tuple[str, ...]:
        return ()  # its targets may be anything

    @property
    def takes_nan(self) -> bool:
        return self.nan_targets

    @property
    def nan_option(self) -> str:
        return "CustomLoss(function, nan_targets=True) hands NaN to the function"

    @property
    def divisor(self) -> Divisor:
        return "rows"

    def __call__(self, output: ArrayLike, target: ArrayLike) -> float:
        return self._measured(output, target)[0]

    def gradient(self, output: ArrayLike, target: ArrayLike) -> Array:
        return self._measured(output, target)[1]

    def _measured(self, output: ArrayLike, target: ArrayLike) -> tuple[float, Array]:
        """Call the function with copies, which it may write to."""
        return self.measure(as_array("output", output).copy(), as_array("target", target).copy())

    def measure(self, output: Array, target: Array) -> tuple[float, Array]:
        """Return J and dJ/doutput, which is finite if J is.

        Raises
        ------
        DTypeError, ShapeError, DataError
            The function returns something else. Exceptions that it raises itself are passed on.
        """
        expected = output.shape  # the function may change it
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
    """Return the value as a float, or None if it is not a real number."""
    try:
        return float(value) if np.ndim(value) == 0 and not isinstance(value, (str, bytes)) else None
    except (TypeError, ValueError, OverflowError):
        return None
