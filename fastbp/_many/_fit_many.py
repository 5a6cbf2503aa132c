"""`fit_many`: trains many networks at once."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from time import perf_counter
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from numpy.typing import ArrayLike

from fastbp import _core
from fastbp._base.arguments import number, verbosity
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs
from fastbp._data.sample_weights import ClassWeight
from fastbp._many._calls import per_network
from fastbp._many._job import Job
from fastbp._many._scheduler import Scheduler
from fastbp._many._shown import Shown
from fastbp.callbacks import Callbacks
from fastbp.exceptions import ParameterError
from fastbp.history import History
from fastbp.metrics import Metrics
from fastbp.network import Network, check_network
from fastbp.splits import Split

if TYPE_CHECKING:
    from os import PathLike

    from fastbp._data.batches import Batch
    from fastbp._training.validation import ValidationData

T = TypeVar("T")
#: One value for all networks, or a list of one per network.
Each: TypeAlias = "T | list[T]"
#: The same where type checkers would not find the common type of the entries, such as "r2" and ("r2", "mae").
EachOfAny: TypeAlias = "T | list[Any]"
#: Rows to train on, and rows to validate on or None.
RowSplit: TypeAlias = "tuple[ArrayLike, ArrayLike | None]"


def fit_many(
    networks: Iterable[Network],
    X: Each[Inputs | Iterable[Batch]],
    y: Each[ArrayLike | None] = None,
    *,
    splits: RowSplit | Iterable[RowSplit] | None = None,
    epochs: Each[int] = 1,
    batch_size: Each[int | EllipsisType | None] = ...,
    shuffle: Each[bool | Literal["blocks"] | EllipsisType] = ...,
    sample_weight: Each[ArrayLike | None] = None,
    class_weight: Each[ClassWeight | None] = None,
    validation_data: EachOfAny[ValidationData | None] = None,
    validation_split: Each[float | Split | None] = None,
    validation_every: Each[int] = 1,
    metrics: EachOfAny[Metrics | None] = None,
    callbacks: EachOfAny[Callbacks | None] = (),
    tol: Each[float | None] = None,
    patience: Each[int] = 10,
    gradient_tol: Each[float | None] = None,
    max_seconds: float | None = None,
    verbose: int | Literal["auto"] = 0,
    resume: Each[str | PathLike[str] | None] = None,
    steps_per_epoch: Each[int | None] = None,
    prefetch: Each[int] = 0,
) -> list[History | Exception]:
    """Train many networks at once, of any shapes, over all threads.

    Each network ends with the weights, the optimizer state and the history (except its times) of its own
    ``fit`` with the same arguments, bit for bit, for any number of threads. An error of one network becomes
    its result, and the others go on.

    **A list is one value per network**; everything else is shared by all networks. This holds for X, y and
    every option but `max_seconds` and `verbose`. So several callbacks or metrics that all networks share are
    a tuple, and rows that are lists of numbers must become an array first.

    Parameters
    ----------
    networks : iterable of Network
        The networks, each once. They may have different shapes, dtypes, losses and optimizers.
    X, y
        Inputs and targets as for `Network.fit`, for all networks, or a list of those of each.
    splits : (train, validation) or iterable of such pairs, optional
        Indices of rows (m,), integers or a bool for each row: a network trains on X[train], y[train] and
        sample_weight[train], and validates on the rows `validation`, with their sample weights. A tuple is
        the pair of all networks; any other iterable, such as a list or ``KFold(5).split(X)``, has one per
        network. `validation` may be None. The rows are copied when the network's turn comes, and freed when
        its fit ends.
    epochs, batch_size, shuffle, sample_weight, class_weight, validation_data, validation_split, \
validation_every, metrics, callbacks, tol, patience, gradient_tol, resume, steps_per_epoch, prefetch
        As for `Network.fit`, each a value for all networks or a list of one per network.
    max_seconds : float, > 0, optional
        Time limit of the whole call. When it is over, fits that are under way stop at the end of their epoch,
        and networks that have not begun stay as they are; their history is empty. All of these are
        ``stopped == "max_seconds"``.
    verbose : int or "auto"
        0 is silent, 1 shows one bar for all networks, 2 also prints a line per network that has ended. "auto"
        shows a bar on a terminal and in notebooks; otherwise it prints at most about one line per second.

    Returns
    -------
    list of History or Exception
        What each fit returned or raised, in the order of the networks. Tracebacks have no variables.

    Raises
    ------
    ParameterError
        A network comes twice or is none; a list has another length than the networks; a split is no pair,
        comes without y or beside other validation data; two networks would write to the same file;
        `max_seconds` or `verbose` is not as above. Nothing has changed. All other errors are results.

    Notes
    -----
    At most about two networks per thread are under way; the next one begins when one ends. The calling thread
    does all that is Python, such as callbacks, between the slices of work that the threads do. Callbacks may
    read any network of the call; what changes one that has not ended raises BusyError. Networks with custom
    losses, activations or metrics, on batches from an iterable, or of `fastbp.reference` train in the calling
    thread, one after the other.

    Ctrl-C ends all fits that are under way as it ends a single one, and is then raised.
    """
    options: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "shuffle": shuffle,
        "sample_weight": sample_weight,
        "class_weight": class_weight,
        "validation_data": validation_data,
        "validation_split": validation_split,
        "validation_every": validation_every,
        "metrics": metrics,
        "callbacks": callbacks,
        "tol": tol,
        "patience": patience,
        "gradient_tol": gradient_tol,
        "resume": resume,
        "steps_per_epoch": steps_per_epoch,
        "prefetch": prefetch,
    }
    listed = checked_networks(networks)
    verbose = verbosity(verbose)
    seconds = inf if max_seconds is None else number("max_seconds", max_seconds, above=0)
    calls = per_network(listed, X, y, splits, options)
    deadline = perf_counter() + seconds
    jobs = [Job(i, *pair, deadline) for i, pair in enumerate(zip(listed, calls, strict=True))]
    display = Shown(verbose, [call.epochs for call in calls]) if verbose and jobs else None
    scheduler = Scheduler(jobs, display)
    # a guard of its own, for what it does: whatever interrupts the work, `recover` runs to its end
    results: list[History | Exception] = _core.Guard().writing(
        "fit_many", None, scheduler.run, undo=scheduler.recover
    )
    return results


def checked_networks(networks: Any) -> list[Network]:
    """Return the networks as a list; ParameterError unless each is a network, and comes once."""
    if isinstance(networks, Network) or not isinstance(networks, Iterable):
        raise ParameterError(f"networks is {shown(networks)}, expected an iterable of fastbp.Network")
    listed = list(networks)
    found: dict[int, int] = {}
    for i, network in enumerate(listed):
        check_network(network, f"networks[{i}]")
        first = found.setdefault(id(network), i)
        if first != i:
            raise ParameterError(
                f"networks[{i}] is networks[{first}] again, expected each network once: use its clone()"
            )
    return listed
