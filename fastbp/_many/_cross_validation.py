"""`cross_validate`: many networks, each measured on rows that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from inspect import signature
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import flag
from fastbp._base.arrays import as_array
from fastbp._base.hints import unknown
from fastbp._base.sparse import Inputs, Rows, check_rows, for_user
from fastbp._core import check_memory
from fastbp._data.sample_weights import resolve_weights
from fastbp._many._candidates import MakeNetwork, all_networks, first_network, seeds_of
from fastbp._many._fit_many import fit_many
from fastbp._many._folds import Fold, Folds, folds_of
from fastbp._many._job import without_arrays
from fastbp._many._scores import CrossValidation
from fastbp.exceptions import Error, ParameterError
from fastbp.history import History
from fastbp.losses import CustomLoss
from fastbp.metrics import Metrics, resolve
from fastbp.network import Network

Array: TypeAlias = NDArray[Any]
Outcome: TypeAlias = History | Exception


def cross_validate(
    make_network: MakeNetwork,
    X: Inputs,
    y: ArrayLike,
    *,
    folds: Folds = 5,
    seeds: int | Iterable[int] = 1,
    groups: ArrayLike | None = None,
    adapt: bool | Mapping[str, bool] = False,
    metrics: Metrics | None = None,
    sample_weight: ArrayLike | None = None,
    validation_every: int | None = None,
    max_seconds: float | None = None,
    verbose: int | Literal["auto"] = 0,
    return_networks: bool = False,
    **options: Any,
) -> CrossValidation:
    """Train one network per fold and seed, all at once, and measure each on the rows that it has not seen.

    Each network becomes what `Network.fit` makes of it on the rows of its fold, bit for bit, and its scores
    are those of `Network.evaluate` on the rows that are held out, measured once, after the fit. The fits
    share the cores, as in `fit_many`.

    Parameters
    ----------
    make_network : callable
        Takes a seed and returns a new network, which should be the same for the same seed:
        ``lambda seed: fastbp.Network([64, 32, 10], loss="cross_entropy", seed=seed)``. It is called once per
        fold and seed, in the calling thread. All networks need the same loss and the same numbers of inputs
        and outputs.
    X : array_like, data frame or sparse matrix, shape (n, n_in)
        Inputs as for `Network.fit`, but no iterable of batches.
    y : array_like, shape (n, n_out), or (n,) for one output
        Targets as for `Network.fit`.
    folds : int, >= 2, or splitter, or iterable of pairs
        A number: so many random folds, of equal size and, if the targets are classes, with equal shares of
        each class, both as far as possible. They depend on the first of the seeds and on no other. Or an
        object with a method ``split(X, y, groups)``, such as those of scikit-learn, or what it returns: pairs
        (rows to train on, rows held out) of indices or masks. No row may be in both.
    seeds : int, >= 1, or iterable of different int
        Seeds; a number n means 0 to n - 1. Every fold is trained with every seed.
    groups : array_like, shape (n,), optional
        Group of each row, numbers or text. Rows of one group, such as the images of one person, are then
        never on both sides, and the classes have no equal shares. With a number of folds or a splitter.
    adapt : bool or mapping
        True: the scaling of each network is measured on the rows that it is trained on, as by
        `Network.adapt`: of the inputs, and of the targets unless the loss is custom or does not scale them.
        A mapping means True with options: "center" (False only divides the inputs) and "targets" (whether to
        scale these).
    metrics : str, callable, or sequence of these, optional
        Metrics as for `Network.evaluate`.
    sample_weight : array_like, shape (n,) or (n, n_out), optional
        Weights as for `Network.fit`, for training and for the scores.
    validation_every : int, >= 1, optional
        Number of epochs after which each fit measures loss and metrics, too: on the rows held out, unless
        there is a `validation_split`, of the rows to train on, or `validation_data`. If the rows held out
        decide something, such as when to stop, the scores look better than they would be on new data; early
        stopping by a `validation_split` avoids this. Default: fits do not read the rows held out.
    max_seconds : float, > 0, optional
        Time for all fits together, as for `fit_many`. A network whose fit did not begin counts as failed.
    verbose : int or "auto"
        As for `fit_many`.
    return_networks : bool
        Whether the result has the trained networks.
    **options
        Other arguments of `Network.fit` but `resume`, such as `epochs`, `batch_size`, `callbacks` and
        `validation_split`.
        As in `fit_many`, a list is one value per network, that of fold i and seed j at i * (number of seeds)
        + j, and several callbacks for all of them are a tuple.

    Returns
    -------
    CrossValidation
        Scores by name, arrays (folds, seeds), with means and spreads. If a fit or its evaluation fails, its
        scores are NaN, and its exception is in `errors`.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above.
    UnknownArgumentError
        An option is no argument of `Network.fit`, or `resume`.
    Exception
        The error of the first fit, if all have failed.

    Notes
    -----
    All networks exist from the start to the end; a copy of the rows exists only while its fit runs.
    """
    check_options(options)
    scaling, keeps, listed = AdaptOptions.of(adapt), flag("return_networks", return_networks), seeds_of(seeds)
    first = first_network(make_network, listed[0])
    names = ("loss", *(metric.name for metric in resolve(metrics, first.loss, first.layers[-1].n_out)))
    data = Examples.checked(first, X, y, sample_weight)
    chosen = folds_of(folds, X, y, groups, targets=data.y, loss=first.loss, seed=listed[0])
    networks = all_networks(first, make_network, listed, len(chosen))
    data.check()  # make_network and splitters are code of the user
    if scaling is not None:
        for fold, of_fold in zip(chosen, networks, strict=True):
            scaling.measure(of_fold, data.part(fold.training))
    outcomes = fit_many(
        [net for of_fold in networks for net in of_fold],
        shared(X, data.X),
        shared(y, data.y),
        sample_weight=shared(sample_weight, data.weights),
        splits=[split for split in splits_of(chosen, validation_every, options) for _ in listed],
        max_seconds=max_seconds,
        verbose=verbose,
        **validation_options(validation_every, metrics, options),
    )
    found = [outcomes[i : i + len(listed)] for i in range(0, len(outcomes), len(listed))]
    scores, errors = scored(networks, found, data, chosen, metrics, names)
    if len(errors) == len(outcomes):
        errors[0, 0].add_note(f"{len(errors)} of {len(errors)} fits failed; this is the error of the first.")
        raise errors[0, 0]
    return CrossValidation(
        scores,
        folds=chosen,
        seeds=listed,
        histories=[[fit if isinstance(fit, History) else None for fit in fits] for fits in found],
        errors=errors,
        networks=networks if keeps else None,
    )


class Examples(NamedTuple):
    """Rows (n, n_in), targets (n, n_targets) or labels (n,), and weights of rows or targets, or None."""

    X: Rows
    y: Array
    weights: Array | None

    @classmethod
    def checked(cls, net: Network, X: Any, y: Any, sample_weight: ArrayLike | None) -> Examples:
        """Return the user's arrays, which the network can be trained on."""
        checks = net._model.checks
        rows, targets = checks.examples(X, y)
        weights = None if sample_weight is None else as_array("sample_weight", sample_weight)
        resolve_weights(checks, targets, weights, None)
        return cls(rows, targets, weights)

    def check(self) -> None:
        """Raise DataError if code of the user has resized an array since the call began."""
        check_rows(self.X)
        check_memory(self.y)
        if self.weights is not None:
            check_memory(self.weights)

    def part(self, rows: Array) -> Examples:
        """Return a copy of some rows; errors as for `check`."""
        self.check()
        return Examples(self.X[rows], self.y[rows], None if self.weights is None else self.weights[rows])


