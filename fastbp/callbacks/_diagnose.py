"""The callback `Diagnose`: what the derivatives say while a network is being trained."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs
from fastbp.callbacks._base import Watcher
from fastbp.callbacks._state import EpochState
from fastbp.exceptions import ParameterError

Finding: TypeAlias = Any  # a `fastbp.inspect.Finding`; `inspect` is a layer above this one
Answer: TypeAlias = Callable[[Finding, EpochState], object]

ANSWERS = ("warn", "print", "stop")


class Diagnose(Watcher):
    """Diagnose the network before the first step of a fit and after epochs; report each finding once.

    Every diagnosis is that of `Network.diagnose`, with the history of the fit so far. So it also finds what
    only a course shows: losses that rise, swing or do not move, and overfitting if the fit has validation
    data. The training is the same as without it, unless it stops the fit. The object has what it recorded in
    the last fit.

    Parameters
    ----------
    X, y : array_like, or sparse for X, optional
        Data to diagnose with, all rows. Default: rows of the fit's own data; a fit on batches from an
        iterable needs X and y.
    every : int, >= 1
        Number of epochs between two diagnoses.
    rows : int, >= 1
        Number of rows of the fit's data to diagnose with, as of `EpochState.sample`.
    on_finding : "warn" or "print" or "stop", or callable
        What to do with a new finding: a UserWarning; print it; a warning, and stop the fit with the kind of
        the finding as the reason; or call a function of the finding and the `EpochState`, which can set the
        learning rate, for example. Of findings of the same kind, one per layer is reported.
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Weights of X and y, as for `evaluate`.

    Attributes
    ----------
    epochs : int array, shape (k,)
        Number of complete epochs of the fit at each diagnosis; 0 is before the first step.
    measures : dict of arrays, shape (k, layers)
        The numbers of each layer at each diagnosis, by the names of `fastbp.inspect.LayerState`; NaN where a
        layer has none. "moved" is |W - W before the epoch| / |W before the epoch| for the last epoch before
        the diagnosis, NaN before the first step; about the update-to-weight ratio of one step times the
        number of steps, or less where steps point in different directions.
    findings : list of (int, Finding)
        What was reported, each with the number of complete epochs.
    diagnosis : Diagnosis or None
        The last one; as text, a report.

    Raises
    ------
    ParameterError
        An argument is not as above; from `fit`, before the first step: it reads batches, and there are no X
        and y.
    """

    def __init__(
        self,
        X: Inputs | None = None,
        y: ArrayLike | None = None,
        *,
        every: int = 1,
        rows: int = 512,
        on_finding: str | Answer = "warn",
        sample_weight: ArrayLike | None = None,
    ) -> None:
        super().__init__()
        arguments.check_pair("X", X, "y", y)
        if sample_weight is not None and X is None:
            raise ParameterError("sample_weight without X and y, expected None: the fit has its own weights")
        self.every = arguments.integer("every", every, at_least=1)
        self.rows = arguments.integer("rows", rows, at_least=1)
        if not callable(on_finding) and on_finding not in ANSWERS:
            raise ParameterError(
                f"on_finding is {shown(on_finding)}, expected one of: {', '.join(ANSWERS)}, or a function of "
                "the finding and the state"
            )
        self.on_finding = on_finding
        self._given: tuple[Any, Any, Any] | None = None if X is None else (X, y, sample_weight)
        self.state["reported"] = ""
        self._clear()

    def _clear(self) -> None:
        self.diagnosis: Any = None
        self.findings: list[tuple[int, Finding]] = []
        self._epochs: list[int] = []
        self._records: list[dict[str, list[float]]] = []  # by name, one number per layer
        self._data: tuple[Any, Any, Any] | None = None
        self._before: tuple[NDArray[Any], ...] | None = None  # the weights W at the start of the epoch

    def __repr__(self) -> str:
        answer = self.on_finding if isinstance(self.on_finding, str) else "function"
        return f"{type(self).__name__}(every={self.every}, rows={self.rows}, on_finding={answer!r})"

    @property
    def epochs(self) -> NDArray[np.int64]:
        """Number of complete epochs of the fit at each diagnosis."""
        return np.array(self._epochs, np.int64)

    @property
    def measures(self) -> Mapping[str, NDArray[np.float64]]:
        """The numbers of each layer (k, layers) by name."""
        names = self._records[0] if self._records else ()
        return {name: np.array([record[name] for record in self._records]) for name in names}

    # ---- hooks

    def on_fit_begin(self, state: EpochState) -> None:
        """Start anew, and diagnose the network as it is before the first step."""
        if not state.is_resumed:
            self.state["reported"] = ""
        self._clear()
        self._data = self._given or state.sample(self.rows)
        if self._data is None:
            raise ParameterError(
                f"callbacks has {self} in a fit on batches from an iterable, expected Diagnose(X, y): only "
                "arrays can be looked at beforehand"
            )
        if not state.is_under_way:
            self._look(state)

    def on_epoch_begin(self, state: EpochState) -> None:
        """Keep the weights, to see how far the epoch moves them."""
        if (len(state.history) + 1) % self.every == 0:
            self._before = tuple(W.copy() for W in state.network.weights)

    def on_epoch_end(self, state: EpochState) -> None:
        """Diagnose the network, if it is its turn."""
        if len(state.history) % self.every == 0:
            self._look(state)

    def on_fit_end(self, state: EpochState) -> None:
        """Let go of the data and the weights."""
        self._data = self._before = None

    def _look(self, state: EpochState) -> None:
        if self._data is None:
            raise ParameterError(
                f"callbacks has {self} in a fit, while another fit that used it has ended, expected one "
                "object for each of several fits at the same time"
            )
        X, y, sample_weight = self._data
        epoch, network = len(state.history), state.network
        found = network.diagnose(X, y, history=state.history, sample_weight=sample_weight)
        numbers = [_numbers(layer) for layer in found.layers]
        record = {name: [layer[name] for layer in numbers] for name in numbers[0]}
        record["moved"] = [np.nan] * len(numbers) if self._before is None else self._moved(network.weights)
        self._before = None
        self.diagnosis = found
        self._epochs.append(epoch)
        self._records.append(record)
        for finding in found.findings:
            self._report(finding, epoch, state)

    def _moved(self, weights: tuple[NDArray[Any], ...]) -> list[float]:
        """Return the distance of the weights of each layer from those before the epoch, by their norm."""
        assert self._before is not None
        moved = []
        for W, before in zip(weights, self._before, strict=True):
            norm = float(np.linalg.norm(before))
            moved.append(float(np.linalg.norm(W - before)) / norm if norm else np.nan)
        return moved

    def _report(self, finding: Finding, epoch: int, state: EpochState) -> None:
        """Do what is to be done with a finding, unless one like it was reported before."""
        name = f"{finding.kind}, {finding.layer}"
        reported = str(self.state["reported"]).splitlines()
        if name in reported:
            return
        self.state["reported"] = "\n".join([*reported, name])
        self.findings.append((epoch, finding))
        answer = self.on_finding
        if not isinstance(answer, str):
            answer(finding, state)
            return
        when = "before the first step" if epoch == 0 else f"after epoch {epoch}"
        if answer == "print":
            print(f"{when}: {finding}")
        else:
            warnings.warn(f"{when}: {finding}", UserWarning, stacklevel=_stacklevel())
        if answer == "stop":
            state.stop(finding.kind)


def _numbers(layer: Any) -> dict[str, float]:
    """Return the numbers of a `fastbp.inspect.LayerState` by name."""
    return {name: value for name, value in layer._asdict().items() if isinstance(value, (int, float))}


def _stacklevel() -> int:
    """Return the stack level, seen from the caller, of the first frame that is not of fastbp."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("fastbp."):
        level, frame = level + 1, frame.f_back
    return level
