"""Activation functions: immutable values, callable on arrays, computed by the native core.

Every row of the native table is here under its lower-case name. A function with a parameter is a class::

    fastbp.activations.tanh(x)
    fastbp.activations.LeakyReLU(alpha=0.2).derivative(x)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._base.arguments import choice, flag, text
from fastbp._base.arrays import as_array, base_array
from fastbp._base.fields import checked_by, checked_later, fixed, number
from fastbp._base.value import Value
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError

if TYPE_CHECKING:
    from fastbp._base import elementwise

__all__ = [
    "ACTIVATIONS",
    "CELU",
    "ELU",
    "Activation",
    "CustomActivation",
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

    is_custom: ClassVar[bool] = False  # whether Python functions compute it
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


def _check_own_name(argument: str, name: Any) -> str:
    checked: str = text(argument, name)
    if not checked or not checked.isprintable() or checked in _ROWS:
        raise ParameterError(
            f"{argument} is {name!r}, expected printable text that is not the name of a built-in activation"
        )
    return checked


class CustomActivation(Activation):
    """An activation of two Python functions on arrays: y = f(z), and its derivative by z.

    Training multiplies by what `derivative` returns, whether or not it is the derivative of f. The functions
    work element by element: they get z (m, n_out), for blocks of rows, and return an array of its shape.
    z is a copy, which they may write to and keep. Only the thread that made the call of the network runs
    them, so calls of several threads run them at the same time.

    Parameters
    ----------
    f : callable
        Takes an array z of any shape, float32 or float64, and returns f(z), real numbers of the same shape.
    derivative : callable
        Takes z and returns f'(z), finite where z and f(z) are.
    name : str
        Name in summaries and errors: printable text, and not the name of a built-in activation.
    second_derivative : callable, optional
        Takes z and returns f''(z), for `fastbp.inspect`. By default, central differences of `derivative` in
        float64.
    check : bool
        Whether to compare `derivative` with differences of f now, as `check()` does. It is no attribute, and
        copies do not compare again.

    Raises
    ------
    ParameterError
        An argument is not as above, or with `check`, `derivative` is not the derivative of f.

    Examples
    --------
    >>> swish = CustomActivation(
    ...     lambda z: z / (1 + np.exp(-z)),
    ...     lambda z: (1 + np.exp(-z) * (1 + z)) / (1 + np.exp(-z)) ** 2,
    ...     "swish",
    ...     check=True,
    ... )
    """

    is_custom: ClassVar[bool] = True
    name: str = checked_by(_check_own_name, "str", default="custom")
    alpha: float = fixed(0.0)
    f: elementwise.Elementwise = checked_later("callable", kw_only=True)
    derivative: elementwise.Elementwise = checked_later("callable", kw_only=True)
    second_derivative: elementwise.Elementwise | elementwise.Differences = checked_later(
        "callable", kw_only=True
    )

    def __init__(
        self,
        f: elementwise.Function,
        derivative: elementwise.Function,
        name: str = "custom",
        *,
        second_derivative: elementwise.Function | None = None,
        check: bool = False,
    ) -> None:
        from fastbp._base import elementwise  # few need it

        name = _check_own_name("name", name)
        of = f"the activation {name}"
        slope = elementwise.Elementwise.of("derivative", derivative, f"the derivative of {of}")
        second = second_derivative
        if second is None or isinstance(second, elementwise.Differences):
            second = elementwise.Differences(slope) if second != elementwise.Differences(slope) else second
        else:
            second = elementwise.Elementwise.of("second_derivative", second, f"the second derivative of {of}")
        self._set(
            name=name, f=elementwise.Elementwise.of("f", f, of), derivative=slope, second_derivative=second
        )
        if flag("check", check):
            self.check()

    @property
    def initializer(self) -> str:
        return "glorot_uniform"

    @property
    def formula(self) -> str:
        return f"y = {self.f}(z)"

    def __call__(self, x: ArrayLike, out: NDArray[Any] | None = None) -> NDArray[np.floating[Any]]:
        y = self.f(x)
        if out is None:
            return y
        if not isinstance(out, np.ndarray):
            raise DTypeError(f"out is a {type(out).__name__}, expected an array")
        if out.shape != y.shape:
            raise ShapeError(f"out has shape {out.shape}, expected {y.shape}")
        if out.dtype != y.dtype:
            raise DTypeError(f"out has dtype {out.dtype}, expected {y.dtype}")
        out[...] = y
        return out

    def apply(self, z: NDArray[Any], with_slope: bool = True) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Return f(z), and f'(z) or None: new arrays of the shape and dtype of z, float32 or float64.

        Raises
        ------
        DTypeError, ShapeError, DataError
            A function returns something else. Exceptions that they raise themselves are passed on.
        """
        y = self.f.measure(z)
        return y, self.slope(z, y) if with_slope else None

    def slope(self, z: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Return f'(z), where y = f(z); DataError if it is not finite where z and y are."""
        slope = self.derivative.measure(z)
        wrong = ~np.isfinite(slope)
        if wrong.any():
            wrong &= np.isfinite(z) & np.isfinite(y)
            if wrong.any():
                raise DataError(
                    f"{self.derivative.what} returned {slope[wrong][0]} for z = {z[wrong][0]:g}, expected "
                    f"numbers that are finite in {z.dtype}"
                )
        return slope

    def mismatch(self, z: NDArray[np.float64] | None = None) -> elementwise.Mismatch | None:
        """Return where `derivative` and differences of f part most, at z (k,), or from -30 to 30.

        None: they agree, to 1e-5 of the larger of the derivative and 1. At a kink of f, any number between
        the one-sided difference quotients is right. Both functions get these points in float64.
        """
        from fastbp._base import elementwise

        return elementwise.worst_mismatch(self.f, self.derivative, z)

    def check(self) -> None:
        """Raise ParameterError unless `derivative` is the derivative of f; see `mismatch`."""
        found = self.mismatch()
        if found is not None:
            raise ParameterError(
                f"derivative of the activation {self.name} is {found.derivative:.6g} at z = {found.z:.6g}, "
                f"expected {found.quotient:.6g}, the difference quotient of f: there, they part most"
            )

    def __sklearn_clone__(self) -> Self:
        return self  # immutable

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        from fastbp._base import elementwise

        own = self.second_derivative
        second = "" if isinstance(own, elementwise.Differences) else f", second_derivative={own!r}"
        return f"CustomActivation({self.f!r}, {self.derivative!r}, {self.name!r}{second})"


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
