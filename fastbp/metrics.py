"""Metrics: measures of how good outputs are.

A metric takes the outputs (n, n_out), n >= 1, and the targets: class labels (n,) or rows (n, n_out). For one
output, (n,) is accepted as a column. Metrics of answers `read` outputs and targets in the same way: as the
`most_probable` class per row, or as yes where a number is `at_least_half` or `positive`.

Each takes weights >= 0 of the rows (n,); those of yes/no answers and of numbers also one per target (n,
n_out). What has the weight 0 is left out, so its target may be NaN. Without weights all count equally.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import nan
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import as_array, read_only
from fastbp._base.fields import integer
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.exceptions import DataError, ParameterError, ShapeError
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
Function: TypeAlias = Callable[[Array, Array], float]  # of the user: (output, target)
Measure: TypeAlias = Callable[..., float]  # (output, target, weights=None)
Compared: TypeAlias = tuple[Array, Array, "Array | None"]  # outputs, targets, weights
Read: TypeAlias = Callable[[Array], Array]
Metrics: TypeAlias = str | Function | Sequence[str | Function]

BLOCK_ROWS = 4096  # rows compared at once, so that nothing as large as the data is allocated


# ---- answers -----------------------------------------------------------------------------------------------


def accuracy(
    output: ArrayLike, target: ArrayLike, read: Read = most_probable, sample_weight: ArrayLike | None = None
) -> float:
    """Return the share of correct answers: sum of their weights / sum of all weights.

    Parameters
    ----------
    output : array_like (n, n_out)
        Or (n,) for one output.
    target : array_like of the same shape
        Or (n,) for one output. If `read` returns classes: integer labels (n,) or rows (n, n_out), n_out > 1.
    read : callable
        Takes rows and returns answers: classes (n,), or yes and no (n, n_out).
    sample_weight : array_like (n,), optional
        Or (n, n_out) for yes and no: weights >= 0, of which at least one is not 0.

    Raises
    ------
    ShapeError, DTypeError, DataError
        The shapes do not fit, an array is masked or not numeric, a label or a weight is out of range.
    """
    output, target, weights = _answers(output, target, read, sample_weight)
    return _mean(
        ((read(h) == read(t)).reshape(len(h), -1), w) for h, t, w in _blocks(output, target, weights)
    )


def f1(
    output: ArrayLike, target: ArrayLike, read: Read = most_probable, sample_weight: ArrayLike | None = None
) -> float:
    """Return F1 = 2 both / (answered + true), the mean over classes or, for yes/no answers, over outputs.

    `answered` counts the rows whose answer is this class (is yes), `true` those whose target is, and `both`
    those where both are; with weights, it adds up their weights. Classes (or outputs) without any answered or
    true row are left out of the mean; if there are no others, it is NaN. Parameters and errors as for
    `accuracy`.
    """
    output, target, weights = _answers(output, target, read, sample_weight)
    both, answered, true = np.zeros((3, output.shape[1]))
    for h, t, w in _blocks(output, target, weights):
        answers, truths = (_one_hot(read(rows), output.shape[1]) for rows in (h, t))  # (m, n_out)
        both += _sums(answers & truths, w)
        answered += _sums(answers, w)
        true += _sums(truths, w)
    occurs = answered + true > 0
    return float((2 * both[occurs] / (answered + true)[occurs]).mean()) if occurs.any() else nan


def auc(
    output: ArrayLike, target: ArrayLike, read: Read = most_probable, sample_weight: ArrayLike | None = None
) -> float:
    """Return the area under the ROC curve, the mean over the outputs: each class against the rest.

    For one output: of all pairs of a row with target yes and a row with target no, the share in which the
    first row has the higher output; a tie counts one half, and a pair the product of its weights. Outputs
    whose targets are all yes or all no are left out of the mean; if there are no others, it is NaN.
    Parameters and errors as for `accuracy`.
    """
    output, target, weights = _answers(output, target, read, sample_weight)
    truth = read(target)  # (n,) labels, or (n, n_out) yes or no
    areas = []
    for j, scores in enumerate(output.T):
        yes = truth == j if truth.ndim == 1 else truth[:, j]
        w = None if weights is None else weights[:, min(j, weights.shape[1] - 1)]
        areas += _areas(scores, yes, w)
    return sum(areas) / len(areas) if areas else nan


def _areas(scores: Array, yes: Array, weights: Array | None) -> list[float]:
    """Return the area under the ROC curve of one output, from (n,) each; none if all targets are the same."""
    if weights is not None:
        order = np.flatnonzero(weights)[np.argsort(scores[weights > 0])]
        scores, yes, weights = scores[order], yes[order], weights[order]
    higher, lower = np.sort(scores[yes]), np.sort(scores[~yes])
    if not len(higher) or not len(lower):
        return []
    positions = (np.searchsorted(lower, higher, side) for side in ("left", "right"))
    if weights is None:
        return [sum(int(below.sum()) for below in positions) / 2 / (len(higher) * len(lower))]
    own = weights[yes]
    sums = np.r_[0.0, np.cumsum(weights[~yes])]  # sums[i]: weight of the first i lower ones
    return [float(sum((own * sums[below]).sum() for below in positions) / 2 / (own.sum() * sums[-1]))]


class TopK(Value):
    """Share of rows whose class is among the k most probable; among equal outputs, the lower class is first.

    Parameters
    ----------
    k : int, >= 1
        Number of classes that count; less than the number of outputs.
    """

    k: int = integer(default=5, at_least=1)

    def __call__(self, output: ArrayLike, target: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the share. Parameters and errors as for `accuracy` of classes."""
        output, target, weights = _answers(output, target, most_probable, sample_weight)
        return _mean((self._is_among(h, t), w) for h, t, w in _blocks(output, target, weights))

    def _is_among(self, h: Array, t: Array) -> Array:
        labels = most_probable(t).astype(np.intp)[:, None]  # (m, 1)
        own = np.take_along_axis(h, labels, axis=1)
        ahead = (h > own) | ((h == own) & (np.arange(h.shape[1]) < labels))  # (m, n_out)
        return np.asarray(ahead.sum(axis=1, keepdims=True) < self.k)


