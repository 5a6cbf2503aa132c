"""`OverShards`: what the estimators over Dask have in common."""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from fastbp._base.shown import shown
from fastbp.dask import _collections, _prediction
from fastbp.dask._collections import Columns, EncodedShards, Encoder, is_collection
from fastbp.dask._fit import fit
from fastbp.dask._sources import partitions_of
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.losses import Loss
from fastbp.sklearn import _parameters
from fastbp.sklearn._base import MLP
from fastbp.sklearn._estimator import Array, Examples
from fastbp.sklearn._fitting import is_loss, nameless
from fastbp.sklearn._parameters import Settings, base_of


class Survey(NamedTuple):
    """What is known of the targets of all partitions before the fit."""

    n_rows: int
    targets: Array  # (m,) or (m, n_targets): few, of every class
    offset: float = 0.0  # constant that is part of scikit-learn's loss and not of fastbp's
    by_class: Array | None = None  # sums of the weights of each class's rows


class OverShards(MLP):
    """Base class of the estimators over Dask, in front of an estimator of `fastbp.sklearn`."""

    mode: Any
    local_steps: Any
    shards: Any
    client: Any
    max_fun = 15000  # a parameter of the solver that works on no shards, with its default

    @property
    def client_(self) -> Any:
        """The client in use: `client`, or else the one in context; None if there is none."""
        if self.client is not None or sys.modules.get("distributed") is None:  # no client without it
            return self.client
        from distributed import get_client

        try:
            return get_client()
        except ValueError:
            return None

    @property
    def partial_fit(self) -> Any:
        """Raise AttributeError: ``warm_start=True`` lets `fit` continue."""
        raise AttributeError(f"{type(self).__name__} has no partial_fit: use warm_start=True with fit")

    def to_local(self) -> Any:
        """Return the fitted estimator of `fastbp.sklearn`, which needs no Dask.

        Returns
        -------
        MLPClassifier or MLPRegressor
            A copy that predicts the same bits.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        """
        check_is_fitted(self)
        base = base_of(type(self))
        shared = base._get_param_names()
        local = base(**{name: getattr(self, name) for name in shared})
        known = {*self._get_param_names(), *shared}
        fitted = {name: value for name, value in self.__getstate__().items() if name not in known}
        vars(local).update(deepcopy(fitted))
        local._install(local.network_)
        return local

    def save(self, path: str | os.PathLike[str], *, inference: bool = False) -> None:
        """Write the estimator of `to_local` to a model file; see `fastbp.sklearn.MLPClassifier.save`."""
        self.to_local().save(path, inference=inference)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, custom: Mapping[str, Any] | None = None) -> Self:
        """Return the estimator in a model file; see `fastbp.sklearn.MLPClassifier.load`."""
        local = base_of(cls).load(path, custom=custom)
        parameters = local.get_params(deep=False)
        loaded = cls(**{name: parameters[name] for name in cls._get_param_names() if name in parameters})
        loaded.__dict__.update({name: value for name, value in vars(local).items() if name not in parameters})
        return loaded

    # ---- fitting -------------------------------------------------------------------------------------------

    def _check_solver(self) -> None:
        if self.optimizer is None and self.solver == "lbfgs":
            raise ParameterError(
                "solver is 'lbfgs', expected 'adam' or 'sgd': L-BFGS does not work on shards"
            )

    def _fit_collections(self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any]) -> Self:
        """Train on dask collections."""
        settings = _parameters.read(self)
        with self._unchanged_by_errors():
            is_first = not hasattr(self, "coefs_") or not settings.warm_start
            columns = columns_of(X, y, sample_weight)
            validate_data(self, _collections.like(X), reset=is_first, skip_check_array=True)
            found = self._survey(columns)
            self._learn_targets(found.targets, incremental=False, classes=None)
            loss = self._chosen_loss()
            data = Examples(self._encoded_shards(X, columns, found, loss), found.targets, None)
            held_out = self._validation_data(settings, *validation, loss, incremental=False)
            if settings.early_stopping and held_out is None:
                raise ParameterError("early_stopping is True for dask collections, expected X_val and y_val")
            self._train(settings, loss, data, held_out, found.targets, is_first=is_first)
        return self

    @abstractmethod
    def _survey(self, columns: Columns) -> Survey:
        """Return what is known of the targets after reading them once."""

    @abstractmethod
    def _class_weights(self, found: Survey) -> Array | None:
        """Return the weight of each class; None if all are 1."""

    def _encoder(self, loss: Loss | None, dtype: Any = np.float64, by_class: Array | None = None) -> Encoder:
        """Return what goes to the workers: the classes, but neither parameters nor the network."""
        known: Any = object.__new__(base_of(type(self)))
        for name in {"classes_", "_kind"} & vars(self).keys():
            setattr(known, name, getattr(self, name))
        return Encoder(known, loss, not hasattr(known, "classes_"), dtype, by_class)

    def _encoded_shards(self, X: Any, columns: Columns, found: Survey, loss: Loss) -> EncodedShards:
        none = _collections.like(X)
        encoder = self._encoder(loss, _collections.dtype_of(none), self._class_weights(found))
        parts = _collections.each(encoder.examples, columns, tuple(columns))
        return EncodedShards(parts, (found.n_rows, none.shape[1]), encoder.dtype, found.offset)

    def _validation_data(
        self, settings: Settings, X: Any, y: Any, sample_weight: Any, loss: Loss, *, incremental: bool
    ) -> Examples | None:
        if not any(map(is_collection, (X, y))):
            return super()._validation_data(settings, X, y, sample_weight, loss, incremental=incremental)
        if not (self.scoring is None or is_loss(self.scoring)):
            raise ParameterError(
                f"scoring is {shown(self.scoring)} with a dask collection X_val, expected None or 'loss'"
            )
        columns = columns_of(X, y, sample_weight, "_val")
        none = _collections.like(X)
        validate_data(self, none, reset=False, skip_check_array=True)
        encoder = self._encoder(loss, _collections.dtype_of(none))
        parts = _collections.each(encoder.targets, columns, tuple(columns)[1:])
        # targets and weights come to the caller, as do the outputs that they are compared with
        read = [part for part in _collections.computed(self.client_, parts) if len(part[0])]
        _collections.check_some_rows(len(read))
        targets = np.concatenate([target for target, _ in read])
        weights = None if sample_weight is None else np.concatenate([weight for _, weight in read])
        shards = _collections.each(encoder.examples, columns, tuple(columns))
        return Examples(EncodedShards(shards, (len(targets), none.shape[1]), encoder.dtype), targets, weights)

    def _loss_offset(self, data: Examples) -> float:
        if isinstance(data.X, EncodedShards) and data.X.offset is not None:
            return data.X.offset
        return super()._loss_offset(data)

    def _fit_network(
        self, X: Any, targets: Any, sample_weight: Any = None, validation_data: Any = None, **options: Any
    ) -> None:
        """Train the network over the shards."""
        if isinstance(X, EncodedShards):
            options["shards"] = X.parts
        else:
            options |= {"X": X, "y": targets, "sample_weight": sample_weight, "shards": self.shards}
        if validation_data is not None and isinstance(validation_data[0], EncodedShards):
            options["validation_shards"] = validation_data[0].parts
        elif validation_data is not None:
            options["validation_data"] = validation_data
        fit(self.client_, self.network_, mode=self.mode, local_steps=self.local_steps, **options)

    # ---- predicting ----------------------------------------------------------------------------------------

    def _lazily(self, method: str, X: Any) -> Any:
        """Return the result of a method of the local estimator for a collection, not computed."""
        check_is_fitted(self)
        validate_data(self, _collections.like(X), reset=False, skip_check_array=True)
        return _prediction.lazily(method, nameless(self.to_local()), X)

    def _sums(self, X: Any, y: Any, sample_weight: Any) -> _prediction.Sums:
        """Return the sums over all rows that a score needs."""
        check_is_fitted(self)
        columns = columns_of(X, y, sample_weight)
        validate_data(self, _collections.like(X), reset=False, skip_check_array=True)
        is_numeric = not hasattr(self, "classes_")
        model = nameless(self.to_local())
        parts = _collections.each(_prediction.sums_of, columns, tuple(columns), model, is_numeric)
        sums = _prediction.combined(_collections.computed(self.client_, parts))
        if sums is None:
            raise ParameterError("X has no rows with a weight above 0, expected some")
        return sums

    # ---- copies --------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the client, which belongs to its process."""
        return super().__getstate__() | {"client": None}

    def __sklearn_clone__(self) -> Self:
        """Return an estimator with the same parameters, not fitted, and the same client."""
        without = copy(self)  # has no client, which cannot be copied
        twin: Self = super(OverShards, without).__sklearn_clone__()
        twin.client = self.client
        return twin


def columns_of(X: Any, y: Any, sample_weight: Any, suffix: str = "") -> Columns:
    """Return the partitions of X, y and the sample weights, each None if there are none."""
    given = {f"X{suffix}": X, f"y{suffix}": y, f"sample_weight{suffix}": sample_weight}
    for name, value in [*given.items()][:2]:
        if value is None:
            raise ParameterError(f"{name} is None, expected a dask collection")
    if not is_collection(X):
        raise ParameterError(
            f"X{suffix} is a {type(X).__name__} beside a dask collection y{suffix}, expected one, too"
        )
    columns = partitions_of({name: value for name, value in given.items() if value is not None})
    return {name: columns.get(name, [None] * len(columns[f"X{suffix}"])) for name in given}


def check_same_shapes(shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise ShapeError if partitions of the targets have different numbers of columns."""
    if len(set(shapes)) > 1:
        raise ShapeError(
            f"y has partitions with rows of the shapes {sorted(set(shapes))}, expected one shape"
        )
