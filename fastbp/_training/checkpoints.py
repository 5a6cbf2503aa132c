"""Checkpoints of a fit: what is written to them, and when."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fastbp._model import Model
from fastbp._model_file import contents
from fastbp._model_file.callables import Named
from fastbp._model_file.described import encode_states
from fastbp._model_file.values import encode
from fastbp._training.averaging import Averaging
from fastbp._training.snapshot import Snapshot
from fastbp.callbacks import Checkpoint
from fastbp.callbacks._hooks import Hooks
from fastbp.exceptions import ParameterError
from fastbp.optimizers import NoRate
from fastbp.splits import Split

if TYPE_CHECKING:
    from fastbp._engine.protocol import Run
    from fastbp._training.data import Data
    from fastbp._training.options import Options
    from fastbp._training.resuming import Found, Point, Same
    from fastbp._training.validation import Validation


def same_of(
    options: Options,
    hooks: Hooks,
    validation: Validation | None,
    validation_split: float | Split | None,
    data: Data,
) -> Same:
    """Return what decides the results of a fit, except the network; causes before their effects."""
    measured = validation.columns if validation else {}
    return {
        **data.options,
        "tol": options.tol,
        "patience": None if options.tol is None else options.patience,
        "gradient_tol": options.gradient_tol,
        "callbacks": [repr(callback) for callback in hooks.training],
        "validation_split": _encoded(validation_split),
        **data.digests(),
        "validation_data": validation.digest() if validation else "none",
        "validation_every": validation.every if validation else None,
        "metrics": [name.removeprefix("validation_") for name in measured if name != "validation_loss"],
    }


def _encoded(validation_split: float | Split | None) -> float | str | None:
    """Return the argument as JSON; a number has the same text whatever its type."""
    if validation_split is None:
        return None
    return repr(validation_split) if isinstance(validation_split, Split) else float(validation_split)


class Checkpoints:
    """The files of one fit: the one that it continues from, and those that it writes.

    Parameters
    ----------
    model : Model
    hooks : Hooks
        The callbacks, of which some are checkpoints.
    same : dict
        What `same_of` returns.
    epochs : int
    data : Data
    saved : Found, optional
        What is in the file to continue from, if it exists.

    Attributes
    ----------
    point : Point or None
        Where the fit continues.
    """

    def __init__(
        self,
        model: Model,
        hooks: Hooks,
        same: Same,
        epochs: int,
        data: Data,
        saved: Found | None,
    ) -> None:
        self._model, self._hooks, self._same = model, hooks, same
        self.point: Point | None = None
        if saved is not None:
            from fastbp._training import resuming  # which a fit that only writes does not need

            isa = data.isa or model.engine.isa
            fitting = resuming.Fitting(epochs, data.steps_per_epoch, same, hooks.watched(own=True), isa)
            self.point = resuming.point_of(saved, model, fitting)
        self._files = [File(checkpoint, self.point) for checkpoint in hooks.checkpoints]
        self._check_apart()

    def _check_apart(self) -> None:
        """Raise ParameterError if two callbacks would write to one file."""
        names = [os.path.realpath(name) for file in self._files for name in file.names]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ParameterError(
                f"callbacks have two Checkpoints that write to {twice[0]!r}, expected different files"
            )

    def begin(self, run: Run, averaging: Averaging | None, kept: Snapshot, first_epoch: int) -> None:
        """Take the parts of the fit that files have; put them where the fit continues."""
        self._run, self._averaging, self._kept, self._first_epoch = run, averaging, kept, first_epoch
        point = self.point
        if point is None:
            return
        run.resume(point.progress)
        for name, state in self._hooks.watched().items():
            if name in point.watched:
                state.clear()
                state.update(point.watched[name])
        if point.kept is not None:
            kept.put(*point.kept)

    def next_after(self, epoch: int, most: int) -> int:
        """Return the number of epochs, at most `most`, after which a file is due, when `epoch` are done."""
        return min((file.next_after(epoch, most) for file in self._files), default=most)

    def due(self, stopped: str, has_ended: bool) -> list[File]:
        """Return the files to write now: if this call of `fit` has ended, all that are not up to date.

        `stopped` is the reason why the fit is complete; "" if a later call is to continue it.
        """
        return [file for file in self._files if file.is_due(self._run, stopped, has_ended)]

    def write(self, files: Sequence[File], stopped: str, is_under_way: bool) -> None:
        """Write files; `stopped` is as in `due`, and `is_under_way` tells whether an epoch has begun."""
        if self._averaging is not None:
            self._averaging.go_on()
        describe, arrays = partial(self._description, stopped, is_under_way), self._arrays()
        for file in files:
            file.make_room()
            contents.write(file.path, self._model, fit=describe, tensors=arrays)
            file.note(self._run, stopped)
        if self._averaging is not None and self._run.step == 0:
            self._averaging.show()

    def _description(self, stopped: str, is_under_way: bool, named: Named) -> dict[str, Any]:
        """Return what a file has of the fit, except its arrays."""
        return {
            "same": self._same,
            "first_epoch": self._first_epoch,
            "progress": encode(self._run.progress, named),
            "under_way": is_under_way,
            "stopped": stopped,
            "watched": encode_states(self._hooks.watched(), named),
            "kept": self._description_of_kept(named),
            "averaged": None if self._averaging is None else self._averaging.terms,
        }

    def _description_of_kept(self, named: Named) -> dict[str, Any] | None:
        """Return what a file has of the epoch that a callback kept; None if there is none."""
        if self._kept.numbers is None:
            return None
        _, _, steps, _ = self._kept.numbers
        optimizer, schedule, remembered = self._kept.extra
        return {
            "epoch": self._kept.epoch,
            "steps": steps,
            "optimizer": encode(optimizer, named),
            "schedule": None if type(schedule) is NoRate else encode(schedule, named),
            "remembered": encode_states(remembered, named),
        }

    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the fit that a file has, by name."""
        arrays: dict[str, NDArray[Any]] = {}
        if self._kept.numbers is not None:
            parameters, state, _, memory = self._kept.numbers
            arrays |= {"fit.kept.parameters": parameters, "fit.kept.state": state}
            if memory is not None:
                arrays["fit.kept.memory"] = memory
        if self._averaging is not None:
            arrays["fit.average"] = self._averaging.mean
        return arrays


