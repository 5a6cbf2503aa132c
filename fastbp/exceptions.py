"""Exceptions that fastbp raises; each message names the argument, its value and what was expected."""


class Error(Exception):
    """Base of every exception that fastbp raises on purpose."""


class ShapeError(Error, ValueError):
    """An array has the wrong number of rows, columns or dimensions."""


class DataError(Error, ValueError):
    """An array holds a value that a network cannot use: NaN, infinity, overflow, a label out of range."""


class ParameterError(Error, ValueError):
    """An argument has a value that fastbp does not accept."""


class UnknownArgumentError(ParameterError, TypeError):
    """A keyword argument has an unknown name."""


class DTypeError(Error, TypeError):
    """An array has a dtype that fastbp does not read."""


class DivergenceError(Error, ArithmeticError):
    """Training produced NaN or infinity; the last good state has been restored."""


class BusyError(Error, RuntimeError):
    """Another call is changing the network."""


class ModelFileError(Error, ValueError):
    """A file holds no network that can be loaded: it is damaged, of another kind or of a later format."""


class ShardError(Error, RuntimeError):
    """A shard could not be computed: its workers were lost, or a cluster has no workers, or no scheduler."""
