"""The options of a fit, checked."""

from __future__ import annotations

from typing import NamedTuple, Self

from fastbp import callbacks
from fastbp._base.arguments import flag, integer, number, verbosity
from fastbp._model import Model
from fastbp.callbacks import Callbacks, Columns, EarlyStopping, EpochState, Function
from fastbp.exceptions import ParameterError


class Options(NamedTuple):
    """The arguments of `Network.fit` that control the fit, and the number of rows to train on."""

    rows: int
    epochs: int
    batch_size: int | None
    shuffle: bool
    tol: float | None
    patience: int
    gradient_tol: float | None
    verbose: int

    def checked(self) -> Self:
        """Return the options as Python's own numbers; ParameterError if one is out of range."""
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

    def begin_callbacks(self, given: Callbacks, columns: Columns, model: Model) -> list[Function]:
        """Return the functions to call after each epoch: for these options, then the user's callbacks."""
        functions = []
        if self.gradient_tol is not None:
            functions.append(at_minimum(model, self.gradient_tol))
        if self.tol is not None:
            stopping = EarlyStopping("loss", self.patience, self.tol, relative=True)
            functions.append(stopping.begin(columns, "tol"))
        return functions + callbacks.begin(given, columns, model.optimizer)

    @property
    def batch_rows(self) -> int:
        """Number of rows per batch, but for a short last one."""
        return self.rows if self.batch_size is None else min(self.batch_size, self.rows)


def at_minimum(model: Model, gradient_tol: float) -> Function:
    """Return the callback that stops when no element of the gradient is larger in magnitude."""

    def on_epoch_end(state: EpochState) -> None:
        gradients = model.engine.gradients
        largest = max(float(gradients.max()), -float(gradients.min()))  # without a temporary vector
        if largest <= gradient_tol:  # False for NaN
            state.stop("gradient_tol")

    return on_epoch_end
