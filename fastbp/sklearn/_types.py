"""Types of the parameters and methods of the estimators, for editors and type checkers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from sklearn.utils.metaestimators import available_if

from fastbp.activations import Activation
from fastbp.losses import Loss
from fastbp.optimizers import Optimizer
from fastbp.schedules import Schedule

Data: TypeAlias = Any  # array_like, data frame or sparse matrix; scikit-learn has no type for it

Units: TypeAlias = int | Sequence[int]
Activations: TypeAlias = str | Activation | Sequence[str | Activation]
Dropout: TypeAlias = float | Sequence[float]
LearningRate: TypeAlias = str | Schedule | Callable[[int], float]
RandomState: TypeAlias = int | np.random.RandomState | None
AnyLoss: TypeAlias = str | Loss | Callable[..., Any]
OutputActivation: TypeAlias = str | Activation | None
AnyOptimizer: TypeAlias = str | Optimizer | None
ClassWeight: TypeAlias = Mapping[Any, float] | str | None
Scoring: TypeAlias = str | Callable[..., float] | None

Method = TypeVar("Method", bound=Callable[..., Any])


def only_if(check: Callable[[Any], bool]) -> Callable[[Method], Method]:
    """Return scikit-learn's `available_if`, which keeps the type of the method."""
    return cast("Callable[[Method], Method]", available_if(check))
