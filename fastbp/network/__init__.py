"""The public class `Network`: checks arguments, guards against concurrent use, and drives an engine.

Its methods are in a chain of classes: `Copies`, `Files`, `Description`, `Inference`, `Steps`, `Network`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import signature
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike, DTypeLike

from fastbp import optimizers
from fastbp._architecture import Architecture
from fastbp._base.sparse import Inputs
from fastbp._data.sample_weights import ClassWeight
from fastbp._model import NOTHING, Model, resolve_seed
from fastbp.activations import Activation
from fastbp.callbacks import Callbacks
from fastbp.exceptions import ParameterError
from fastbp.history import History
from fastbp.layers import Dense
from fastbp.losses import Loss, LossFunction
from fastbp.metrics import Metrics
from fastbp.network._steps import Steps, training
from fastbp.optimizers import Optimizer
from fastbp.splits import Split

if TYPE_CHECKING:
    from os import PathLike

    from fastbp._data.batches import Batch
    from fastbp._training.validation import ValidationData


class Network(Steps):
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

    def adapt(
        self,
        X: Inputs | EllipsisType | None = ...,
        y: ArrayLike | EllipsisType | None = ...,
        *,
        center: bool = True,
        scale: ArrayLike | None = None,
    ) -> None:
        """Scale inputs from now on: the network works on (x - mean) / scale. With y, scale targets likewise.

        mean and scale are measured per column. The scale is the standard deviation (divided by n, not n - 1),
        or 1 if a column is constant. Or the call names a factor for the inputs, as `adapt(scale=1 / 255)`
        does for images of bytes. The arithmetic is in float64. Afterwards all calls take raw inputs and raw
        targets, and return raw outputs: scale * h + mean for an output h, or what `Loss.output_scaling` says,
        for losses with several outputs per target. `backward` takes and returns the derivatives by raw
        outputs and inputs. Training minimizes the loss of scaled targets, and the losses that it and
        `evaluate` report are of these; metrics are of raw outputs and targets. Training and `reset` leave the
        scaling as it is; copies and pickles keep it.

        Parameters
        ----------
        X : array_like or sparse, shape (n, n_in), or None, optional
            Inputs as for `fit`, but no iterable of batches; a new call replaces the mean and scale of an
            earlier one. None: no scaling. Default: the inputs are scaled as before.
        y : array_like, shape (n, n_targets), or (n,) for one target, or None, optional
            Targets as for `fit`, replacing those of an earlier call likewise. Default: the targets are scaled
            as before. None: no scaling. If the loss takes NaN, for unknown targets, the known ones are
            measured. A custom loss then gets scaled targets (m, n_out) and the outputs in their units. The
            targets of cross_entropy, binary_cross_entropy, hinge and poisson are not scaled.
        center : bool
            Whether to subtract the mean of the inputs. False: `input_mean` is 0, and inputs are only divided
            by their standard deviation, which is measured around the mean as before; so zeros stay zeros.
            Targets are always centered.
        scale : number > 0, or array_like of such numbers, shape (n_in,), optional
            Instead of X: the factor of all inputs, or of each; a pandas Series is read by `feature_names`.
            `input_mean` is 0 and `input_scale` 1 / scale.

        Raises
        ------
        ShapeError, DTypeError, DataError
            X or y is not as for `fit`, or so large that squares overflow; scale has another shape or no
            numbers. Nothing has changed.
        ParameterError
            There is a y, but the targets of the loss cannot be scaled. scale is not positive, farther from 1
            than 1.5e-154 or 6.7e153, or given together with X. center is False without X.
        BusyError
            Another call is using the network.
        """
        from fastbp._data import scaling  # few need it

        model = self._model
        names = model.checks.names_for(X)
        scalings = scaling.of_data(model.checks, X, y, center, scale)
        model.guard.changing("adapt", NOTHING, model.scale, *scalings, names)

    def fit(
        self,
        X: Inputs | Iterable[Batch],
        y: ArrayLike | None = None,
        *,
        epochs: int = 1,
        batch_size: int | EllipsisType | None = ...,
        shuffle: bool | Literal["blocks"] | EllipsisType = ...,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        validation_data: ValidationData | None = None,
        validation_split: float | Split | None = None,
        validation_every: int = 1,
        metrics: Metrics | None = None,
        callbacks: Callbacks | None = (),
        tol: float | None = None,
        patience: int = 10,
        gradient_tol: float | None = None,
        max_seconds: float | None = None,
        verbose: int | Literal["auto"] = 0,
        resume: str | PathLike[str] | None = None,
        steps_per_epoch: int | None = None,
        prefetch: int = 0,
    ) -> History:
        """Train on (X, y), or on batches from an iterable, starting from the present parameters and state.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (n, n_in), or iterable of batches
            Inputs: finite real numbers of at most 64 bits, in any strides and byte order. A NumPy array is
            not copied as a whole.

            - Data frames of pandas, polars or pyarrow need columns of numbers or bool without missing values.
              For the names of their columns see `feature_names`.
            - Of sparse matrices and arrays of SciPy, in the formats CSR and CSC, only the entries are read.
              The indices are copied.
            - Memory maps (numpy.memmap, numpy.load with mmap_mode, views of these or of mmap.mmap) are read a
              batch at a time, and checked for NaN and infinity right before each step. So are their targets,
              if the loss takes any numbers. Levenberg-Marquardt and validation_split check all rows before.
            - Without y, an iterable of batches (X, y) or (X, y, sample_weight), each of them one step, in
              their order: a list, a generator, a DataLoader. It is iterated anew for each epoch; an iterator
              has the batches of all epochs, see `steps_per_epoch`. Batches are checked when they come. An
              error names epoch and step, and leaves the network as it was after the step before.
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
            Default: 32. Not with batches from an iterable.
        shuffle : bool or "blocks"
            Whether to visit the rows in a new random order in every epoch. "blocks": one block of
            max(1024, 2**20 // n_in) consecutive rows after another, in a random order, with the rows of each
            block in a random order. For files larger than memory this is faster, but neighboring rows are
            then often in the same batch. Default: True. Not with batches from an iterable.
        sample_weight : array_like, shape (n,) or (n, n_out), optional
            Weight >= 0 of each row's error, or of each target's. A batch divides by the sum of its weights
            instead of their number; rows of weight 0 are left out. cross_entropy takes (n,).
        class_weight : dict from labels to numbers >= 0, or "balanced", optional
            Weight per class (1 for classes that are not named), for cross_entropy with integer labels or
            one-hot rows, and for one output of binary_cross_entropy (0 and 1) or hinge (-1 and 1). "balanced"
            is n / (number of classes * rows of the class), counting the classes and rows in y; not with
            batches from an iterable. Multiplied by sample_weight if both are given.
        validation_data : (X, y) or (X, y, sample_weight), or an iterable of such batches, optional
            Data on which loss and metrics are measured after every epoch; class weights do not apply to them.
            The iterable must not be a list or tuple; it is iterated anew each time.
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
        resume : str or os.PathLike, optional
            File of a `fastbp.callbacks.Checkpoint` to continue from; if it does not exist, the fit starts
            from the beginning. So the same program can be run again after a kill: with
            ``callbacks=Checkpoint(path), resume=path`` it ends with the same weights and history, bit for
            bit. Weights, seed and history become those in the file, and `epochs` includes the epochs done
            before. Network, data and options must be those of the fit in the file, except that `epochs` may
            grow. A fit that was complete returns its history at once. Batches from an iterable are read from
            the first on, and those of the steps done before are left out; nothing compares them.
        steps_per_epoch : int, >= 1, optional
            Number of batches in an epoch, if X is an iterable of batches. Default: its length if it has one,
            otherwise all up to its end. An iterator needs it for several epochs. If an epoch has fewer
            batches, a DataError ends the fit.
        prefetch : int, >= 0
            Number of batches that a thread reads ahead, if X is an iterable of batches. 0: they are read when
            they are needed. With more, the iterable must yield new arrays each time and cannot use the
            network.

        Returns
        -------
        History
            The epochs of this call; they are also appended to the attribute `history`.

        Raises
        ------
        ShapeError, DTypeError, DataError, ParameterError
            An argument is not as above, an activation is step, or all layers are frozen. Nothing has changed,
            except that the steps before a wrong batch, or before a wrong number in a memory map, are done.
        ModelFileError
            The file `resume` is damaged, or no checkpoint.
        DivergenceError
            The loss, the parameters or the optimizer state became NaN or infinite. The network returns to
            the last snapshot: the start of the fit, or the end of an earlier epoch. Snapshots are at least
            50 ms apart, and they take at most 2 % of the training time. The network keeps the memory of one
            snapshot, a copy of parameters and optimizer state, for its later fits.
        BusyError
            Another call is using the network.
        """
        model = self._model
        fit = training().prepared(
            model,
            self,
            X,
            y,
            epochs=epochs,
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
            resume=resume,
            data_options={
                "batch_size": batch_size,
                "shuffle": shuffle,
                "steps_per_epoch": steps_per_epoch,
                "prefetch": prefetch,
                "sample_weight": sample_weight,
                "class_weight": class_weight,
            },
        )
        history: History = model.guard.writing("fit", NOTHING, fit.run, undo=fit.recover)
        return history

    def reset(self) -> None:
        """Draw the initial weights again, from the seed; reset biases, optimizer state and history.

        Frozen layers keep W and b.
        """
        self._model.reset()


def load(path: str | PathLike[str], *, custom: Mapping[str, Any] | None = None) -> Network:
    """Return the network in a model file that `Network.save` wrote; no code in the file is executed.

    Parameters and errors are those of `Network.load`.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    custom : mapping of str to objects, optional
        The functions that the file stores by name, such as a custom loss.

    Returns
    -------
    Network
    """
    return Network.load(path, custom=custom)


def check_network(net: object, argument: str = "net") -> None:
    """Raise ParameterError if an argument is no Network, and say where an estimator has one."""
    if isinstance(net, Network):
        return
    has_one = isinstance(getattr(net, "network_", None), Network)
    hint = "; this estimator has one, its attribute network_" if has_one else ""
    raise ParameterError(f"{argument} is a {type(net).__name__}, expected a fastbp.Network{hint}")
