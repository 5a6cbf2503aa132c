"""`DaskMLPRegressor`."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np

from fastbp.dask import _prediction
from fastbp.dask._collections import (
    Columns,
    check_some_rows,
    checked_targets,
    checked_weights,
    computed,
    each,
    is_collection,
)
from fastbp.dask._estimators import OverShards, Survey, check_same_shapes
from fastbp.sklearn._callbacks import with_callbacks
from fastbp.sklearn._estimator import Array, Examples
from fastbp.sklearn._regressor import MLPRegressor
from fastbp.sklearn._types import (
    Activations,
    AnyLoss,
    AnyOptimizer,
    Data,
    Dropout,
    LearningRate,
    OutputActivation,
    RandomState,
    Scoring,
    Units,
)


class Targets(NamedTuple):
    """The targets of a partition in short."""

    n_rows: int
    shape: tuple[int, ...]  # of a row
    weight: float
    offset: float  # constant that is part of scikit-learn's loss and not of fastbp's


def targets_in(y: Any, weights: Any, model: Any) -> Targets:
    """Return the targets of a partition in short; `model` knows the loss."""
    y = checked_targets(y, is_numeric=True)
    weights = checked_weights(weights, y)
    weight = float(len(y) if weights is None else weights.sum())
    offset = model._loss_offset(Examples(None, y, weights)) if weight else 0.0
    return Targets(len(y), y.shape[1:], weight, offset)


class DaskMLPRegressor(OverShards, MLPRegressor):
    """Multi-layer perceptron for regression, trained by `fastbp.dask.fit` over the workers of a cluster.

    The data are dask arrays or data frames, whose partitions never pass through one machine, or data in
    memory. What is trained does not depend on the number of workers and threads, and not on where tasks run;
    the partitions themselves are part of the result. The targets are read twice, and all data once, so it is
    best to call ``persist()`` on collections that are slow to compute.

    Parameters
    ----------
    loss, hidden_layer_sizes, activation, ...
        All parameters of `fastbp.sklearn.MLPRegressor` except `max_fun`, with its defaults. The solver
        "lbfgs" is refused. With dask collections, early stopping needs X_val and y_val.
    mode, local_steps, shards, client
        As for `DaskMLPClassifier`.

    Attributes
    ----------
    client_ : distributed.Client or None
        The client in use.
    network_, coefs_, intercepts_, loss_, loss_curve_, n_iter_, n_features_in_, ...
        As in `fastbp.sklearn.MLPRegressor`.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastbp.dask import DaskMLPRegressor
    >>> X = da.random.default_rng(0).normal(size=(1000, 4), chunks=(250, 4))
    >>> y = X.sum(axis=1)
    >>> model = DaskMLPRegressor(learning_rate_init=0.01, max_iter=50, random_state=0).fit(X, y)
    >>> model.predict(X)
    dask.array<_predicted, shape=(1000,), dtype=float64, chunksize=(250,), chunktype=numpy.ndarray>
    """

    def __init__(
        self,
        loss: AnyLoss = "squared_error",
        hidden_layer_sizes: Units = (100,),
        activation: Activations = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: LearningRate = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        output_activation: OutputActivation = None,
        optimizer: AnyOptimizer = None,
        dropout: Dropout = 0.0,
        scoring: Scoring = None,
        mode: str = "synchronous",
        local_steps: int | None = None,
        shards: int | None = None,
        client: Any = None,
    ) -> None:
        self._set_parameters(locals())

    @with_callbacks
    def fit(
        self,
        X: Data,
        y: Data,
        sample_weight: Data = None,
        *,
        X_val: Data = None,
        y_val: Data = None,
        sample_weight_val: Data = None,
    ) -> Self:
        """Train on (X, y) until a rule stops the training.

        Parameters
        ----------
        X : dask array or data frame (n, n_in)
            Inputs; their partitions are the shards. Partitions may have different sizes, also unknown ones,
            and no rows. Or data in memory, as for `fastbp.sklearn.MLPRegressor.fit`.
        y : dask array, series or data frame (n,), or (n, n_targets)
            Targets in the same partitions.
        sample_weight : dask array or series (n,), optional
            Weight >= 0 of each row.
        X_val, y_val, sample_weight_val : optional
            Validation data likewise, whose loss and score are measured after each epoch. Their targets and
            outputs come to the caller.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter or an argument is not as described, or the training diverged.
        fastbp.exceptions.ShardError
            Workers were lost too often.
        """
        self._check_solver()
        validation = X_val, y_val, sample_weight_val
        if is_collection(X) or is_collection(y):
            return self._fit_collections(X, y, sample_weight, validation)
        return self._fit(X, y, sample_weight, validation)

    def predict(self, X: Data) -> Any:
        """Return the predicted numbers.

        Parameters
        ----------
        X : dask array or data frame, or data in memory (n, n_in)

        Returns
        -------
        dask array, (n,) or (n, n_targets), or series, (n,), if X is a data frame
            Not computed yet; an array of NumPy if X is in memory.
        """
        return self._lazily("predict", X) if is_collection(X) else super().predict(X)

    def score(self, X: Data, y: Data, sample_weight: Data = None) -> float:
        """Return R^2, averaged over the targets.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        float
        """
        if not (is_collection(X) or is_collection(y)):
            return float(super().score(X, y, sample_weight))
        return _prediction.r2_of(self._sums(X, y, sample_weight))

    # ---- targets -------------------------------------------------------------------------------------------

    def _survey(self, columns: Columns) -> Survey:
        model = object.__new__(MLPRegressor)
        model.loss = self.loss
        delayed = each(targets_in, columns, tuple(columns)[1:], model)
        parts = [part for part in computed(self.client_, delayed) if part.n_rows]
        check_some_rows(len(parts))
        check_same_shapes([part.shape for part in parts])
        weight = sum(part.weight for part in parts)
        offset = sum(part.offset * part.weight for part in parts) / weight if weight else 0.0
        return Survey(sum(part.n_rows for part in parts), np.empty((0, *parts[0].shape)), offset)

    def _class_weights(self, found: Survey) -> Array | None:
        return None
