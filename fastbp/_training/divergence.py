"""The error of a fit that diverges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastbp.exceptions import DivergenceError
from fastbp.optimizers import LevenbergMarquardt, Optimizer

if TYPE_CHECKING:
    from fastbp._engine.protocol import Run

UNSCALED = "inputs or targets that are not scaled (mean 0 and variance 1 serve well)"
USUAL_CAUSES = (
    f"Usual causes: a learning rate that is too high, {UNSCALED}, a loss that is a sum over many rows"
)


def error(what: str, run: Run, back: str, optimizer: Optimizer) -> DivergenceError:
    """Return the error for `what`, which became NaN or infinite; the network goes `back` to that epoch."""
    epoch, step, steps = run.epoch, run.step, run.steps_per_epoch  # done, the bad one included
    if step:
        epoch += 1
    elif epoch:
        step = steps
    of = f" of {steps}" if steps else ""
    return DivergenceError(
        f"the {what} became NaN or infinite in epoch {max(epoch, 1)} of this fit, step {max(step, 1)}{of}; "
        f"the network is back where it was after epoch {back}. "
        + (f"Usual cause: {UNSCALED}" if isinstance(optimizer, LevenbergMarquardt) else USUAL_CAUSES)
    )