class File:
    """The file of one `Checkpoint`, and those before it."""

    def __init__(self, chosen: Checkpoint, point: Point | None) -> None:
        self._chosen, self.path = chosen, os.path.abspath(chosen.path)  # a callback may change the folder
        self._older = [os.path.abspath(chosen.older(age)) for age in range(1, chosen.keep)]
        self.names = self.path, *self._older
        self._last: tuple[int, int, str] | None = None  # what the newest file says of the fit
        if point is not None and os.path.realpath(point.path) == os.path.realpath(self.path):
            self._last = *point.progress[:2], point.stopped
        self._due = perf_counter() + (chosen.seconds or 0)

    def next_after(self, epoch: int, most: int) -> int:
        """Return the number of epochs, at most `most`, after which it is due, if it goes by epochs."""
        every = self._chosen.epochs
        return most if every is None else min((epoch // every + 1) * every, most)

    def is_due(self, run: Run, stopped: str, has_ended: bool) -> bool:
        """Tell whether to write it now."""
        if self._last == (run.epoch, run.step, stopped):
            return False
        every = self._chosen.epochs
        if has_ended:
            return True
        return perf_counter() >= self._due if every is None else run.step == 0 and run.epoch % every == 0

    def note(self, run: Run, stopped: str) -> None:
        """Note that it has just been written."""
        self._last = run.epoch, run.step, stopped
        self._due = perf_counter() + (self._chosen.seconds or 0)

    def make_room(self) -> None:
        """Rename the files before the newest, and give the newest a second name, until it is replaced."""
        older = self._older
        if not older or not os.path.exists(self.path):
            return
        with suppress(FileNotFoundError):
            if os.path.samefile(self.path, older[0]):  # a kill or an error came before it was replaced
                return
        for to, name in zip(older[:0:-1], older[-2::-1], strict=True):
            with suppress(FileNotFoundError):
                os.replace(name, to)
        with suppress(FileNotFoundError):
            os.unlink(older[0])  # the only one, which was not renamed
        try:
            os.link(os.path.realpath(self.path), older[0])
        except OSError:  # the file system has no links
            shutil.copyfile(self.path, older[0])
