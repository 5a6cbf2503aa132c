"""Progress of a fit: a bar on stderr, and lines on stdout, one per epoch or a few.

Nothing here can end a fit: output that a missing, closed or broken stream refuses is dropped.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from time import perf_counter
from typing import Any, Literal, TypeAlias

from fastbp.history import History

REDRAW = 0.1  # seconds between two drawings of the plain bar on a terminal
RELINE = 30.0  # seconds between two lines if stderr is no terminal
LOG_INTERVAL = 1.0  # least seconds between two lines of `Log`
WIDTH = 30  # characters of the plain bar
LONG_EPOCH = 1.0  # seconds; slower fits show tenths of epochs
WHOLE = 1e-6  # epochs; rounding error allowed in a sum of many steps


def shown_by(verbose: int | Literal["auto"], epochs: int, done: float = 0.0, shown: int = 0) -> Shown | None:
    """Return what shows a fit of so many epochs; None if nothing does.

    An earlier fit, which this one continues, has done the first `done` epochs, and shown `shown` of them.
    """
    if verbose == "auto":
        return Progress(epochs, False, done, shown) if is_live() else Log(epochs, shown)
    return Progress(epochs, verbose == 2, done, shown) if verbose else None


class Progress:
    """Shows a fit: call `update` between slices of work and `close` at its end.

    Parameters
    ----------
    epochs : int
        Number of epochs requested.
    lines : bool
        Whether to print a line per epoch.
    done : float
        Number of epochs done before, with fractions.
    shown : int
        Number of epochs whose lines were printed before.
    """

    def __init__(self, epochs: int, lines: bool, done: float = 0.0, shown: int = 0) -> None:
        self._epochs, self._lines, self._shown = epochs, lines, shown
        self._bar = Bar(epochs, done)

    def update(self, epochs: float, history: History, step: int = 0) -> None:
        """Show the number of epochs done, with fractions; `history` has the complete ones.

        `step` is the number of steps done in an epoch whose length is not known.
        """
        if self._lines:
            for epoch in range(self._shown, len(history)):
                self._bar.write(line_of(epoch, self._epochs, history))
            self._shown = len(history)
        text = history.describe(-1) if len(history) and not self._lines else ""
        if step:
            text = f"step {step}  {text}".rstrip()
        self._bar.move(epochs, text)

    def close(self) -> None:
        """Draw the bar for the last time."""
        self._bar.close()


class Bar:
    """A bar of epochs: tqdm's or the plain one, to which it changes if tqdm's loses its stream."""

    def __init__(self, epochs: int, done: float = 0.0) -> None:
        self._epochs = epochs
        self._bar = _make_bar(epochs, done)

    def write(self, line: str) -> None:
        """Print a line above the bar."""
        self._show("write", line)

    def move(self, epochs: float, text: str) -> None:
        """Show so many epochs done, with fractions, and a text after the bar."""
        self._show("set_postfix_str", text, refresh=False)
        self._show("update", epochs - self._bar.n)

    def resize(self, epochs: int) -> None:
        """Change the number of all epochs, at the next drawing."""
        self._epochs = self._bar.total = epochs

    def close(self) -> None:
        """Draw the bar for the last time."""
        self._show("close")

    def _show(self, method: str, *args: Any, **options: Any) -> None:
        """Call a method of the bar; if its stream is gone, change to the plain bar, which tolerates that."""
        try:
            getattr(self._bar, method)(*args, **options)
        except Exception:
            self._bar = PlainBar(self._epochs)


class Log:
    """Shows a fit by plain lines on stdout: at most about one per second, and one for the last epoch.

    Parameters
    ----------
    epochs : int
        Number of epochs requested.
    shown : int
        Number of epochs whose lines were printed before.
    """

    def __init__(self, epochs: int, shown: int = 0) -> None:
        self._epochs, self._shown = epochs, shown
        self._history, self._due = History(), perf_counter()

    def update(self, epochs: float, history: History, step: int = 0) -> None:
        """Print the last complete epoch if it is time for a line."""
        self._history = history
        if perf_counter() >= self._due:
            self._put()

    def close(self) -> None:
        """Print the last complete epoch."""
        self._put()

    def _put(self) -> None:
        epochs = len(self._history)
        if epochs > self._shown:
            put_line(line_of(epochs - 1, self._epochs, self._history))
            self._shown, self._due = epochs, perf_counter() + LOG_INTERVAL


Shown: TypeAlias = Progress | Log


def line_of(epoch: int, epochs: int, history: History) -> str:
    """Return the line for the epoch with this index."""
    return f"epoch {epoch + 1:{len(str(epochs))}}/{epochs}  {history.describe(epoch)}"


def _make_bar(epochs: int, done: float) -> Any:
    """Return tqdm's bar on terminals and in notebooks; the plain bar elsewhere and without tqdm."""
    if not is_live():
        return PlainBar(epochs, done)
    layout = "{percentage:3.0f}% {bar:30} {done}/{total} epochs, {elapsed}<{remaining}{postfix}"
    try:
        return _tqdm_bar()(total=epochs, initial=done, bar_format=layout)
    except Exception:  # tqdm is missing, or cannot use this stderr
        return PlainBar(epochs, done)


