"""`Estimator`: what the modules of this package know of an estimator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from fastbp.losses import Loss
from fastbp.network import Network

Array: TypeAlias = NDArray[Any]


class Examples(NamedTuple):
    """Checked data."""

    X: Any  # (n, n_in), an array or a sparse matrix
    targets: Array  # as the network takes them
    weights: Array | None  # sample weights (n,)
    factors: Array | None = None  # class weight of each row (n,), only for training

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0])

    @property
    def all_weights(self) -> Array | None:
        """Products of the sample weights and those of the classes."""
        if self.weights is None or self.factors is None:
            return self.factors if self.weights is None else self.weights
        return self.weights * self.factors


class Estimator(BaseEstimator, ABC):
    """Attributes of the estimators, and what each kind of them says for itself."""

    # parameters that are used here
    optimizer: Any
    solver: Any
    scoring: Any
    random_state: Any
    # attributes
    network_: Network
    coefs_: list[Array]
    intercepts_: list[Array]
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None
    n_iter_: int
    t_: int
    converged_: bool
    _no_improvement_count: int
    _best_parameters: Array

    @abstractmethod
    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Array]:
        """Return checked inputs and y, (n,) or (n, n_targets)."""

    @abstractmethod
    def _learn_targets(self, y: Array, *, incremental: bool, classes: Any) -> None:
        """Learn the classes from the targets, or check that they are known."""

    @abstractmethod
    def _chosen_loss(self) -> Loss:
        """Return the loss of the network."""

    @abstractmethod
    def _units(self, loss: Loss, y: Array) -> int:
        """Return the number of outputs."""

    @abstractmethod
    def _encoded(self, y: Array, loss: Loss) -> Array:
        """Return checked y as targets of the network."""

    @abstractmethod
    def _decoded(self, targets: Array) -> Array:
        """Return targets of the network as y."""

    @abstractmethod
    def _score_metric(self, held_out: Examples, loss: Loss) -> Any:
        """Return the metric of the default score, which `Network.fit` takes."""

    def _strata(self, targets: Array) -> Array | None:
        """Return what early stopping stratifies its split by; None for a plain random split."""
        return None

    def _factors(self, y: Array, weights: Array | None, *, incremental: bool) -> Array | None:
        """Return the class weight of each row; None if all are 1."""
        return None

    def _loss_offset(self, data: Examples) -> float:
        """Return the constant that is part of scikit-learn's loss and not of fastbp's."""
        return 0.0

    def _fit_network(self, X: Any, targets: Any, **options: Any) -> None:
        """Train the network on checked data; the options are those of `Network.fit`."""
        self.network_.fit(X, targets, **options)
