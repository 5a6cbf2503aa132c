"""`Steps`: single steps of training, and their parts."""

from __future__ import annotations

from functools import cache
from math import isfinite
from typing import Any, TypeAlias

from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._base.sparse import Inputs, Rows, as_rows
from fastbp._data.sample_weights import ClassWeight, Weights, resolve_weights
from fastbp._model import NOTHING, Left
from fastbp.exceptions import DivergenceError, Error, ShapeError
from fastbp.network._inference import Inference

Array: TypeAlias = NDArray[Any]


class Steps(Inference):
    """A network that is trained step by step."""

    def train_on_batch(
        self,
        X: Inputs,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
    ) -> float:
        """Do one optimizer step on all rows of (X, y) as one batch; return the loss before the step.

        Arguments and errors as for `fit`, but no snapshot is kept: after a DivergenceError the parameters are
        those after the step.
        """
        model = self._model
        model.check_trainable()
        if not model.makes_steps:
            model.optimizer.check_step("train_on_batch")
        X, y = model.checks.examples(X, y)
        weights = resolve_weights(model.checks, y, sample_weight, class_weight)
        loss = model.guard.writing("train_on_batch", NOTHING, model.trainer.train_on_batch, X, y, weights)
        if not isfinite(loss):
            causes = training().fit.divergence.USUAL_CAUSES
            raise DivergenceError(f"the loss is {loss}, and no snapshot was kept. {causes}")
        return loss

    def loss_and_gradients(
        self,
        X: Inputs,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
    ) -> tuple[float, Array]:
        """Return the loss of all rows as one batch and a copy of `gradients`; arguments as for `fit`."""
        model = self._model
        model.check_differentiable()
        X, y = model.checks.examples(X, y)
        weights = resolve_weights(model.checks, y, sample_weight, class_weight)
        found: tuple[float, Array] = model.guard.writing(
            "loss_and_gradients", (None, True), self._loss_and_gradients, X, y, weights
        )
        return found

    def _loss_and_gradients(self, X: Rows, y: Array, weights: Weights | None) -> tuple[float, Array]:
        loss = self._model.trainer.loss_and_gradients(X, y, weights)
        return loss, self._model.engine.gradients.copy()

    def forward(self, X: Inputs) -> Array:
        """Return the outputs of a training pass over X, at least one row; keep what `backward` needs.

        The outputs are those of `predict`, except for dropout and noise.
        """
        model = self._model
        X = model.checks.query(X)
        if len(X) == 0:
            raise ShapeError("X has no rows, expected at least one")
        output: Array = model.guard.writing("forward", (X.shape, False), model.engine.forward, as_rows(X))
        _core.watch(model.engine.parameters)
        return output if X.ndim == 2 else output[0]

    def backward(self, d_output: ArrayLike) -> Array:
        """Carry the derivative of a loss J that you compute back through the network, after `forward`.

        Parameters
        ----------
        d_output : array_like, shape of the outputs of `forward`
            dJ/doutput.

        Returns
        -------
        array, shape of the X of `forward`
            dJ/dX. Afterwards `gradients` contains dJ/dparameters, including the derivatives of the layers' l1
            and l2, for `step`.

        Raises
        ------
        Error
            There was no `forward`, or the parameters have changed since, by a call or in place.
        """
        model = self._model
        model.check_differentiable()
        left: Left = model.guard.left or NOTHING
        shape, _ = left
        if shape is None:
            raise Error("backward without forward: there is no output of the present parameters")
        d_output = as_rows(model.checks.d_output(d_output, shape))
        if not _core.is_untouched(model.engine.parameters):
            raise Error("backward after a write to the parameters, expected those of forward: call it again")
        work = model.engine.backward
        d_input: Array = model.guard.following(left, "backward", (shape, True), work, d_output)
        return d_input if len(shape) == 2 else d_input[0]

    def step(self) -> None:
        """Do one optimizer step along `gradients`, which are stale afterwards."""
        model = self._model
        model.check_trainable()
        if not model.makes_steps:
            model.optimizer.check_step("step")
        left = self._check_gradients()
        model.guard.following(left, "step", NOTHING, model.engine.update)

    @property
    def gradients(self) -> Array:
        """dJ/dparameters (P,) from `loss_and_gradients` or `backward`; raises Error once they are stale.

        A writable view, which `step` reads and the next of these calls overwrites. Calls that change the
        parameters make the gradients stale; writing to `parameters` does not.
        """
        self._check_gradients()
        return _core.handed_out(self._model.engine.gradients)

    def _check_gradients(self) -> Left:
        left: Left = self._model.guard.left or NOTHING
        _, has_gradients = left
        if not has_gradients:
            raise Error("no gradients of the present parameters: call loss_and_gradients() or backward()")
        return left


@cache  # also for a fit while the interpreter shuts down, which imports nothing any more
def training() -> Any:
    """Return the module that trains, which is imported by the first fit: it takes time."""
    from fastbp._training import train

    return train
