"""The callbacks of scikit-learn 1.9: a task per fit, and one within it per epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

from fastbp.sklearn._types import Method

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # before version 1.9

    class CallbackSupport:  # type: ignore[no-redef]
        """Estimator without callbacks."""

    def _with_callbacks(method: Any) -> Any:
        return method


#: Attributes of an estimator that scikit-learn sets within a fit, and deletes after it.
CONTEXT = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")

__all__ = ["CONTEXT", "CallbackSupport", "EpochTasks", "root_task", "with_callbacks"]


def with_callbacks(method: Method) -> Method:
    """Return scikit-learn's `with_callbacks`, where it exists, with the type of the method."""
    return cast("Method", _with_callbacks(method))


class EpochTasks:
    """Calls of the callbacks around each epoch.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    context : CallbackContext
        That of the fit.
    given : dict
        Data that the callbacks get: X, y and metadata.
    """

    def __init__(self, estimator: Any, context: Any, given: dict[str, Any]) -> None:
        self._estimator, self._context = estimator, context
        self._given = given | {"reconstruction_attributes": partial(fitted_attributes, estimator)}
        self._epoch: Any = None

    def begin(self) -> None:
        """Tell that an epoch begins."""
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._given)

    def end(self) -> bool:
        """Tell that an epoch has ended; return whether a callback asks to stop."""
        return bool(self._epoch.call_on_fit_task_end(estimator=self._estimator, **self._given))


@contextmanager
def root_task(estimator: Any, max_iter: int, X: Any, y: Any, weights: Any) -> Iterator[EpochTasks | None]:
    """Give the tasks of the epochs, within the task of a fit; None if the estimator has no callbacks."""
    if not hasattr(estimator, "_skl_callbacks") and not hasattr(estimator, "_parent_callback_ctx"):
        yield None
        return
    metadata = None if weights is None else {"sample_weight": weights}
    given = {"X": X, "y": y, "metadata": metadata}
    context = estimator._init_callback_context(max_subtasks=max_iter)
    context.call_on_fit_task_begin(estimator=estimator, **given)
    tasks = EpochTasks(estimator, context, given)
    yield tasks
    context.call_on_fit_task_end(estimator=estimator, **tasks._given)


def fitted_attributes(estimator: Any) -> dict[str, Any]:
    """Return what a copy of the estimator needs to predict as it would now."""
    network = estimator.network_.clone()
    return {
        "network_": network,
        "coefs_": [*network.weights],
        "intercepts_": [*network.biases],
        "_own_weights": ([*network.weights], [*network.biases]),
    }
