"""Activation functions: frozen values, callable on arrays, computed by the native core.

Every row of the native table is here under its lower-case name; a class takes a parameter::

    fastbp.activations.tanh(x)
    fastbp.activations.LeakyReLU(alpha=0.2).derivative(x)
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._base.arguments import choice, number
from fastbp._base.arrays import as_array, base_array
from fastbp._base.value import Value
from fastbp.exceptions import DTypeError, ParameterError

_FLOAT32 = np.dtype(np.float32)
_ALPHAS = {name: alpha for name, alpha, _ in _core.ACTIVATIONS}
_FORMULAS = {name: formula for name, _, formula in _core.ACTIVATIONS}


class Activation(Value):
    """An activation function y = f(z) and its derivative.

    Take one of this module's instances, or `get` one by name.

    Parameters
    ----------
    name : str
        The row of the native table.
    alpha : float
        The row's parameter; 0 for a row without one.
    """

    alpha: float
    name: str

    def __init__(self, name: str, alpha: float = 0.0) -> None:
        choice("activation", name, _FORMULAS)
        if name in _CLASSES:
            raise ParameterError(f"activation is {name!r}, expected {_CLASSES[name].__name__}(alpha)")
        if number("alpha", alpha) and not _ALPHAS[name]:
            raise ParameterError(f"alpha is {alpha} with the activation {name!r}, expected 0: it has none")
        self._set(name=name, alpha=float(alpha))

    @property
    def formula(self) -> str:
        """The definition of f in one line."""
        return _FORMULAS[self.name]

    def __call__(self, x: ArrayLike, out: NDArray[Any] | None = None) -> NDArray[np.floating[Any]]:
        """Return f(x), element by element (softmax: over the last axis).

        Parameters
        ----------
        x : array_like
            Any shape, float32 or float64; integers are computed in float64.
        out : ndarray, optional
            Where the result goes, of its shape and dtype; it may be `x` itself.

        Raises
        ------
        DTypeError, ShapeError, ParameterError
            x holds no such numbers, `out` does not fit, or float32 does not hold alpha.
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

    def _argument(self, x: ArrayLike) -> NDArray[Any]:
        """Return x as an array, which is float32 only if that holds alpha."""
        array = as_array("x", x)
        if self.alpha and array.dtype.newbyteorder("=") == _FLOAT32:
            self.check_dtype(_FLOAT32)
        return array

    def __repr__(self) -> str:
        return self.name if type(self) is Activation else super().__repr__()


class LeakyReLU(Activation):
    """z where z > 0, alpha z elsewhere (Maas, Hannun and Ng, 2013); alpha >= 0."""

    name: str = field(default="leaky_relu", init=False, repr=False)

    def __init__(self, alpha: float = 0.01) -> None:
        self._set(alpha=number("alpha", alpha, at_least=0))


class ELU(Activation):
    """z where z > 0, alpha (exp(z) - 1) elsewhere (Clevert, Unterthiner and Hochreiter, 2016); alpha > 0."""

    name: str = field(default="elu", init=False, repr=False)

    def __init__(self, alpha: float = 1.0) -> None:
        self._set(alpha=number("alpha", alpha, above=0))


class CELU(Activation):
    """z where z > 0, alpha (exp(z / alpha) - 1) elsewhere (Barron, 2017); alpha > 0."""

    name: str = field(default="celu", init=False, repr=False)

    def __init__(self, alpha: float = 1.0) -> None:
        self._set(alpha=number("alpha", alpha, above=0))


_CLASSES: dict[str, type[LeakyReLU] | type[ELU] | type[CELU]] = {
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "celu": CELU,
}

#: Every activation with its default parameter, by name.
ACTIVATIONS: dict[str, Activation] = {
    name: _CLASSES[name](alpha) if name in _CLASSES else Activation(name, alpha)
    for name, alpha, _ in _core.ACTIVATIONS
}
globals().update(ACTIVATIONS)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Activation: ...


def get(activation: str | Activation, argument: str = "activation") -> Activation:
    """Return the activation called `activation`, or `activation` itself if it is one already.

    Raises
    ------
    ParameterError
        If there is none of that name; the message starts with `argument` and lists the names.
    """
    if isinstance(activation, Activation):
        return activation
    return choice(argument, activation, ACTIVATIONS)
