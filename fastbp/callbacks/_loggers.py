"""Callbacks that write what a fit measures to files."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, ClassVar, TextIO

from fastbp._base.arguments import path as path_of
from fastbp._base.fields import checked_by, flag
from fastbp._base.shown import shown
from fastbp.callbacks._base import Callback, Columns, Watcher
from fastbp.callbacks._state import EpochState
from fastbp.exceptions import ParameterError


class CSVLogger(Callback):
    """Write a line per epoch to a CSV file: the number of the epoch, from 0, and all columns of the history.

    Each line is in the file as soon as its epoch ends, so other programs can follow the fit. Entries that
    were not measured are empty.

    Parameters
    ----------
    path : str or os.PathLike
        The file, in an existing folder.
    append : bool
        Whether to write behind the lines of a file that exists, instead of replacing it. Its columns must be
        those of this fit; the number of the epoch goes on. A fit that continues from a checkpoint keeps
        the lines of the epochs that the checkpoint has, and drops later ones, if the fit before had the same
        logger.

    Raises
    ------
    ParameterError
        The path is no path; from `fit`, before the first step: the file cannot be written, or has other
        columns.
    """

    only_watches: ClassVar[bool] = True
    path: str = checked_by(path_of, "str or os.PathLike")
    append: bool = flag(default=False)

    def begin(self, columns: Columns) -> Watcher:
        return CSVWriter(self.path, self.append)


class CSVWriter(Watcher):
    """The `CSVLogger` of one fit."""

    def __init__(self, path: str, append: bool) -> None:
        super().__init__()
        self._path, self._append = path, append
        self.state["lines"] = -1  # those before the ones of this fit; -1: it has not begun to write
        self.state["since"] = 0  # number of epochs of the fit before its first line
        self._columns: list[str] = []
        self._file: TextIO | None = None

    def on_fit_begin(self, state: EpochState) -> None:
        """Open the file and write the header; ParameterError if that is impossible."""
        self._columns = [*state.history]
        header = ",".join(["epoch", *map(_quoted, self._columns)])
        top, goes_on = header.splitlines(), int(self.state["lines"]) >= 0
        try:
            text = self._text() if self._append or goes_on else ""
            lines = text.splitlines(keepends=True)
            fits = not lines or text.splitlines()[: len(top)] == top
            if fits and goes_on:  # drop lines of epochs that are done again
                done = int(self.state["lines"]) + len(state.history) - int(self.state["since"])
                text = "".join(lines[: len(top) + done])
                if lines:
                    os.truncate(self._path, len(text.encode()))
            if fits:
                self._file = open(self._path, "a" if lines else "w", encoding="utf-8")  # noqa: SIM115
                if not text.endswith("\n"):  # a line that another program left open, or no line
                    self._write("" if lines else header)
        except (OSError, ValueError) as error:  # ValueError: not UTF-8, or no path of the system
            raise ParameterError(f"path is {self._path!r}, expected a file to write to: {error}") from error
        if self._file is None:
            first = shown(text.splitlines()[0])
            raise ParameterError(
                f"path is {self._path!r}, a file with the columns {first}, expected {header}"
            )
        if not goes_on:
            self.state["lines"], self.state["since"] = max(len(lines) - len(top), 0), len(state.history)

    def on_epoch_end(self, state: EpochState) -> None:
        """Write the line of the epoch."""
        row = state.metrics
        entries = [repr(row[name]) if name in state.measured else "" for name in self._columns]
        self._write(",".join([str(int(self.state["lines"]) + state.epoch), *entries]))

    def on_fit_end(self, state: EpochState) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _text(self) -> str:
        """Return what the file already has."""
        if not os.path.exists(self._path):
            return ""
        with open(self._path, encoding="utf-8", newline="") as file:
            return file.read()

    def _write(self, line: str) -> None:
        assert self._file is not None  # on_fit_begin has opened it
        self._file.write(line + "\n")
        self._file.flush()


def _quoted(name: str) -> str:
    """Return the name of a column as CSV."""
    return '"' + name.replace('"', '""') + '"' if set(name) & set(',"\r\n') else name


class TensorBoard(Callback):
    """Write losses, metrics and the learning rate of each epoch for TensorBoard.

    Needs the package tensorboard or tensorboardX: pip install tensorboard. The step of the curves is
    the number of the epoch, from 0, counted over all fits of the network. A fit that continues from a
    checkpoint writes a further event file, which begins with the first epoch that the checkpoint does not
    have.

    Parameters
    ----------
    log_dir : str or os.PathLike
        Folder of the event files; it is made if there is none. TensorBoard shows each folder as a run.

    Raises
    ------
    ParameterError
        The path is no path; from `fit`, before the first step: the folder cannot be written.
    ImportError
        From `fit`, before the first step: no package can write event files.
    """

    only_watches: ClassVar[bool] = True
    log_dir: str = checked_by(path_of, "str or os.PathLike")

    def begin(self, columns: Columns) -> Watcher:
        return EventWriter(self.log_dir, _writer_class())


def _writer_class() -> Any:
    """Return the class of a writer of event files."""
    for module, name in (("tensorboard.summary", "Writer"), ("tensorboardX", "SummaryWriter")):
        try:
            return getattr(import_module(module), name)
        except ImportError:
            continue
    message = (
        "the callback TensorBoard needs the package tensorboard or tensorboardX: "
        'pip install "fastbp[tensorboard]", or pip install tensorboard'
    )
    raise ImportError(message, name="tensorboard")


class EventWriter(Watcher):
    """The `TensorBoard` of one fit."""

    def __init__(self, log_dir: str, writer_class: Any) -> None:
        super().__init__()
        self._log_dir, self._writer_class = log_dir, writer_class
        self._writer: Any = None

    def on_fit_begin(self, state: EpochState) -> None:
        """Open the event file; ParameterError if that is impossible."""
        try:
            self._writer = self._writer_class(self._log_dir)
        except OSError as error:
            raise ParameterError(
                f"log_dir is {self._log_dir!r}, expected a folder to write to: {error}"
            ) from error

    def on_epoch_end(self, state: EpochState) -> None:
        """Write the entries of the epoch."""
        step = len(state.network.history) - 1
        for name, value in state.metrics.items():
            if name in state.measured and name != "seconds":
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def on_fit_end(self, state: EpochState) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
