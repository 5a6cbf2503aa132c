"""Base classes of losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import as_array
from fastbp._base.value import Value
from fastbp.exceptions import ShapeError
from fastbp.losses._answers import NUMBERS, Answers
from fastbp.losses._targets import Numbers, Targets, one_hot

Array: TypeAlias = NDArray[np.floating[Any]]
Divisor: TypeAlias = Literal["one", "rows", "elements"]


# As in PyTorch's BCELoss: logarithms are at least -100, denominators at least 1e-12, so all stays finite.
LOWEST_LOG = -100.0
LOWEST_DENOMINATOR = 1e-12


class Loss(Value, ABC):
    """An observed error J, a function of output and target.

    A loss class declares all facts about the loss that other modules need.

    Attributes
    ----------
    name : str
        Name of its row in the engines' table.
    activation : str or None
        The only output activation that it allows, which is also the default; None: it allows any.
    targets : Targets
        The targets that it accepts.
    answers : Answers or None
        Reading of outputs as classes or as yes and no; None: they are numbers.
    """

    name: ClassVar[str]
    activation: ClassVar[str | None] = None
    targets: ClassVar[Targets] = Numbers()
    answers: ClassVar[Answers | None] = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that go with the loss; the first is the default."""
        return NUMBERS if self.answers is None else self.answers.metrics

    @property
    def outputs_per_target(self) -> int:
        """Number of outputs, side by side, that the loss compares with each target."""
        return 1

    def estimate(self, output: Array) -> Array:
        """Return the predictions (n, n_targets) that metrics measure, from outputs (n, n_out)."""
        return output

    @property
    @abstractmethod
    def divisor(self) -> Divisor:
        """Divisor of the sum that J is: 1 ("one"), the number of "rows" or that of "elements"."""

    @abstractmethod
    def __call__(self, output: ArrayLike, target: ArrayLike) -> float:
        """Return J(output, target)."""

    @abstractmethod
    def gradient(self, output: ArrayLike, target: ArrayLike) -> Array:
        """Return dJ/doutput, in the shape of `output`."""


class SumLoss(Loss):
    """A loss with a row in the engines' table: the sum of `terms` over rows and outputs, over a divisor."""

    squares: ClassVar[int] = 0  # (h - t)^2 over a term, for losses of squared errors

    @property
    def parameter(self) -> float:
        """The parameter of the loss, 0 if it has none."""
        return 0.0

    @property
    def output_parameters(self) -> tuple[float, ...]:
        """A parameter for each of the outputs of a target, for losses that have them; else ()."""
        return ()

    @property
    def divisor(self) -> Divisor:
        return "elements"

    def divide_by(self, rows: float, outputs: int) -> float:
        """Return the divisor for a number of rows, or for the sum of their weights."""
        return {"one": 1, "rows": rows, "elements": rows * outputs}[self.divisor]

    @abstractmethod
    def terms(self, h: Array, t: Array) -> Array:
        """Return the terms of the sum, before the division."""

    @abstractmethod
    def slopes(self, h: Array, t: Array) -> Array:
        """Return the derivative of the sum by each output, before the division, as a new array like h."""

    def expected(self, t: Array) -> Array:
        """Return the values (m, n_out) that `terms` and `slopes` compare h with, for t (m, n_targets)."""
        return t if self.outputs_per_target == 1 else np.repeat(t, self.outputs_per_target, axis=1)

    @np.errstate(all="ignore")  # overflow shows in the result, underflow is 0
    def __call__(self, output: ArrayLike, target: ArrayLike) -> float:
        """Return J(output, target).

        Parameters
        ----------
        output : array_like (m, n_out), or (n_out,) for one row
            float32 is computed in float32, everything else in float64; the sum is float64.
        target : array_like of the same shape
            Or (m,) for one output; for `cross_entropy`, integer labels (m,) or probabilities (m, n_out). With
            several outputs per target, (m, n_targets) or, for one target, (m,).
            Values are not checked, for example that probabilities are between 0 and 1; `fit` and `evaluate`
            do that.

        Raises
        ------
        ShapeError, DTypeError, DataError
            The shapes do not fit, an array is masked or not numeric, a label is out of range.
        ParameterError
            float32 does not hold the parameter of the loss.
        """
        h, t = self._operands(as_array("output", output), as_array("target", target))
        self.check_dtype(h.dtype)
        return float(self.terms(h, self.expected(t)).sum(dtype=np.float64)) / self.divide_by(*h.shape)

    @np.errstate(all="ignore")  # overflow shows in the result, underflow is 0
    def gradient(self, output: ArrayLike, target: ArrayLike) -> Array:
        """Return dJ/doutput, in the shape of `output`. Parameters and errors are those of the call."""
        given = as_array("output", output)
        h, t = self._operands(given, as_array("target", target))
        self.check_dtype(h.dtype)
        gradient = self.slopes(h, self.expected(t))
        gradient /= self.divide_by(*h.shape)
        return gradient.reshape(given.shape)

    def _operands(self, output: NDArray[Any], target: NDArray[Any]) -> tuple[Array, Array]:
        """Check both; return them as (m, n_out) arrays of the dtype to compute in."""
        h = as_rows(output)
        if self.targets.takes_labels and target.shape != output.shape:
            if target.shape != output.shape[:-1] or target.dtype.kind not in "biu":
                raise ShapeError(
                    f"target has shape {target.shape} and dtype {target.dtype}, "
                    f"expected integer labels {output.shape[:-1]} or probabilities {output.shape}"
                )
            return h, one_hot(target.reshape(-1), h.shape[1], h.dtype)
        n_targets = self._grouped(output).shape[-2]
        shape = (*output.shape[:-1], n_targets)
        if target.shape != shape and not (n_targets == 1 and target.shape == shape[:-1]):
            as_output = "as output has" if shape == output.shape else f"for output {output.shape}"
            raise ShapeError(f"target has shape {target.shape}, expected {shape} {as_output}")
        return h, target.reshape(len(h), n_targets).astype(h.dtype, copy=False)

    def _grouped(self, output: ArrayLike) -> Array:
        """Return outputs (..., n_out) as (..., n_targets, outputs_per_target)."""
        h, each = as_array("output", output), self.outputs_per_target
        if h.ndim == 0 or h.shape[-1] == 0 or h.shape[-1] % each:
            raise ShapeError(
                f"output has shape {h.shape}, expected (rows, outputs), {each} outputs per target"
            )
        return h.reshape(*h.shape[:-1], h.shape[-1] // each, each)


def as_rows(output: NDArray[Any]) -> Array:
    """Return the output as a non-empty (m, n_out) array of float32 or float64."""
    if output.ndim not in (1, 2) or output.size == 0:
        raise ShapeError(f"output has shape {output.shape}, expected (rows, outputs), both at least 1")
    return np.atleast_2d(output).astype(np.float32 if output.dtype == np.float32 else np.float64, copy=False)
