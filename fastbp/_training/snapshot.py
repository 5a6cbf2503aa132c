"""Snapshots of a network in training, to go back to after a divergence."""

from __future__ import annotations

from time import perf_counter

from fastbp import _core

SNAPSHOT_INTERVAL = 0.05  # seconds between two snapshots, at least
SNAPSHOT_SHARE = 0.02  # of a fit's time that goes into snapshots, at most


class Snapshot(_core.Snapshot):
    """The last state known to be finite, at the end of an epoch: where a fit that diverges goes back to."""

    def take(self, epoch: int) -> bool:
        """Copy the state after so many epochs of the fit; return False, and do not, unless it is finite."""
        start = perf_counter()
        if not is_finite(self.engine):
            return False
        super().take(epoch)
        now = perf_counter()
        self._due = now + max(SNAPSHOT_INTERVAL, (now - start) / SNAPSHOT_SHARE)
        return True

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        return perf_counter() >= self._due


def is_finite(engine: _core.Engine) -> bool:
    """Tell whether parameters and optimizer state are all finite."""
    return all(_core.first_nonfinite(a, a.dtype) < 0 for a in (engine.parameters, engine.state))
