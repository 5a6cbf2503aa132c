"""`Plan`: how a fit makes its steps from shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self, TypeAlias

from fastbp._base.arguments import flag, integer
from fastbp._base.shown import shown
from fastbp._model import Model
from fastbp.callbacks import Callbacks, WeightAveraging
from fastbp.exceptions import ParameterError
from fastbp.optimizers import GradientOptimizer

Mode: TypeAlias = Literal["synchronous", "local"]


class Plan(NamedTuple):
    """Arguments of `fit`, checked."""

    mode: Mode
    batch_size: int | None
    shuffle: bool
    local_steps: int | None

    @classmethod
    def checked(cls, mode: Any, batch_size: Any, shuffle: Any, local_steps: Any) -> Self:
        """Return the plan of these arguments; ParameterError if one is not as `fit` says."""
        if not isinstance(mode, str) or mode not in ("synchronous", "local"):
            raise ParameterError(f"mode is {shown(mode)}, expected 'synchronous' or 'local'")
        if local_steps is not None and mode != "local":
            raise ParameterError(
                f"local_steps is {shown(local_steps)} with mode={mode!r}, expected None, or mode='local'"
            )
        return cls(
            "local" if mode == "local" else "synchronous",
            None if batch_size is None else integer("batch_size", batch_size, at_least=1),
            flag("shuffle", shuffle),
            None if local_steps is None else integer("local_steps", local_steps, at_least=1),
        )

    @property
    def is_random(self) -> bool:
        """Whether the rows get a new order in each epoch; a single batch needs none."""
        return self.shuffle and self.batch_size is not None

    def batch_rows(self, rows: int) -> int:
        """Return the number of rows in a batch from so many rows."""
        return rows if self.batch_size is None else min(self.batch_size, rows)

    def own_steps(self, rows: int) -> int:
        """Return the number of batches in an epoch over so many rows."""
        return -(-rows // self.batch_rows(rows)) if rows else 0

    def steps_per_epoch(self, rows: Sequence[int]) -> int:
        """Return the number of steps in an epoch over shards of so many rows; local: of the largest one."""
        return self.own_steps(max(rows) if self.mode == "local" else sum(rows))

    def check(self, model: Model, rows: int, gradient_tol: float | None) -> None:
        """Raise ParameterError unless a model can be trained like this on so many rows in all."""
        optimizer, batch_rows = model.optimizer, self.batch_rows(rows)
        if not isinstance(optimizer, GradientOptimizer):
            raise ParameterError(
                f"optimizer is {optimizer} in fastbp.dask.fit, expected one that makes steps along "
                "gradients, such as adam"
            )
        if self.mode == "local" and optimizer.full_batch:
            raise ParameterError(
                f"optimizer is {optimizer} with mode='local', expected mode='synchronous': "
                f"{type(optimizer).__name__} {optimizer.why_full_batch}"
            )
        if gradient_tol is not None and self.mode == "local":
            raise ParameterError(
                f"gradient_tol is {gradient_tol} with mode='local', expected None: no step has the gradient "
                "of all rows"
            )
        if gradient_tol is not None and batch_rows < rows:
            raise ParameterError(
                f"gradient_tol is {gradient_tol} with batch_size={self.batch_size} for {rows} rows, expected "
                "batch_size=None: only the full-batch gradient goes to 0 at the minimum"
            )
        if self.mode == "synchronous":
            optimizer.check(model.architecture, batch_rows, rows)

    def check_callbacks(self, callbacks: Callbacks | None) -> None:
        """Raise ParameterError if a callback needs single steps, which the local mode does on the shards."""
        given = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
        for callback in given:
            if self.mode == "local" and isinstance(callback, WeightAveraging) and callback.decay is not None:
                raise ParameterError(
                    f"callbacks has {callback} with mode='local', expected StochasticWeightAveraging or "
                    "mode='synchronous': a moving average needs every step, and the steps are those of the "
                    "shards"
                )
