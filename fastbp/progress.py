"""How a fit shows where it stands: a bar on stderr and, if asked, one line an epoch on stdout."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from fastbp.history import History

if TYPE_CHECKING:
    from fastbp import _core

REDRAW = 0.1  # seconds between two drawings of the plain bar
WIDTH = 30  # characters of the plain bar


class Progress:
    """Shows a fit; `update` between slices of work, `close` at its end.

    Parameters
    ----------
    epochs : int
        What the fit was asked for.
    lines : bool
        Print a line an epoch, too.
    """

    def __init__(self, epochs: int, lines: bool) -> None:
        self._epochs, self._lines, self._shown = epochs, lines, 0
        self._bar = _make_bar(epochs)

    def update(self, run: _core.Run, history: History) -> None:
        """Show where the run stands; `history` has its complete epochs."""
        if self._lines:
            for epoch in range(self._shown, len(history)):
                self._bar.write(
                    f"epoch {epoch + 1:{len(str(self._epochs))}}/{self._epochs}  {history.describe(epoch)}"
                )
            self._shown = len(history)
        elif len(history):
            self._bar.set_postfix_str(history.describe(-1), refresh=False)
        self._bar.update(run.epoch + run.step / run.steps_per_epoch - self._bar.n)

    def close(self) -> None:
        """Draw the bar a last time."""
        self._bar.close()


def _make_bar(epochs: int) -> Any:
    """Return tqdm's bar, which knows terminals and notebooks, or the plain one where there is no tqdm."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return PlainBar(epochs)
    layout = "{percentage:3.0f}% {bar:30} {n:.4g}/{total} epochs, {elapsed}<{remaining}{postfix}"
    return tqdm(total=epochs, bar_format=layout)


class PlainBar:
    """As much of tqdm's bar as `Progress` uses: a line on stderr that a carriage return redraws.

    Where stderr is no terminal only its last state is written.
    """

    def __init__(self, total: int) -> None:
        self.n = 0.0
        self._total, self._postfix, self._width = total, "", 0
        self._live = sys.stderr.isatty()
        self._drawn = perf_counter()

    def set_postfix_str(self, postfix: str, refresh: bool) -> None:
        """Set the text after the bar, for the next drawing."""
        self._postfix = postfix

    def update(self, n: float) -> None:
        """Move the bar by n epochs."""
        self.n += n
        if self._live and perf_counter() - self._drawn >= REDRAW:
            self._draw()

    def write(self, line: str) -> None:
        """Print a line above the bar."""
        if self._live:
            self._erase()
        print(line, flush=self._live)

    def close(self) -> None:
        """Draw the bar a last time and leave it."""
        self._draw()
        sys.stderr.write("\n")

    def _draw(self) -> None:
        self._erase()
        bar = ("#" * round(WIDTH * self.n / self._total)).ljust(WIDTH, ".")
        line = f"[{bar}] {self.n:.4g}/{self._total} epochs  {self._postfix}"
        sys.stderr.write(line)
        sys.stderr.flush()
        self._width, self._drawn = len(line), perf_counter()

    def _erase(self) -> None:
        sys.stderr.write("\r" + " " * self._width + "\r")
        self._width = 0
