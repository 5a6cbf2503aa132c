"""`MLP`: what the classifier and the regressor have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any, Self

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastbp._architecture import Architecture
from fastbp.losses import Loss
from fastbp.network import Network
from fastbp.sklearn import _parameters, _weights
from fastbp.sklearn._callbacks import CONTEXT, CallbackSupport, root_task
from fastbp.sklearn._estimator import Array, Estimator, Examples
from fastbp.sklearn._files import Files
from fastbp.sklearn._fitting import check_finite, check_scorer, fit_epochs, fit_lbfgs, scored_by
from fastbp.sklearn._parameters import OUTPUT_NAMES, SAME_ACTIVATIONS, Settings

RECORDED = (
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "validation_loss_curve_",
    "best_validation_score_",
)
DTYPES = (np.float64, np.float32)  # float32 inputs make a float32 network, all others a float64 one


def has_epochs(estimator: Any) -> bool:
    """Return True if the optimizer works by epochs; raise AttributeError if not."""
    if estimator.optimizer is None and estimator.solver == "lbfgs":
        raise AttributeError("partial_fit is only available for optimizers with epochs; lbfgs has none")
    return True


class MLP(Files, CallbackSupport, Estimator):
    """Base class of the estimators, whose docstrings list the parameters and attributes."""

    def _set_parameters(self, given: dict[str, Any]) -> None:
        """Set the parameters of the constructor, the local names in it."""
        self.__dict__.update({name: value for name, value in given.items() if name != "self"})

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``optimizer__learning_rate`` replaces the optimizer by a changed copy.

        Parameters
        ----------
        **params
            Parameters by name.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            There is no such parameter, or its value is not accepted.
        """
        whole = {name: value for name, value in params.items() if "__" not in name}
        super().set_params(**whole)
        for name in sorted(params.keys() - whole.keys()):  # a value before those within it
            outer, _, inner = name.partition("__")
            given = self.get_params(deep=False)
            if outer in given and not hasattr(given[outer], "set_params"):
                setattr(self, outer, _parameters.replaced(outer, given[outer], inner, params[name]))
            else:  # an unknown name, or an object that sets its own
                super().set_params(**{name: params[name]})
        return self

    # ---- fitting -------------------------------------------------------------------------------------------

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any],
        *,
        incremental: bool = False,
        classes: Any = None,
    ) -> Self:
        """Train until a rule says to stop, or for one epoch if `incremental`.

        Parameters
        ----------
        validation : tuple
            X_val, y_val and sample_weight_val.
        """
        settings = _parameters.read(self)
        with self._unchanged_by_errors():
            is_first = not hasattr(self, "coefs_") or not (settings.warm_start or incremental)
            X, y = self._checked(X, y, reset=is_first)
            self._learn_targets(y, incremental=incremental, classes=classes)
            loss = self._chosen_loss()
            check_scorer(self)
            given = self._examples(X, y, sample_weight, loss)
            given = given._replace(factors=self._factors(y, given.weights, incremental=incremental))
            held_out = self._validation_data(settings, *validation, loss, incremental=incremental)
            self._train(settings, loss, given, held_out, y, is_first=is_first, incremental=incremental)
        return self

    def _train(
        self,
        settings: Settings,
        loss: Loss,
        given: Examples,
        held_out: Examples | None,
        y: Any,
        *,
        is_first: bool,
        incremental: bool = False,
    ) -> None:
        """Train on checked data; y (n,) or (n, n_targets) has the checked targets as they were given."""
        layers = [given.X.shape[1], *settings.layers, settings.output_layer(self._units(loss, y))]
        described = {"layers": layers, "loss": loss, "dtype": given.X.dtype}
        settings, data, held_out = self._prepare(
            settings, given, held_out, described, is_first=is_first, incremental=incremental
        )
        if settings.optimizer is None:
            with root_task(self, 0, given.X, y, given.weights):
                fit_lbfgs(self, settings, data)
        elif incremental:
            fit_epochs(self, settings, data, held_out, None, incremental=True)
        else:
            with root_task(self, settings.max_iter, given.X, y, given.weights) as tasks:
                fit_epochs(self, settings, data, held_out, tasks, incremental=False)
        check_finite(self)

    def _prepare(
        self,
        settings: Settings,
        data: Examples,
        held_out: Examples | None,
        described: dict[str, Any],
        *,
        is_first: bool,
        incremental: bool,
    ) -> tuple[Settings, Examples, Examples | None]:
        """Set the network to train, and the attributes of a fit that begins.

        Numbers are drawn in the order of scikit-learn: weights, split, seed.

        Parameters
        ----------
        described : dict
            The layers, the loss and the dtype of the network.

        Returns
        -------
        settings, data, held_out
            With the schedule that a name stands for, and after the split of early stopping.
        """
        random = check_random_state(self.random_state)
        if is_first:
            weights = self._drawn_weights(settings, described["layers"], random)
        else:
            weights = self.coefs_, self.intercepts_
        if settings.early_stopping and held_out is None and settings.optimizer is not None:
            data, held_out = self._split(settings, data, random)
        settings = settings.scheduled(data.n_rows, incremental=incremental)
        network = None if is_first else self._continued(settings, described)
        if network is None:
            seed = int(random.randint(np.iinfo(np.int32).max))
            network = Network(**described, optimizer=settings.optimizer or "adam", seed=seed)
            if weights is not None:
                _weights.put(network, weights)
        self._install(network)
        self._begin_record(settings, is_first=is_first, has_scores=held_out is not None)
        return settings, data, held_out

    @contextmanager
    def _unchanged_by_errors(self) -> Iterator[None]:
        """Put all attributes back if an error occurs before the first epoch has ended."""
        before = vars(self).copy()
        self.__dict__.pop("n_iter_", None)
        try:
            yield
        except BaseException:
            if not getattr(self, "n_iter_", 0):
                before |= {name: value for name, value in vars(self).items() if name in CONTEXT}
                self.__dict__.clear()
                self.__dict__.update(before)
            raise

    def _examples(self, X: Any, y: Array, sample_weight: Any, loss: Loss) -> Examples:
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        return Examples(X, self._encoded(y, loss), weights)

    def _validation_data(
        self, settings: Settings, X: Any, y: Any, sample_weight: Any, loss: Loss, *, incremental: bool
    ) -> Examples | None:
        """Return the checked validation data that the call got, or None."""
        if X is None and y is None:
            if sample_weight is not None:
                raise ValueError("sample_weight_val is given without X_val and y_val")
            if incremental and settings.early_stopping:
                raise ValueError(
                    "partial_fit does not support early_stopping=True without validation data: X_val, y_val"
                )
            return None
        if X is None or y is None:
            missing = "X_val" if X is None else "y_val"
            raise ValueError(f"{missing} is None, expected both X_val and y_val, or neither")
        if settings.optimizer is None:
            raise ValueError(
                "X_val is given with solver='lbfgs', expected a solver with epochs: 'sgd' or 'adam'"
            )
        X, y = self._checked(X, y, reset=False)
        return self._examples(X, y, sample_weight, loss)

    def _continued(self, settings: Settings, described: dict[str, Any]) -> Network | None:
        """Return the network of the last fit, if it has the layers and the loss that are asked for now.

        If the optimizer has changed, its state starts anew.
        """
        if not hasattr(self, "network_"):  # the user has set the weights
            return None
        network = self._synced()
        asked = Architecture.from_arguments(
            **described, activation="relu", output_activation=None, input_noise=0.0
        )
        if network._model.architecture != asked:
            return None
        if settings.optimizer is not None and network._model.chosen != settings.optimizer:
            network = network.clone()  # the present one stays as it is if the fit is refused
            network.optimizer = settings.optimizer
        return network

    @staticmethod
    def _drawn_weights(
        settings: Settings, layers: list[Any], random: np.random.RandomState
    ) -> _weights.Weights | None:
        """Return scikit-learn's draw, if it has the activations; None: the network draws its own weights."""
        names = [str(layer.activation and layer.activation.name) for layer in settings.layers]
        names.append(names[-1] if names else settings.activation)
        if not set(names) <= set(SAME_ACTIVATIONS.values()):
            return None
        sizes = [layers[0], *(layer.units for layer in layers[1:])]
        return _weights.draw(sizes, names, random)

    def _split(
        self, settings: Settings, data: Examples, random: np.random.RandomState
    ) -> tuple[Examples, Examples]:
        """Return the rows to train on and those of early stopping: the same as scikit-learn's."""
        columns = [name for name, column in data._asdict().items() if column is not None]
        parts = train_test_split(
            *(getattr(data, name) for name in columns),
            random_state=random,
            test_size=settings.validation_fraction,
            stratify=self._strata(data.targets),
        )
        kept, held_out = (data._replace(**dict(zip(columns, parts[i::2], strict=True))) for i in (0, 1))
        if held_out.n_rows < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        if held_out.weights is not None and not held_out.weights.any():
            raise ValueError(
                "sample_weight is 0 for all rows that early stopping holds out, expected some above 0"
            )
        return kept, held_out

    def _install(self, network: Network) -> None:
        """Set the attributes that follow from the network."""
        self.network_ = network
        self._own_weights = [*network.weights], [*network.biases]
        self.coefs_, self.intercepts_ = [*self._own_weights[0]], [*self._own_weights[1]]
        self.n_layers_ = len(network.layers) + 1
        self.n_outputs_ = network.layers[-1].n_out
        name = network.layers[-1].activation.name
        self.out_activation_ = OUTPUT_NAMES.get(name, name)

    def _begin_record(self, settings: Settings, *, is_first: bool, has_scores: bool) -> None:
        """Begin what is recorded of the epochs, or the part of it that the last fit did not record."""
        present = self.__dict__
        self.n_iter_ = 0
        if is_first or "_no_improvement_count" not in present:
            self.t_ = self._no_improvement_count = 0
            self.converged_ = False
            for name in (*RECORDED, "_best_parameters"):
                present.pop(name, None)
        scoring = scored_by(self)
        if present.get("_scored_by", scoring) != scoring:  # the best of other scores does not compare
            for name in ("best_validation_score_", "_best_parameters"):
                present.pop(name, None)
            self._no_improvement_count = 0
        self._scored_by = scoring
        if settings.optimizer is None:
            return
        empty: dict[str, Any] = dict.fromkeys(RECORDED)
        empty |= {"loss_curve_": [], "best_loss_": None if settings.early_stopping else inf}
        if has_scores:
            empty |= {"validation_scores_": [], "validation_loss_curve_": [], "best_validation_score_": -inf}
        for name, value in empty.items():
            if present.get(name) is None:
                setattr(self, name, value)

    # ---- predicting ----------------------------------------------------------------------------------------

    def _outputs(self, X: Any) -> Array:
        """Return the outputs of the network for X, (n, n_out)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype=DTYPES, reset=False)
        outputs: Array = self._synced().predict(X)
        return outputs

    def _synced(self) -> Network:
        """Return the network, with the arrays that the user has put into coefs_ or intercepts_."""
        given = self.coefs_, self.intercepts_
        for arrays, own in zip(given, self._own_weights, strict=True):
            if len(arrays) != len(own) or any(a is not b for a, b in zip(arrays, own, strict=True)):
                _weights.put(self.network_, given)
                self._install(self.network_)
                break
        return self.network_

    # ---- copies --------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Leave out coefs_ and intercepts_, which are views of the network's weights."""
        is_fitted = "network_" in vars(self)
        if is_fitted:
            self._synced()
        state: dict[str, Any] = super().__getstate__()
        views = ("coefs_", "intercepts_", "_own_weights") if is_fitted else ()
        return {name: value for name, value in state.items() if name not in views}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "network_" in state:
            self._install(self.network_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
