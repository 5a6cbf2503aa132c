"""Snapshots of a network in training, for the return from a divergence."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from fastbp import _core
from fastbp._model import Model

if TYPE_CHECKING:
    from fastbp._engine.protocol import Engine

SNAPSHOT_INTERVAL = 0.05  # least time between two snapshots, in seconds
SNAPSHOT_SHARE = 0.02  # largest share of a fit's time that snapshots take


class Snapshot(_core.Snapshot):
    """A finite state of a network at the end of an epoch, to which a fit that diverges returns."""

    def take(self, epoch: int, extra: object = None) -> bool:
        """Copy the state after `epoch` epochs of the fit; if it is not finite, only return False."""
        start = perf_counter()
        if not is_finite(self.engine):
            return False
        super().take(epoch, extra)
        now = perf_counter()
        self._due = now + max(SNAPSHOT_INTERVAL, (now - start) / SNAPSHOT_SHARE)
        return True

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next snapshot."""
        return perf_counter() >= self._due


def take_all(snapshot: Snapshot, model: Model, epoch: int) -> bool:
    """Like `Snapshot.take`, with the optimizer in force and what callbacks remember."""
    return snapshot.take(epoch, (model.optimizer, model.schedule, model.copy_of_remembered()))


def restore_all(snapshot: Snapshot, model: Model) -> None:
    """Put back all that `take_all` copied; may be repeated."""
    snapshot.restore()
    optimizer, schedule, remembered = snapshot.extra
    model.put_in_force(optimizer, schedule)
    model.remembered = {name: dict(state) for name, state in remembered.items()}


def is_finite(engine: Engine) -> bool:
    """Tell whether parameters and optimizer state are all finite."""
    parameters, state = engine.parameters, engine.state
    dtype = parameters.dtype
    return _core.first_nonfinite(parameters, dtype) < 0 and _core.first_nonfinite(state, dtype) < 0