class AdaptOptions(NamedTuple):
    """What `Network.adapt` is asked for; `targets` is None if the loss decides whether to scale them."""

    center: bool
    targets: bool | None

    @classmethod
    def of(cls, adapt: bool | Mapping[str, bool]) -> AdaptOptions | None:
        """Return what an argument `adapt` means; None for no scaling."""
        if not isinstance(adapt, Mapping):
            try:
                return cls(center=True, targets=None) if flag("adapt", adapt) else None
            except ParameterError as error:
                raise ParameterError(f"{error}, or a mapping") from None
        for name in adapt:
            if name not in cls._fields:
                raise unknown("adapt", str(name), cls._fields)
        given = {str(name): flag(f"adapt[{name!r}]", value) for name, value in adapt.items()}
        return cls(given.get("center", True), given.get("targets"))

    def measure(self, networks: Sequence[Network], data: Examples) -> None:
        """Give the networks the scaling of these rows."""
        X, loss = for_user(data.X), networks[0].loss
        scales = loss.scales_targets and not isinstance(loss, CustomLoss)
        for net in networks:
            y = data.y if (scales if self.targets is None else self.targets) else ...
            net.adapt(X, y, center=self.center)


# ---- options of the fits -----------------------------------------------------------------------------------


def check_options(options: Mapping[str, Any]) -> None:
    """Raise UnknownArgumentError for an option that is no argument of `Network.fit`, or is `resume`.

    A file may be of a fit that has trained on the rows held out.
    """
    parameters = signature(Network.fit).parameters.values()
    known = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY and one.name != "resume"]
    for name in options:
        if name not in known:
            raise unknown("cross_validate", name, known)


