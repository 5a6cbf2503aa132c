"""Sample and class weights, checked and combined into one weight per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import NORMAL, integer, number
from fastbp._base.arrays import as_array
from fastbp._base.shown import shown
from fastbp._core import check_memory, first_nonfinite
from fastbp._data.checks import InputChecks, blocks, check_finite, check_values
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
        """Return the sum over these rows (None: all with a nonzero weight) of the mean weight of the row.

        The weights are added one by one, as in the C core.
        """
        rows = self.rows if rows is None else rows
        if self.values is None:
            assert rows is not None
            return float(len(rows))
        values = self.values if rows is None else self.values[rows]
        columns = 1 if values.ndim == 1 else values.shape[1]
        return float(np.add.accumulate(values.reshape(-1))[-1]) / columns


def counted(terms: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Return terms times their weights w; 0 where a weight is 0, even if the term is NaN or infinite."""
    products: NDArray[Any] = np.where(w == 0, w.dtype.type(0), w * terms)
    return products


def resolve_weights(
    checks: InputChecks,
    y: NDArray[Any],
    sample_weight: ArrayLike | None,
    class_weight: ClassWeight | None,
    y_name: str = "y",
    weight_name: str = "sample_weight",
    *,
    may_be_none: bool = False,
) -> Weights | None:
    """Return the weights of y, which has passed the checks; None if all weigh 1 and all targets are known.

    With `may_be_none`, there may be no row with a weight above 0: y is then a part of the data.

    Raises
    ------
    ShapeError, DTypeError, DataError, ParameterError
        An argument is not as described in `Network.fit`.
    """
    known = _known(checks, y) if checks.may_be_unknown else None
    if sample_weight is None and class_weight is None:
        return None if known is None else _of_known(known, None, y_name, may_be_none)
    if checks.loss.targets.any_shape:  # only the custom loss can read its targets
        name = _name(weight_name, sample_weight, class_weight)
        raise ParameterError(
            f"{name} with a custom loss, expected None: the loss function can weight its rows"
        )
    values = np.ones(len(y)) if sample_weight is None else _of_samples(weight_name, sample_weight, y, checks)
    check_memory(y)  # reading sample_weight may have run user code
    if class_weight is not None:
        present = _present(values, known)
        with np.errstate(all="ignore"):  # checked below
            values = values * _of_classes(class_weight, y, present, known, checks)
    least, most, times = _bounds(checks, values)
    highest = float(np.maximum.reduce(values, axis=None))
    if np.minimum.reduce(values, axis=None) >= least and highest * values.size * times < most:
        return Weights(values, None) if known is None else _of_known(known, values, y_name, may_be_none)
    name = _name(weight_name, sample_weight, class_weight)
    _check_in_detail(name, values, checks, may_be_none)
    return _of_known(known, values, f"{name} with the known targets", may_be_none)


