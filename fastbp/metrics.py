"""Metrics: measures of how good outputs are.

A metric takes the outputs (n, n_out), n >= 1, and the targets: class labels (n,) or rows (n, n_out). For one
output, (n,) is accepted as a column. Metrics of answers `read` outputs and targets in the same way: as the
`most_probable` class per row, or as yes where a number is `at_least_half` or `positive`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import nan
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import as_array, read_only
from fastbp._base.fields import integer
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.losses import Loss, check_labels
from fastbp.losses._answers import at_least_half, most_probable, positive

__all__ = [
    "METRICS",
    "TopK",
    "accuracy",
    "at_least_half",
    "auc",
    "f1",
    "mae",
    "most_probable",
    "positive",
    "r2",
]

Array: TypeAlias = NDArray[Any]
Measure: TypeAlias = Callable[[Array, Array], float]
Read: TypeAlias = Callable[[Array], Array]
Metrics: TypeAlias = str | Measure | Sequence[str | Measure]

BLOCK_ROWS = 4096  # rows compared at once, so that nothing as large as the data is allocated


# ---- answers -----------------------------------------------------------------------------------------------


def accuracy(output: ArrayLike, target: ArrayLike, read: Read = most_probable) -> float:
    """Return the share of correct answers.

    Parameters
    ----------
    output : array_like (n, n_out)
        Or (n,) for one output.
    target : array_like of the same shape
        Or (n,) for one output. If `read` returns classes: integer labels (n,) or rows (n, n_out), n_out > 1.
    read : callable
        Takes rows and returns answers: classes (n,), or yes and no (n, n_out).

    Raises
    ------
    ShapeError, DTypeError, DataError
        The shapes do not fit, an array is masked or not numeric, a label is out of range.
    """
    output, target = _answers(output, target, read)
    right = answers = 0
    for h, t in _blocks(output, target):
        is_right = read(h) == read(t)
        right += int(np.count_nonzero(is_right))
        answers += is_right.size
    return right / answers


def f1(output: ArrayLike, target: ArrayLike, read: Read = most_probable) -> float:
    """Return F1 = 2 both / (answered + true), the mean over classes or, for yes/no answers, over outputs.

    `answered` counts the rows whose answer is this class (is yes), `true` those whose target is, and `both`
    those where both are. Classes (or outputs) without any answered or true row are left out of the
    mean; if there are no others, it is NaN. Parameters and errors as for `accuracy`.
    """
    output, target = _answers(output, target, read)
    both, answered, true = np.zeros((3, output.shape[1]))
    for h, t in _blocks(output, target):
        answers, truths = (_one_hot(read(rows), output.shape[1]) for rows in (h, t))  # (m, n_out)
        both += (answers & truths).sum(axis=0)
        answered += answers.sum(axis=0)
        true += truths.sum(axis=0)
    occurs = answered + true > 0
    return float((2 * both[occurs] / (answered + true)[occurs]).mean()) if occurs.any() else nan


def auc(output: ArrayLike, target: ArrayLike, read: Read = most_probable) -> float:
    """Return the area under the ROC curve, the mean over the outputs: each class against the rest.

    For one output: of all pairs of a row with target yes and a row with target no, the share in which the
    first row has the higher output; a tie counts one half. Outputs whose targets are all yes or all no are
    left out of the mean; if there are no others, it is NaN. Parameters and errors as for `accuracy`.
    """
    output, target = _answers(output, target, read)
    truth = read(target)  # (n,) labels, or (n, n_out) yes or no
    areas = []
    for j, scores in enumerate(output.T):
        yes = truth == j if truth.ndim == 1 else truth[:, j]
        higher, lower = np.sort(scores[yes]), np.sort(scores[~yes])
        if len(higher) and len(lower):
            won = sum(int(np.searchsorted(lower, higher, side).sum()) for side in ("left", "right")) / 2
            areas.append(won / (len(higher) * len(lower)))
    return sum(areas) / len(areas) if areas else nan


class TopK(Value):
    """Share of rows whose class is among the k most probable; among equal outputs, the lower class is first.

    Parameters
    ----------
    k : int, >= 1
        Number of classes that count; less than the number of outputs.
    """

    k: int = integer(default=5, at_least=1)

    def __call__(self, output: ArrayLike, target: ArrayLike) -> float:
        """Return the share. Parameters and errors as for `accuracy` of classes."""
        output, target = _answers(output, target, most_probable)
        right = 0
        for h, t in _blocks(output, target):
            labels = most_probable(t).astype(np.intp)[:, None]  # (m, 1)
            own = np.take_along_axis(h, labels, axis=1)
            ahead = (h > own) | ((h == own) & (np.arange(h.shape[1]) < labels))  # (m, n_out)
            right += int(np.count_nonzero(ahead.sum(axis=1) < self.k))
        return right / len(output)


# ---- numbers -----------------------------------------------------------------------------------------------


@np.errstate(all="ignore")
def r2(output: ArrayLike, target: ArrayLike) -> float:
    """Return the coefficient of determination, averaged over the outputs.

    For one output it is 1 - sum (t - h)^2 / sum (t - mean t)^2: 1 is perfect, 0 is as good as the mean. For a
    constant target (a single row, for example) it is 1 if every output is exact, else 0.

    Parameters
    ----------
    output : array_like (n, n_out)
        Or (n,) for one output.
    target : array_like of the same shape
        Or (n,) for one output.

    Raises
    ------
    ShapeError, DTypeError
        The shapes do not fit, an array is masked or not numeric.
    """
    output, target = _rows(output, target)
    origin = target[0].astype(np.float64)  # (n_out,), from which a constant differs by exactly 0
    differences = sum((t - origin).sum(axis=0) for _, t in _blocks(output, target))
    mean = differences / len(target)
    residual, total = np.zeros((2, len(origin)))
    for h, t in _blocks(output, target):
        t = t.astype(np.float64)  # (m, n_out)
        residual += np.square(t - h).sum(axis=0)
        total += np.square(t - origin - mean).sum(axis=0)
    constant = total == 0
    score = 1 - residual / np.where(constant, 1, total)
    return float(np.where(constant, residual == 0, score).mean())


@np.errstate(all="ignore")
def mae(output: ArrayLike, target: ArrayLike) -> float:
    """Return the mean of |h - t| over rows and outputs. Parameters and errors as for `r2`."""
    output, target = _rows(output, target)
    return float(sum(abs(t.astype(np.float64) - h).sum() for h, t in _blocks(output, target)) / output.size)


# ---- by name -----------------------------------------------------------------------------------------------


class Metric(NamedTuple):
    """A metric: its name in the history, its function, and which way is better."""

    name: str
    measure: Measure
    greater_is_better: bool


ANSWERED = {f.__name__: f for f in (accuracy, f1, auc)}

#: Every metric by name; how answers are read depends on the loss.
METRICS: dict[str, Metric] = {
    **{name: Metric(name, f, True) for name, f in ANSWERED.items()},
    "top_k": Metric("top_k", TopK(), True),
    "r2": Metric("r2", r2, True),
    "mae": Metric("mae", mae, False),
}


def named(loss: Loss) -> dict[str, Metric]:
    """Return the metrics available for the loss, by name; the first is measured by default."""
    found = {name: METRICS[name] for name in loss.metrics}
    if loss.outputs_per_target > 1:
        for name, metric in found.items():
            found[name] = metric._replace(measure=partial(_of_estimate, metric.measure, loss.estimate))
    if loss.answers is not None:
        for name in found.keys() & ANSWERED.keys():
            found[name] = found[name]._replace(measure=partial(ANSWERED[name], read=loss.answers.read))
    return found


def _of_estimate(measure: Measure, estimate: Read, output: Array, target: Array) -> float:
    """Measure the predictions that groups of outputs stand for."""
    return measure(estimate(output), target)


def resolve(metrics: Metrics | None, loss: Loss, n_out: int) -> tuple[Metric, ...]:
    """Return the metrics that the argument `metrics` names; for None, the default of the loss."""
    by_name = named(loss)
    if metrics is None:
        return tuple(by_name.values())[:1]
    listed = metrics if isinstance(metrics, Sequence) and not isinstance(metrics, str) else [metrics]
    resolved: dict[str, Metric] = {}
    for given in listed:
        metric = _find(given, by_name)
        if metric is None:
            names = f"one of: {', '.join(by_name)}; or " if by_name else ""
            raise ParameterError(
                f"metrics has {shown(given)} with the loss {loss.name!r}, "
                f"expected {names}a callable (output, target) -> float"
            )
        if isinstance(metric.measure, TopK) and metric.measure.k >= n_out:
            raise ParameterError(
                f"metrics has {shown(metric.measure)}, expected k < {n_out} (the network's outputs)"
            )
        if metric.name in ("loss", *resolved):
            raise ParameterError(f"metrics has a second {metric.name!r}, expected different names")
        resolved[metric.name] = metric
    return tuple(resolved.values())


def _find(given: Any, by_name: dict[str, Metric]) -> Metric | None:
    """Return the metric that one entry of `metrics` names, or None."""
    if isinstance(given, str):
        return by_name.get(given)
    if isinstance(given, TopK):
        top_k = by_name.get("top_k")
        return top_k and top_k._replace(measure=given)
    if isinstance(given, type) or not callable(given):
        return None
    name = getattr(given, "__name__", type(given).__name__)

    def measure(output: Array, target: Array) -> float:
        value = given(read_only(output), read_only(target))
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            raise ParameterError(f"the metric {name!r} returned {shown(value)}, expected a number") from None

    return Metric(name, measure, bool(getattr(given, "greater_is_better", False)))


# ---- arrays ------------------------------------------------------------------------------------------------


def _rows(output: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    """Return outputs and targets as rows (n, n_out); (n,) is one column."""
    h, t = _outputs(output), as_array("target", target)
    if t.shape != h.shape and not (h.shape[1] == 1 and t.shape == h.shape[:1]):
        column = f" or {h.shape[:1]}" if h.shape[1] == 1 else ""
        raise ShapeError(f"target has shape {t.shape}, expected {h.shape}{column} as output has")
    return h, t.reshape(h.shape)


def _answers(output: ArrayLike, target: ArrayLike, read: Read) -> tuple[Array, Array]:
    """Return outputs as rows (n, n_out), and targets as rows or, if `read` returns classes, labels (n,)."""
    h, t = _outputs(output), as_array("target", target)
    is_yes_or_no = np.ndim(read(h[:1])) > 1
    if is_yes_or_no or (t.ndim > 1 and h.shape[1] > 1):
        return _rows(h, t)
    if h.shape[1] == 1:
        raise ShapeError(
            "output has one column, expected one for each class: read=at_least_half or read=positive tells "
            "yes and no of a single output"
        )
    if t.shape != h.shape[:1] or t.dtype.kind == "f":
        raise ShapeError(
            f"target has shape {t.shape} and dtype {t.dtype}, "
            f"expected integer labels {h.shape[:1]} or rows {h.shape}"
        )
    check_labels(t, h.shape[1])
    return h, t


def _outputs(output: ArrayLike) -> Array:
    """Return outputs as rows (n, n_out); (n,) is one column."""
    array = as_array("output", output)
    if array.ndim not in (1, 2) or array.size == 0:
        raise ShapeError(f"output has shape {array.shape}, expected (rows, outputs), both at least 1")
    return array.reshape(len(array), -1)


def slices(n: int, rows: int) -> list[slice]:
    """Cut n rows into parts of at most `rows`."""
    return [slice(first, first + rows) for first in range(0, n, rows)]


def _blocks(output: Array, target: Array) -> Iterator[tuple[Array, Array]]:
    """Yield outputs (m, n_out) and targets, some rows at a time."""
    for rows in slices(len(output), BLOCK_ROWS):
        yield output[rows], target[rows]


def _one_hot(answers: Array, n_out: int) -> Array:
    """Return whether each class or output is the answer, (m, n_out), from labels (m,) or from such rows."""
    return answers if answers.ndim == 2 else answers[:, None] == np.arange(n_out)
