"""Progress of many fits: one bar for all of them, and lines."""

from __future__ import annotations

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
    networks : int
        Number of networks.
    epochs : int
        Number of epochs of all of them.
    """

    def __init__(self, verbose: int | Literal["auto"], networks: int, epochs: int) -> None:
        self._networks, self._epochs, self._lines = networks, epochs, verbose == 2
        self._bar = Bar(epochs) if verbose != "auto" or is_live() else None
        self._line, self._due = "", perf_counter()

    def update(self, done: float, epochs: int, ended: int) -> None:
        """Show how many epochs are done, with fractions, how many there will be, and fits that have ended."""
        text = f"{ended} of {counted(self._networks, 'network')} done"
        if self._bar is not None:
            if epochs != self._epochs:
                self._bar.resize(epochs)
                self._epochs = epochs
            self._bar.move(done, text)
            return
        self._line = f"{int(done)}/{epochs} epochs  {text}"
        if perf_counter() >= self._due:
            self._put()

    def end(self, index: int, result: History | Exception) -> None:
        """Print how the fit of a network ended, if lines are wanted."""
        if not self._lines or self._bar is None:
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
