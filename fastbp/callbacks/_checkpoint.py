"""The callback `Checkpoint`: files from which a fit can be continued."""

from __future__ import annotations

import os
import re
from typing import Any, ClassVar

from fastbp._base import arguments
from fastbp._base.arguments import LONGEST_NAME
from fastbp._base.fields import checked_by, integer
from fastbp._base.shown import shown
from fastbp.callbacks._base import Callback, Columns, Watcher
from fastbp.exceptions import ParameterError
from fastbp.optimizers import Optimizer

UNITS = {"s": 1, "m": 60, "h": 3600}  # seconds


def _interval(argument: str, value: Any) -> int | str:
    """Return a number of epochs, or a time as text."""
    if not isinstance(value, str):
        return arguments.integer(argument, value, at_least=1)
    _seconds(argument, value)
    return value


def _seconds(argument: str, value: str) -> float:
    """Return a time like "10s" in seconds."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([smh])", value, re.ASCII)
    seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not 0 < seconds < float("inf"):
        raise ParameterError(
            f'{argument} is {shown(value)}, expected a number of epochs, or a time such as "10s" or "5m"'
        )
    return seconds


class Checkpoint(Callback):
    """Write the state of the fit to a file, from which ``fit(..., resume=path)`` continues it.

    The file is a model file, with what the fit needs to go on, so `fastbp.load` reads the network of that
    moment from it. It is written after the callbacks of the epoch, and once more when the fit ends. A kill at
    any moment leaves the old file or the new one. docs/guide/files.md tells what a continued fit has to have
    in common with the first one.

    Parameters
    ----------
    path : str or os.PathLike
        The file, in an existing folder; its name usually ends in ".safetensors".
    every : int, >= 1, or str
        Number of epochs between two files, or a time such as "10s", "5m" or "2h". With a time, files are
        also written inside an epoch.
    keep : int, >= 1 and < 1001
        Number of files to keep: the newest at `path`, the one before as "run.1.safetensors" beside
        "run.safetensors", then "run.2.safetensors" and so on.

    Raises
    ------
    ParameterError
        An argument is not as above; from `fit`, before the first step: the folder does not exist or cannot be
        written to.
    OSError
        From `fit`: the file cannot be written.
    """

    only_watches: ClassVar[bool] = True
    path: str = checked_by(arguments.path, "str or os.PathLike")
    every: int | str = checked_by(_interval, "int, >= 1, or str", default=1)
    keep: int = integer(default=3, at_least=1, below=1001)

    @property
    def epochs(self) -> int | None:
        """Number of epochs between two files; None if they go by time."""
        return None if isinstance(self.every, str) else self.every

    @property
    def seconds(self) -> float | None:
        """Time between two files; None if they go by epochs."""
        return _seconds("every", self.every) if isinstance(self.every, str) else None

    def older(self, age: int) -> str:
        """Return the path of the file before the newest (1), of the one before that (2), and so on."""
        stem, suffix = os.path.splitext(self.path)
        return f"{stem}.{age}{suffix}"

    def check(self, argument: str, optimizer: Optimizer) -> None:
        """Raise ParameterError if the folder of the file cannot be written to, or a name is too long."""
        folder = os.path.dirname(os.path.realpath(self.path))
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK) or os.path.isdir(self.path):
            raise ParameterError(
                f"{argument} is {self}, expected a file in an existing folder that can be written to"
            )
        longest = self.older(self.keep - 1) if self.keep > 1 else self.path
        if len(os.fsencode(os.path.basename(longest))) > LONGEST_NAME:
            raise ParameterError(
                f"{argument} is {self}, expected a name of at most {LONGEST_NAME} bytes, also for older files"
            )

    def begin(self, columns: Columns) -> Watcher:
        """Return an object without hooks: the fit itself writes the files."""
        return Watcher()
