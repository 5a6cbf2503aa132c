"""Exceptions that fastbp raises; each message names the argument, its value and what was expected."""


class Error(Exception):
    """Base of every exception that fastbp raises on purpose."""


class ShapeError(Error, ValueError):
    """An array has the wrong number of rows, columns or dimensions."""


class DataError(Error, ValueError):
    """An array holds what cannot be learned from: NaN, infinity, overflow, a label out of range."""


class ParameterError(Error, ValueError):
    """A hyper-parameter or a name is not one that fastbp accepts."""


class UnknownArgumentError(ParameterError, TypeError):
    """A keyword argument has a name that is not known."""


class DTypeError(Error, TypeError):
    """An array has a dtype that fastbp does not read."""


class DivergenceError(Error, ArithmeticError):
    """Training left the finite numbers; the last good state has been restored."""


class BusyError(Error, RuntimeError):
    """The network is in the middle of a call that changes it."""
