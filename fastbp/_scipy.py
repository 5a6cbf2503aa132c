"""SciPy's optimizers on a network, whose parameters and gradients are flat vectors anyway."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from math import nan
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._architecture import check_without
from fastbp._base.arguments import choice, integer, number, verbosity
from fastbp._base.optional import scipy
from fastbp._base.shown import shown
from fastbp._data.sample_weights import ClassWeight, Weights, resolve_weights
from fastbp._training.progress import Progress
from fastbp.exceptions import DivergenceError, ParameterError
from fastbp.history import History
from fastbp.network import NOTHING, Network

#: The methods of scipy.optimize.minimize that ask for the gradient alone, each with its limit of iterations.
METHODS = {
    "L-BFGS-B": "maxiter",
    "BFGS": "maxiter",
    "CG": "maxiter",
    "Newton-CG": "maxiter",
    "SLSQP": "maxiter",
    "TNC": "maxfun",
}


def minimize(
    net: Network,
    X: ArrayLike,
    y: ArrayLike,
    *,
    method: str = "L-BFGS-B",
    max_iterations: int = 1000,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    verbose: int = 0,
) -> Any:
    """Let scipy.optimize.minimize train a network on all rows of (X, y) at once, from where it stands on.

    The network ends where SciPy does, or, where Ctrl-C or an error breaks it off, with the lowest loss that
    was met. Its optimizer plays no part, nor does its clipping. The penalties l1 and l2 are part of the loss;
    dropout, max_norm and input_noise are refused. `net.history` goes on with an epoch an iteration, whose
    loss is the lowest before it; `stopped` is "converged", "epochs" (the limit), or "stalled", for which the
    result has SciPy's reason.

    Parameters
    ----------
    net : Network
        float64 serves best: SciPy's line searches work with differences that float32 does not resolve.
    X, y : array_like
        As for `Network.fit`.
    method : str
        "L-BFGS-B", "BFGS", "CG", "Newton-CG", "SLSQP" or "TNC". BFGS and SLSQP keep a matrix (P, P).
    max_iterations : int, >= 1 and < 2**31
        TNC counts evaluations of the loss instead.
    tol : float, > 0, optional
        What SciPy takes for it in this method; by default the method's own.
    options : mapping, optional
        Of the method, for SciPy: ``{"maxcor": 30}``.
    sample_weight, class_weight : optional
        As for `Network.fit`, with all rows as the batch.
    verbose : int
        As for `Network.fit`.

    Returns
    -------
    scipy.optimize.OptimizeResult

    Raises
    ------
    ImportError
        SciPy is not installed.
    DivergenceError
        The loss or its gradient became NaN or infinite.
    ShapeError, DTypeError, DataError, ParameterError, BusyError
        As for `Network.fit`.
    """
    if not isinstance(net, Network):
        raise ParameterError(f"net is a {type(net).__name__}, expected a fastbp.Network")
    limit = choice("method", method, METHODS)
    max_iterations = integer("max_iterations", max_iterations, at_least=1, below=2**31)
    tol = None if tol is None else number("tol", tol, above=0)
    if options is not None and not isinstance(options, Mapping):
        raise ParameterError(f"options is {shown(options)}, expected a mapping, like {{'maxcor': 30}}")
    verbose = verbosity(verbose)
    net._door.check_trainable()
    check_without(net, ("dropout", "max_norm"), "minimize")
    X, y = net._door.examples(X, y)
    weights = resolve_weights(net._door, y, sample_weight, class_weight)
    solve = scipy("optimize", "minimize").minimize
    settings = {"method": method, "tol": tol, "options": {limit: max_iterations, **(options or {})}}
    progress = Progress(max_iterations, lines=verbose == 2) if verbose else None
    task = Minimization(net._engine, X, y, weights, progress, net._history)
    return net._guard.writing("minimize", NOTHING, task.run, solve, settings, undo=task.recover)


class Minimization:
    """SciPy's objective function, and the record of its iterations.

    Parameters
    ----------
    past : History
        The network's history, to which the iterations are appended.
    """

    def __init__(
        self,
        engine: _core.Engine,
        X: NDArray[Any],
        y: NDArray[Any],
        weights: Weights | None,
        progress: Progress | None,
        past: History,
    ) -> None:
        self._engine, self._progress, self._past = engine, progress, past
        self._data: tuple[Any, ...] = engine.apart(X), engine.apart(y), weights
        self._best = self._before = np.inf  # the lowest loss so far, and that before the iteration under way
        self._snapshot = _core.Snapshot(engine)  # of the parameters that have it
        self._history = History()
        self._noted = perf_counter()

    def run(self, solve: Any, settings: dict[str, Any]) -> Any:
        """Minimise; leave the network where SciPy ends, and append the iterations to its history."""
        self._first_epoch = len(self._past)
        self._snapshot.take(0)
        start = self._engine.parameters.astype(np.float64)
        try:
            self._before, _ = self._evaluate(start)
            result = solve(self._evaluate, start, jac=True, callback=self._end_iteration, **settings)
        finally:
            self._data = ()  # SciPy's objects keep the function, and each other, until garbage is collected
            if self._progress is not None:
                self._progress.close()
        done = result.nfev if settings["method"] == "TNC" else result.nit
        is_over = done >= settings["options"][METHODS[settings["method"]]]
        self._set(result.x)
        self._history.stopped = "converged" if result.success else "epochs" if is_over else "stalled"
        self._past.stopped = self._history.stopped
        return result

    def recover(self, error: BaseException) -> None:
        """Go back to the lowest loss that was met; may be interrupted and called again."""
        if self._snapshot.epoch is not None:
            self._snapshot.restore()
            self._past._follow(self._history, self._first_epoch)
            self._past.stopped = "diverged" if isinstance(error, DivergenceError) else "interrupted"

    def _set(self, x: NDArray[np.float64]) -> None:
        with np.errstate(all="ignore"):
            self._engine.parameters[:] = x

    def _evaluate(self, x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return loss and gradient (P,) at x."""
        self._set(x)
        loss = self._engine.loss_and_gradients(*self._data)
        gradients = self._engine.gradients.astype(np.float64)
        if not np.isfinite(loss + np.abs(gradients).sum()):
            raise DivergenceError(
                f"the loss became {loss}, or its gradient not finite, in iteration {len(self._history) + 1}; "
                "the network has the parameters of the lowest loss that was met before"
            )
        if loss < self._best:
            self._best = loss
            self._snapshot.take(len(self._history))
        return loss, gradients

    def _end_iteration(self, xk: NDArray[np.float64]) -> None:
        since, self._noted = self._noted, perf_counter()
        entries = {"loss": self._before, "learning_rate": nan, "seconds": self._noted - since}
        self._history._append({name: array("d", [entry]) for name, entry in entries.items()}, 1)
        self._past._follow(self._history, self._first_epoch)
        self._before = self._best
        if self._progress is not None:
            done = SimpleNamespace(epoch=len(self._history), step=0, steps_per_epoch=1)
            self._progress.update(done, self._history)  # type: ignore[arg-type]
