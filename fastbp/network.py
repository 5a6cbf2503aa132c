"""The public class `Network`: checks arguments, guards against concurrent use, and drives an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from inspect import signature
from math import isfinite
from types import EllipsisType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastbp import _core, optimizers
from fastbp._architecture import Architecture
from fastbp._base.arguments import flag
from fastbp._base.arrays import read_only
from fastbp._base.value import Named
from fastbp._data.sample_weights import ClassWeight, Weights, resolve_weights
from fastbp._engine import inference
from fastbp._model import NOTHING, Left, Model, resolve_seed
from fastbp.activations import Activation
from fastbp.callbacks import Callbacks
from fastbp.exceptions import DataError, DivergenceError, Error, ShapeError
from fastbp.history import History
from fastbp.layers import Dense, Layer
from fastbp.losses import Loss, LossFunction
from fastbp.metrics import Metrics, resolve
from fastbp.optimizers import Optimizer
from fastbp.splits import Split

if TYPE_CHECKING:
    from fastbp._data.scaling import Scaling
    from fastbp._engine.protocol import EngineClass
    from fastbp._summary import Summary
    from fastbp._training.validation import ValidationData

Array: TypeAlias = NDArray[Any]


class Network(Named):
    """A multi-layer perceptron.

    Parameters
    ----------
    layers : iterable
        Number of inputs, then the layers, the output layer last: each a number of units or a `Dense`.
    activation : str or Activation
        Activation of hidden layers that do not set their own.
    output_activation : str or Activation, optional
        Activation of the output layer. Default: softmax for the loss cross_entropy, sigmoid for
        binary_cross_entropy, exponential for poisson, otherwise identity.
    loss : str, Loss or callable
        Loss that training minimizes. A callable becomes a `fastbp.losses.CustomLoss`. The attribute `loss`
        is callable on (output, target).
    optimizer : str or Optimizer
        How the parameters are updated, a name or a value. Some optimizers need full batches:
        ``fit(batch_size=None)``.
    dtype : "float32" or "float64"
        Data type of the parameters and of all arithmetic.
    seed : int, >= 0 and < 2**64, optional
        Seed of the initial weights, of the order of the rows in each epoch, of dropout and of noise. Default:
        a fresh one.
    input_noise : float, >= 0
        Standard deviation of the normal random numbers that training adds to the inputs.

    Raises
    ------
    ParameterError, DTypeError
        An argument is not as above, the dtype cannot hold a number, or loss and output activation do not fit
        each other.

    Notes
    -----
    While a call changes the network, only the same thread may read it; all other calls raise BusyError. Any
    number of threads may `predict` and `evaluate` at once. Networks can be pickled and copied. If a callback
    copies the network at the end of an epoch and continues training the copy, the result is bit-identical to
    that of the fit, unless the fit averages weights.

    Calls read NumPy arrays in place. Do not resize or change an array in another thread during a call: this
    is not noticed.
    """

    _engine_class: ClassVar[EngineClass] = _core.Engine

    def __init__(
        self,
        layers: Iterable[int | Dense],
        *,
        activation: str | Activation = "relu",
        output_activation: str | Activation | None = None,
        loss: str | Loss | LossFunction = "mse",
        optimizer: str | Optimizer = "adam",
        dtype: DTypeLike = "float32",
        seed: int | None = None,
        input_noise: float = 0.0,
    ) -> None:
        architecture = Architecture.from_arguments(
            layers,
            activation=activation,
            output_activation=output_activation,
            loss=loss,
            dtype=dtype,
            input_noise=input_noise,
        )
        self._model = Model(architecture, optimizers.get(optimizer), resolve_seed(seed), self._engine_class)
        self._model.draw_weights(self._model.engine.parameters)

    _names = dict.fromkeys([*signature(__init__).parameters][1:])  # without self

    # ---- what it is ----------------------------------------------------------------------------------------

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers with their defaults filled in: n_in, n_out, activation and the options of `Dense`."""
        return self._model.architecture.layers

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return self._model.architecture.n_parameters

    @property
    def trainable(self) -> tuple[bool, ...]:
        """Whether training changes W and b, one bool per layer; set it to such a list or to one bool.

        Training computes no gradient below the lowest trainable layer. Setting it keeps parameters and
        optimizer state; gradients and outputs for `backward` are stale afterwards. BusyError in a fit.

        Adam and its relatives correct their running means by the number of steps of the whole network. For a
        layer that is trained later, set the optimizer, too: ``net.optimizer = Adam(1e-4)`` starts anew.
        """
        return self._model.architecture.trainable

    @trainable.setter
    def trainable(self, trainable: bool | Iterable[bool]) -> None:
        self._model.set_trainable(trainable)

    @property
    def loss(self) -> Loss:
        """Loss, callable: ``net.loss(net.predict(X), y)``."""
        return self._model.architecture.loss

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the parameters, float32 or float64."""
        return self._model.architecture.dtype

    @property
    def seed(self) -> int:
        """Seed of the initial weights, of the order of the rows in each epoch, of dropout and of noise."""
        return self._model.seed

    @property
    def input_noise(self) -> float:
        """Standard deviation of the noise that training adds to the inputs."""
        return self._model.architecture.input_noise

    @property
    def history(self) -> History:
        """All epochs since the network was made or reset."""
        return self._model.history

    @property
    def optimizer(self) -> Optimizer:
        """Current optimizer; setting it resets the optimizer's state."""
        return self._model.optimizer

    @optimizer.setter
    def optimizer(self, optimizer: str | Optimizer) -> None:
        self._model.set_optimizer(optimizers.get(optimizer))

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step.

        Setting it ends a schedule: the rate stays until `reset` or until the optimizer is set. The optimizer
        keeps its state, and the attribute `optimizer` shows the new rate.
        """
        return self._model.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._model.set_learning_rate(rate)

    @property
    def parameters(self) -> Array:
        """All weights and biases as one vector (P,), W then b (if any) of each layer; writable."""
        return _core.handed_out(self._model.engine.parameters)

    @property
    def weights(self) -> tuple[Array, ...]:
        """Matrix W (n_in, n_out) per layer, views into `parameters`: ``net.weights[0][:] = ...``."""
        return tuple(W for W, _ in self._model.architecture.split(self.parameters))

    @property
    def biases(self) -> tuple[Array, ...]:
        """Vector b (n_out,) per layer, views into `parameters`; (0,) for a layer without bias."""
        return tuple(b for _, b in self._model.architecture.split(self.parameters))

    @property
    def input_mean(self) -> Array | None:
        """Mean that is subtracted from each input (n_in,), float64, read-only; None without `adapt`."""
        return _part(self._model.scaling, "mean")

    @property
    def input_scale(self) -> Array | None:
        """Scale that each input is then divided by (n_in,), float64, read-only; None without `adapt`."""
        return _part(self._model.scaling, "scale")

    @property
    def target_mean(self) -> Array | None:
        """Mean that is subtracted from each target (n_targets,), float64, read-only; None if not scaled."""
        return _part(self._model.target_scaling, "mean")

    @property
    def target_scale(self) -> Array | None:
        """Scale that each target is then divided by, like `target_mean`."""
        return _part(self._model.target_scaling, "scale")

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

    def summary(self) -> Summary:
        """Return a table of the layers, with what trains them: ``print(net.summary())``; a str.

        It shows sizes, activation, initializer, parameters and options of each layer, then the loss, the
        optimizer, the memory of parameters and optimizer state, and how long the network has been trained.
        Notebooks show it as a table, and so they show a network.
        """
        from fastbp._summary import summarize  # few need it

        return summarize(self._model, type(self).__name__)

    # ---- training ------------------------------------------------------------------------------------------

    def adapt(self, X: ArrayLike | EllipsisType | None, y: ArrayLike | EllipsisType | None = ...) -> None:
        """Scale inputs from now on: the network works on (x - mean) / scale. With y, scale targets likewise.

        mean and scale are measured per column. The scale is the standard deviation (divided by n, not n - 1),
        or 1 if a column is constant. The differences are computed in float64. Afterwards all calls take raw
        inputs and raw targets, and return raw outputs: scale * h + mean for an output h, or what
        `Loss.output_scaling` says, for losses with several outputs per target. `backward` takes and returns
        the derivatives by raw outputs and inputs. Training minimizes the loss of scaled targets, and the
        losses that it and `evaluate` report are of these; metrics are of raw outputs and targets. Training
        and `reset` leave the scaling as it is; copies and pickles keep it.

        Parameters
        ----------
        X : array_like, shape (n, n_in), or None, or ...
            Inputs as for `fit`; a new call replaces the mean and scale of an earlier one. None: no scaling.
            ``...`` (Ellipsis): the inputs are scaled as before.
        y : array_like, shape (n, n_targets), or (n,) for one target, or None, optional
            Targets as for `fit`, replacing those of an earlier call likewise. Default: the targets are scaled
            as before. None: no scaling. If the loss takes NaN, for unknown targets, the known ones are
            measured. A custom loss then gets scaled targets (m, n_out) and the outputs in their units. The
            targets of cross_entropy, binary_cross_entropy, hinge and poisson are not scaled.

        Raises
        ------
        ShapeError, DTypeError, DataError
            X or y is not as for `fit`, or so large that squares overflow. Nothing has changed.
        ParameterError
            There is a y, but the targets of the loss cannot be scaled.
        BusyError
            Another call is using the network.
        """
        from fastbp._data import scaling  # few need it

        model = self._model
        model.guard.changing("adapt", NOTHING, model.scale, *scaling.of_data(model.checks, X, y))

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        epochs: int = 1,
        batch_size: int | None = 32,
        shuffle: bool = True,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        validation_data: ValidationData | None = None,
        validation_split: float | Split | None = None,
        validation_every: int = 1,
        metrics: Metrics | None = None,
        callbacks: Callbacks = (),
        tol: float | None = None,
        patience: int = 10,
        gradient_tol: float | None = None,
        max_seconds: float | None = None,
        verbose: int | Literal["auto"] = 0,
    ) -> History:
        """Train on (X, y), starting from the present parameters and optimizer state.

        Parameters
        ----------
        X : array_like, shape (n, n_in)
            Inputs: finite real numbers of at most 64 bits, in any strides and byte order. A NumPy array
            is not copied as a whole.
        y : array_like, shape (n, n_out), or (n,) for one output
            Targets: finite numbers. cross_entropy takes integer labels (n,), 0 to n_out - 1, or rows of
            probabilities; binary_cross_entropy probabilities, one column per label; poisson numbers >= 0;
            hinge -1 and 1. A custom loss takes (n,) or (n, k) for any k >= 1, and gets integers and bool
            unconverted. The losses `GaussianNLL` and `Quantiles` have several outputs per target and take
            (n, n_targets), or (n,) for one target. A loss with ignore_nan=True leaves out targets that are
            NaN, and CrossEntropy with ignore_index=-1 rows with this label.
        epochs : int, >= 1
            Number of passes through all rows.
        batch_size : int, >= 1, or None
            Rows per step; the last batch of an epoch may be shorter. None: all rows in one batch, in order.
        shuffle : bool
            Whether to visit the rows in a new random order in every epoch.
        sample_weight : array_like, shape (n,) or (n, n_out), optional
            Weight >= 0 of each row's error, or of each target's. A batch divides by the sum of its weights
            instead of their number; rows of weight 0 are left out. cross_entropy takes (n,).
        class_weight : dict from labels to numbers >= 0, or "balanced", optional
            Weight per class (1 for classes that are not named), for cross_entropy with integer labels or
            one-hot rows, and for one output of binary_cross_entropy (0 and 1) or hinge (-1 and 1). "balanced"
            is n / (number of classes * rows of the class), counting the classes and rows in y. Multiplied by
            sample_weight if both are given.
        validation_data : (X, y) or (X, y, sample_weight), optional
            Data on which loss and metrics are measured after every epoch; class weights do not apply to them.
        validation_split : float, > 0 and < 1, or StratifiedSplit or ShuffledSplit, optional
            Part of the rows to hold out as validation data, with their sample weights, instead of
            validation_data. A number: the last rows of X and y; n (1 - validation_split) rows, rounded down,
            are trained on.
        validation_every : int, >= 1
            Number of epochs between two measurements on the validation data. They are also measured after the
            last epoch. The columns have NaN for the other epochs.
        metrics : str, callable, or sequence of these, optional
            Metrics to measure on the validation data, as for `evaluate`.
        callbacks : callable, object with hooks such as on_epoch_end, or sequence of these
            Called with a `fastbp.callbacks.EpochState`: functions after every epoch.
        tol : float, >= 0, optional
            Stop when, for `patience` epochs, the loss has not improved by more than tol |best loss|. Short
            for the callback ``EarlyStopping("loss", patience, min_delta=tol, relative=True)``.
        patience : int, >= 1
            Number of epochs for `tol`.
        gradient_tol : float, > 0, optional
            Stop when every element of the gradient is at most this in magnitude; full batches only.
        max_seconds : float, > 0, optional
            Stop at the end of the first epoch that ends later than this many seconds after the start of
            training. An epoch is never cut short.
        verbose : int or "auto"
            0 is silent, 1 shows a progress bar (tqdm's if installed), 2 also prints a line per epoch. "auto"
            shows a bar on a terminal and in notebooks; otherwise it prints at most about one line per second,
            and one for the last epoch.

        Returns
        -------
        History
            The epochs of this call; they are also appended to the attribute `history`.

        Raises
        ------
        ShapeError, DTypeError, DataError, ParameterError
            An argument is not as above, an activation is step, or all layers are frozen. Nothing has changed.
        DivergenceError
            The loss, the parameters or the optimizer state became NaN or infinite. The network returns to
            the last snapshot: the start of the fit, or the end of an earlier epoch. Snapshots are at least
            50 ms apart, and they take at most 2 % of the training time. The network keeps the memory of one
            snapshot, a copy of parameters and optimizer state, for its later fits.
        BusyError
            Another call is using the network.
        """
        history: History = _fit_loop().train(
            self._model,
            self,
            X,
            y,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            class_weight=class_weight,
            validation_data=validation_data,
            validation_split=validation_split,
            validation_every=validation_every,
            metrics=metrics,
            callbacks=callbacks,
            tol=tol,
            patience=patience,
            gradient_tol=gradient_tol,
            max_seconds=max_seconds,
            verbose=verbose,
        )
        return history

    def train_on_batch(
        self,
        X: ArrayLike,
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
            causes = _fit_loop().divergence.USUAL_CAUSES
            raise DivergenceError(f"the loss is {loss}, and no snapshot was kept. {causes}")
        return loss

    def loss_and_gradients(
        self,
        X: ArrayLike,
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

    def _loss_and_gradients(self, X: Array, y: Array, weights: Weights | None) -> tuple[float, Array]:
        loss = self._model.trainer.loss_and_gradients(X, y, weights)
        return loss, self._model.engine.gradients.copy()

    def forward(self, X: ArrayLike) -> Array:
        """Return the outputs of a training pass over X, at least one row; keep what `backward` needs.

        The outputs are those of `predict`, except for dropout and noise.
        """
        model = self._model
        X = model.checks.query(X)
        if len(X) == 0:
            raise ShapeError("X has no rows, expected at least one")
        output: Array = model.guard.writing("forward", (X.shape, False), model.engine.forward, rows(X))
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
        d_output = rows(model.checks.d_output(d_output, shape))
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

    def reset(self) -> None:
        """Draw the initial weights again, from the seed; reset biases, optimizer state and history.

        Frozen layers keep W and b.
        """
        self._model.reset()

    def replace_output(
        self,
        output: int | Dense,
        *,
        loss: str | Loss | LossFunction | None = None,
        output_activation: str | Activation | None = None,
        freeze: bool = False,
        seed: int | None = None,
    ) -> Self:
        """Return a new network with the trained layers of this one and a new output layer, for another task.

        The layers below the output keep weights, options and input scaling; targets are not scaled, because
        the new ones are others: ``new.adapt(..., y)`` does it. The weights of the new layer are drawn from
        the seed. Optimizer state and history start anew, with the optimizer that was last set by
        the constructor or the attribute. This network does not change.

        Parameters
        ----------
        output : int or Dense
            The new output layer, or its number of units.
        loss : str, Loss or callable, optional
            Loss of the new network. Default: that of this network.
        output_activation : str or Activation, optional
            Activation of the new layer. Default: that of the layer, or of the loss.
        freeze : bool
            Whether to freeze all layers below the output. Otherwise they are as trainable as before.
        seed : int, >= 0 and < 2**64, optional
            Seed of the new network. Default: that of this network.

        Returns
        -------
        Network
            Of the same class, with copies of the attributes of a subclass.

        Raises
        ------
        ParameterError
            An argument is not as above, or loss and output layer do not fit each other.
        BusyError
            Another thread is changing the network.
        """
        from fastbp._training import transfer  # few need it

        model = self._model
        architecture = model.architecture.with_output(
            output, loss=loss, output_activation=output_activation, freeze=flag("freeze", freeze)
        )
        seed = model.seed if seed is None else resolve_seed(seed)
        made: Model = model.guard.reading(transfer.with_output, model, architecture, seed)
        other = object.__new__(type(self))
        other._model = made
        _set_attributes(other, deepcopy(_attributes(self), {id(self): other}))
        return other

    # ---- using it ------------------------------------------------------------------------------------------

    def predict(self, X: ArrayLike, out: Array | None = None) -> Array:
        """Return the outputs of the network.

        Parameters
        ----------
        X : array_like, shape (n, n_in), or (n_in,) for one row
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

    def predict_classes(self, X: ArrayLike) -> Any:
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
        X: ArrayLike,
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

    # ---- copies --------------------------------------------------------------------------------------------

    def clone(self) -> Self:
        """Return an independent copy, with optimizer state, history and the attributes of a subclass."""
        twin = object.__new__(type(self))
        twin.__setstate__(self.__getstate__())
        _set_attributes(twin, deepcopy(_attributes(twin), {id(self): twin}))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return self._model.guard.reading(self._state)

    def _state(self) -> dict[str, Any]:
        return self._model.state() | {"attributes": _attributes(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become what `__getstate__` described; if its parts do not fit, an error changes nothing."""
        twin = object.__new__(type(self))
        try:
            model = Model.from_state(state, self._engine_class)
            _set_attributes(twin, state["attributes"])
        except (Error, MemoryError, SystemError):  # NumPy raises the last if it lacks memory
            raise
        except Exception as error:  # from parts of other types
            raise DataError(f"the state is not that of a network: {type(error).__name__}: {error}") from error
        twin._model = model
        present: Model = vars(self).get("_model", model)
        present.guard.changing("setting the state", NOTHING, self._become, twin)

    def _become(self, twin: Self) -> None:
        _set_attributes(self, _attributes(twin))
        self.__dict__ = vars(twin)

    def __repr__(self) -> str:
        model, architecture = self._model, self._model.architecture
        sizes = " -> ".join(
            [str(architecture.n_in), *(f"{layer.n_out} {layer.activation}" for layer in architecture.layers)]
        )
        return (
            f"Network({sizes}; {architecture.n_parameters:,} parameters, {architecture.dtype} on "
            f"{model.engine.isa}; {architecture.loss}, {model.optimizer}, seed={model.seed})"
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


@cache  # also for a fit while the interpreter shuts down, which imports nothing any more
def _fit_loop() -> Any:
    """Return the module of the fit loop, which is imported by the first fit: it takes time."""
    from fastbp._training import fit

    return fit


def rows(array: Array) -> Array:
    """Return the array (n, columns), or for one row (columns,) its view (1, columns)."""
    return array if array.ndim == 2 else array[None]


def _part(found: Scaling | None, name: str) -> Array | None:
    """Return a read-only view of a vector of a scaling."""
    return None if found is None else read_only(getattr(found, name))


def _attributes(net: object) -> dict[str, Any]:
    """Return the attributes, also those in slots, that `Network` itself does not set."""
    found = object.__getstate__(net)  # a dict, with slots a pair of dicts, or None if there are none
    named, slots = found if isinstance(found, tuple) else (found, {})
    return {name: value for name, value in ((named or {}) | slots).items() if name != "_model"}


def _set_attributes(net: object, attributes: Mapping[str, Any]) -> None:
    """Give a network these attributes, running no code of a subclass: they were set once before."""
    for name, value in attributes.items():
        object.__setattr__(net, name, value)
