"""Base classes of losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import as_array
from fastbp._base.fields import flag
from fastbp._base.value import Value
from fastbp.exceptions import DataError, ShapeError
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
    ignore_nan : bool
        Whether targets that are NaN are unknown, and left out of J.
    """

    if TYPE_CHECKING:  # a field of some losses, and of others a constant

        @property
        def ignore_nan(self) -> bool: ...

    name: ClassVar[str]
    activation: ClassVar[str | None] = None
    targets: ClassVar[Targets] = Numbers()
    answers: ClassVar[Answers | None] = None

    @property
    def scales_targets(self) -> bool:
        """Whether `Network.adapt` may scale its targets: they are any numbers, and so are the outputs."""
        return self.targets.any_number and self.activation in (None, "identity")

    def output_scaling(self, mean: Array, scale: Array) -> tuple[Array, Array]:
        """Return factor and offset, (n_out,) each, that turn outputs into the units of raw targets.

        mean and scale (n_targets,) are those of the targets: the loss compares an output h with
        (target - mean) / scale, and the raw output is factor h + offset.
        """
        return scale, mean

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that go with the loss; the first is the default."""
        return NUMBERS if self.answers is None else self.answers.metrics

    @property
    def ignored_label(self) -> int | None:
        """Class label whose rows are left out of J, if there is one."""
        return None

    @property
    def takes_nan(self) -> bool:
        """Whether a target may be NaN."""
        return self.ignore_nan

    @property
    def nan_option(self) -> str:
        """How to make a loss like this one that takes NaN, for errors; "" if there is none."""
        return ""

    def known(self, target: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which targets are known, in the shape of `target`: numbers or class labels."""
        if target.ndim == 1 and self.ignored_label is not None:
            return np.asarray(target != self.ignored_label)
        if self.ignore_nan and target.dtype.kind == "f":
            return np.asarray(~np.isnan(target))
        return np.ones(target.shape, bool)

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
    """A loss with a row in the engines' table: the sum of `terms` over rows and outputs, over a divisor.

    Parameters
    ----------
    ignore_nan : bool
        Whether targets that are NaN are unknown: the sum is over the known ones, and so is their number, by
        which a mean divides. A row without any known target counts as absent.
    """

    ignore_nan: bool = flag(default=False, kw_only=True, is_quiet=True)
    squares: ClassVar[int] = 0  # (h - t)^2 over a term, for losses of squared errors

    @property
    def parameter(self) -> float:
        """The parameter of the loss, 0 if it has none."""
        return 0.0

    @property
    def nan_option(self) -> str:
        return f"{type(self).__name__}(ignore_nan=True) leaves unknown targets out"

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

    @abstractmethod
    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        """Return the second derivative of the sum by the outputs, times a direction r (m, n_out).

        This is how `slopes` changes along r, as a new array like h; where the slopes jump, 0 or the value of
        one side.
        """

    def expected(self, t: Array) -> Array:
        """Return the values (m, n_out) that `terms` and `slopes` compare h with, for t (m, n_targets)."""
        return self.repeated(t)

    def repeated(self, columns: Array) -> Array:
        """Return columns (m, n_targets), each repeated for the outputs of its target: (m, n_out)."""
        each = self.outputs_per_target
        return columns if each == 1 else np.repeat(columns, each, axis=1)

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
        h, t, known, _ = self._operands(as_array("output", output), as_array("target", target))
        terms = self.terms(h, self.expected(t))
        if known is not None:
            terms = np.where(self.repeated(known), terms, 0)  # which may be infinite
        return float(terms.sum(dtype=np.float64)) / self._divide(h, known)

    @np.errstate(all="ignore")  # overflow shows in the result, underflow is 0
    def gradient(self, output: ArrayLike, target: ArrayLike) -> Array:
        """Return dJ/doutput, in the shape of `output`. Parameters and errors are those of the call."""
        given = as_array("output", output)
        h, t, known, rows = self._operands(given, as_array("target", target))
        gradient = self.slopes(h, self.expected(t))
        if known is not None:
            gradient = np.where(self.repeated(known), gradient, gradient.dtype.type(0))
        gradient /= self._divide(h, known)
        if rows is not None:  # of which the others have the derivative 0
            gradient, kept = np.zeros((len(rows), h.shape[1]), h.dtype), gradient
            gradient[rows] = kept
        return gradient.reshape(given.shape)

    def _divide(self, h: Array, known: Array | None) -> float:
        """Return the divisor for outputs h (m, n_out), of whose targets only some may be known."""
        rows = len(h) if known is None else float(known.sum(dtype=np.float64)) / known.shape[1]
        return self.divide_by(rows, h.shape[1])

    def _operands(
        self, output: NDArray[Any], target: NDArray[Any]
    ) -> tuple[Array, Array, Array | None, NDArray[np.bool_] | None]:
        """Check output and target; return them in the dtype to compute in, without rows of unknown targets.

        They are followed by which targets are known, 1 or 0 (m, n_targets), or None for all, and by which
        rows are there (rows,), or None for all. Unknown targets become 0.
        """
        h, t, known = self._rows(output, target)
        self.check_dtype(h.dtype)
        if known is None:
            return h, t, None, None
        rows = np.asarray(known.any(axis=1))
        if not rows.any():
            raise DataError("target has no known value, expected at least one")
        h, t, known = h[rows], np.where(known, t, 0)[rows].astype(h.dtype, copy=False), known[rows]
        return h, t, None if known.all() else known.astype(h.dtype), rows

    def _rows(
        self, output: NDArray[Any], target: NDArray[Any]
    ) -> tuple[Array, Array, NDArray[np.bool_] | None]:
        """Check output and target; return them as rows, and which targets are known, None for all."""
        h = as_rows(output)
        if self.targets.takes_labels and target.shape != output.shape:
            if target.shape != output.shape[:-1] or target.dtype.kind not in "biu":
                raise ShapeError(
                    f"target has shape {target.shape} and dtype {target.dtype}, "
                    f"expected integer labels {output.shape[:-1]} or probabilities {output.shape}"
                )
            labels = target.reshape(-1)
            known = self.known(labels)
            if known.all():
                return h, one_hot(labels, h.shape[1], h.dtype), None
            t = one_hot(np.where(known, labels, 0), h.shape[1], h.dtype)
            return h, t, known[:, None]
        n_targets = self._grouped(output).shape[-2]
        shape = (*output.shape[:-1], n_targets)
        if target.shape != shape and not (n_targets == 1 and target.shape == shape[:-1]):
            as_output = "as output has" if shape == output.shape else f"for output {output.shape}"
            raise ShapeError(f"target has shape {target.shape}, expected {shape} {as_output}")
        target = target.reshape(len(h), n_targets)
        known = self.known(target)
        return h, target.astype(h.dtype, copy=False), None if known.all() else known

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