@cache  # tqdm keeps every subclass that has made a bar, so a class per fit would leak
def _tqdm_bar() -> Any:
    """Return the class of tqdm's bars, with `counted` epochs; ImportError without tqdm."""
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        @property
        def format_dict(self) -> dict[str, Any]:
            found: dict[str, Any] = super().format_dict
            return found | {"done": counted(found["n"], found["elapsed"])}

    return Bar


def counted(epochs: float, seconds: float) -> str:
    """Return the number of epochs as text: whole ones, and tenths if epochs take long."""
    whole = int(epochs + WHOLE)
    if seconds > LONG_EPOCH * epochs and epochs - whole > WHOLE:
        return f"{int(10 * epochs) / 10:.1f}"
    return str(whole)


class PlainBar:
    """The part of tqdm's interface that `Progress` uses: a line on stderr, redrawn after a carriage return.

    If stderr is no terminal, it prints a new line every `RELINE` seconds or later, and at the end.
    """

    def __init__(self, total: int, done: float = 0.0) -> None:
        self.n, self.total = done, total
        self._postfix, self._width = "", 0
        self._live = is_live()
        self._interval = REDRAW if self._live else RELINE
        self._started = self._drawn = perf_counter()

    def set_postfix_str(self, postfix: str, refresh: bool) -> None:
        """Set the text after the bar, for the next drawing."""
        self._postfix = postfix

    def update(self, n: float) -> None:
        """Move the bar by n epochs."""
        self.n += n
        if perf_counter() - self._drawn >= self._interval:
            self._draw("" if self._live else "\n")

    def write(self, line: str) -> None:
        """Print a line above the bar."""
        self._erase()
        _put(sys.stdout, line + "\n", flush=self._live)

    def close(self) -> None:
        """Draw the bar for the last time and leave it on the screen."""
        self._draw("\n")

    def _draw(self, end: str) -> None:
        self._erase()
        self._drawn = perf_counter()
        bar = ("#" * round(WIDTH * self.n / max(self.total, 1))).ljust(WIDTH, ".")
        done = counted(self.n, self._drawn - self._started)
        line = f"[{bar}] {done}/{self.total} epochs  {self._postfix}".rstrip()
        _put(sys.stderr, line + end)
        self._width = len(line)

    def _erase(self) -> None:
        if self._live:
            _put(sys.stderr, "\r" + " " * self._width + "\r")
        self._width = 0


def is_live() -> bool:
    """Tell whether stderr redraws a line after a carriage return, as terminals and notebooks do."""
    try:
        return type(sys.stderr).__module__.startswith("ipykernel") or bool(sys.stderr.isatty())
    except Exception:  # stderr is missing or closed
        return False


def put_line(line: str) -> None:
    """Print a line on stdout, as far as that accepts it."""
    _put(sys.stdout, line + "\n")


def _put(stream: Any, text: str, flush: bool = True) -> None:
    """Write text, as far as the stream accepts it."""
    with suppress(Exception):
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.write(text.encode("ascii", "backslashreplace").decode())
        if flush:
            stream.flush()