# ---- numbers -----------------------------------------------------------------------------------------------


@np.errstate(all="ignore")
def r2(output: ArrayLike, target: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the coefficient of determination, averaged over the outputs.

    For one output it is 1 - sum w (t - h)^2 / sum w (t - mean t)^2, where w are the weights, also of the
    mean: 1 is perfect, 0 is as good as the mean. For a constant target (a single row, for example) it is 1 if
    every output is exact, else 0. An output whose weights are all 0 is left out of the average.

    Parameters
    ----------
    output : array_like (n, n_out)
        Or (n,) for one output.
    target : array_like of the same shape
        Or (n,) for one output.
    sample_weight : array_like (n,) or (n, n_out), optional
        Weights >= 0 of rows or of single targets, of which at least one is not 0.

    Raises
    ------
    ShapeError, DTypeError, DataError
        The shapes do not fit, an array is masked or not numeric, a weight is out of range.
    """
    output, target = _rows(output, target)
    weights = _weights(sample_weight, output)
    origin = _first(target, weights)  # (n_out,), from which a constant differs by exactly 0
    n, mean, residual, total = np.zeros((4, len(origin)))
    n += len(target) if weights is None else weights.sum(axis=0)
    for _, t, w in _blocks(output, target, weights):
        mean += _sums(t - origin, w)
    mean /= n
    for h, t, w in _blocks(output, target, weights):
        t = t.astype(np.float64)  # (m, n_out)
        residual += _sums(np.square(t - h), w)
        total += _sums(np.square(t - origin - mean), w)
    constant = total == 0
    score = 1 - residual / np.where(constant, 1, total)
    return float(np.where(constant, residual == 0, score)[n > 0].mean())


@np.errstate(all="ignore")
def mae(output: ArrayLike, target: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean of |h - t| over rows and outputs, sum w |h - t| / sum w with weights w.

    Parameters and errors as for `r2`.
    """
    output, target = _rows(output, target)
    weights = _weights(sample_weight, output)
    return _mean((abs(t.astype(np.float64) - h), w) for h, t, w in _blocks(output, target, weights))


# ---- by name -----------------------------------------------------------------------------------------------


class Metric(NamedTuple):
    """A metric: its name in the history, its function, which way is better, and whether it is the user's."""

    name: str
    measure: Measure
    greater_is_better: bool
    is_custom: bool = False


def _reading(function: Any, read: Read) -> Measure:
    """Return a metric of answers with its way to read them."""
    return lambda output, target, weights=None: function(output, target, read, weights)


ANSWERED: dict[str, Any] = {f.__name__: f for f in (accuracy, f1, auc)}

#: Every metric by name; how answers are read depends on the loss.
METRICS: dict[str, Metric] = {
    **{name: Metric(name, _reading(f, most_probable), True) for name, f in ANSWERED.items()},
    "top_k": Metric("top_k", TopK(), True),
    "r2": Metric("r2", r2, True),
    "mae": Metric("mae", mae, False),
}


def named(loss: Loss) -> dict[str, Metric]:
    """Return the metrics available for the loss, by name; the first is measured by default."""
    found = {name: METRICS[name] for name in loss.metrics}
    if loss.outputs_per_target > 1:
        for name, metric in found.items():
            found[name] = metric._replace(measure=_estimating(metric.measure, loss.estimate))
    if loss.answers is not None:
        for name in found.keys() & ANSWERED.keys():
            found[name] = found[name]._replace(measure=_reading(ANSWERED[name], loss.answers.read))
    return found


def _estimating(measure: Any, estimate: Read) -> Measure:
    """Return a metric of the predictions that groups of outputs stand for."""
    return lambda output, target, weights=None: measure(estimate(output), target, weights)


def resolve(metrics: Metrics | None, loss: Loss, n_out: int, argument: str = "metrics") -> tuple[Metric, ...]:
    """Return the metrics that an argument such as `metrics` names; for None, the default of the loss."""
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
                f"{argument} has {shown(given)} with the loss {loss.name!r}, "
                f"expected {names}a callable (output, target) -> float"
            )
        if isinstance(metric.measure, TopK) and metric.measure.k >= n_out:
            raise ParameterError(
                f"{argument} has {shown(metric.measure)}, expected k < {n_out} (the network's outputs)"
            )
        if metric.name in ("loss", *resolved):
            raise ParameterError(f"{argument} has a second {metric.name!r}, expected different names")
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

    def measure(output: Array, target: Array, weights: Array | None = None) -> float:
        value = given(read_only(output), read_only(target))
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            raise ParameterError(f"the metric {name!r} returned {shown(value)}, expected a number") from None

    return Metric(name, measure, bool(getattr(given, "greater_is_better", False)), is_custom=True)


