"""The interfaces of the two engines and of a training run, each method documented once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NotRequired, Protocol, TypeAlias, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from fastbp import _core
from fastbp._base.sparse import AnyRows, Rows
from fastbp._data.sample_weights import Weights
from fastbp.layers import Layer
from fastbp.losses import SumLoss

if TYPE_CHECKING:
    from fastbp._data.mapped import DeferredChecks

Array: TypeAlias = NDArray[Any]
#: Row of the schedule table, its rate, its parameters, and the number of steps of warm-up before its step 0.
Rates: TypeAlias = tuple[str, float, tuple[float, ...], int]

InputScaling: TypeAlias = tuple[Array, Array]  # mean and inverse_scale (n_in,), float64
TargetScaling: TypeAlias = tuple[Array, Array, Array, Array]  # both (n_targets,); factor, offset (n_out,)

#: Complete epochs of a run, steps done in the present one, and sum and weight of the losses of these steps.
Progress: TypeAlias = tuple[int, int, float, float]


class RunOptions(TypedDict):
    """The options of `Trainer.begin`."""

    weights: Weights | None
    batch_size: int
    shuffle: bool
    seed: int  # with the number of the epoch, it decides the order of the rows
    first_epoch: int  # epochs that the network has done before
    epochs: int
    stored: bool  # whether each step leaves its gradient in `Engine.gradients`
    block_rows: NotRequired[int]  # rows per block of consecutive rows to shuffle; 0: all rows in one
    checks: NotRequired[DeferredChecks | None]  # to do on each batch right before its step


class Run(Protocol):
    """A training run that is under way."""

    @property
    def epoch(self) -> int:
        """Number of complete epochs."""

    @property
    def step(self) -> int:
        """Number of steps done in the present epoch."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in an epoch, a short last batch included.

        If epochs may have different numbers of steps, that of the last complete one; 0 during the first.
        """

    @property
    def losses(self) -> NDArray[np.float64]:
        """Loss per epoch (epochs,), valid up to `epoch`: the mean over its rows, or the sum of sums."""

    @property
    def batch_loss(self) -> float:
        """Loss of the last step's batch, before the step; undefined before the first one."""

    @property
    def converged(self) -> bool:
        """Whether further steps would gain nothing; always False for runs that cannot tell."""

    @property
    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Further columns for the history, (epochs,) each, valid up to `epoch`."""

    @property
    def progress(self) -> Progress:
        """Where the run is, for `resume`."""

    def resume(self, progress: Progress) -> None:
        """Continue, in a run that has not advanced, a run whose `progress` this was.

        Both have the same data and options. The numbers of the engine must be those of that moment since
        before `begin`: parameters, state, `t`, `seed`, `memory` and the average. Then every later step has
        the same bits as in a run without a stop. Losses and columns of the complete epochs are NaN.

        Raises
        ------
        Error
            The run has advanced.
        ParameterError
            The progress is not (int, int, float, float), or no such run can have reached it: 0 <= epoch <=
            epochs, 0 <= step < steps_per_epoch, 0 after the last epoch, finite sum, and finite weight >= 0.
        """

    def advance(self, until_epoch: int, seconds: float) -> bool:
        """Train until `until_epoch` epochs are complete or the time is up, for at least one step.

        Return False right after a step whose loss was not finite.

        Raises
        ------
        DataError
            The rows of the next step do not pass the checks of the run. The run is where the step before
            ended.
        """


class Trainer(Protocol):
    """Computes a loss and trains on it: an engine, or the Python code around one for a custom loss."""

    def loss(self, X: Rows, y: Array, weights: Weights | None = None) -> float:
        """Return the loss over all rows, or over those with a nonzero weight."""

    def loss_and_gradients(self, X: Rows, y: Array, weights: Weights | None = None) -> float:
        """Return the loss of all rows as one batch; leave its derivatives in `Engine.gradients`."""

    def train_on_batch(self, X: Rows, y: Array, weights: Weights | None = None) -> float:
        """Do one optimizer step on all rows as one batch; return the loss before the step."""

    def begin(self, X: Rows, y: Array, **options: Unpack[RunOptions]) -> Run:
        """Return a training run over X (n, n_in) and y; nothing is computed yet."""

    def set_scaling(self, inputs: InputScaling | None, targets: TargetScaling | None) -> None:
        """Scale inputs and targets from now on: use (X - mean) inverse_scale, and y likewise.

        Raw outputs are then factor h + offset. None: no scaling. It fails before anything changes, or not
        at all.
        """


class Engine(Trainer, Protocol):
    """The arithmetic of one network: its parameters and optimizer state, and the passes over them.

    There are two, `fastbp._core.Engine` in C and `fastbp.reference.Engine` in NumPy. An engine knows rows of
    the tables and numbers; `fastbp._model.Model` keeps the optimizer and the schedule that they come from.
    Arrays are checked before they get here: X is (n, n_in), an array or `SparseRows`, and y (n, n_targets) or
    class labels (n,).
    """

    t: int  #: Number of optimizer steps done.
    seed: int  #: Seed of dropout and of the noise on the inputs; setting it takes effect at the next pass.
    memory: NDArray[np.float64] | None  #: State of Levenberg-Marquardt between two fits.
    spare_arrays: tuple[Array, Array] | None  #: For the next `Snapshot`'s copies of parameters and state.

    @property
    def isa(self) -> str:
        """Name of the instruction set in use."""

    @property
    def parameters(self) -> Array:
        """All weights and biases (P,), as given to the constructor; read and written in place."""

    @property
    def gradients(self) -> Array:
        """Derivatives of the last loss by the parameters (P,), once a call has stored them."""

    @property
    def state(self) -> Array:
        """State of the optimizer, (vectors, P)."""

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""

    @property
    def penalty(self) -> float:
        """Amount that l1 and l2 add to the loss, as of the last `backward`; `gradients` include it."""

    def prepare_optimizer(
        self,
        row: str,
        hyperparameters: tuple[float, ...],
        schedule: Rates,
        clip_value: float | None = None,
        clip_norm: float | None = None,
    ) -> Any:
        """Return what `install_optimizer` takes: a row of the optimizer table with a state of zeros.

        The rate of the schedule replaces the first hyperparameter.
        """

    def install_optimizer(self, setup: Any) -> None:
        """Use a prepared optimizer from now on, with `t` 0; this cannot fail half way."""

    def set_schedule(self, row: str, rate: float, parameters: tuple[float, ...], warmup: int) -> None:
        """Take the learning rates of all later steps from a row of the schedule table; `t` stays."""

    def set_training(self, trainable: tuple[bool, ...], factors: tuple[float, ...]) -> None:
        """Say for each layer whether later updates change it, and by what its learning rate is multiplied.

        Nothing else changes. What `backward` needs of the last `forward` is lost.
        """

    def set_average(self, average: Array | None, decay: float = 0, steps: int = 0) -> None:
        """Keep a moving average of the parameters in an array (P,) from now on; None: keep none.

        After each step, average := decay average + (1 - decay) parameters. The array already averages
        `steps` steps; if there are none, it holds zeros, and the first step copies the parameters.
        """

    def shares_memory(self, rows: Rows) -> bool:
        """Tell whether an array, or the entries of sparse rows, overlap what a step writes."""

    def apart(self, rows: AnyRows) -> AnyRows:
        """Return the rows, or a copy if they share memory with what a step writes."""

    def predict(self, X: Rows, out: Array, raw: bool = True) -> None:
        """Write the outputs for X to out (n, n_out). Several threads may call it at once.

        They are raw, in the units of unscaled targets, or not, as the loss compares them with scaled ones.
        """

    def predict_plain(self, X: object, out: object, guard: _core.Guard) -> Array | None:
        """Return the raw outputs for X, in `out` if given, if the call needs no checks.

        It needs none if X (n, n_in) or (n_in,) and out are contiguous arrays of the network's dtype, the work
        is short, and no other thread changes the network. Otherwise do nothing and return None.
        """

    def forward(self, X: Rows, raw: bool = True) -> Array:
        """Return the outputs (n, n_out) of a training pass over X; keep what `backward` needs.

        The outputs are raw or not, as in `predict`, and `backward` takes the derivatives by these.
        """

    def backward(self, d_output: Array, d_input: bool = True) -> Array:
        """From dJ/doutput (n, n_out) of the last `forward`, fill `gradients` and return dJ/dX (n, n_in).

        Without `d_input`, return no rows, (0, n_in), and save the time to compute them.
        """

    def update(self) -> None:
        """Do one step of the optimizer along `gradients`."""

    def normal_equations(self, X: Rows, y: Array, out: Array) -> None:
        """Write [J r]^T [J r] over all rows, its lower triangle, to out (P + 1, P + 1), for squared errors.

        J (n n_out, P) are the derivatives of the outputs by the parameters, r = h - y (n n_out,) the errors.
        """


class EngineClass(Protocol):
    """The constructor of an engine."""

    def __call__(
        self,
        layers: Sequence[Layer],
        loss: SumLoss,
        parameters: Array,
        *,
        seed: int = 0,
        input_noise: float = 0.0,
    ) -> Engine:
        """Return an engine over `parameters`, contiguous and of float32 or float64; `seed` is for noise."""


if TYPE_CHECKING:
    _native: EngineClass = _core.Engine
