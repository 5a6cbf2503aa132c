"""`MLPClassifier`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from fastbp import losses
from fastbp._base.shown import shown
from fastbp.exceptions import ParameterError
from fastbp.losses import BinaryCrossEntropy, CrossEntropy, Loss
from fastbp.sklearn._base import DTYPES, MLP, has_epochs
from fastbp.sklearn._callbacks import with_callbacks
from fastbp.sklearn._docs import documented
from fastbp.sklearn._estimator import Array, Examples
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


def gives_probabilities(estimator: Any) -> bool:
    """Return True if the outputs are probabilities; raise AttributeError if not."""
    network = getattr(estimator, "network_", None)
    if network is not None and network.layers[-1].activation.name not in ("softmax", "sigmoid"):
        raise AttributeError(f"the outputs are not probabilities with the loss {network.loss}")
    return True


def is_multilabel(kind: str) -> bool:
    """Tell whether a type of targets, as `type_of_target` names it, is that of rows with several labels."""
    return kind.startswith("multilabel")


def balanced(sums: Array) -> Array:
    """Return the weight of each class, (n_classes,), from the sums of the weights of their rows."""
    weights: Array = sums.sum() / np.count_nonzero(sums) / np.where(sums > 0, sums, np.inf)
    return weights


@documented
class MLPClassifier(ClassifierMixin, MLP):
    """Multi-layer perceptron for classification: scikit-learn's `MLPClassifier`, trained by fastbp.

    Parameters, attributes, losses, initial weights and rules for stopping are those of
    `sklearn.neural_network.MLPClassifier`. The order of the rows within an epoch differs, and so do the last
    digits of Adam's steps; the guide "scikit-learn drop-ins" lists all differences.

    Parameters
    ----------
    {parameters}
    loss : str, Loss or callable
        "log_loss" is the cross entropy of one sigmoid output for two classes, of softmax outputs for more,
        and of sigmoid outputs for rows with several labels. Or a loss of `fastbp.losses`, or your own
        function: its targets are one column of 0 and 1 per class (-1 and 1 for hinge), and a single column
        for two classes.
    class_weight : dict, "balanced" or None
        Weights of the classes in training, as in other classifiers. "balanced" counts rows by their sample
        weights. Validation data are not weighted by class.

    Attributes
    ----------
    classes_ : array (n_classes,)
        The classes, in the order of the outputs.
    {attributes}

    Examples
    --------
    >>> from fastbp.sklearn import MLPClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier(max_iter=1000, random_state=0).fit(X, y)
    >>> clf.score(X, y)
    0.98
    """

    classes_: Array

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
        max_fun: int = 15000,
        loss: AnyLoss = "log_loss",
        output_activation: OutputActivation = None,
        optimizer: AnyOptimizer = None,
        dropout: Dropout = 0.0,
        class_weight: ClassWeight = None,
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
        y : array_like (n,), or (n, n_labels)
            Labels: numbers or strings. Or 0 and 1 per label, for rows with several labels.
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
        classes: ArrayLike | None = None,
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
        y : array_like (n,), or (n, n_labels)
            Labels as for `fit`.
        {sample_weight}
        classes : array_like (n_classes,), optional
            All classes; the first call needs them, unless rows have several labels.
        {validation}

        {fitted}
        """
        validation = X_val, y_val, sample_weight_val
        return self._fit(X, y, sample_weight, validation, incremental=True, classes=classes)

    def predict(self, X: Data) -> Array:
        """Return the most probable class of each row, or 0 and 1 per label.

        Parameters
        ----------
        {X}

        Returns
        -------
        array (n,) or (n, n_labels)
        """
        outputs = self._outputs(X)
        return self._labels(self._decided(outputs, self.network_.loss))

    @only_if(gives_probabilities)
    def predict_proba(self, X: Data) -> Array:
        """Return the probability of each class, or label, for each row.

        AttributeError if the outputs are not probabilities, as with the loss "hinge".

        Parameters
        ----------
        {X}

        Returns
        -------
        array (n, n_classes)
        """
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return np.hstack([1 - outputs, outputs])[:, : len(self.classes_)]
        if self._kind == "multiclass" and self.out_activation_ == "logistic":
            outputs /= outputs.sum(axis=1, keepdims=True)  # one class against the rest
        return outputs

    @only_if(gives_probabilities)
    def predict_log_proba(self, X: Data) -> Array:
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        {X}

        Returns
        -------
        array (n, n_classes)
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(probabilities, out=probabilities)
        return logarithms

    # ---- classes and targets -------------------------------------------------------------------------------

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Array]:
        X, y = validate_data(
            self, X, y, accept_sparse=["csr", "csc"], multi_output=True, dtype=DTYPES, reset=reset
        )
        check_classification_targets(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y.toarray() if hasattr(y, "toarray") else y

    def _learn_targets(self, y: Array, *, incremental: bool, classes: Any) -> None:
        """Learn the classes, or check that they are known."""
        is_known = hasattr(self, "classes_")
        if incremental and not is_known:
            if classes is None and not is_multilabel(type_of_target(y)):
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self._learn_classes(y if is_multilabel(type_of_target(y)) else classes)
        elif not incremental and not (is_known and self.warm_start):
            self._learn_classes(y)
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        if self.warm_start and not incremental and set(found := unique_labels(y)) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {found}"
            )

    @property
    def _is_multilabel(self) -> bool:
        return is_multilabel(self._kind)

    def _learn_classes(self, y: Any) -> None:
        self._kind, self.classes_ = type_of_target(y), unique_labels(y)

    def _check_known(self, y: Array) -> None:
        """Refuse classes, or a kind of targets, that the classifier does not know."""
        if y.ndim == 1 and y.dtype == self.classes_.dtype != object and not self._is_multilabel:
            nearest = self.classes_.take(np.searchsorted(self.classes_, y), mode="clip")
            if (nearest == y).all():  # the usual case, without sorting y
                return
        kind = type_of_target(y)
        if is_multilabel(kind) != self._is_multilabel:
            raise ValueError(f"y is {kind}, expected {self._kind} as before")
        found = unique_labels(y)
        if len(np.setdiff1d(found, self.classes_)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {found}."
            )

    def _chosen_loss(self) -> Loss:
        if isinstance(self.loss, str) and self.loss == "log_loss":
            return CrossEntropy() if self._kind == "multiclass" else BinaryCrossEntropy(outputs="sum")
        loss = losses.get(self.loss)
        if loss.outputs_per_target != 1:
            raise ParameterError(f"loss is {loss}, expected a loss of one output per class")
        if loss.targets.takes_labels and self._is_multilabel:
            raise ParameterError(
                f"loss is {loss} for rows with several labels, expected one for independent outputs, such as "
                "binary_cross_entropy"
            )
        return loss

    def _units(self, loss: Loss, targets: Array) -> int:
        is_single = self._kind == "binary" and not loss.targets.takes_labels
        return 1 if is_single else max(len(self.classes_), 2)

    def _encoded(self, y: Array, loss: Loss) -> Array:
        self._check_known(y)
        if not self._is_multilabel:
            y = np.searchsorted(self.classes_, y)  # (n,) int64
            if loss.targets.takes_labels:
                return y
            if self._kind == "multiclass":
                y = y[:, None] == np.arange(len(self.classes_))
        low, high = loss.targets.classes or (0, 1)
        return np.where(y, float(high), float(low))

    def _decoded(self, targets: Array) -> Array:
        loss = self.network_.loss
        if loss.targets.takes_labels:
            labels: Array = self.classes_[targets]
            return labels
        return self._labels(self._decided(targets.reshape(len(targets), -1), loss))

    def _labels(self, decided: Array) -> Array:
        """Return the labels of classes that were decided on: (n,), or 0 and 1 per label."""
        if decided.ndim == 2:
            return decided.astype(int)
        labels: Array = self.classes_[decided]
        return labels

    def _decided(self, outputs: Array, loss: Loss) -> Array:
        """Return which classes outputs stand for: indices (n,), or bool (n, n_labels)."""
        if outputs.shape[1] > 1 and not self._is_multilabel:
            decided: Array = outputs.argmax(axis=1)
        else:
            threshold = sum(loss.targets.classes or (0, 1)) / 2  # between the targets
            yes: Array = outputs > threshold
            if self._is_multilabel:
                return yes
            decided = yes[:, 0].astype(np.intp)
        return decided if len(self.classes_) > 1 else np.zeros_like(decided)  # the only class

    def _strata(self, targets: Array) -> Array | None:
        return targets[:, None] > 0.5 if self._kind == "binary" else None  # scikit-learn's shape and type

    def _factors(self, y: Array, weights: Array | None, *, incremental: bool) -> Array | None:
        given = self.class_weight
        if given is None:
            return None
        if isinstance(given, str) and incremental:
            raise ValueError(
                f"class_weight is {shown(given)} in partial_fit, expected weights by class: a part of the "
                "data does not tell how often each class occurs"
            )
        factors: Array
        if weights is None or not isinstance(given, str) or y.ndim == 2:
            factors = compute_sample_weight(given, y)
            if not (factors >= 0).all():
                raise ValueError(f"class_weight is {shown(given)}, expected weights >= 0")
            return factors
        if given != "balanced":
            raise ValueError(f"class_weight is {shown(given)}, expected a dict, 'balanced' or None")
        codes = np.searchsorted(self.classes_, y)
        factors = balanced(np.bincount(codes, weights, len(self.classes_)))[codes]
        return factors

    def _score_metric(self, held_out: Examples, loss: Loss) -> Callable[[Array, Array], float]:
        counted = slice(None) if held_out.weights is None else held_out.weights != 0  # a metric gets these
        weights = None if held_out.weights is None else held_out.weights[counted]
        targets = held_out.targets[counted]
        truth = (
            targets
            if targets.ndim == 1 and loss.targets.takes_labels
            else self._decided(targets.reshape(len(targets), -1), loss)
        )

        def accuracy(output: Array, target: Array) -> float:
            right = self._decided(output, loss) == truth
            return float(np.average(right.all(axis=1) if right.ndim == 2 else right, weights=weights))

        return accuracy

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
