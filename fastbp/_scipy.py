"""`minimize`: training a network with SciPy's optimizers."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from functools import partial
from math import nan
from time import perf_counter
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._base.arguments import choice, integer, number, verbosity
from fastbp._base.arrays import are_batches
from fastbp._base.optional import scipy
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs, Rows
from fastbp._data.sample_weights import ClassWeight, Weights, resolve_weights
from fastbp._model import NOTHING, Model
from fastbp._training.progress import Shown, shown_by
from fastbp.exceptions import DivergenceError, ParameterError
from fastbp.history import History
from fastbp.layers import Layer, trained
from fastbp.network import Network, check_network

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
    X: Inputs,
    y: ArrayLike | None = None,
    *,
    method: str = "L-BFGS-B",
    max_iterations: int = 1000,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    verbose: int | Literal["auto"] = 0,
) -> Any:
    """Train a network with scipy.optimize.minimize, on all rows of (X, y) at once.

    It starts from the present parameters and ends at those that SciPy returns. If Ctrl-C or an error stops
    it, it ends at those with the lowest loss so far. The network's optimizer and its clipping are not used.
    The penalties l1 and l2 are part of the loss; dropout, max_norm, learning_rate_factor and input_noise are
    refused. SciPy sees only the parameters of layers that are not frozen. `net.history` gets one epoch per
    iteration, whose loss is the lowest before that iteration; `stopped` is "converged", "epochs" (the limit
    was reached), or "stalled", and the result then gives SciPy's reason.

    Parameters
    ----------
    net : Network
        The network to train. Prefer float64: float32 cannot resolve the differences in SciPy's line searches.
    X, y : array_like
        Inputs and targets as for `Network.fit`.
    method : str
        Method of SciPy: "L-BFGS-B", "BFGS", "CG", "Newton-CG", "SLSQP" or "TNC". BFGS and SLSQP keep a matrix
        (P, P).
    max_iterations : int, >= 1 and < 2**31
        Limit of iterations; for TNC, of evaluations of the loss.
    tol : float, > 0, optional
        Tolerance, with the meaning that the method gives it. Default: the method's.
    options : mapping, optional
        Options of the method, such as ``{"maxcor": 30}``.
    sample_weight, class_weight : optional
        Weights as for `Network.fit`, with all rows as one batch.
    verbose : int or "auto"
        Verbosity as for `Network.fit`.

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
        An argument is not as above, or another call is using the network, as for `Network.fit`.
    """
    check_network(net)
    limit = choice("method", method, METHODS)
    max_iterations = integer("max_iterations", max_iterations, at_least=1, below=2**31)
    tol = None if tol is None else number("tol", tol, above=0)
    if options is not None and not isinstance(options, Mapping):
        raise ParameterError(f"options is {shown(options)}, expected a mapping, like {{'maxcor': 30}}")
    verbose = verbosity(verbose)
    model = net._model
    if y is None or are_batches(X):
        raise ParameterError(
            f"X is {shown(X)} {'without y' if y is None else 'with y'}, expected arrays X and y: minimize "
            "needs all rows at once"
        )
    model.check_trainable()
    model.architecture.check_without(("dropout", "max_norm", "learning_rate_factor"), "minimize")
    names = model.checks.names_for(X)
    X, y = model.checks.examples(X, y)
    weights = resolve_weights(model.checks, y, sample_weight, class_weight)
    solve = scipy("optimize", "minimize").minimize
    settings = {"method": method, "tol": tol, "options": {limit: max_iterations, **(options or {})}}
    progress = shown_by(verbose, max_iterations)
    task = Minimization(model, X, y, weights, progress, names)
    return model.guard.writing("minimize", NOTHING, task.run, solve, settings, undo=task.recover)


def free_parameters(layers: Iterable[Layer]) -> Any:
    """Return an index of the parameters that are not frozen; a slice, which copies nothing, if it is one."""
    parts = [part for part, _ in trained(layers)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([np.arange(part.start, part.stop) for part in parts])


class Minimization:
    """SciPy's objective function over a model, and the record of its iterations.

    The iterations are appended to the history of the model.
    """

    def __init__(
        self,
        model: Model,
        X: Rows,
        y: NDArray[Any],
        weights: Weights | None,
        progress: Shown | None,
        names: tuple[str, ...] | None,
    ) -> None:
        self._name = partial(model.adopt, names)
        self._engine, self._trainer, self._past = model.engine, model.trainer, model.history
        self._progress = progress
        self._free = free_parameters(model.architecture.layers)
        self._data: tuple[Any, ...] = model.engine.apart(X), model.engine.apart(y), weights
        self._best = self._before = np.inf  # the lowest loss so far, and that before the present iteration
        self._snapshot = _core.Snapshot(model.engine)  # of the parameters with the lowest loss
        self._history = History()
        self._noted = perf_counter()

    def run(self, solve: Any, settings: dict[str, Any]) -> Any:
        """Minimize, set the parameters to SciPy's result, and append the iterations to the history."""
        self._first_epoch = len(self._past)
        self._snapshot.take(0)
        self._name()
        start = self._engine.parameters[self._free].astype(np.float64)
        try:
            self._before, _ = self._evaluate(start)
            result = solve(self._evaluate, start, jac=True, callback=self._end_iteration, **settings)
        finally:
            self._data = ()  # SciPy's objects keep this one alive until garbage is collected
            if self._progress is not None:
                self._progress.close()
        done = result.nfev if settings["method"] == "TNC" else result.nit
        is_over = done >= settings["options"][METHODS[settings["method"]]]
        self._set(result.x)
        self._history.stopped = "converged" if result.success else "epochs" if is_over else "stalled"
        self._past.stopped = self._history.stopped
        return result

    def recover(self, error: BaseException) -> None:
        """Go back to the parameters with the lowest loss; may be interrupted and called again."""
        if self._snapshot.epoch is not None:
            self._snapshot.restore()
            self._past._follow(self._history, self._first_epoch)
            self._past.stopped = "diverged" if isinstance(error, DivergenceError) else "interrupted"

    def _set(self, x: NDArray[np.float64]) -> None:
        with np.errstate(all="ignore"):
            self._engine.parameters[self._free] = x

    def _evaluate(self, x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return loss and gradient (n,) at x, the n parameters that are trained."""
        self._set(x)
        loss = self._trainer.loss_and_gradients(*self._data)
        gradients = self._engine.gradients[self._free].astype(np.float64)
        if not np.isfinite(loss + np.abs(gradients).sum()):
            raise DivergenceError(
                f"the loss became {loss}, or its gradient not finite, in iteration {len(self._history) + 1}; "
                "the network has the parameters with the lowest loss before that"
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
            self._progress.update(len(self._history), self._history)
