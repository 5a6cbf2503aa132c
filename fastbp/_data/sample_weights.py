"""Sample and class weights, checked and combined into one weight per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import NORMAL, integer, number
from fastbp._base.arrays import as_array
from fastbp._base.shown import shown
from fastbp._core import check_memory
from fastbp._data.checks import InputChecks, check_finite, check_values
from fastbp.exceptions import DataError, ParameterError, ShapeError

ClassWeight: TypeAlias = Mapping[Any, float] | Literal["balanced"]


class Weights(NamedTuple):
    """The weights of some rows; a row of weight 0 is as if it were absent."""

    values: NDArray[np.float64]  # (n,) of all rows, C-contiguous
    rows: NDArray[np.int64] | None  # those that weigh anything, in their order, or None: all

    @property
    def n_rows(self) -> int:
        """How many rows weigh anything."""
        return len(self.values if self.rows is None else self.rows)


def resolve_weights(
    door: InputChecks, y: NDArray[Any], sample_weight: ArrayLike | None, class_weight: ClassWeight | None
) -> Weights | None:
    """Return the weights of the rows of y, targets that the door let in, or None where all weigh 1.

    Raises
    ------
    ShapeError, DTypeError, DataError, ParameterError
        An argument is not as `Network.fit` wants it.
    """
    if sample_weight is None and class_weight is None:
        return None
    if door.loss.targets.any_shape:  # a Python function reads them
        name = _name(sample_weight, class_weight)
        raise ParameterError(
            f"{name} with a custom loss, expected None: the loss function can weight its rows"
        )
    values = np.ones(len(y)) if sample_weight is None else _of_samples(sample_weight, len(y))
    check_memory(y)  # sample_weight may have been an object of the user's that knows y
    if class_weight is not None:
        with np.errstate(all="ignore"):  # checked below
            values = values * _of_classes(class_weight, y, values > 0, door)
    least, most, times = _bounds(door)
    if np.minimum.reduce(values) >= least and float(np.maximum.reduce(values)) * len(values) * times < most:
        return Weights(values, None)
    return _checked(_name(sample_weight, class_weight), values, door)


def _name(sample_weight: ArrayLike | None, class_weight: ClassWeight | None) -> str:
    """Return what errors call the weights."""
    given = {"sample_weight": sample_weight, "class_weight": class_weight}
    return " * ".join(argument for argument, weight in given.items() if weight is not None)


def _bounds(door: InputChecks) -> tuple[float, float, int]:
    """Return the least weight above 0, and below what their sum times which number must stay."""
    least, _ = NORMAL[door.dtype]
    return least, 1 / least, door.n_out if door.loss.divisor == "elements" else 1


@np.errstate(all="ignore")
def _checked(name: str, values: NDArray[np.float64], door: InputChecks) -> Weights:
    """Return the weights, unless a batch's gradient over its divisor would overflow, or lose its digits."""
    least, most, times = _bounds(door)
    check_finite(name, values, door.dtype)
    expected = f"0, or a number >= {least:.3g} (the smallest normal one in {door.dtype})"
    check_values(name, values, lambda w: (w == 0) | (w >= least), expected)
    total = float(values.sum())
    if not 0 < total * times < most:
        over = f" ({most:.3g} / {times} outputs)" if times > 1 else ""
        raise DataError(f"{name} sums to {total:.3g}, expected above 0 and below {most / times:.3g}{over}")
    return Weights(values, None if values.all() else np.flatnonzero(values).astype(np.int64, copy=False))


def _of_samples(sample_weight: ArrayLike, n: int) -> NDArray[np.float64]:
    weights = as_array("sample_weight", sample_weight)
    if weights.shape != (n,):
        raise ShapeError(f"sample_weight has shape {weights.shape}, expected ({n},), one for each row of X")
    return np.array(weights, np.float64)  # theirs may change during a fit, or be the network's own memory


def _of_classes(
    class_weight: ClassWeight, y: NDArray[Any], present: NDArray[np.bool_], door: InputChecks
) -> NDArray[np.float64]:
    """Return the weight of each row's class (n,); "balanced" counts the rows that are present."""
    classes, which = _classes(y, door)
    table = np.ones(len(classes))
    if isinstance(class_weight, Mapping):
        for key, weight in class_weight.items():
            name = "a key of class_weight"
            label = integer(name, _as_label(key), at_least=classes[0], below=classes[-1] + 1)
            if label not in classes:
                raise ParameterError(f"{name} is {shown(key)}, expected one of {[*classes]}")
            table[classes.index(label)] = number(f"class_weight[{label}]", weight, at_least=0)
        check_memory(which)
    elif isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(which[present], minlength=len(classes))
        found = counts > 0
        table[found] = counts.sum() / (np.count_nonzero(found) * counts[found])
    else:
        raise ParameterError(
            f"class_weight is {shown(class_weight)}, "
            "expected 'balanced' or a dict from class labels to weights"
        )
    return table[which]


def _as_label(key: Any) -> Any:
    """Return a key that is a bool or a whole float as an int: numpy.unique gives labels as such."""
    is_whole = isinstance(key, (float, np.floating)) and float(key).is_integer()
    return int(key) if is_whole or isinstance(key, (bool, np.bool_)) else key


def _classes(y: NDArray[Any], door: InputChecks) -> tuple[Sequence[int], NDArray[np.intp]]:
    """Return the class labels in ascending order, and the index of each row's class among them (n,)."""
    name, targets = door.loss.name, door.loss.targets
    if targets.takes_labels:
        if y.ndim == 1:
            return range(door.n_out), y.astype(np.intp, copy=False)
        expected = "0 or 1 with class_weight: rows of probabilities have a class where they are one-hot"
        check_values("y", y, lambda t: (t == 0) | (t == 1), expected)
        return range(door.n_out), y.argmax(axis=1)
    classes = targets.classes
    if not classes:
        raise ParameterError(
            f"class_weight with the loss {name!r}, which has no classes, expected None: use sample_weight"
        )
    if door.n_out > 1:
        raise ParameterError(
            f"class_weight with the loss {name!r} and {door.n_out} outputs, expected one output, for a row "
            "has a class in each: use sample_weight"
        )
    expected = f"a label, {' or '.join(map(str, classes))}, with class_weight"
    check_values("y", y, lambda t: np.isin(t, classes), expected)
    return classes, np.searchsorted(classes, y.reshape(-1))
