"""`Inference`: predictions of a network, and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import are_batches
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs, as_rows
from fastbp._data.sample_weights import resolve_weights
from fastbp._engine import inference
from fastbp.exceptions import ParameterError
from fastbp.metrics import Metrics, resolve
from fastbp.network._description import Description

if TYPE_CHECKING:
    from fastbp._data.batches import Batch
    from fastbp.history import History
    from fastbp.inspect import Diagnosis

Array: TypeAlias = NDArray[Any]

BATCH_ITEMS = 3  # at most: X, y, sample_weight


class Inference(Description):
    """A network that predicts."""

    @overload
    def predict(self, X: Inputs, out: Array | None = None) -> Array: ...
    @overload
    def predict(self, X: Iterable[Any], out: None = None) -> Iterator[Array]: ...
    def predict(self, X: Any, out: Array | None = None) -> Any:
        """Return the outputs of the network.

        Parameters
        ----------
        X : array_like or sparse, shape (n, n_in), or (n_in,) for one row
            Inputs as for `fit`, or no rows. NaN and infinity are accepted; NaN makes all outputs of its row
            NaN. Or an iterable of batches, such as a list, a generator or a DataLoader: each batch is an X,
            or a tuple or list like (X, y) that begins with X.
        out : array, shape (n, n_out), or (n_out,) for one row, optional
            Array to write the outputs to: C-contiguous, of the network's dtype.

        Returns
        -------
        array, shape (n, n_out), or (n_out,) for one row
            The losses `GaussianNLL` and `Quantiles` have methods that take the outputs of a target apart. For
            an iterable, an iterator of such arrays, one per batch, which reads a batch when it is asked for
            its outputs.

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
            if type(X) is not np.ndarray and (are_batches(X) or lists_batches(X)):
                return self._of_batches(self.predict, X, out)
            X = model.checks.query(X)
            if out is None:
                output = out = model.checks.new_output(X)
            else:
                output = model.checks.out(out, X, model.engine.shares_memory)
            model.guard.reading(inference.predict, model.engine, as_rows(X), as_rows(output))
            return out
        return output

    def predict_classes(self, X: Inputs | Iterable[Any]) -> Any:
        """Return the most probable class per row, int64 (n,), or for one row (n_in,) its class.

        Sigmoid outputs and the loss hinge decide a question per output: 1 for sigmoid outputs of at least
        1/2, otherwise 0; for hinge 1 above 0, otherwise -1. The shape is that of the outputs, but (n,) for
        one output. X is as for `predict`; for an iterable of batches the result is an iterator.

        Raises
        ------
        ParameterError
            The outputs are not softmax or sigmoid, and the loss is not hinge. Other errors as for `predict`.
        DataError
            An output is NaN.
        """
        if type(X) is not np.ndarray and (are_batches(X) or lists_batches(X)):
            return self._of_batches(self.predict_classes, X)
        architecture = self._model.architecture
        output: Any = self.predict(X)
        return inference.classes(output, architecture.loss, architecture.layers[-1].activation)

    @staticmethod
    def _of_batches(predict: Callable[[Any], Any], batches: Any, out: Any = None) -> Iterator[Any]:
        """Return an iterator of the predictions for batches."""
        if out is not None:
            raise ParameterError(f"out is {shown(out)} with batches from an iterable, expected None")
        return (predict(inputs_of(batch)) for batch in batches)

    def evaluate(
        self,
        X: Inputs | Iterable[Batch],
        y: ArrayLike | None = None,
        metrics: Metrics | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> dict[str, float]:
        """Return the "loss" of all rows of (X, y) as one batch, and metrics by name.

        Parameters
        ----------
        X, y : array_like, or sparse for X
            Inputs and targets as for `fit`. Or, without y, an iterable of batches as for `fit`, which is read
            once, to its end. The loss is then the mean over all rows, too; of a custom loss, the mean over
            batches, weighted by their rows. Metrics keep the outputs and targets of all rows.
        metrics : str, callable, or sequence of these, optional
            Metrics to measure, defined in `fastbp.metrics`. For cross_entropy "accuracy" (the default), "f1",
            "auc" and "top_k" or `TopK(k)`; for hinge "accuracy" (the default), "f1" and "auc"; for
            binary_cross_entropy these three, "r2" and "mae"; for all other losses "r2" (the default) and
            "mae". A callable takes (output, target), returns a float and is called by its `__name__`. If an
            output is NaN, so are all metrics. For `GaussianNLL` and `Quantiles`, "r2" and "mae" measure the
            means or the medians, and a callable gets all outputs.
        sample_weight : array_like, shape (n,) or (n, n_out), optional
            Weights as for `fit`, of the loss and of the metrics of `fastbp.metrics`. A callable gets the rows
            with a nonzero weight, and no weights. Not with batches from an iterable, which have their own.

        Raises
        ------
        ParameterError
            A metric does not go with the loss. Other errors as for `fit`.
        """
        model = self._model
        parts = model.engine, model.trainer, model.checks
        if y is None:
            from fastbp._data.batches import Source, examples_in  # few need it

            batches = examples_in(model.checks, "X", Source("X", X, epochs=1).data)
            if sample_weight is not None:
                raise ParameterError(
                    f"sample_weight is {shown(sample_weight)} with batches from an iterable, expected None: "
                    "a batch is (X, y, sample_weight)"
                )
            measured = resolve(metrics, model.architecture.loss, model.architecture.n_out)
            return model.guard.reading(inference.evaluate_batches, *parts, batches, measured)
        X, y = model.checks.examples(X, y)
        weights = resolve_weights(model.checks, y, sample_weight, None)
        measured = resolve(metrics, model.architecture.loss, model.architecture.n_out)
        return model.guard.reading(inference.evaluate, *parts, X, y, measured, weights)

    def diagnose(
        self,
        X: Inputs,
        y: ArrayLike,
        *,
        history: History | None = None,
        X_val: Inputs | None = None,
        y_val: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Diagnosis:
        """Return what the derivatives of the loss say about the network on (X, y), in numbers and in words.

        Short for `fastbp.inspect.diagnose`, whose documentation has the details. During a fit, the callback
        `fastbp.callbacks.Diagnose` does it after epochs.

        Parameters
        ----------
        X, y : array_like, or sparse for X
            Inputs and targets as for `fit`.
        history : History, optional
            Record of the fit, from which the course of the losses is judged. Default: that of the network.
        X_val, y_val : array_like, or sparse for X_val, optional
            Data that the network was not trained on.
        sample_weight : array_like, shape (n,) or (n, n_targets), optional
            Weights as for `evaluate`.

        Returns
        -------
        fastbp.inspect.Diagnosis
            Its `findings` have cause, evidence and remedy, the most serious first; its `layers` have the
            measures per layer; as text, it is a report.

        Raises
        ------
        ParameterError, ShapeError, DTypeError, DataError
            An argument is not as above, or as for `evaluate`; only one of X_val and y_val is given.
        """
        from fastbp.inspect import diagnose  # few need it

        net: Any = self  # a Network
        return diagnose(net, X, y, history=history, X_val=X_val, y_val=y_val, sample_weight=sample_weight)


def inputs_of(batch: Any) -> Any:
    """Return the inputs of a batch: itself, or its first item if that has rows."""
    if isinstance(batch, (tuple, list)) and 0 < len(batch) <= BATCH_ITEMS and has_rows(batch[0]):
        return batch[0]
    return batch


def has_rows(item: Any) -> bool:
    """Tell whether this has two dimensions: a matrix of any library, or a list of lists or of arrays."""
    if isinstance(item, (tuple, list)):
        return len(item) > 0 and (isinstance(item[0], (tuple, list)) or getattr(item[0], "ndim", 0) == 1)
    return has_two_dimensions(item)


def has_two_dimensions(item: Any) -> bool:
    """Tell whether this is an array, a tensor, a sparse matrix or a frame with rows and columns."""
    shape = getattr(item, "shape", None)  # frames of polars and pyarrow have no `ndim`
    return isinstance(shape, tuple) and len(shape) == 2


def lists_batches(X: Any) -> bool:
    """Tell whether X is a list of batches; an array of three dimensions would be no X."""
    if not isinstance(X, (list, tuple)) or len(X) == 0:
        return False
    return inputs_of(X[0]) is not X[0] or has_two_dimensions(X[0])
