"""Batches of examples from an iterable of the user's, each checked like arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import integer
from fastbp._base.arrays import are_batches
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs, Rows
from fastbp._data.checks import InputChecks
from fastbp._data.sample_weights import ClassWeight, Weights, resolve_weights
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError

Array: TypeAlias = NDArray[Any]
#: (X, y) or (X, y, sample_weight), as `Network.fit` takes them.
Batch: TypeAlias = "tuple[Inputs, ArrayLike] | tuple[Inputs, ArrayLike, ArrayLike | None]"

END: Any = object()  # stands after the batches of an epoch


class Examples(NamedTuple):
    """A batch, checked."""

    X: Rows
    y: Array
    weights: Weights | None


class Source:
    """An iterable of batches, divided into epochs.

    Parameters
    ----------
    argument : str
        Name of the iterable in errors.
    data : iterable of batches
        An iterator has the batches of all epochs; any other iterable is iterated anew for each epoch.
    epochs : int
    steps_per_epoch : int, >= 1, optional
        Number of batches in an epoch.

    Attributes
    ----------
    data : iterable
    steps : int or None
        Number of batches in an epoch: `steps_per_epoch`, or the length of the iterable; None: up to its end.

    Raises
    ------
    ParameterError
        It is no iterable of batches, or an iterator without `steps_per_epoch` for several epochs.
    """

    def __init__(self, argument: str, data: Any, epochs: int, steps_per_epoch: int | None = None) -> None:
        kind = type(data)
        if not are_batches(data) and kind not in (list, tuple):
            raise ParameterError(
                f"{argument} is {_a(kind)} without y, expected y, too, or an iterable of batches (X, y)"
            )
        if steps_per_epoch is not None:
            steps_per_epoch = integer("steps_per_epoch", steps_per_epoch, at_least=1, below=2**63)
        if issubclass(kind, Iterator) and steps_per_epoch is None and epochs > 1:
            raise ParameterError(
                f"steps_per_epoch is None for {_a(kind)} and {epochs} epochs, expected the number of batches "
                f"in an epoch, or for {argument} an iterable that can be iterated anew for each epoch"
            )
        self.data, self._epochs = data, epochs
        self.steps = _length(argument, data) if steps_per_epoch is None else steps_per_epoch

    def batches(self) -> Iterator[Any]:
        """Yield the batches of all epochs, and `END` after those of each epoch."""
        for _ in range(self._epochs):
            yield from islice(self.data, self.steps)  # which reads no batch more
            yield END


def _length(argument: str, data: Any) -> int | None:
    """Return the number of batches in an iterable; None if it cannot tell."""
    if not hasattr(type(data), "__len__"):
        return None
    try:
        return integer(f"len({argument})", len(data), at_least=1)
    except (TypeError, NotImplementedError):  # a DataLoader of an iterable dataset
        return None


def _a(kind: type) -> str:
    return f"a {kind.__name__}" if kind is not type(None) else "None"


def examples_of(
    checks: InputChecks, batch: Any, class_weight: ClassWeight | None, where: Callable[[], str]
) -> Examples:
    """Return a batch (X, y) or (X, y, sample_weight), checked; errors say `where` it comes from."""
    try:
        if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
            raise DataError(f"the batch is {shown(batch)}, expected (X, y) or (X, y, sample_weight)")
        X, y, *rest = batch
        X, y = checks.examples(X, y)
        return Examples(X, y, resolve_weights(checks, y, rest[0] if rest else None, class_weight))
    except (ShapeError, DTypeError, DataError, ParameterError) as error:
        raise type(error)(f"{where()}: {error}") from error


def examples_in(checks: InputChecks, argument: str, data: Any) -> Iterator[Examples]:
    """Yield all batches of an iterable, checked, at least one."""
    step = -1
    for step, batch in enumerate(data):
        yield examples_of(checks, batch, None, partial("batch {} of {}".format, step + 1, argument))
    if step < 0:
        raise DataError(f"{argument} has no batches, expected at least one")
