"""Training of an estimator's network: by epochs, or by L-BFGS."""

from __future__ import annotations

import warnings
from copy import copy
from inspect import signature
from math import nan
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring

from fastbp._base.shown import shown
from fastbp._scipy import minimize
from fastbp.exceptions import DivergenceError, ParameterError
from fastbp.sklearn._callbacks import EpochTasks
from fastbp.sklearn._estimator import Estimator, Examples
from fastbp.sklearn._parameters import Settings
from fastbp.sklearn._stopping import EpochRules

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
    "preprocessed."
)


def fit_epochs(
    estimator: Estimator,
    settings: Settings,
    data: Examples,
    held_out: Examples | None,
    tasks: EpochTasks | None,
    *,
    incremental: bool,
) -> None:
    """Train by epochs, one if `incremental`; the attributes of the estimator follow."""
    network, estimator.converged_ = estimator.network_, False
    options: dict[str, Any] = {}
    score = None
    if held_out is not None:
        weights = () if held_out.weights is None else (held_out.weights,)
        options["validation_data"] = (held_out.X, held_out.targets, *weights)
        if estimator.scoring is None:
            options["metrics"] = estimator._score_metric(held_out, network.loss)
        score = scorer(estimator, held_out, options.get("metrics"))
    rules = EpochRules(
        estimator,
        settings,
        data.n_rows,
        offset=estimator._loss_offset(data),
        score=score,
        score_offset=0.0 if held_out is None else estimator._loss_offset(held_out),
        is_incremental=incremental,
        tasks=tasks,
    )
    if not incremental:
        estimator.__dict__.pop("_best_parameters", None)  # a fit ends with its best weights
    elif settings.early_stopping and "_best_parameters" not in vars(estimator):
        estimator._best_parameters = network.parameters.copy()  # kept unless a call scores higher
    try:
        estimator._fit_network(
            data.X,
            data.targets,
            sample_weight=data.all_weights,
            epochs=1 if incremental else settings.max_iter,
            batch_size=batch_rows(settings, data.n_rows),
            shuffle=settings.shuffle,
            callbacks=rules,
            **options,
        )
    except DivergenceError as error:
        if not settings.early_stopping:
            raise ValueError(f"{NOT_FINITE} ({error})") from error
        note_divergence(estimator, error)
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=6)
    else:
        finish(estimator, settings, rules, incremental=incremental)


def finish(estimator: Estimator, settings: Settings, rules: EpochRules, *, incremental: bool) -> None:
    """Note whether the training has converged; warn if it has not."""
    estimator.converged_ = rules.has_converged
    if incremental:
        if rules.has_converged and settings.early_stopping:
            estimator.network_.parameters[:] = estimator._best_parameters
        if rules.has_converged:
            estimator._no_improvement_count = 0
    elif not rules.was_stopped and estimator.n_iter_ == settings.max_iter:
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({settings.max_iter}) reached and the optimization "
            "hasn't converged yet.",
            ConvergenceWarning,
            stacklevel=7,
        )


def note_divergence(estimator: Estimator, error: DivergenceError) -> None:
    """Record that an epoch had no score; the network is back where it was best."""
    assert estimator.validation_scores_ is not None
    assert estimator.validation_loss_curve_ is not None
    estimator.validation_scores_.append(nan)
    estimator.validation_loss_curve_.append(nan)
    warnings.warn(f"Training stopped: {error}", ConvergenceWarning, stacklevel=7)


def batch_rows(settings: Settings, n: int) -> int | None:
    """Return the rows of a batch; None: all rows, in order."""
    given = settings.batch_size
    if settings.optimizer is not None and settings.optimizer.full_batch:
        if given is not None and given < n:
            raise ParameterError(
                f"batch_size is {given} for {n} rows, expected 'auto': {settings.optimizer} takes all rows "
                "in each step"
            )
        return None
    if given is not None and given > n:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=7
        )
    return settings.rows_per_batch(n)


