"""scikit-learn's MLPClassifier and MLPRegressor, which have no sigmoid output with a squared error."""

from __future__ import annotations

import math
import warnings
from itertools import cycle
from typing import Any

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor, _multilayer_perceptron

import fastbp
from fastbp.cli.bench import Workload, orders
from fastbp.cli.rivals import UnsupportedError, blas, first_parameters

VERSION = f"scikit-learn {sklearn.__version__}, {blas.described()}"
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is fixed


class AdamOptimizer(_multilayer_perceptron.AdamOptimizer):  # type: ignore[misc]
    """Adam with epsilon added to the corrected root of v, as published, instead of the uncorrected one."""

    @property
    def epsilon(self) -> float:
        """The epsilon to add to the root that is not corrected."""
        return self._epsilon * math.sqrt(1 - self.beta_2**self.t)

    @epsilon.setter
    def epsilon(self, value: float) -> None:
        self._epsilon = value


_multilayer_perceptron.AdamOptimizer = AdamOptimizer


class Training:
    """Epochs of a regressor or a classifier."""

    def __init__(self, workload: Workload) -> None:
        if workload.loss == "half_sse":
            raise UnsupportedError("no sigmoid output under a squared error")
        is_regression = workload.loss == "mse"
        self._slope: float
        # the slope of its squared error is (h - t) / rows, that of mse 2 (h - t) / elements
        self._slope, self._loss = (2 / workload.layers[-1], 2) if is_regression else (1, 1)
        self._first = first_parameters(workload)
        self._orders = orders(workload) if workload.shuffle else None
        self._X, y = workload.data()
        self._y = y[:, 0] if y.shape[1:] == (1,) else y
        self._network = (MLPRegressor if is_regression else MLPClassifier)(
            hidden_layer_sizes=workload.layers[1:-1],
            activation=workload.activation,
            batch_size=workload.batch_size,
            shuffle=workload.shuffle,
            alpha=0,
            tol=0,
            n_iter_no_change=np.inf,
            warm_start=True,
            **self._optimizer(workload.optimizer),
        )
        self._fit(1)

    def _optimizer(self, optimizer: Any) -> dict[str, Any]:
        rate: Any = optimizer.learning_rate
        if isinstance(optimizer, fastbp.SGD):
            return {
                "solver": "sgd",
                "learning_rate_init": rate * self._slope,
                "momentum": 0,
            }
        # Adam cancels the factor, except in epsilon
        return {
            "solver": "adam",
            "learning_rate_init": rate,
            "beta_1": optimizer.beta1,
            "beta_2": optimizer.beta2,
            "epsilon": optimizer.epsilon / self._slope,
        }

    def reset(self) -> None:
        """Go back to the initial weights."""
        self._network.coefs_ = [W.copy() for W, _ in self._first]
        self._network.intercepts_ = [b.copy() for _, b in self._first]

    def train(self, epochs: int) -> float:
        """Train, and return the loss of the last epoch."""
        self._fit(epochs)
        return float(self._network.loss_curve_[-1] * self._loss)

    def _fit(self, epochs: int) -> None:
        if self._orders is not None:  # the only way to set the order of the rows
            drawn = cycle(self._orders.reshape(len(self._orders), -1))
            _multilayer_perceptron.shuffle = lambda *_, **__: next(drawn)
        self._network.set_params(max_iter=epochs).fit(self._X, self._y)
