"""The mean of the parameters of a fit, which takes their place between epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fastbp import _core
from fastbp.callbacks import WeightAveraging

if TYPE_CHECKING:
    from fastbp._engine.protocol import Engine


class Averaging:
    """The mean of the parameters of one fit: after each step by the engine, or here after each epoch.

    Parameters
    ----------
    engine : Engine
    chosen : WeightAveraging
    """

    def __init__(self, engine: Engine, chosen: WeightAveraging) -> None:
        self._engine, self._chosen = engine, chosen
        # (P,), or the parameters of the training while the mean is in their place
        self._mean = _core.aligned_zeros(engine.parameters.size, engine.parameters.dtype)
        self._places = _core.Exchange(engine.parameters, self._mean)
        self._t, self._n = engine.t, 0

    def start(self, terms: int = 0, mean: NDArray[Any] | None = None) -> None:
        """Let the engine update the mean after each step, if it is a moving average.

        A fit that continues has a mean (P,) of so many terms.
        """
        if mean is not None:
            self._mean[:] = mean
        # not earlier: another thread may have trained before the fit began
        self._t, self._n = self._engine.t - terms, terms
        if self._chosen.decay is not None:
            self._engine.set_average(self._mean, self._chosen.decay, terms)

    @property
    def terms(self) -> int:
        """Number of steps or epochs that are in the mean."""
        return self._n if self._chosen.decay is None else self._engine.t - self._t

    @property
    def mean(self) -> NDArray[Any]:
        """The mean (P,), while the parameters of the training are in place."""
        return self._mean

    def end_epoch(self, epoch: int) -> None:
        """Take the end of the epoch with this index into the mean; put the mean in place, if there is one."""
        if self._chosen.decay is None and epoch >= self._chosen.start_epoch:
            self._mean += (self._engine.parameters - self._mean) / (self._n + 1)
            self._n += 1
        self.show()

    def go_on(self) -> None:
        """Put the parameters of the training back."""
        self._places.set(False)

    def end(self) -> None:
        """Leave the mean in place for good, if there is one; may be repeated."""
        self.show()
        self.cancel()

    def cancel(self) -> None:
        """Average no longer, and leave in place what is there; may be repeated."""
        if self._chosen.decay is not None:
            self._engine.set_average(None)

    def show(self) -> None:
        """Put the mean in place, if there is one; may be repeated."""
        if self.terms:
            self._places.set(True)
