"""`MLPRegressor`."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from fastbp import losses
from fastbp.losses import HalfSSE, Loss, Poisson
from fastbp.sklearn._base import DTYPES, MLP, Array, has_epochs
from fastbp.sklearn._callbacks import with_callbacks
from fastbp.sklearn._fitting import Examples

#: Losses by scikit-learn's names.
LOSSES = {
    "squared_error": HalfSSE(reduction="mean"),
    "poisson": Poisson(outputs="sum"),
    "absolute_error": losses.mae,
}


class MLPRegressor(RegressorMixin, MLP):
    """TODO"""

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
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
        max_fun: int = 15000,
        output_activation: Any = None,
        optimizer: Any = None,
        dropout: Any = 0.0,
        scoring: Any = None,
    ) -> None:
        self._set_parameters(locals())

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """TODO"""
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @available_if(has_epochs)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """TODO"""
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), incremental=True)

    def predict(self, X: Any) -> Array:
        """TODO"""
        outputs = self._outputs(X)
        values = self.network_.loss.estimate(outputs)
        return values[:, 0] if values.shape[1] == 1 else values

    # ---- targets -----------------------------------------------------------------------------------------------

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Array]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=DTYPES,
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _learn_targets(self, y: Array, *, incremental: bool, classes: Any) -> None:
        """Learn nothing: the shape of the targets is that of the outputs."""

    def _encoded(self, y: Array, loss: Loss) -> Array:
        return y

    def _decoded(self, targets: Array) -> Array:
        return targets

    def _chosen_loss(self) -> Loss:
        if isinstance(self.loss, str) and self.loss in LOSSES:
            return LOSSES[self.loss]
        return losses.get(self.loss)

    def _units(self, loss: Loss, targets: Array) -> int:
        return (targets.shape[1] if targets.ndim == 2 else 1) * loss.outputs_per_target

    def _loss_offset(self, targets: Array) -> float:
        """Return the mean of y log y - y, which scikit-learn's Poisson loss has beyond fastbp's."""
        if not (isinstance(self.loss, str) and self.loss == "poisson"):
            return 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(targets > 0, targets * np.log(targets), 0.0) - targets
        return float(terms.sum() / len(targets))

    def _score_metric(self, held_out: Examples, loss: Loss) -> str:
        return "r2"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
