"""What a fit trains on, by its interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from numpy.typing import ArrayLike

from fastbp._data.sample_weights import ClassWeight
from fastbp._model import Model
from fastbp.callbacks import Sample

if TYPE_CHECKING:
    from fastbp._engine.protocol import Run
    from fastbp._training.options import Options


Shuffle: TypeAlias = bool | Literal["blocks"]


class Data(ABC):
    """The examples of a fit, and how they become batches.

    Attributes
    ----------
    steps_per_epoch : int
        Number of batches in an epoch; 0 if it is not known.
    options : dict
        The arguments of the fit that decide what the batches are, for `checkpoints.same_of`.
    calls_user : bool
        Whether a run over them calls functions of the user.
    isa : str or None
        The instruction set that a run uses; None: that of the engine.
    """

    calls_user = True
    isa: str | None = None
    steps_per_epoch: int
    options: dict[str, Any]
    _ends: Sequence[Callable[[], None]] = ()

    @abstractmethod
    def check(self, model: Model, options: Options) -> None:
        """Raise ParameterError unless the optimizer and the options go with such batches."""

    @abstractmethod
    def begin(self, model: Model, options: Options, first_epoch: int) -> Run:
        """Return a run of the fit, after so many epochs of the network; nothing is computed yet."""

    @abstractmethod
    def digests(self) -> dict[str, str]:
        """Return a digest of each argument that has data."""

    def sample(self, seed: int, rows: int) -> Sample | None:
        """Return up to so many of the rows, for callbacks to look at; None if they come in batches."""
        return None

    def close(self) -> None:
        """End what the run has started."""
        for end in self._ends:
            end()


class DataOptions(TypedDict):
    """The arguments of `Network.fit` that say what to do with the data; ... for those that are not given."""

    batch_size: int | EllipsisType | None
    shuffle: Shuffle | EllipsisType
    steps_per_epoch: int | None
    prefetch: int
    sample_weight: ArrayLike | None
    class_weight: ClassWeight | None