# ---- arrays ------------------------------------------------------------------------------------------------


def _rows(output: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    """Return outputs and targets as rows (n, n_out); (n,) is one column."""
    h, t = _outputs(output), as_array("target", target)
    if t.shape != h.shape and not (h.shape[1] == 1 and t.shape == h.shape[:1]):
        column = f" or {h.shape[:1]}" if h.shape[1] == 1 else ""
        raise ShapeError(f"target has shape {t.shape}, expected {h.shape}{column} as output has")
    return h, t.reshape(h.shape)


def _answers(output: ArrayLike, target: ArrayLike, read: Read, weights: ArrayLike | None) -> Compared:
    """Return outputs and targets as rows (n, n_out), or targets as labels (n,) for classes, and weights."""
    h, t = _outputs(output), as_array("target", target)
    is_yes_or_no = np.ndim(read(h[:1])) > 1
    w = _weights(weights, h, by_target=is_yes_or_no)
    if is_yes_or_no or (t.ndim > 1 and h.shape[1] > 1):
        return *_rows(h, t), w
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
    return h, t, w


def _weights(sample_weight: ArrayLike | None, output: Array, by_target: bool = True) -> Array | None:
    """Return weights as float64, (n, 1) of rows or (n, n_out) of targets, the largest close to 1."""
    if sample_weight is None:
        return None
    weights = as_array("sample_weight", sample_weight)
    shapes = (output.shape[:1], output.shape) if by_target else (output.shape[:1],)
    if weights.shape not in shapes:
        raise ShapeError(f"sample_weight has shape {weights.shape}, expected {' or '.join(map(str, shapes))}")
    if not (weights >= 0).all() or not 0 < weights.max() < np.inf:
        raise DataError("sample_weight has negative or not finite numbers or only 0, expected weights >= 0")
    _, exponent = np.frexp(float(weights.max()))  # a power of two changes no digit
    scaled: Array = np.ldexp(weights.astype(np.float64), -exponent)
    return scaled.reshape(len(weights), -1)


def _first(target: Array, weights: Array | None) -> Array:
    """Return the first element with a nonzero weight of each column of the target, (n_out,) float64."""
    rows: Any = 0 if weights is None else (weights > 0).argmax(axis=0)
    return np.asarray(target[rows, np.arange(target.shape[1])], np.float64)


def _outputs(output: ArrayLike) -> Array:
    """Return outputs as rows (n, n_out); (n,) is one column."""
    array = as_array("output", output)
    if array.ndim not in (1, 2) or array.size == 0:
        raise ShapeError(f"output has shape {array.shape}, expected (rows, outputs), both at least 1")
    return array.reshape(len(array), -1)


def slices(n: int, rows: int) -> list[slice]:
    """Cut n rows into parts of at most `rows`."""
    return [slice(first, min(first + rows, n)) for first in range(0, n, rows)]


def _blocks(output: Array, target: Array, weights: Array | None) -> Iterator[Compared]:
    """Yield outputs (m, n_out), targets and weights, some rows at a time."""
    for rows in slices(len(output), BLOCK_ROWS):
        yield output[rows], target[rows], None if weights is None else weights[rows]


def _weighted(values: Array, weights: Array | None) -> Array:
    """Return values (m, k) times weights (m, 1) or (m, k); 0 where the weight is, whatever the value."""
    return values if weights is None else np.where(weights > 0, values * weights, 0)


def _mean(blocks: Iterable[tuple[Array, Array | None]]) -> float:
    """Return the mean of values (m, k) with weights, from pairs of both for some rows each."""
    total = n = 0.0
    for values, w in blocks:
        total += float(_weighted(values, w).sum())
        n += values.size if w is None else float(_weighted(np.ones(values.shape), w).sum())
    return total / n


def _sums(values: Array, weights: Array | None) -> Array:
    """Return the sum of each column."""
    return np.asarray(_weighted(values, weights).sum(axis=0))


def _one_hot(answers: Array, n_out: int) -> Array:
    """Return whether each class or output is the answer, (m, n_out), from labels (m,) or from such rows."""
    return answers if answers.ndim == 2 else answers[:, None] == np.arange(n_out)
