"""The options of a fit, checked."""

from __future__ import annotations

from typing import NamedTuple, Self

from fastbp import callbacks
from fastbp._base.arguments import flag, integer, number, verbosity
from fastbp.callbacks import Callbacks, Columns, EarlyStopping, Function
from fastbp.exceptions import ParameterError
from fastbp.optimizers import Optimizer


class Options(NamedTuple):
    """The arguments of `Network.fit`, for so many rows to train on."""

    rows: int
    epochs: int
    batch_size: int | None
    shuffle: bool
    tol: float | None
    patience: int
    gradient_tol: float | None
    verbose: int

    def checked(self) -> Self:
        """Return the options as Python's own numbers; refuse what makes no sense."""
        checked = self._replace(
            epochs=integer("epochs", self.epochs, at_least=1, below=2**32),
            batch_size=None
            if self.batch_size is None
            else integer("batch_size", self.batch_size, at_least=1),
            shuffle=flag("shuffle", self.shuffle),
            tol=None if self.tol is None else number("tol", self.tol, at_least=0),
            patience=integer("patience", self.patience, at_least=1),
            gradient_tol=None
            if self.gradient_tol is None
            else number("gradient_tol", self.gradient_tol, above=0),
            verbose=verbosity(self.verbose),
        )
        if checked.gradient_tol is not None and checked.batch_rows < checked.rows:
            raise ParameterError(
                f"gradient_tol is {checked.gradient_tol} with batch_size={checked.batch_size} for "
                f"{checked.rows} rows, expected batch_size=None: at the minimum only the gradient of all "
                "rows vanishes"
            )
        return checked

    def begin_callbacks(self, given: Callbacks, columns: Columns, optimizer: Optimizer) -> list[Function]:
        """Return what is called after each epoch: for these options, then for the callbacks of the user's."""
        own = []
        if self.gradient_tol is not None:
            own.append(callbacks.at_minimum(self.gradient_tol))
        if self.tol is not None:
            own.append(EarlyStopping("loss", self.patience, self.tol, relative=True).begin(columns, "tol"))
        return own + callbacks.begin(given, columns, optimizer)

    @property
    def batch_rows(self) -> int:
        """The rows of a full batch."""
        return self.rows if self.batch_size is None else min(self.batch_size, self.rows)
