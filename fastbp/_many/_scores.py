"""`CrossValidation`: the scores of a cross-validation, and how far they spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan, sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.shown import counted, shown
from fastbp._many._folds import Fold
from fastbp.history import History

if TYPE_CHECKING:
    from fastbp.network import Network

Array: TypeAlias = NDArray[np.float64]


class CrossValidation:
    """Scores of networks on rows that they were not trained on: one network per fold and seed.

    ``result["accuracy"]`` is an array (folds, seeds), read-only; iterating yields the names: "loss", then the
    metrics. As text it is a table.

    Training rows are shared by the folds, so scores of different folds are not independent, and no unbiased
    estimate of the variance of their mean exists (Bengio and Grandvalet 2004). `std` divided by the root of
    the number of scores is too small; `standard_error` corrects for it.

    The score of a fit that failed is NaN, and so is then every mean and spread of it; `errors` tells what
    happened. ``numpy.nanmean(result["loss"])`` leaves failed fits out.

    Attributes
    ----------
    folds : tuple of pairs of arrays
        Rows to train on and rows held out, per fold. `cross_validate` takes them as its argument `folds`, to
        compare other networks on the same rows.
    seeds : tuple of int
        What `make_network` was called with.
    histories : list of lists
        ``histories[i][j]`` is the History of the fit of fold i and seed j; None if it failed.
    errors : dict
        The exceptions of fits and evaluations that failed, by (i, j).
    networks : list of lists, or None
        The trained networks, likewise, if they were asked for.

    References
    ----------
    C. Nadeau and Y. Bengio, Inference for the generalization error, Machine Learning 52, 2003. Y. Bengio and
    Y. Grandvalet, No unbiased estimator of the variance of K-fold cross-validation, JMLR 5, 2004.
    """

    def __init__(
        self,
        scores: Mapping[str, Array],
        *,
        folds: Sequence[Fold],
        seeds: Sequence[int],
        histories: list[list[History | None]],
        errors: dict[tuple[int, int], Exception],
        networks: list[list[Network]] | None,
    ) -> None:
        self._scores = dict(scores)
        for score in self._scores.values():
            score.flags.writeable = False
        self.folds, self.seeds = tuple(folds), tuple(seeds)
        self.histories, self.errors, self.networks = histories, errors, networks

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __getitem__(self, name: str) -> Array:
        if name not in self._scores:
            raise KeyError(f"no score {shown(name)}, expected one of: {', '.join(self)}")
        return self._scores[name]

    @property
    def mean(self) -> dict[str, float]:
        """Mean over all folds and seeds, by name."""
        return {name: float(score.mean()) for name, score in self._scores.items()}

    @property
    def std(self) -> dict[str, float]:
        """Standard deviation over all folds and seeds (ddof=1), by name; NaN for a single score."""
        return {name: sqrt(variance(score, None)) for name, score in self._scores.items()}

    @property
    def std_over_folds(self) -> dict[str, float]:
        """Standard deviation of a score if only the fold changes, by name.

        The root of the variance over folds (ddof=1), averaged over the seeds. NaN for a single fold.
        """
        return {name: sqrt(variance(score, 0)) for name, score in self._scores.items()}

    @property
    def std_over_seeds(self) -> dict[str, float]:
        """Standard deviation of a score if only the seed changes, by name.

        The root of the variance over seeds (ddof=1), averaged over the folds. NaN for a single seed. If it is
        about as large as a difference between two kinds of networks, one seed cannot tell which is better.
        """
        return {name: sqrt(variance(score, 1)) for name, score in self._scores.items()}

    @property
    def standard_error(self) -> dict[str, float]:
        """Standard error of the mean, by name, corrected for folds that share training rows.

        sqrt((1 / k + held out / trained on) v) for k folds, where v is the variance (ddof=1) over the folds
        of the mean over seeds, and the second term the mean ratio of the numbers of rows. Nadeau and Bengio
        (2003) derive it for random splits; for folds it is the usual approximation. NaN for a single fold.
        """
        ratio = sum(len(held_out) / len(training) for training, held_out in self.folds) / len(self.folds)
        factor = 1 / len(self.folds) + ratio
        return {
            name: sqrt(factor * variance(score.mean(axis=1, keepdims=True), 0))
            for name, score in self._scores.items()
        }

    def to_dict(self) -> dict[str, list[Any]]:
        """Return columns with one entry per fit: "fold" and "seed", then one per score.

        ``pandas.DataFrame(result.to_dict())`` makes a data frame of them.
        """
        n_folds, n_seeds = len(self.folds), len(self.seeds)
        columns: dict[str, list[Any]] = {
            "fold": [i for i in range(n_folds) for _ in range(n_seeds)],
            "seed": [*self.seeds] * n_folds,
        }
        return columns | {name: score.reshape(-1).tolist() for name, score in self._scores.items()}

    def __repr__(self) -> str:
        measures = {"mean": self.mean, "std": self.std}
        if len(self.folds) > 1 and len(self.seeds) > 1:
            measures |= {"over folds": self.std_over_folds, "over seeds": self.std_over_seeds}
        if len(self.folds) > 1:
            measures["std. error"] = self.standard_error
        width = max(map(len, self))
        title = f"{counted(len(self.folds), 'fold')}, {counted(len(self.seeds), 'seed')}"
        lines = [
            f"CrossValidation({title})",
            f"{'':{width}}" + "".join(f"  {measure:>10}" for measure in measures),
            *(
                f"{name:{width}}" + "".join(f"  {values[name]:>10.4g}" for values in measures.values())
                for name in self
            ),
        ]
        return "\n".join([*lines, *self._remarks()])

    def _remarks(self) -> list[str]:
        """Return a line about fits that failed, and one about fits that had too little time."""
        n, remarks = counted(len(self.folds) * len(self.seeds), "fit"), []
        if self.errors:
            remarks.append(f"{len(self.errors)} of {n} failed, see errors: their scores are nan")
        late = sum(
            history is not None and history.stopped == "max_seconds" and (i, j) not in self.errors
            for i, histories in enumerate(self.histories)
            for j, history in enumerate(histories)
        )
        if late:
            remarks.append(f"{late} of {n} ended early, by max_seconds")
        return remarks


@np.errstate(all="ignore")  # an infinite score gives NaN
def variance(score: Array, axis: int | None) -> float:
    """Return the variance (ddof=1) along an axis, averaged over the other; NaN for a single number."""
    if (score.size if axis is None else score.shape[axis]) < 2:
        return nan
    return float(np.mean(score.var(axis=axis, ddof=1)))
