"""`feature_importance`: how much the network relies on each input."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments, markup
from fastbp._base.arrays import read_only
from fastbp._base.philox import EXCHANGED, raw
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs, SparseRows
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.inspect._integrated_gradients import IntegratedGradients, chosen_outputs
from fastbp.inspect._names import input_names
from fastbp.inspect._probe import Probe, quietly
from fastbp.inspect._tables import aligned, largest
from fastbp.metrics import Function, resolve
from fastbp.network import Network

Array: TypeAlias = NDArray[np.float64]

SHOWN = 20  # features in the text
METHODS = {"permutation": "permutation", "integrated_gradients": "integrated gradients"}


class Importance(NamedTuple):
    """The importance of one input: its name, its column in X, and mean and standard deviation of `values`."""

    name: str
    column: int
    mean: float
    std: float


class FeatureImportance:
    """The importance of each input, from `feature_importance`.

    Attributes
    ----------
    method : str
        "permutation" or "integrated_gradients".
    names : tuple of str
        The network's feature names, or "x1", "x2", ...
    values : array (n_repeats, n_in), or (n, n_in)
        By how much the measure is worse with a permuted column, for each repeat; or the attribution of the
        chosen output to each input, for each row of X.
    mean, std : array (n_in,)
        Mean and standard deviation of the values over the repeats; or of their magnitudes over the rows.
    measure : str
        The loss or metric that was measured, or "output".
    differences : array (n,), or None
        With integrated gradients, the output of each row minus that of the baseline: what the attributions of
        the row sum to.
    incompleteness : float
        The largest difference between these two, for any row; 0 for permutation.
    """

    __slots__ = ("differences", "incompleteness", "mean", "measure", "method", "names", "std", "values")

    def __init__(
        self,
        method: str,
        names: tuple[str, ...],
        values: Array,
        measure: str,
        differences: Array | None = None,
    ) -> None:
        self.method, self.names, self.measure = method, names, measure
        sizes = values if differences is None else np.abs(values)
        self.values, self.mean, self.std = map(read_only, (values, sizes.mean(axis=0), sizes.std(axis=0)))
        self.differences = None if differences is None else read_only(differences)
        self.incompleteness = 0.0
        if differences is not None:
            self.incompleteness = float(np.abs(values.sum(axis=1) - differences).max())

    def features(self, limit: int | None = None) -> tuple[Importance, ...]:
        """Return the inputs, those with the largest mean first; at most `limit` of them."""
        n = len(self.names) if limit is None else arguments.integer("limit", limit, at_least=0)
        order = np.argsort(-self.mean, kind="stable")[:n].tolist()
        return tuple(Importance(self.names[i], i, float(self.mean[i]), float(self.std[i])) for i in order)

    def _table(self) -> tuple[str, tuple[str, ...], list[list[str]]]:
        found = self.features(SHOWN)
        rows = [[f.name, f"{f.mean:.4g}", f"{f.std:.4g}"] for f in found]
        n = len(self.values)
        if self.method == "permutation":
            what = f"by how much {self.measure} is worse with a permuted column, {n} repeats"
        else:
            what = f"magnitude of the share of the output's difference from the baseline, {n:,} rows"
        listed = largest("features", len(found), len(self.names))
        title = f"importance by {METHODS[self.method]}: {what}; {listed}"
        return title, ("feature", "mean", "std"), rows

    def _note(self) -> list[str]:
        if self.differences is None:
            return []
        return ["", f"the sum of each row is right to {self.incompleteness:.2g}"]

    def __str__(self) -> str:
        title, head, rows = self._table()
        return "\n".join([title, "", *aligned([head, *rows]), *self._note()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        title, head, rows = self._table()
        notes = "".join(map(markup.paragraph, self._note()[1:]))
        return markup.paragraph(title) + markup.table(head, rows, left=(0,)) + notes


@quietly
def feature_importance(
    net: Network,
    X: Inputs,
    y: ArrayLike | None = None,
    *,
    method: Literal["permutation", "integrated_gradients"] = "permutation",
    metric: str | Function = "loss",
    n_repeats: int = 10,
    seed: int = 0,
    sample_weight: ArrayLike | None = None,
    output: int | ArrayLike | None = None,
    baseline: ArrayLike | None = None,
    tolerance: float = 1e-3,
) -> FeatureImportance:
    """Return how much the network relies on each of its inputs.

    - "permutation": how much worse the loss or a metric gets if the values of one column of X are exchanged
      among the rows at random (Breiman, 2001). About 0: the network does not need the column, or another one
      says the same.
    - "integrated_gradients": for each row, the difference between an output F and that of a baseline x',
      attributed to the inputs (Sundararajan, Taly and Yan, 2017) ::

          (x_i - x'_i) * integral over a from 0 to 1 of dF/dx_i (x' + a (x - x'))

      The attributions of a row sum to F(x) - F(x').

    Parameters
    ----------
    net : Network
    X : array_like or sparse, shape (n, n_in)
        Inputs as for `evaluate`. Permutation makes one dense copy.
    y : array_like, optional
        Targets as for `evaluate`; permutation needs them, integrated gradients do not read them.
    method : "permutation" or "integrated_gradients"
    metric : str or callable
        Permutation: "loss", or a metric as for `evaluate`. Losses, "mae", and callables without an attribute
        `greater_is_better` that is true, are better if they are lower.
    n_repeats : int, >= 1
        Permutation: how often each column is permuted.
    seed : int, >= 0 and < 2**64
        Permutation: what the permutations are drawn from. The same seed gives the same numbers.
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Permutation: weights of the loss or metric, as for `evaluate`.
    output : int, or array_like (n,) of int, optional
        Integrated gradients: the index of the output F, or of one for each row; class labels are such
        indices. By default the only output, or of softmax outputs the largest one of the row, the class that
        the network predicts. Other networks with several outputs have no default.
    baseline : array_like, shape (n_in,) or (n, n_in), optional
        Integrated gradients: the x' of all rows, or of each row. By default 0 for all inputs as the network
        computes with them, which is `Network.input_mean` if it scales its inputs.
    tolerance : float, > 0
        Integrated gradients: the integrals are refined until the sum of each row is right to this share of
        the largest output of X and baseline. Smooth activations take few steps. Kinks such as relu's take
        more for each digit, and jumps never get there, see `FeatureImportance.incompleteness`.

    Returns
    -------
    FeatureImportance
        `print` shows the largest; `FeatureImportance.features` lists them all.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above; sample_weight, output or baseline is given to the other method.
    BusyError
        Another thread is changing the network.

    References
    ----------
    L. Breiman, Random forests, 2001.

    M. Sundararajan, A. Taly and Q. Yan, Axiomatic attribution for deep networks, 2017.
    """
    arguments.choice("method", method, METHODS)
    unused = {"output": output, "baseline": baseline}
    if method == "integrated_gradients":
        unused = {"sample_weight": sample_weight}
    for name, value in unused.items():
        if value is not None:
            raise ParameterError(f"{name} is {shown(value)}, expected None with method={method!r}")
    n_repeats = arguments.integer("n_repeats", n_repeats, at_least=1)
    seed = arguments.integer("seed", seed, at_least=0, below=2**64)
    tolerance = arguments.number("tolerance", tolerance, above=0)
    if method == "permutation":
        return _permuted(net, X, y, metric, n_repeats, seed, sample_weight)
    return _integrated(net, X, output, baseline, tolerance)


def _permuted(
    net: Network,
    X: Inputs,
    y: ArrayLike | None,
    metric: str | Function,
    n_repeats: int,
    seed: int,
    sample_weight: ArrayLike | None,
) -> FeatureImportance:
    """Return importance by permutation."""
    probe = Probe(net)
    if y is None:
        raise ParameterError("y is None, expected targets with method='permutation'")
    measured = (
        ()
        if isinstance(metric, str) and metric == "loss"
        else resolve([metric], probe.loss, net.layers[-1].n_out, "metric")
    )
    metrics: Any = [metric] if measured else []
    name = measured[0].name if measured else "loss"
    sign = -1 if measured and measured[0].greater_is_better else 1
    examples = probe.examples(X, y, sample_weight)
    rows = examples.X.toarray() if isinstance(examples.X, SparseRows) else np.array(examples.X)

    def measure() -> float:
        return net.evaluate(rows, examples.y, metrics, sample_weight=sample_weight)[name]

    before = measure()
    values = np.empty((n_repeats, rows.shape[1]))
    for column in range(rows.shape[1]):
        own = rows[:, column].copy()
        for repeat in range(n_repeats):
            words = raw(seed, EXCHANGED, repeat, column, len(rows))
            rows[:, column] = own[np.argsort(words, kind="stable")]
            values[repeat, column] = sign * (measure() - before)
        rows[:, column] = own
    return FeatureImportance("permutation", input_names(probe.layers, net.feature_names), values, name)


def _integrated(
    net: Network, X: Inputs, output: Any, baseline: ArrayLike | None, tolerance: float
) -> FeatureImportance:
    """Return importance by integrated gradients."""
    probe = Probe(net, dtype=np.float64)
    rows = probe.inputs(X)
    origin = np.zeros((1, probe.layers[0].n_in))
    if baseline is not None:
        given = np.asarray(baseline)[None] if np.ndim(baseline) == 1 else baseline
        origin = probe.scaled_inputs(probe.checks.inputs("baseline", given))
        if len(origin) not in (1, len(rows)):
            raise ShapeError(f"baseline has {len(origin)} rows, expected 1 or {len(rows)} as X has")
    outputs = chosen_outputs(probe, rows, output)
    integrals = IntegratedGradients(probe, tolerance)
    values, differences = integrals.of(rows, origin, outputs)
    names = input_names(probe.layers, net.feature_names)
    return FeatureImportance("integrated_gradients", names, values, "output", differences)
