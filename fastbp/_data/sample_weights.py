"""Sample and class weights, checked and combined into one weight per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import NORMAL, integer, number
from fastbp._base.arrays import as_array
from fastbp._base.shown import shown
from fastbp._core import check_memory
from fastbp._data.checks import InputChecks, check_finite, check_values
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.losses._targets import are_among

ClassWeight: TypeAlias = Mapping[Any, float] | Literal["balanced"]


class Weights:
    """Weights of rows or of single targets; rows without any weight count as absent.

    At least one of the two is given.

    Parameters
    ----------
    values : array (n,), or (n, n_targets) for one weight per target, float64, C-contiguous, or None
        Weights; None: each row has the weight 1.
    rows : array, int64, or None
        Indices of the rows with a nonzero weight, in order; None: all.
    """

    __slots__ = ("rows", "values")  # a named tuple would take longer to import

    def __init__(self, values: NDArray[np.float64] | None, rows: NDArray[np.int64] | None) -> None:
        self.values, self.rows = values, rows

    @property
    def n_rows(self) -> int:
        """Number of rows with a nonzero weight."""
        found = self.values if self.rows is None else self.rows
        assert found is not None
        return len(found)

    def part(self, rows: slice) -> Weights:
        """Return the weights of a slice of the rows with a nonzero weight.

        If `rows` of the result is None, they belong to this slice of the data, else to all data.
        """
        if self.rows is not None:
            return Weights(self.values, self.rows[rows])
        assert self.values is not None
        return Weights(self.values[rows], None)

    def total(self, rows: NDArray[Any] | None = None) -> float:
        """Return the sum over these rows (None: all with a nonzero weight) of the mean weight of the row."""
        rows = self.rows if rows is None else rows
        if self.values is None:
            assert rows is not None
            return float(len(rows))
        values = self.values if rows is None else self.values[rows]
        return float(values.sum()) / (1 if values.ndim == 1 else values.shape[1])


def resolve_weights(
    checks: InputChecks, y: NDArray[Any], sample_weight: ArrayLike | None, class_weight: ClassWeight | None
) -> Weights | None:
    """Return the weights of the rows of y, which has passed the checks; None if no weights are given.

    Raises
    ------
    ShapeError, DTypeError, DataError, ParameterError
        An argument is not as described in `Network.fit`.
    """
    if sample_weight is None and class_weight is None:
        return None
    if checks.loss.targets.any_shape:  # only the custom loss can read its targets
        name = _name(sample_weight, class_weight)
        raise ParameterError(
            f"{name} with a custom loss, expected None: the loss function can weight its rows"
        )
    values = np.ones(len(y)) if sample_weight is None else _of_samples(sample_weight, len(y))
    check_memory(y)  # reading sample_weight may have run user code
    if class_weight is not None:
        with np.errstate(all="ignore"):  # checked below
            values = values * _of_classes(class_weight, y, values > 0, checks)
    least, most, times = _bounds(checks)
    if np.minimum.reduce(values) >= least and float(np.maximum.reduce(values)) * len(values) * times < most:
        return Weights(values, None)
    return _check_in_detail(_name(sample_weight, class_weight), values, checks)


def _name(sample_weight: ArrayLike | None, class_weight: ClassWeight | None) -> str:
    """Return the name of the weights in errors."""
    given = {"sample_weight": sample_weight, "class_weight": class_weight}
    return " * ".join(argument for argument, weight in given.items() if weight is not None)


def _bounds(checks: InputChecks) -> tuple[float, float, int]:
    """Return (least, most, times): weights above 0 are >= least, and their sum times `times` is < most."""
    least, _ = NORMAL[checks.dtype]
    return least, 1 / least, checks.n_out if checks.loss.divisor == "elements" else 1


@np.errstate(all="ignore")
def _check_in_detail(name: str, values: NDArray[np.float64], checks: InputChecks) -> Weights:
    """Return the weights; refuse them if a gradient over its divisor would overflow or underflow."""
    least, most, times = _bounds(checks)
    check_finite(name, values, checks.dtype)
    expected = f"0, or a number >= {least:.3g} (the smallest normal number of {checks.dtype})"
    check_values(name, values, lambda w: (w == 0) | (w >= least), expected)
    total = float(values.sum())
    if not 0 < total * times < most:
        over = f" ({most:.3g} / {times} outputs)" if times > 1 else ""
        raise DataError(f"{name} sums to {total:.3g}, expected above 0 and below {most / times:.3g}{over}")
    return Weights(values, None if values.all() else np.flatnonzero(values).astype(np.int64, copy=False))


def _of_samples(sample_weight: ArrayLike, n: int) -> NDArray[np.float64]:
    weights = as_array("sample_weight", sample_weight)
    if weights.shape != (n,):
        raise ShapeError(f"sample_weight has shape {weights.shape}, expected ({n},), one per row of X")
    return np.array(weights, np.float64)  # a copy, which changes of the user's array do not reach


def _of_classes(
    class_weight: ClassWeight, y: NDArray[Any], present: NDArray[np.bool_], checks: InputChecks
) -> NDArray[np.float64]:
    """Return the weight of each row's class (n,); "balanced" counts only the rows that are `present`."""
    classes, which = _classes(y, checks)
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
    """Return the key as an int if it is a bool or a whole float, which numpy.unique returns as labels."""
    is_whole = isinstance(key, (float, np.floating)) and float(key).is_integer()
    return int(key) if is_whole or isinstance(key, (bool, np.bool_)) else key


def _classes(y: NDArray[Any], checks: InputChecks) -> tuple[Sequence[int], NDArray[np.intp]]:
    """Return the class labels in ascending order, and the index of each row's class among them (n,)."""
    name, targets = checks.loss.name, checks.loss.targets
    if targets.takes_labels:
        if y.ndim == 1:
            return range(checks.n_out), y.astype(np.intp, copy=False)
        expected = "0 or 1 with class_weight: a row of probabilities has a class only if it is one-hot"
        check_values("y", y, lambda t: (t == 0) | (t == 1), expected)
        return range(checks.n_out), y.argmax(axis=1)
    classes = targets.classes
    if not classes:
        raise ParameterError(
            f"class_weight with the loss {name!r}, which has no classes, expected None: use sample_weight"
        )
    if checks.n_out > 1:
        raise ParameterError(
            f"class_weight with the loss {name!r} and {checks.n_out} outputs, expected one output, "
            "because a row has a class per output: use sample_weight"
        )
    if not targets.only_classes:
        expected = f"a label, {' or '.join(map(str, classes))}, with class_weight"
        check_values("y", y, lambda t: are_among(t, classes), expected)
    labels = y.reshape(-1)
    if len(classes) == 2:  # the common case, faster than by search
        return classes, (labels == classes[1]).astype(np.intp)
    return classes, np.searchsorted(classes, labels)