def _known(checks: InputChecks, y: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return which targets are known, (n, n_targets), or (n, 1) for labels; None if all are."""
    loss = checks.loss
    if y.ndim == 1:
        known = loss.known(y)[:, None]
        return None if known.all() else known
    if y.dtype.kind != "f":
        return None
    found: NDArray[np.bool_] | None = None
    for first, block in blocks(y):
        if first_nonfinite(block, checks.dtype) >= 0:
            found = np.ones(y.shape, bool) if found is None else found
            found[first : first + len(block)] = loss.known(block)
    return found


def _of_known(
    known: NDArray[np.bool_] | None, values: NDArray[np.float64] | None, name: str, may_be_none: bool
) -> Weights:
    """Return the weights `values` of rows or targets (None: 1) where a target is known (None: everywhere).

    If each row is known as a whole or not at all, it keeps one weight, as if the unknown ones did not exist.
    """
    present: Any = True  # (n,)
    if known is not None:
        present = known.any(axis=1)
        if not np.array_equal(present, known.all(axis=1)):
            values = known * (np.ones((1, 1)) if values is None else values.reshape(len(known), -1))
    if values is not None:
        present = present & values.reshape(len(values), -1).any(axis=1)
    rows = np.flatnonzero(present).astype(np.int64, copy=False)
    if len(rows) == 0 and not may_be_none:
        raise DataError(f"{name} has no known target with a weight above 0, expected at least one")
    return Weights(values, None if values is not None and len(rows) == len(values) else rows)


def _name(weight_name: str, sample_weight: ArrayLike | None, class_weight: ClassWeight | None) -> str:
    """Return the name of the weights in errors."""
    given = {weight_name: sample_weight, "class_weight": class_weight}
    return " * ".join(argument for argument, weight in given.items() if weight is not None)


def _bounds(checks: InputChecks, values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return (least, most, times): weights above 0 are >= least, and their sum times `times` is < most."""
    least, _ = NORMAL[checks.dtype]
    columns = 1 if values.ndim == 1 else values.shape[1]
    by_row = checks.loss.divisor == "rows"  # then a single weight of a target is divided by their number
    return (
        least * columns if by_row else least,
        1 / least,
        (checks.n_out if checks.loss.divisor == "elements" else 1) / columns,
    )


@np.errstate(all="ignore")
def _check_in_detail(name: str, values: NDArray[np.float64], checks: InputChecks, may_be_none: bool) -> None:
    """Refuse weights if a gradient over its divisor would overflow or underflow."""
    least, most, times = _bounds(checks, values)
    check_finite(name, values, checks.dtype)
    expected = f"0, or a number >= {least:.3g} (the smallest normal number of {checks.dtype})"
    check_values(name, values, lambda w: (w == 0) | (w >= least), expected)
    total = float(values.sum())
    if not (0 < total * times < most or (may_be_none and total == 0)):
        over = f" ({most:.3g} / {times:g} outputs)" if times > 1 else ""
        raise DataError(f"{name} sums to {total:.3g}, expected above 0 and below {most / times:.3g}{over}")


def _of_samples(
    name: str, sample_weight: ArrayLike, y: NDArray[Any], checks: InputChecks
) -> NDArray[np.float64]:
    """Return a copy, which changes of the user's array do not reach: (n,), or (n, n_targets) if several."""
    weights = as_array(name, sample_weight)
    by_row = checks.loss.targets.sums_to_one  # a row has one target
    if weights.shape != y.shape[:1] and (by_row or weights.shape != y.shape):
        expected = f"{y.shape[:1]}, one per row of X"
        expected += f" (the loss {checks.loss.name} has one target per row)" if by_row else f", or {y.shape}"
        raise ShapeError(f"{name} has shape {weights.shape}, expected {expected}")
    values = np.array(weights, np.float64, order="C")
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def class_counts(checks: InputChecks, y: NDArray[Any], sample_weight: ArrayLike | None) -> dict[int, int]:
    """Return the number of rows of each class with a known label and a weight above 0, as "balanced" does."""
    known = _known(checks, y) if checks.may_be_unknown else None
    values = (
        np.ones(len(y)) if sample_weight is None else _of_samples("sample_weight", sample_weight, y, checks)
    )
    classes, which = _classes(y, checks)
    return _counts(classes, which[_present(values, known)])


def _present(values: NDArray[np.float64], known: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return which rows count for "balanced", (n,)."""
    return values > 0 if known is None else (values > 0) & known[:, 0]


def _counts(classes: Sequence[int], which: NDArray[np.intp]) -> dict[int, int]:
    """Return how often each class is among those with these indices (n,)."""
    return dict(zip(classes, np.bincount(which, minlength=len(classes)).tolist(), strict=True))


def balanced(counts: Mapping[int, int]) -> dict[int, float]:
    """Return the weight of each class that has rows: all rows / (such classes * rows of the class)."""
    found = {label: n for label, n in counts.items() if n}
    rows = sum(found.values())
    return {label: rows / (len(found) * n) for label, n in found.items()}


def _of_classes(
    class_weight: ClassWeight,
    y: NDArray[Any],
    present: NDArray[np.bool_],
    known: NDArray[np.bool_] | None,
    checks: InputChecks,
) -> NDArray[np.float64]:
    """Return the weight of each row's class (n,), 1 where it is not known.

    "balanced" counts only the rows that are `present`.
    """
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
        for label, weight in balanced(_counts(classes, which[present])).items():
            table[classes.index(label)] = weight
    else:
        raise ParameterError(
            f"class_weight is {shown(class_weight)}, "
            "expected 'balanced' or a dict from class labels to weights"
        )
    if known is None:
        return table[which]
    return np.where(known[:, 0], table[np.where(known[:, 0], which, 0)], 1)


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
        check_values("y", y, lambda t: are_among(t, classes) | ~checks.loss.known(t), expected)
    labels = y.reshape(-1)
    if len(classes) == 2:  # the common case, faster than by search
        return classes, (labels == classes[1]).astype(np.intp)
    return classes, np.searchsorted(classes, labels)
