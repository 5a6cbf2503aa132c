"""The public class `Network`: checks arguments, guards against concurrent use, drives an engine."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy, deepcopy
from inspect import signature
from math import isfinite
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastbp import _architecture, _core, _state, initializers, losses, optimizers
from fastbp._base.arguments import held, integer, number
from fastbp._base.arrays import read_only
from fastbp._base.value import Named, Value
from fastbp._data import checks, scaling
from fastbp._data.sample_weights import ClassWeight, Weights, resolve_weights
from fastbp._engine import custom_loss, inference
from fastbp._training.fit import USUAL_CAUSES, Fit
from fastbp._training.options import Options
from fastbp._training.start import Described, starter
from fastbp._training.validation import held_out
from fastbp.activations import Activation
from fastbp.callbacks import Callbacks
from fastbp.exceptions import DataError, DivergenceError, Error, ShapeError
from fastbp.history import History
from fastbp.layers import Dense, Layer, split
from fastbp.losses import CustomLoss, Loss, LossFunction
from fastbp.metrics import Metrics, resolve
from fastbp.optimizers import Optimizer
from fastbp.schedules import Schedule

Array: TypeAlias = NDArray[Any]

# What a call leaves that goes with the present parameters: the shape of the X of a forward pass to go back
# through, or None, and whether there are gradients.
Left: TypeAlias = tuple[tuple[int, ...] | None, bool]
NOTHING: Left = (None, False)


class Network(Named):
    """A multi-layer perceptron.

    Parameters
    ----------
    layers : iterable
        The number of inputs, then the layers, the output last: each a number of units or a `Dense`.
    activation : str or Activation
        Of the hidden layers that name none themselves.
    output_activation : str or Activation, optional
        By default softmax for the loss cross_entropy, sigmoid for binary_cross_entropy, exponential for
        poisson, else identity.
    loss : str, Loss or callable
        What training minimises; `net.loss` is this value, callable on (output, target). A callable of yours
        becomes an `CustomLoss`.
    optimizer : str or Optimizer
        Some need full batches, so `fit(batch_size=None)`.
    dtype : "float32" or "float64"
        Of the parameters and of all arithmetic.
    seed : int, >= 0 and < 2**64, optional
        Decides the first weights, the order of the rows in every epoch, dropout and noise; by default a fresh
        one.
    input_noise : float, >= 0
        Training adds normal random numbers of this standard deviation to the inputs.

    Raises
    ------
    ParameterError, DTypeError
        An argument is not as above, or the dtype does not hold a number, or loss and output activation do
        not go together.

    Notes
    -----
    While a call changes the network, only the same thread may read it; everything else raises BusyError. Any
    number of threads may `predict` and `evaluate` at once. Networks can be pickled and copied. A copy that a
    callback makes at the end of an epoch and trains on ends in the same bits as the fit itself.

    Calls work on the arrays that they are given, without copying them. Do not resize or change these in
    another thread meanwhile: that is not noticed.
    """

    _engine_class: ClassVar[Any] = _core.Engine

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
        loss = losses.get(loss)
        resolved, names = _architecture.resolve_layers(layers, activation, output_activation, loss)
        self._build(resolved, names, loss, optimizer, dtype, seed, input_noise)
        self.reset()

    _names = dict.fromkeys([*signature(__init__).parameters][1:])  # without self

    def _build(
        self,
        layers: tuple[Layer, ...],
        initializers: tuple[str, ...],
        loss: Loss,
        optimizer: str | Optimizer,
        dtype: DTypeLike,
        seed: int | None,
        input_noise: float,
    ) -> None:
        """Check what the network is to be, and set it up with parameters of zeros."""
        self._layers, self._initializers, self._loss = layers, initializers, loss
        self._optimizer = optimizers.get(optimizer)
        self._dtype = _architecture.resolve_dtype(dtype)
        self._seed = _architecture.resolve_seed(seed)
        self._input_noise = number("input_noise", input_noise, at_least=0)
        self._check_dtype()
        self._door = checks.Door(self._layers, self._loss, self._dtype)
        self._scaling: scaling.Scaling | None = None
        self._history = History()
        self._guard = _core.Guard()
        count = _architecture.count_parameters(self._layers, self._dtype)
        parameters = _core.aligned_zeros(count, self._dtype)
        engine_class = self._engine_class
        if isinstance(self._loss, CustomLoss):
            engine_class = custom_loss.engine_class(engine_class)
        self._engine: _core.Engine = engine_class(
            self._layers, self._loss, parameters, seed=self._seed, input_noise=self._input_noise
        )
        self._engine.set_optimizer(self._optimizer)

    def _check_dtype(self) -> None:
        """Refuse numbers that the dtype does not hold."""
        held("input_noise", self._input_noise, self._dtype)
        parts: tuple[Layer | Value, ...] = (*self._layers, self._loss, self._optimizer)
        for part in parts:
            part.check_dtype(self._dtype)

    # ---- what it is ----------------------------------------------------------------------------------------

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers: n_in, n_out, activation, and what their `Dense` asks for besides."""
        return self._layers

    @property
    def loss(self) -> Loss:
        """The loss, callable: ``net.loss(net.predict(X), y)``."""
        return self._loss

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._dtype

    @property
    def seed(self) -> int:
        """What decides the first weights, the order of the rows in every epoch, dropout and noise."""
        return self._seed

    @property
    def input_noise(self) -> float:
        """The standard deviation of the noise that training adds to the inputs."""
        return self._input_noise

    @property
    def history(self) -> History:
        """All epochs since the network was made or reset."""
        return self._history

    @property
    def optimizer(self) -> Optimizer:
        """How gradients change the parameters; setting it resets the optimizer's state."""
        return self._engine.optimizer

    @optimizer.setter
    def optimizer(self, optimizer: str | Optimizer) -> None:
        optimizer = optimizers.get(optimizer)
        optimizer.check_dtype(self._dtype)
        setup = self._engine.prepare_optimizer(optimizer, len(self._history))
        self._guard.changing("setting the optimizer", NOTHING, self._install, setup, optimizer)

    def _install(self, setup: Any, optimizer: Optimizer) -> None:
        self._engine.install_optimizer(setup)
        self._optimizer = optimizer

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step.

        Setting it ends a schedule: the rate stays, until `reset` or another optimizer. The optimizer's state
        goes on, and `optimizer` tells the new rate.
        """
        return self._engine.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        rate = number("learning_rate", rate, above=0)
        optimizer = self._engine.optimizer.with_learning_rate(rate)  # may refuse it, before anything is stale
        optimizer.check_dtype(self._dtype)
        self._guard.writing("setting the learning rate", None, setattr, self._engine, "learning_rate", rate)

    @property
    def parameters(self) -> Array:
        """All weights and biases as one vector (P,), to read and to write: W then b of each layer."""
        return _core.handed_out(self._engine.parameters)

    @property
    def weights(self) -> tuple[Array, ...]:
        """The W (n_in, n_out) of each layer, views into `parameters`: ``net.weights[0][:] = ...``."""
        return tuple(W for W, _ in split(self.parameters, self._layers))

    @property
    def biases(self) -> tuple[Array, ...]:
        """The b (n_out,) of each layer, views into `parameters`."""
        return tuple(b for _, b in split(self.parameters, self._layers))

    @property
    def input_mean(self) -> Array | None:
        """What is subtracted from each input (n_in,), float64, read-only; None but after `adapt`."""
        return None if self._scaling is None else read_only(self._scaling.mean)

    @property
    def input_scale(self) -> Array | None:
        """What each input is then divided by (n_in,), likewise."""
        return None if self._scaling is None else read_only(self._scaling.scale)

    @property
    def gradients(self) -> Array:
        """dJ/dparameters (P,), as `loss_and_gradients` or `backward` left them; Error once they are stale.

        `step` reads this view: you may write to it, and the next of these calls overwrites it. Changes of the
        parameters by calls make it stale; writes to `parameters` do not.
        """
        self._check_gradients()
        return _core.handed_out(self._engine.gradients)

    def _check_gradients(self) -> Left:
        left: Left = self._guard.left or NOTHING
        _, has_gradients = left
        if not has_gradients:
            raise Error("no gradients of the present parameters: call loss_and_gradients() or backward()")
        return left

    # ---- training ------------------------------------------------------------------------------------------

    def adapt(self, X: ArrayLike | None) -> None:
        """Let the network scale its inputs: from now on it works on (x - mean) / scale wherever it takes x.

        mean and scale are those of each column of X, the scale its standard deviation (that of n values, not
        n - 1), or 1 where a column is constant. All calls take raw inputs then, differences are formed in
        float64, and `backward` returns the derivative by the raw inputs. Training leaves them alone, and so
        does `reset`; copies and pickles keep them.

        Parameters
        ----------
        X : array_like, shape (n, n_in), or None
            As for `fit`; a new call replaces what an earlier one found. None: inputs are taken as they are.

        Raises
        ------
        ShapeError, DTypeError, DataError
            X is not as for `fit`, or so large that squares overflow. Nothing has changed.
        BusyError
            The network is in the middle of another call.
        """
        found = None if X is None else scaling.measure(self._door.inputs("X", X))
        self._guard.changing("adapt", NOTHING, self._scale_inputs, found)

    def _scale_inputs(self, found: scaling.Scaling | None) -> None:
        self._engine.set_scaling(*((None, None) if found is None else (found.mean, 1 / found.scale)))
        self._scaling = found

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
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        metrics: Metrics | None = None,
        callbacks: Callbacks = (),
        tol: float | None = None,
        patience: int = 10,
        gradient_tol: float | None = None,
        verbose: int = 0,
    ) -> History:
        """Train on (X, y), from the present parameters and optimizer state on.

        Parameters
        ----------
        X : array_like, shape (n, n_in)
            Finite real numbers of at most 64 bits, in any strides and byte order; never copied whole.
        y : array_like, shape (n, n_out)
            Likewise; (n,) for one output. For cross_entropy integer labels (n,), 0 to n_out - 1, or rows of
            probabilities; for binary_cross_entropy probabilities, one column a label; for poisson numbers
            >= 0; for hinge -1 and 1. For a loss of your own (n,) or (n, k), any k >= 1; integers and bool
            come to it as they are.
        epochs : int, >= 1
            How often to go through all rows.
        batch_size : int, >= 1, or None
            Rows a step; the last batch of an epoch may be shorter. None takes all rows at once, as they come.
        shuffle : bool
            Go through the rows in a new random order every epoch.
        sample_weight : array_like, shape (n,), optional
            Numbers >= 0: what each row's error counts for. A batch divides by the sum of its weights where it
            would by its rows; a row of weight 0 is as if it were absent.
        class_weight : dict from labels to numbers >= 0, or "balanced", optional
            The same by class (1 for those that are not named), for cross_entropy with integer labels or
            one-hot rows, and for one output of binary_cross_entropy (0 and 1) or hinge (-1 and 1); "balanced"
            is n / (classes * rows of the class), of what there is in y. Times sample_weight where both are
            given.
        validation_data : (X, y), optional
            Measured after every epoch, unweighted.
        metrics : str, callable, or sequence of these, optional
            What to measure on them beside the loss, as for `evaluate`.
        callbacks : callable, object with on_epoch_end, or sequence of these
            Called after every epoch with its `fastbp.callbacks.EpochState`.
        tol : float, >= 0, optional
            Stop when the loss has not improved by more than tol |best loss| over `patience` epochs: short for
            ``EarlyStopping("loss", patience, min_delta=tol, relative=True)`` among the callbacks.
        patience : int, >= 1
        gradient_tol : float, > 0, optional
            Stop when no element of the gradient is larger in magnitude; full batches only.
        verbose : int
            0 is silent, 1 shows a progress bar (tqdm's where installed), 2 prints a line an epoch, too.

        Returns
        -------
        History
            Of this call; `net.history` goes on.

        Raises
        ------
        ShapeError, DTypeError, DataError, ParameterError
            An argument is not as above, or an activation is step. Nothing has changed.
        DivergenceError
            NaN or infinity came up. The network is where it was at the end of an epoch some 50 ms before.
        BusyError
            The network is in the middle of another call.
        """
        self._door.check_trainable()
        X, y = self._door.examples(X, y)
        weights = resolve_weights(self._door, y, sample_weight, class_weight)
        n = len(X) if weights is None else weights.n_rows
        given = Options(n, epochs, batch_size, shuffle, tol, patience, gradient_tol, verbose)
        options = given.checked()
        self._optimizer.check(Described(self), options.batch_rows, options.rows)
        validation = held_out(self._engine, self._door, validation_data, metrics)
        columns = {"loss": False} | (validation.columns if validation else {})
        functions = options.begin_callbacks(callbacks, columns, self._engine.optimizer)
        begin = starter(self, weights)
        fit = Fit(self, self._engine, begin, options, validation, functions, self._seed, self._history)
        return self._guard.writing("fit", NOTHING, fit.run, X, y, weights, undo=fit.recover)

    def train_on_batch(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
    ) -> float:
        """Do one optimizer step on all rows of (X, y) together; return the loss before it.

        Arguments and errors as for `fit`, but no snapshot is kept: after a DivergenceError the parameters are
        what the step made of them.
        """
        self._door.check_trainable()
        self._optimizer.check_step("train_on_batch")
        X, y = self._door.examples(X, y)
        weights = resolve_weights(self._door, y, sample_weight, class_weight)
        loss = self._guard.writing("train_on_batch", NOTHING, self._engine.train_on_batch, X, y, weights)
        if not isfinite(loss):
            raise DivergenceError(f"the loss is {loss}, and no snapshot was kept. {USUAL_CAUSES}")
        return loss

    def loss_and_gradients(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
    ) -> tuple[float, Array]:
        """Return the loss of all rows together and a copy of `gradients`; `fit` has arguments and errors."""
        self._door.check_trainable()
        X, y = self._door.examples(X, y)
        weights = resolve_weights(self._door, y, sample_weight, class_weight)
        found: tuple[float, Array] = self._guard.writing(
            "loss_and_gradients", (None, True), self._loss_and_gradients, X, y, weights
        )
        return found

    def _loss_and_gradients(self, X: Array, y: Array, weights: Weights | None) -> tuple[float, Array]:
        loss = self._engine.loss_and_gradients(X, y, weights)
        return loss, self._engine.gradients.copy()

    def forward(self, X: ArrayLike) -> Array:
        """Return the outputs for X, at least one row; keep what `backward` needs.

        They are `predict`'s, but for dropout and noise: this is the forward pass of training.
        """
        X = self._door.query(X)
        if len(X) == 0:
            raise ShapeError("X has no rows, expected at least one")
        output: Array = self._guard.writing("forward", (X.shape, False), self._engine.forward, rows(X))
        _core.watch(self._engine.parameters)
        return output if X.ndim == 2 else output[0]

    def backward(self, d_output: ArrayLike) -> Array:
        """Carry the derivative of a loss of your own back through the network, after `forward`.

        Parameters
        ----------
        d_output : array_like, in the shape of what `forward` returned
            dJ/doutput.

        Returns
        -------
        array, in the shape of forward's X
            dJ/dX. `gradients` then holds dJ/dparameters, for `step`: J is your loss and the l1, l2 of layers.

        Raises
        ------
        Error
            There was no `forward`, or the parameters have changed since, by a call or in place.
        """
        self._door.check_trainable()
        left: Left = self._guard.left or NOTHING
        shape, _ = left
        if shape is None:
            raise Error("backward without forward: there is no output of the present parameters")
        d_output = rows(self._door.d_output(d_output, shape))
        if not _core.is_untouched(self._engine.parameters):
            raise Error("backward after a write to the parameters, expected those of forward: call it again")
        work = self._engine.backward
        d_input: Array = self._guard.following(left, "backward", (shape, True), work, d_output)
        return d_input if len(shape) == 2 else d_input[0]

    def step(self) -> None:
        """Do one optimizer step along `gradients`, which are stale then."""
        self._optimizer.check_step("step")
        left = self._check_gradients()
        self._guard.following(left, "step", NOTHING, self._engine.update)

    def reset(self) -> None:
        """Draw the first weights again, from the seed; biases, optimizer state and history start afresh."""
        setup = self._engine.prepare_optimizer(self._optimizer)
        parameters = np.zeros_like(self._engine.parameters)
        for i, (W, _) in enumerate(split(parameters, self._layers)):
            W[:] = initializers.draw(self._initializers[i], self._seed, i, *W.shape)
        self._guard.changing("reset", NOTHING, self._begin, setup, parameters, History())

    def _begin(self, setup: Any, parameters: Array, history: History) -> None:
        self._engine.install_optimizer(setup)
        self._engine.parameters[:] = parameters
        self._history = history

    # ---- using it ------------------------------------------------------------------------------------------

    def predict(self, X: ArrayLike, out: Array | None = None) -> Array:
        """Return the outputs of the network.

        Parameters
        ----------
        X : array_like, shape (n, n_in), or (n_in,) for one row
            As for `fit`, or empty; NaN and infinity go through to the outputs.
        out : array, shape (n, n_out), or (n_out,) for one row, optional
            Where to put them: C-contiguous, of the network's dtype.

        Returns
        -------
        array, shape (n, n_out), or (n_out,) for one row

        Raises
        ------
        ShapeError, DTypeError, ParameterError
            An argument is not as above.
        BusyError
            Another thread is changing the network.
        """
        output = self._engine.predict_plain(X, out, self._guard)
        if output is None:
            X = self._door.query(X)
            if out is None:
                output = out = self._door.new_output(X)
            else:
                output = self._door.out(out, X, self._engine.shares_memory)
            self._guard.reading(inference.predict, self._engine, rows(X), rows(output))
            return out
        return output

    def predict_classes(self, X: ArrayLike) -> Any:
        """Return the most probable class of each row, int64 (n,), or of the one row (n_in,).

        Sigmoid outputs answer a question each: 1 where at least 1/2, else 0, in the shape of the outputs, but
        (n,) for one output; likewise with the loss hinge, 1 where above 0, else -1. ParameterError without
        softmax, sigmoid or hinge, DataError where an output is NaN.
        """
        return inference.classes(self.predict(X), self._loss, self._layers[-1].activation)

    def evaluate(self, X: ArrayLike, y: ArrayLike, metrics: Metrics | None = None) -> dict[str, float]:
        """Return the "loss" of all rows of (X, y) together, and metrics by name.

        Parameters
        ----------
        X, y : array_like
            As for `fit`.
        metrics : str, callable, or sequence of these, optional
            "accuracy" (the default), "f1", "auc" and "top_k" or `TopK(k)` for cross_entropy, the first three
            for binary_cross_entropy and hinge; for all other losses, and binary_cross_entropy, "r2" (the
            default) and "mae". `fastbp.metrics` defines them. Or callables of your own, (output, target) ->
            float, called `__name__`. NaN in an output makes all of them NaN.

        Raises
        ------
        ParameterError
            A metric does not go with the loss. Other errors as for `fit`.
        """
        X, y = self._door.examples(X, y)
        measured = resolve(metrics, self._loss, self._door.n_out)
        return self._guard.reading(inference.evaluate, self._engine, self._door, X, y, measured)

    # ---- copies --------------------------------------------------------------------------------------------

    def clone(self) -> Self:
        """Return an independent copy, with the optimizer's state, the history and a subclass's attributes."""
        twin = object.__new__(type(self))
        twin.__setstate__(self.__getstate__())
        _state.set_attributes(twin, deepcopy(_state.attributes(twin), {id(self): twin}))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return self._guard.reading(self._state)

    def _state(self) -> dict[str, Any]:
        """Return what makes a copy, which shares no numbers with the network."""
        engine = self._engine
        return {
            "arguments": self._arguments(),
            "numbers": (engine.parameters.copy(), engine.state.copy(), engine.t, copy(engine.memory)),
            "in_force": (engine.optimizer, engine.schedule),
            "scaling": self._scaling,
            "history": copy(self._history),
            "attributes": _state.attributes(self),
        }

    def _arguments(self) -> dict[str, Any]:
        """Return the arguments of `_build` for such a network."""
        return {
            "layers": self._layers,
            "initializers": self._initializers,
            "loss": self._loss,
            "optimizer": self._optimizer,
            "dtype": self._dtype.name,
            "seed": self._seed,
            "input_noise": self._input_noise,
        }

    def _twin(self, dtype: str) -> _core.Engine:
        """Return an engine of the same network in another dtype, with parameters of its own."""
        twin = object.__new__(type(self))
        twin._build(**self._arguments() | {"dtype": dtype})
        twin._engine.parameters[:] = self._engine.parameters
        twin._scale_inputs(self._scaling)
        return twin._engine

    def __setstate__(self, parts: dict[str, Any]) -> None:
        """Become what `__getstate__` described; if its parts do not fit, an error changes nothing."""
        twin = object.__new__(type(self))
        try:
            _state.set_attributes(twin, parts["attributes"])
            twin._build(**_state.checked_arguments(**parts["arguments"]))
            twin._restore(parts)
        except (Error, MemoryError):
            raise
        except Exception as error:  # whatever parts of other kinds give rise to
            raise DataError(f"the state is not that of a network: {type(error).__name__}: {error}") from error
        guard: _core.Guard = vars(self).get("_guard", twin._guard)
        guard.changing("setting the state", NOTHING, self._become, twin)

    def _become(self, twin: Self) -> None:
        _state.set_attributes(self, _state.attributes(twin))
        self.__dict__ = vars(twin)

    def _restore(self, parts: dict[str, Any]) -> None:
        """Take the numbers of a network that was built with the same arguments."""
        optimizer, schedule = parts["in_force"]
        parameters, optimizer_state, t, memory = parts["numbers"]
        _state.expect("optimizer", optimizer, type(self._optimizer))
        _state.expect("schedule", schedule, Schedule)
        _state.expect("history", parts["history"], History)
        self._engine.set_optimizer(optimizer)
        self._engine.set_schedule(schedule)
        _state.fill("parameters", self._engine.parameters, parameters)
        _state.fill("optimizer state", self._engine.state, optimizer_state)
        self._engine.t = integer("t", t, at_least=0, below=2**64)
        if memory is not None:
            self._engine.memory = _state.vector("memory", memory, self._engine.parameters.size + 2)
        if parts["scaling"] is not None:
            self._scale_inputs(scaling.checked(parts["scaling"], self._door.n_in))
        self._history = parts["history"]

    def __repr__(self) -> str:
        sizes = " -> ".join(
            [str(self._door.n_in), *(f"{layer.n_out} {layer.activation}" for layer in self._layers)]
        )
        return (
            f"Network({sizes}; {self.parameters.size:,} parameters, {self._dtype} on {self._engine.isa}; "
            f"{self._loss}, {self.optimizer}, seed={self._seed})"
        )


def rows(array: Array) -> Array:
    """Return the array, or for one row (n,) its view (1, n)."""
    return array if array.ndim == 2 else array[None]
