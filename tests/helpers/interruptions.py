"""Ctrl-C at a chosen line of fastbp."""

import sys
from pathlib import Path

import fastbp

FOLDER = str(Path(fastbp.__file__).parent)


class Interruption:
    """A KeyboardInterrupt at the n-th line of fastbp's that is run, as a signal's handler raises it there."""

    def __init__(self, n):
        self.n, self.lines, self.place = n, 0, None

    def __enter__(self):
        sys.settrace(self._enter)

    def __exit__(self, *_):
        sys.settrace(None)

    def _enter(self, frame, event, argument):
        return self._step if frame.f_code.co_filename.startswith(FOLDER) else None

    def _step(self, frame, event, argument):
        if event == "line":
            self.lines += 1
            if self.lines == self.n:
                sys.settrace(None)
                self.place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self._step


def interrupt(call, n):
    """Run the call with an interruption at line n; return that, and what came out of the call."""
    interruption = Interruption(n)
    try:
        with interruption:
            call()
    except (KeyboardInterrupt, fastbp.DivergenceError) as error:
        return interruption, type(error)
    return interruption, None
