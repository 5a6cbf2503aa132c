"""What each row counts for: sample weights and class weights, checked and made one weight a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp.exceptions import DataError, ParameterError, ShapeError, integer, number
from fastbp.losses import OwnLoss
from fastbp.validation import Door, as_array, check_finite, check_values

ClassWeight: TypeAlias = Mapping[int, float] | Literal["balanced"]


class Weights(NamedTuple):
    """The weights of some rows; a row of weight 0 is as if it were absent."""

    values: NDArray[np.float64]  # (n,) of all rows, C-contiguous
    rows: NDArray[np.int64] | None  # those that weigh anything, in their order, or None: all

    @property
    def n_rows(self) -> int:
        """How many rows weigh anything."""
        return len(self.values if self.rows is None else self.rows)


def resolve_weights(
    door: Door, y: NDArray[Any], sample_weight: ArrayLike | None, class_weight: ClassWeight | None
) -> Weights | None:
    """Return the weights of the rows of y, targets that the door let in, or None where all weigh 1.

    Raises
    ------
    ShapeError, DTypeError, DataError, ParameterError
        An argument is not as `Network.fit` wants it.
    """
    if sample_weight is None and class_weight is None:
        return None
    given = {"sample_weight": sample_weight, "class_weight": class_weight}
    name = " * ".join(argument for argument, weight in given.items() if weight is not None)
    if isinstance(door.loss, OwnLoss):
        raise ParameterError(f"{name} with a loss of your own, expected None: it weighs its rows itself")
    values = np.ones(len(y)) if sample_weight is None else _of_samples(sample_weight, len(y))
    if class_weight is not None:
        values = values * _of_classes(class_weight, y, values > 0, door)
    return _checked(name, values, door.dtype)


@np.errstate(over="ignore")
def _checked(name: str, values: NDArray[np.float64], dtype: np.dtype[Any]) -> Weights:
    """Return the weights, unless a batch's gradient over its weight would overflow, or lose its digits."""
    least, total = float(np.finfo(dtype).smallest_normal), float(values.sum())
    if values.min() >= least and total < 1 / least:
        return Weights(values, None)
    check_finite(name, values, dtype)
    expected = f"0, or a number >= {least:.3g} (the smallest normal one in {dtype})"
    check_values(name, values, lambda w: (w == 0) | (w >= least), expected)
    if not 0 < total < 1 / least:
        raise DataError(f"{name} sums to {total:.3g}, expected above 0 and below {1 / least:.3g}")
    return Weights(values, np.flatnonzero(values))


def _of_samples(sample_weight: ArrayLike, n: int) -> NDArray[np.float64]:
    weights = as_array("sample_weight", sample_weight)
    if weights.shape != (n,):
        raise ShapeError(f"sample_weight has shape {weights.shape}, expected ({n},), one for each row of X")
    return np.ascontiguousarray(weights, np.float64)


def _of_classes(
    class_weight: ClassWeight, y: NDArray[Any], present: NDArray[np.bool_], door: Door
) -> NDArray[np.float64]:
    """Return the weight of each row's class (n,); "balanced" counts the rows that are present."""
    labels, n_classes = _labels(y, door)
    table = np.ones(n_classes)
    if isinstance(class_weight, Mapping):
        for key, weight in class_weight.items():
            label = integer("a key of class_weight", key, at_least=0, below=n_classes)
            table[label] = number(f"class_weight[{label}]", weight, at_least=0)
    elif isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(labels[present], minlength=n_classes)
        found = counts > 0
        table[found] = counts.sum() / (np.count_nonzero(found) * counts[found])
    else:
        raise ParameterError(
            f"class_weight is {class_weight!r}, expected 'balanced' or a dict from class labels to weights"
        )
    return table[labels]


def _labels(y: NDArray[Any], door: Door) -> tuple[NDArray[np.intp], int]:
    """Return the class of each row (n,), and how many there are."""
    name = door.loss.name
    if name == "cross_entropy" and y.ndim == 1:
        return y.astype(np.intp, copy=False), door.n_out
    if name == "binary_cross_entropy" and door.n_out == 1:
        check_values("y", y, lambda t: (t == 0) | (t == 1), "a label, 0 or 1, with class_weight")
        return y.reshape(-1).astype(np.intp), 2
    raise ParameterError(
        f"class_weight with the loss {name!r} and y of shape {y.shape}, expected integer labels with "
        "'cross_entropy', or 0 and 1 for one output with 'binary_cross_entropy', or sample_weight instead"
    )
