"""Activation functions: immutable values, callable on arrays, computed by the native core.

Every row of the native table is here under its lower-case name. A function with a parameter is a class::

    fastbp.activations.tanh(x)
    fastbp.activations.LeakyReLU(alpha=0.2).derivative(x)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._base.arguments import choice
from fastbp._base.arrays import as_array, base_array
from fastbp._base.fields import checked_by, fixed, number
from fastbp._base.value import Value
from fastbp.exceptions import DTypeError, ParameterError

__all__ = [
    "ACTIVATIONS",
    "CELU",
    "ELU",
    "Activation",
    "LeakyReLU",
    "get",
]

_FLOAT32 = np.dtype(np.float32)
_ROWS = {row[0]: row for row in _core.ACTIVATIONS}  # name, default of alpha, formula, initializer


def _check_row(argument: str, name: Any) -> str:
    choice("activation", name, _ROWS)
    if name in _CLASSES:
        raise ParameterError(f"activation is {name!r}, expected {_CLASSES[name].__name__}(alpha)")
    row: str = name
    return row


class Activation(Value):
    """An activation function y = f(z) and its derivatives.

    Use the instances of this module, or `get` one by name.

    Parameters
    ----------
    name : str
        Name of the row in the native table.
    alpha : float
        Parameter of the row; 0 if it has none.
    """

    name: str = checked_by(_check_row, "str")
    alpha: float = number(default=0.0)

    def __post_init__(self) -> None:
        if self.alpha and not _ROWS[self.name][1]:
            raise ParameterError(
                f"alpha is {self.alpha} with the activation {self.name!r}, expected 0: it has none"
            )

    @property
    def initializer(self) -> str:
        """Name of the default initializer of layers with this activation."""
        return _ROWS[self.name][3]

    @property
    def formula(self) -> str:
        """The definition of f in one line."""
        return _ROWS[self.name][2]

    def __call__(self, x: ArrayLike, out: NDArray[Any] | None = None) -> NDArray[np.floating[Any]]:
        """Return f(x), element by element (softmax: over the last axis).

        Parameters
        ----------
        x : array_like
            Array of any shape, float32 or float64; integers are converted to float64.
        out : ndarray, optional
            Array for the result, of its shape and dtype; it may be `x` itself.

        Raises
        ------
        DTypeError, ShapeError, ParameterError
            x is not numeric, `out` does not fit, or float32 does not hold alpha.
        """
        if out is None:
            return _core.activate(self.name, self.alpha, self._argument(x), None)
        if not isinstance(out, np.ndarray):
            raise DTypeError(f"out is a {type(out).__name__}, expected an array")
        _core.activate(self.name, self.alpha, self._argument(x), base_array("out", out))
        return out

    def derivative(self, x: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return f'(x), element by element (softmax: the diagonal of its Jacobian)."""
        return _core.derivative(self.name, self.alpha, self._argument(x))

    def second_derivative(self, x: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return f''(x), element by element (softmax: d2y_i / dz_i2 of each element).

        Where f' jumps, it is 0 or the value of one side.
        """
        return _core.second_derivative(self.name, self.alpha, self._argument(x))

    def _argument(self, x: ArrayLike) -> NDArray[Any]:
        """Return x as an array; ParameterError if it is float32, which does not hold alpha."""
        array = as_array("x", x)
        if self.alpha and array.dtype.newbyteorder("=") == _FLOAT32:
            self.check_dtype(_FLOAT32)
        return array

    def __repr__(self) -> str:
        return self.name if type(self) is Activation else super().__repr__()


class LeakyReLU(Activation):
    """Leaky rectifier: z where z > 0, alpha z elsewhere (Maas, Hannun and Ng, 2013).

    Parameters
    ----------
    alpha : float, >= 0
    """

    name: str = fixed("leaky_relu")
    alpha: float = number(default=0.01, at_least=0)


class ELU(Activation):
    """Exponential linear unit: z where z > 0, alpha (exp(z) - 1) elsewhere.

    Parameters
    ----------
    alpha : float, > 0

    References
    ----------
    D.-A. Clevert, T. Unterthiner and S. Hochreiter, Fast and accurate deep network learning by exponential
    linear units (ELUs), 2016.
    """

    name: str = fixed("elu")
    alpha: float = number(default=1.0, above=0)


class CELU(Activation):
    """Continuously differentiable ELU: z where z > 0, alpha (exp(z / alpha) - 1) elsewhere (Barron, 2017).

    Parameters
    ----------
    alpha : float, > 0
    """

    name: str = fixed("celu")
    alpha: float = number(default=1.0, above=0)


_CLASSES: dict[str, type[LeakyReLU] | type[ELU] | type[CELU]] = {
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "celu": CELU,
}

#: Every activation with its default parameter, by name.
ACTIVATIONS: dict[str, Activation] = {
    name: _CLASSES[name](alpha) if name in _CLASSES else Activation(name, alpha)
    for name, alpha, *_ in _core.ACTIVATIONS
}
globals().update(ACTIVATIONS)
__all__ += [*ACTIVATIONS]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Activation: ...


def get(activation: str | Activation, argument: str = "activation") -> Activation:
    """Return the activation called `activation`, or `activation` itself if it is one.

    Raises
    ------
    ParameterError
        No activation has that name. The message starts with `argument` and lists the names.
    """
    if isinstance(activation, Activation):
        return activation
    return choice(argument, activation, ACTIVATIONS)
