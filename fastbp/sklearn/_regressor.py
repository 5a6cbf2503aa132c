"""`MLPRegressor`."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.validation import validate_data

from fastbp import losses
from fastbp.losses import HalfSSE, Loss, Poisson
from fastbp.sklearn._base import DTYPES, MLP, has_epochs
from fastbp.sklearn._callbacks import with_callbacks
from fastbp.sklearn._docs import documented
from fastbp.sklearn._estimator import Array, Examples
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
    only_if,
)

#: Losses by scikit-learn's names.
LOSSES = {
    "squared_error": HalfSSE(reduction="mean"),
    "poisson": Poisson(outputs="sum"),
    "absolute_error": losses.mae,
}


@documented
class MLPRegressor(RegressorMixin, MLP):
    """Multi-layer perceptron for regression: scikit-learn's `MLPRegressor`, trained by fastbp.

    Parameters, attributes, losses, initial weights and rules for stopping are those of
    `sklearn.neural_network.MLPRegressor`. The order of the rows within an epoch differs, and so do the last
    digits of Adam's steps; the guide "scikit-learn drop-ins" lists all differences. For
    several targets, `loss_` is the sum over them; scikit-learn reports the mean, but both take the gradient
    of the sum.

    Parameters
    ----------
    loss : str, Loss or callable
        "squared_error" (half of it, averaged over the rows), "absolute_error", "poisson", a loss of
        `fastbp.losses`, or your own function of outputs and targets. With `GaussianNLL` and `Quantiles`,
        `predict` returns the means or the medians.
    {parameters}

    Attributes
    ----------
    {attributes}

    Examples
    --------
    >>> from fastbp.sklearn import MLPRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MLPRegressor(learning_rate_init=0.01, max_iter=1000, random_state=0).fit(X, y)
    >>> round(model.score(X, y), 1)
    0.5
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
        max_fun: int = 15000,
        output_activation: OutputActivation = None,
        optimizer: AnyOptimizer = None,
        dropout: Dropout = 0.0,
        scoring: Scoring = None,
    ) -> None:
        self._set_parameters(locals())

    @with_callbacks
    def fit(
        self,
        X: Data,
        y: Data,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Data = None,
        y_val: Data = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train on (X, y) until a rule stops the training.

        Parameters
        ----------
        {X}
        y : array_like (n,), or (n, n_targets)
            Numbers.
        {sample_weight}
        {validation}

        {fitted}
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @only_if(has_epochs)
    def partial_fit(
        self,
        X: Data,
        y: Data,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Data = None,
        y_val: Data = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train one epoch on (X, y), a part of the data.

        With early_stopping=True, which needs validation data, each call is scored. As soon as the scores no
        longer improve, `converged_` is True and the network has the weights of the best call.

        Parameters
        ----------
        {X}
        y : array_like (n,), or (n, n_targets)
            Numbers.
        {sample_weight}
        {validation}

        {fitted}
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), incremental=True)

    def predict(self, X: Data) -> Array:
        """Return the predicted numbers.

        Parameters
        ----------
        {X}

        Returns
        -------
        array (n,), or (n, n_targets)
        """
        outputs = self._outputs(X)
        values = self.network_.loss.estimate(outputs)
        return values[:, 0] if values.shape[1] == 1 else values

    # ---- targets -------------------------------------------------------------------------------------------

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

    def _loss_offset(self, data: Examples) -> float:
        """Return the mean of y log y - y, the constant in scikit-learn's Poisson loss."""
        if not (isinstance(self.loss, str) and self.loss == "poisson"):
            return 0.0
        targets = data.targets
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(targets > 0, targets * np.log(targets), 0.0) - targets
        return float(np.average(terms, axis=0, weights=data.all_weights).sum())

    def _score_metric(self, held_out: Examples, loss: Loss) -> str:
        return "r2"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
