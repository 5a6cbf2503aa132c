"""Progress of many fits: one bar for all of them, and lines."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from time import perf_counter
from typing import Literal

from fastbp._base.shown import counted
from fastbp._training.progress import LOG_INTERVAL, Bar, is_live, put_line
from fastbp.history import History


class Shown:
    """Shows the fits of many networks.

    Parameters
    ----------
    verbose : 1, 2 or "auto"
        As for `fit_many`.
    epochs : sequence of int
        Number of epochs that each network is to be trained for.
    """

    def __init__(self, verbose: int | Literal["auto"], epochs: Sequence[int]) -> None:
        self._planned, self._lines = epochs, verbose == 2
        self._epochs, self._done, self._ended = sum(epochs), 0.0, 0
        self._bar = Bar(self._epochs) if verbose != "auto" or is_live() else None
        self._line, self._due = "", perf_counter()

    def update(self, under_way: float = 0.0) -> None:
        """Show how many epochs are done; fits that have not ended have done `under_way`, with fractions."""
        done, text = self._done + under_way, f"{self._ended} of {counted(len(self._planned), 'network')} done"
        if self._bar is not None:
            self._bar.move(done, text)
            return
        self._line = f"{int(done)}/{self._epochs} epochs  {text}"
        if perf_counter() >= self._due:
            self._put()

    def end(self, index: int, result: History | Exception, done: float) -> None:
        """Count a network whose fit has ended after so many epochs; print how, if lines are wanted."""
        self._ended += 1
        self._done += done
        self._epochs += round(done) - self._planned[index]
        if self._bar is None:
            return
        self._bar.resize(self._epochs)
        if not self._lines:
            return
        if isinstance(result, History):
            last = f"  {result.describe(-1)}" if len(result) else ""
            text = f"{counted(len(result), 'epoch')} ({result.stopped}){last}"
        else:
            text = type(result).__name__
            with suppress(Exception):  # of the class of a user
                text = f"{text}: {' '.join(str(result).split()):.200}"
        self._bar.write(f"network {index}: {text}")

    def close(self) -> None:
        """Draw the bar, or print the last line."""
        if self._bar is not None:
            self._bar.close()
        else:
            self._put()

    def _put(self) -> None:
        if self._line:
            put_line(self._line)
            self._line, self._due = "", perf_counter() + LOG_INTERVAL
