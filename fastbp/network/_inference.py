"""`Inference`: predictions of a network, and how good they are."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import ArrayLike, NDArray

from fastbp._base.sparse import AnyRows, Inputs, SparseRows
from fastbp._data.sample_weights import resolve_weights
from fastbp._engine import inference
from fastbp.metrics import Metrics, resolve
from fastbp.network._description import Description

Array: TypeAlias = NDArray[Any]


class Inference(Description):
    """A network that predicts."""

    def predict(self, X: Inputs, out: Array | None = None) -> Array:
        """Return the outputs of the network.

        Parameters
        ----------
        X : array_like or sparse, shape (n, n_in), or (n_in,) for one row
            Inputs as for `fit`, or no rows. NaN and infinity are accepted; NaN makes all outputs of its row
            NaN.
        out : array, shape (n, n_out), or (n_out,) for one row, optional
            Array to write the outputs to: C-contiguous, of the network's dtype.

        Returns
        -------
        array, shape (n, n_out), or (n_out,) for one row
            The losses `GaussianNLL` and `Quantiles` have methods that take the outputs of a target apart.

        Raises
        ------
        ShapeError, DTypeError, ParameterError
            An argument is not as above.
        BusyError
            Another thread is changing the network.
        """
        model = self._model
        output = model.engine.predict_plain(X, out, model.guard)
        if output is None:
            X = model.checks.query(X)
            if out is None:
                output = out = model.checks.new_output(X)
            else:
                output = model.checks.out(out, X, model.engine.shares_memory)
            model.guard.reading(inference.predict, model.engine, rows(X), rows(output))
            return out
        return output

    def predict_classes(self, X: Inputs) -> Any:
        """Return the most probable class per row, int64 (n,), or for one row (n_in,) its class.

        Sigmoid outputs and the loss hinge decide a question per output: 1 for sigmoid outputs of at least
        1/2, otherwise 0; for hinge 1 above 0, otherwise -1. The shape is that of the outputs, but (n,) for
        one output.

        Raises
        ------
        ParameterError
            The outputs are not softmax or sigmoid, and the loss is not hinge. Other errors as for `predict`.
        DataError
            An output is NaN.
        """
        architecture = self._model.architecture
        return inference.classes(self.predict(X), architecture.loss, architecture.layers[-1].activation)

    def evaluate(
        self,
        X: Inputs,
        y: ArrayLike,
        metrics: Metrics | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> dict[str, float]:
        """Return the "loss" of all rows of (X, y) as one batch, and metrics by name.

        Parameters
        ----------
        X, y : array_like
            Inputs and targets as for `fit`.
        metrics : str, callable, or sequence of these, optional
            Metrics to measure, defined in `fastbp.metrics`. For cross_entropy "accuracy" (the default), "f1",
            "auc" and "top_k" or `TopK(k)`; for hinge "accuracy" (the default), "f1" and "auc"; for
            binary_cross_entropy these three, "r2" and "mae"; for all other losses "r2" (the default) and
            "mae". A callable takes (output, target), returns a float and is called by its `__name__`. If an
            output is NaN, so are all metrics. For `GaussianNLL` and `Quantiles`, "r2" and "mae" measure the
            means or the medians, and a callable gets all outputs.
        sample_weight : array_like, shape (n,) or (n, n_out), optional
            Weights as for `fit`, of the loss and of the metrics of `fastbp.metrics`. A callable gets the rows
            with a nonzero weight, and no weights.

        Raises
        ------
        ParameterError
            A metric does not go with the loss. Other errors as for `fit`.
        """
        model = self._model
        X, y = model.checks.examples(X, y)
        weights = resolve_weights(model.checks, y, sample_weight, None)
        measured = resolve(metrics, model.architecture.loss, model.architecture.n_out)
        found: dict[str, float] = model.guard.reading(
            inference.evaluate, model.engine, model.trainer, model.checks, X, y, measured, weights
        )
        return found


def rows(array: AnyRows) -> AnyRows:
    """Return the array or sparse rows (n, columns), or for one row (columns,) its view (1, columns)."""
    return array if array.ndim == 2 or isinstance(array, SparseRows) else array[None]