def shared(given: Any, checked: Any) -> Any:
    """Return what the user gave, as an array if it is a list: of these, `fit_many` has one per network."""
    return checked if isinstance(given, list) else given


def has_own_validation(options: Mapping[str, Any]) -> bool:
    """Tell whether the fits have validation data that are not the rows held out."""
    return any(options.get(name) is not None for name in ("validation_split", "validation_data"))


def splits_of(
    folds: Sequence[Fold], validation_every: int | None, options: Mapping[str, Any]
) -> list[tuple[Array, Array | None]]:
    """Return the rows to train on in each fold, and those to validate on during the fit."""
    is_watched = validation_every is not None and not has_own_validation(options)
    return [(fold.training, fold.held_out if is_watched else None) for fold in folds]


def validation_options(
    validation_every: int | None, metrics: Metrics | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options of the fits; `fit` takes those of validation only if there is one."""
    if validation_every is None and not has_own_validation(options):
        return {**options}
    return {
        **options,
        "validation_every": 1 if validation_every is None else validation_every,
        "metrics": tuple(metrics) if isinstance(metrics, list) else metrics,  # shared, not one per network
    }


# ---- scores ------------------------------------------------------------------------------------------------


def scored(
    networks: Sequence[Sequence[Network]],
    outcomes: Sequence[Sequence[Outcome]],
    data: Examples,
    folds: Sequence[Fold],
    metrics: Metrics | None,
    names: Sequence[str],
) -> tuple[dict[str, Array], dict[tuple[int, int], Exception]]:
    """Return the scores by name, (folds, seeds), NaN where there is none, and the errors by fold and seed."""
    scores = {name: np.full((len(networks), len(networks[0])), np.nan) for name in names}
    errors: dict[tuple[int, int], Exception] = {}
    for i, fold in enumerate(folds):
        held_out = data.part(fold.held_out)
        for j, (net, outcome) in enumerate(zip(networks[i], outcomes[i], strict=True)):
            found = score(net, outcome, held_out, metrics)
            if isinstance(found, Exception):
                errors[i, j] = found
                continue
            for name, value in found.items():
                scores[name][i, j] = value
    return scores, errors


def score(
    net: Network, outcome: Outcome, held_out: Examples, metrics: Metrics | None
) -> dict[str, float] | Exception:
    """Return loss and metrics of a network on rows that it has not seen, or why there are none."""
    if isinstance(outcome, Exception):
        return outcome
    if outcome.stopped == "max_seconds" and len(outcome) == 0:
        return Error("max_seconds was over before the fit began: the network is not trained")
    try:
        return net.evaluate(for_user(held_out.X), held_out.y, metrics, sample_weight=held_out.weights)
    except Exception as error:  # of a metric of the user, for example
        return without_arrays(error)
