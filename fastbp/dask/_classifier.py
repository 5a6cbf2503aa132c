"""`DaskMLPClassifier`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils import compute_class_weight

from fastbp._base.shown import shown
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
from fastbp.exceptions import ParameterError
from fastbp.sklearn._callbacks import with_callbacks
from fastbp.sklearn._classifier import MLPClassifier, balanced, gives_probabilities
from fastbp.sklearn._estimator import Array
from fastbp.sklearn._types import (
    Activations,
    AnyLoss,
    AnyOptimizer,
    ClassWeight,
    Data,
    Dropout,
    LearningRate,
    OutputActivation,
    RandomState,
    Scoring,
    Units,
    only_if,
)


class Labels(NamedTuple):
    """The targets of a partition in short."""

    n_rows: int
    shape: tuple[int, ...]  # of a row
    values: Array  # (m,), in order
    sums: Array  # weight of the rows of each value (m,), if rows have one label


def labels_in(y: Any, weights: Any) -> Labels:
    """Return the targets of a partition in short."""
    y = checked_targets(y, is_numeric=False)
    weights = checked_weights(weights, y)
    if y.ndim > 1:
        return Labels(len(y), y.shape[1:], np.unique(y), np.empty(0))
    values, codes = np.unique(y, return_inverse=True)
    return Labels(len(y), (), values, np.bincount(codes, weights, len(values)))


class DaskMLPClassifier(OverShards, MLPClassifier):
    """Multi-layer perceptron for classification, trained by `fastbp.dask.fit` over the workers of a cluster.

    The data are dask arrays or data frames, whose partitions never pass through one machine, or data in
    memory. What is trained does not depend on the number of workers and threads, and not on where tasks run;
    the partitions and the instruction set that all workers have are part of the result. The targets are
    read twice, and all data once, so it is best to call ``persist()`` on collections that are slow to
    compute.

    Parameters
    ----------
    hidden_layer_sizes, activation, ...
        All parameters of `fastbp.sklearn.MLPClassifier` except `max_fun`, with its defaults. The solver
        "lbfgs" is refused. With dask collections, early stopping needs X_val and y_val, and `class_weight`
        rows with one label.
    mode : "synchronous" or "local"
        See `fastbp.dask.fit`. "synchronous": `batch_size` counts the rows of all shards in a step. "local":
        those of one shard in a step of its own.
    local_steps : int, >= 1, optional
        Steps between two averages with mode="local". Default: an epoch.
    shards : int, >= 1, optional
        Number of shards of data in memory. Default: as in `fastbp.dask.fit`. The partitions of dask
        collections are their shards.
    client : distributed.Client, optional
        Default: the client in context. Without one, everything runs in this process, with the same bits on
        the same instruction set. It is left out of pickles, and `clone` passes it on.

    Attributes
    ----------
    classes_ : array (n_classes,)
        The classes in all partitions, in the order of the outputs.
    client_ : distributed.Client or None
        The client in use.
    network_, coefs_, intercepts_, loss_, loss_curve_, n_iter_, n_features_in_, ...
        As in `fastbp.sklearn.MLPClassifier`.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastbp.dask import DaskMLPClassifier
    >>> X = da.random.default_rng(0).normal(size=(1000, 4), chunks=(250, 4))
    >>> y = X[:, 0] > 0
    >>> clf = DaskMLPClassifier((8,), learning_rate_init=0.01, max_iter=50, random_state=0).fit(X, y)
    >>> clf.predict(X)
    dask.array<_predicted, shape=(1000,), dtype=bool, chunksize=(250,), chunktype=numpy.ndarray>
    >>> local = clf.to_local()
    """

    def __init__(
        self,
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
        loss: AnyLoss = "log_loss",
        output_activation: OutputActivation = None,
        optimizer: AnyOptimizer = None,
        dropout: Dropout = 0.0,
        class_weight: ClassWeight = None,
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
            and no rows. Or data in memory, as for `fastbp.sklearn.MLPClassifier.fit`.
        y : dask array or series (n,), or (n, n_labels)
            Labels in the same partitions: numbers or strings. Or 0 and 1 per label.
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
        """Return the most probable class of each row, or 0 and 1 per label.

        Parameters
        ----------
        X : dask array or data frame, or data in memory (n, n_in)

        Returns
        -------
        dask array, (n,) or (n, n_labels), or series, (n,), if X is a data frame
            Not computed yet; an array of NumPy if X is in memory.
        """
        return self._lazily("predict", X) if is_collection(X) else super().predict(X)

    @only_if(gives_probabilities)
    def predict_proba(self, X: Data) -> Any:
        """Return the probability of each class, or label, for each row.

        Parameters
        ----------
        X : dask array or data frame, or data in memory (n, n_in)

        Returns
        -------
        dask array (n, n_classes)
            Not computed yet; an array of NumPy if X is in memory.
        """
        return self._lazily("predict_proba", X) if is_collection(X) else super().predict_proba(X)

    @only_if(gives_probabilities)
    def predict_log_proba(self, X: Data) -> Any:
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        X : dask array or data frame, or data in memory (n, n_in)

        Returns
        -------
        dask array (n, n_classes)
        """
        return self._lazily("predict_log_proba", X) if is_collection(X) else super().predict_log_proba(X)

    def score(self, X: Data, y: Data, sample_weight: Data = None) -> float:
        """Return the share of rows whose class, or all of whose labels, are predicted right.

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
        sums = self._sums(X, y, sample_weight)
        return float((sums.weight - sums.errors) / sums.weight)

    # ---- classes -------------------------------------------------------------------------------------------

    def _survey(self, columns: Columns) -> Survey:
        delayed = each(labels_in, columns, tuple(columns)[1:])
        parts: Sequence[Labels] = [part for part in computed(self.client_, delayed) if part.n_rows]
        check_some_rows(len(parts))
        check_same_shapes([part.shape for part in parts])
        values = np.unique(np.concatenate([part.values for part in parts]))
        targets = np.repeat(values[:, None], parts[0].shape[0], axis=1) if parts[0].shape else values
        by_class = np.zeros(len(values))
        for part in parts:
            if not parts[0].shape:
                by_class[np.searchsorted(values, part.values)] += part.sums
        return Survey(sum(part.n_rows for part in parts), targets, by_class=by_class)

    def _class_weights(self, found: Survey) -> Array | None:
        given = self.class_weight
        if given is None:
            return None
        if self._is_multilabel:
            raise ParameterError(
                f"class_weight is {shown(given)} for rows with several labels in dask collections, expected "
                "None: use sample_weight"
            )
        if isinstance(given, str) and given == "balanced":
            assert found.by_class is not None
            return balanced(found.by_class)
        weights: Array = compute_class_weight(given, classes=self.classes_, y=self.classes_)
        if not (weights >= 0).all():
            raise ParameterError(f"class_weight is {shown(given)}, expected weights >= 0")
        return weights