def check_scorer(estimator: Estimator) -> None:
    """Raise ValueError if `scoring` is not one score."""
    scoring = estimator.scoring
    if scoring is None or is_loss(scoring):
        return
    check_scoring(estimator, scoring)
    if not (isinstance(scoring, str) or callable(scoring)):  # such as a list of names
        raise ParameterError(f"scoring is {shown(scoring)}, expected one score: its name or a function")


def is_loss(scoring: Any) -> bool:
    """Tell whether the score is the loss."""
    return isinstance(scoring, str) and scoring == "loss"


def scored_by(estimator: Any) -> tuple[Any, Any]:
    """Return what makes scores comparable: the scoring, and the loss if it is the score."""
    return estimator.scoring, estimator.loss if is_loss(estimator.scoring) else None


def scorer(estimator: Estimator, held_out: Examples, metric: Any) -> Any:
    """Return the function that takes the state of a fit and returns the score on the data held out."""
    if metric is not None:
        column = f"validation_{getattr(metric, '__name__', metric)}"
        return lambda state: state.metrics[column]
    if is_loss(estimator.scoring):
        return lambda state: -state.metrics["validation_loss"]
    score, y = check_scoring(estimator, estimator.scoring), estimator._decoded(held_out.targets)
    weights = {} if held_out.weights is None else {"sample_weight": held_out.weights}
    if weights and not takes_weights(estimator.scoring):
        raise ParameterError(
            f"scoring is {shown(estimator.scoring)}, which has no argument sample_weight, expected one for "
            "validation data with weights"
        )

    def measured(state: Any) -> float:
        found = score(nameless(estimator), held_out.X, y, **weights)
        if np.ndim(found) or np.asarray(found).dtype.kind not in "biuf":
            raise ParameterError(f"scoring gave {shown(found)}, expected a number")
        return float(found)

    return measured


def takes_weights(scoring: Any) -> bool:
    """Tell whether a scoring can be called with sample weights; scikit-learn's own scorers can."""
    if isinstance(scoring, str):
        return True
    parameters = signature(scoring).parameters
    return "sample_weight" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def nameless(estimator: Estimator) -> Estimator:
    """Return the estimator without the names of the features, which checked data no longer have."""
    if not hasattr(estimator, "feature_names_in_"):
        return estimator
    same = copy(estimator)  # with the same network
    del same.feature_names_in_
    return same


def fit_lbfgs(estimator: Estimator, settings: Settings, data: Examples) -> None:
    """Train by L-BFGS, through SciPy; the attributes of the estimator follow."""
    before, estimator.converged_ = len(estimator.network_.history), False
    try:
        result = minimize(
            estimator.network_,
            data.X,
            data.targets,
            sample_weight=data.all_weights,
            max_iterations=settings.max_iter,
            options={"maxfun": settings.max_fun, "gtol": settings.tol},
            verbose=2 if settings.verbose else 0,
        )
    except DivergenceError as error:
        raise ValueError(f"{NOT_FINITE} ({error})") from error
    except KeyboardInterrupt:
        estimator.n_iter_ = len(estimator.network_.history) - before  # whose weights are kept
        raise
    estimator.n_iter_ = min(int(result.nit), settings.max_iter)
    estimator.loss_ = float(result.fun) + estimator._loss_offset(data)
    estimator.converged_ = result.status == 0
    if not estimator.converged_:
        is_limit = estimator.n_iter_ == settings.max_iter
        advice = (
            f"increase max_iter={settings.max_iter}, or scale the inputs" if is_limit else "scale the inputs"
        )
        warnings.warn(
            f"lbfgs failed to converge after {estimator.n_iter_} iteration(s) (status={result.status}):\n"
            f"{result.message}\nIt may help to {advice}.",
            ConvergenceWarning,
            stacklevel=6,
        )


def check_finite(estimator: Estimator) -> None:
    """Raise ValueError if a weight is NaN or infinite."""
    if not np.isfinite(estimator.network_.parameters).all():
        raise ValueError(NOT_FINITE)
