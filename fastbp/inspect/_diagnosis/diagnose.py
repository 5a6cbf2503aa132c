"""`diagnose`: what keeps a network from learning, with causes, evidence and remedies."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastbp._base import arguments, markup
from fastbp._base.sparse import Inputs
from fastbp.exceptions import ParameterError
from fastbp.history import History
from fastbp.inspect._diagnosis.evidence import Evidence
from fastbp.inspect._diagnosis.findings import findings
from fastbp.inspect._diagnosis.layer_states import LayerState, Measures
from fastbp.inspect._diagnosis.next_step import next_step
from fastbp.inspect._diagnosis.remedies import Finding
from fastbp.inspect._probe import Probe
from fastbp.inspect._tables import aligned
from fastbp.network import Network

HEAD = (
    *("layer", "activation", "units", "|dJ/dW|", "RMS dJ/dz", "mean |f'|", "least"),
    *("saturated", "dead", "dW = 0", "update", "mean y", "std y"),
)
TEXT = (0, 1)  # columns of text; the others have numbers


class Diagnosis(NamedTuple):
    """What `diagnose` found; str() has the verdict, the findings and a table of the layers.

    Attributes
    ----------
    layers : tuple of LayerState
        Measures per layer.
    findings : tuple of Finding
        The most serious first.
    loss : float
        Loss of all rows, as `Network.evaluate` returns it.
    baseline : float
        Loss of a constant output, the mean of the targets; NaN for losses that compare several outputs with a
        target, and for custom ones.
    validation_loss : float
        NaN without validation data.
    gradient_ratio : float
        RMS of dJ/dW of the first trained layer over that of the last one; NaN if there is only one.
    rows : int
    """

    layers: tuple[LayerState, ...]
    findings: tuple[Finding, ...]
    loss: float
    baseline: float
    validation_loss: float
    gradient_ratio: float
    rows: int

    @property
    def is_healthy(self) -> bool:
        """Whether there is no finding."""
        return not self.findings

    @property
    def verdict(self) -> str:
        """The result in one line."""
        if self.is_healthy:
            return f"Healthy: no finding on {self.rows:,} rows, loss {self.loss:.4g}."
        n, first = len(self.findings), self.findings[0]
        place = "" if first.layer is None else f" in layers[{first.layer}]"
        counted = "1 finding" if n == 1 else f"{n} findings, the most serious one"
        return f"Not healthy: {counted}: {first.kind}{place}."

    def __str__(self) -> str:
        parts = [self.verdict, *map(str, self.findings), "\n".join(aligned([HEAD, *self._rows()], left=TEXT))]
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = ("finding", "cause", "evidence", "remedy")
        rows = [
            (f.kind if f.layer is None else f"{f.kind}, layers[{f.layer}]", f.cause, f.evidence, f.remedy)
            for f in self.findings
        ]
        found = markup.table(head, rows, left=range(4)) if rows else ""
        return markup.paragraph(self.verdict) + found + markup.table(HEAD, self._rows(), left=TEXT)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(i),
                state.activation,
                f"{state.units:,}",
                *(f"{x:.3g}" for x in (state.gradient_norm, state.delta_rms, state.mean_slope)),
                f"{state.least_slope:.3g}",
                f"{state.saturated:.0%}",
                f"{state.dead_units:,}",
                f"{state.zero_gradients:.0%}",
                *(f"{x:.3g}" for x in (state.update_ratio, state.mean, state.std)),
            )
            for i, state in enumerate(self.layers, 1)
        ]


def diagnose(
    net: Network,
    X: Inputs,
    y: ArrayLike,
    *,
    history: History | None = None,
    X_val: Inputs | None = None,
    y_val: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> Diagnosis:
    """Return measures of every layer on (X, y), and what keeps the network from learning.

    Each finding has a cause, the numbers that show it, and a remedy; ``finding.apply(net)`` returns a new
    network with the remedy, where it is mechanical. `fastbp.inspect.THRESHOLDS` lists the numbers beyond
    which something is a finding, with their sources. What follows from another finding is left out.

    The measures are those of the network as it is, without dropout and noise. Two things tell whether the
    learning rate is right. For all optimizers: how far the next step moves the weights; a copy of the network
    makes it on at most 256 rows. For SGD, also the largest eigenvalue of the Hessian on at most 512 rows:
    descent is stable if the rate is below twice its inverse.

    Parameters
    ----------
    net : Network
        It does not change.
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`: the rows to train on, or some of them in random order. Few
        rows tell less; fewer than 32 are not asked for dead or saturated units.
    history : History, optional
        Losses by epoch, which show steps that are too long, and overfitting. Default: `net.history`.
    X_val, y_val : array_like, optional
        Validation data, like X and y.
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Weights of the loss, as for `evaluate`.

    Returns
    -------
    Diagnosis
        Print it.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above, or as for `evaluate`; only one of X_val and y_val is given.
    BusyError
        Another thread is changing the network.

    References
    ----------
    X. Zhang, J. Zhai, S. Ma and C. Shen, AutoTrainer: an automatic DNN training problem detection and repair
    system, ICSE 2021.
    """
    probe = Probe(net)
    examples = probe.examples(X, y, sample_weight)
    if history is not None and not isinstance(history, History):
        raise ParameterError(f"history is a {type(history).__name__}, expected a fastbp.History or None")
    validation_loss = _validation_loss(net, X_val, y_val)
    measures = Measures(probe, examples)
    with np.errstate(all="ignore"):  # infinite numbers show in the results
        step = next_step(net, probe, examples, measures.gradient)
        states = measures.states(step.ratios)
        evidence = Evidence(
            net,
            examples,
            measures,
            states,
            step,
            net.evaluate(X, y, [], sample_weight=sample_weight)["loss"],
            net.history if history is None else history,
            validation_loss,
        )
        found = findings(evidence)
    return Diagnosis(
        states,
        found,
        evidence.loss,
        measures.baseline,
        validation_loss,
        evidence.over_ends("gradient_rms"),
        len(examples),
    )


def _validation_loss(net: Network, X_val: Inputs | None, y_val: ArrayLike | None) -> float:
    """Return the loss of the validation data; NaN without."""
    arguments.check_pair("X_val", X_val, "y_val", y_val)
    if X_val is None or y_val is None:
        return math.nan
    net._model.checks.examples(X_val, y_val, "X_val", "y_val")  # whose errors name them
    return net.evaluate(X_val, y_val, [])["loss"]
