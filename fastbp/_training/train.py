"""From the arguments of `Network.fit` to a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from fastbp._base.shown import shown
from fastbp._model import Model
from fastbp._training import fit
from fastbp._training.array_data import arrays_of
from fastbp._training.data import Data, DataOptions
from fastbp._training.options import Options
from fastbp._training.validation import Validation, held_out
from fastbp.callbacks import Callbacks, FittedNetwork
from fastbp.exceptions import ParameterError
from fastbp.metrics import Metrics
from fastbp.splits import Split

if TYPE_CHECKING:
    from os import PathLike

    from fastbp._training.resuming import Found


def prepared(
    model: Model,
    network: FittedNetwork,
    X: Any,
    y: ArrayLike | None,
    *,
    epochs: int,
    validation_data: Any,
    validation_split: float | Split | None,
    validation_every: int,
    metrics: Metrics | None,
    callbacks: Callbacks | None,
    resume: str | PathLike[str] | None,
    data_options: DataOptions,
    **options: Any,
) -> fit.Fit:
    """Check the arguments of `Network.fit` and return the fit; callbacks get `network`.

    Parameters
    ----------
    data_options : dict
        The arguments that say what to do with the data.
    options
        The arguments of `Options` except `epochs`.
    """
    model.check_trainable()
    checked = Options(epochs=epochs, **options)
    saved = None if resume is None else saved_fit(model, resume)
    if validation_split is not None and validation_data is not None:
        raise ParameterError(
            f"validation_split is {shown(validation_split)} beside validation_data, expected one of them"
        )
    seed = saved.model.seed if saved else model.seed
    names = (saved.model.feature_names if saved else None) or model.checks.names_for(X)
    data: Data
    if y is None:
        from fastbp._training.batch_run import BatchData  # few need it

        data, split_off = BatchData(X, checked.epochs, validation_split, **data_options), None
    else:
        data, split_off = arrays_of(model, X, y, validation_split, seed, names, data_options)
    validation = held_out(
        model,
        validation_data,
        split_off,
        metrics,
        every=validation_every,
        epochs=checked.epochs,
        names=names,
        of_batches=y is None,
    )
    return fit_of(
        model,
        network,
        data,
        validation,
        checked,
        callbacks=callbacks,
        saved=saved,
        names=names,
        validation_split=validation_split,
    )


def saved_fit(model: Model, resume: str | PathLike[str]) -> Found | None:
    """Return what is in the file to continue from; None if there is none."""
    from fastbp._training import resuming  # few need it

    return resuming.read(resume, model)


def fit_of(
    model: Model,
    network: FittedNetwork,
    data: Data,
    validation: Validation | None,
    options: Options,
    *,
    callbacks: Callbacks | None,
    saved: Found | None,
    names: tuple[str, ...] | None,
    validation_split: float | Split | None = None,
) -> fit.Fit:
    """Return a fit of checked data, after the checks of the callbacks and of what goes together."""
    columns = {"loss": False} | (validation.columns if validation else {})
    hooks = options.begin_callbacks(callbacks, columns, model)
    data.check(model, options)  # after the callbacks, one of which may have set the optimizer
    files = None
    if saved is not None or hooks.checkpoints:
        from fastbp._training import checkpoints  # few need it

        same = checkpoints.same_of(options, hooks, validation, validation_split, data)
        files = checkpoints.Checkpoints(model, hooks, same, options.epochs, data, saved)
    return fit.Fit(
        model,
        network=network,
        data=data,
        options=options,
        validation=validation,
        hooks=hooks,
        files=files,
        names=names,
    )
