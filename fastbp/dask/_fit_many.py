"""`fit_many` over a cluster: independent networks, each trained as a whole by one worker."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack
from inspect import signature
from math import inf
from time import perf_counter, time
from traceback import format_exception
from typing import Any, Literal, NamedTuple, TypeAlias

from fastbp import _core, _many
from fastbp._base.arguments import number, verbosity
from fastbp._base.hints import unknown
from fastbp._many._calls import Call, per_network
from fastbp._many._fit_many import checked_networks
from fastbp._many._job import Job
from fastbp._many._shown import Shown
from fastbp._model import NOTHING, Model
from fastbp.dask._cluster import executor_of
from fastbp.dask._executor import Executor, Load
from fastbp.dask._worker import CancelledTaskError, is_cancelled, pickled
from fastbp.exceptions import Error, ParameterError
from fastbp.history import History
from fastbp.network import Network
from fastbp.optimizers import Optimizer

Result: TypeAlias = History | Exception

#: Options with rows, which travel beside the networks, once for all networks that share them.
ROWS = ("sample_weight", "validation_data")
#: Arguments of `fastbp.fit_many` that are no options of a network's fit.
OF_THE_CALL = ("networks", "X", "y", "splits", "max_seconds", "verbose")


class Rows(NamedTuple):
    """What networks that share their data train on: X, y and the options of `ROWS`."""

    X: Any
    y: Any
    options: dict[str, Any]


class Returned(NamedTuple):
    """What comes back from a worker: the state of the network's model, and what `fit` returned or raised."""

    state: dict[str, Any]
    has_same_optimizer: bool  # whether nothing has set the learning rate
    result: Result


def fit_many(
    client: Any,
    networks: Iterable[Network],
    X: Any,
    y: Any = None,
    *,
    splits: Any = None,
    max_seconds: float | None = None,
    verbose: int | Literal["auto"] = 0,
    max_retries: int = 3,
    timeout: float = 300.0,
    **options: Any,
) -> list[Result]:
    """Train many networks at once on the workers of a cluster, each of them as a whole by one worker.

    Each network ends with the weights, the optimizer state and the history (except its times) of its own
    ``fit`` with the same arguments, bit for bit, on the instruction set that all workers have. X and y travel
    once, and stay on the workers until the call ends; networks and the other options travel as pickles. The
    networks of the caller change in place as soon as a worker has trained them. An error of one network
    becomes its result, and the others go on.

    Callbacks run on the workers, as copies: what they remember, and the files that they write or read, stay
    there. The same holds for the paths of `resume`. Functions of your own, such as losses, metrics and
    callbacks, must be such that Dask can send them.

    Parameters
    ----------
    client : distributed.Client or None
        The cluster. None: `fastbp.fit_many` trains in this process, to the same bits on the same instruction
        set.
    networks, X, y, splits
        As for `fastbp.fit_many`.
    max_seconds : float, > 0, optional
        Time limit of the whole call, by the clocks of the workers; see `fastbp.fit_many`.
    verbose : int or "auto"
        As for `fastbp.fit_many`; epochs are counted when their network has ended.
    max_retries : int, >= 0
        How often a network that was lost with its workers is sent again, as in `fit`; then its result is a
        `ShardError`.
    timeout : float, > 0
        Seconds for which there may be no worker that can compute.
    **options
        The other arguments of `fastbp.fit_many`: a list is one value per network.

    Returns
    -------
    list of History or Exception
        What each fit returned or raised, in the order of the networks. Notes of an error have the traceback
        on its worker.

    Raises
    ------
    ParameterError
        As for `fastbp.fit_many`; or `client` is no client that can be used.
    ShardError
        There are no workers, or the scheduler is lost. Networks whose results have come keep them.

    Notes
    -----
    Ctrl-C cancels what is under way; networks whose results have not come stay as they were.
    """
    options = _completed(options)
    if client is None:
        return _many.fit_many(
            networks, X, y, splits=splits, max_seconds=max_seconds, verbose=verbose, **options
        )
    listed, verbose = checked_networks(networks), verbosity(verbose)
    seconds = inf if max_seconds is None else number("max_seconds", max_seconds, above=0)
    calls = per_network(listed, X, y, splits, options)
    deadline = time() + seconds
    trips = [Trip(i, *pair, deadline) for i, pair in enumerate(zip(listed, calls, strict=True))]
    with ExitStack() as ends:
        executor = executor_of(client, None, max_retries, timeout)
        ends.callback(executor.close)
        shown = Shown(verbose, [call.epochs for call in calls]) if verbose and trips else None
        if shown is not None:
            ends.callback(shown.close)
        for trip in trips:  # whatever else fails, no network stays locked
            ends.callback(trip.close)
        _travel(executor, trips, shown)
    return [trip.result for trip in trips if trip.result is not None]


def _completed(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a fit, with the defaults of those that are not given."""
    known = signature(_many.fit_many).parameters
    for name in options:
        if name not in known:
            raise unknown("fit_many", name, known)
    defaults = {name: one.default for name, one in known.items() if name not in OF_THE_CALL}
    return defaults | options


def _travel(executor: Executor, trips: Sequence[Trip], shown: Shown | None) -> None:
    """Send all networks to workers, and take over what comes back."""
    for trip in trips:
        trip.begin()
        _show(trip, shown)
    going = [trip for trip in trips if trip.result is None]

    def arrived(i: int, outcome: Returned | Exception) -> None:
        going[i].end(outcome)
        _show(going[i], shown)

    executor.call(
        trained,
        _placed(executor, going),
        [(trip.packed,) for trip in going],
        (executor.isa,),
        names=[f"network {trip.index}" for trip in going],
        arrived=arrived,
    )


def _placed(executor: Executor, trips: Sequence[Trip]) -> list[Any]:
    """Return a handle of the rows of each network, the same one for networks that share them."""
    loads: dict[tuple[int, ...], Load] = {}
    for trip in trips:
        loads.setdefault(trip.rows_key, Load(Rows, tuple(trip.rows)))
    handles = dict(zip(loads, executor.place([*loads.values()]), strict=True))
    return [handles[trip.rows_key] for trip in trips]


def _show(trip: Trip, shown: Shown | None) -> None:
    if shown is not None and trip.result is not None:
        shown.end(trip.index, trip.result, len(trip.result) if isinstance(trip.result, History) else 0)
        shown.update()


class Trip:
    """One network's way to a worker and back, for whose time it is locked.

    Parameters
    ----------
    index : int
        Number of the network.
    network : Network
    call : Call
    deadline : float
        When to stop, as `time` tells it.

    Attributes
    ----------
    rows : Rows
        What it trains on, which travels beside it.
    rows_key : tuple of int
        The same for networks that share their rows.
    packed : bytes
        The network and what else its fit needs.
    result : History, Exception or None
        None until the network is back.
    """

    def __init__(self, index: int, network: Network, call: Call, deadline: float) -> None:
        self.index = index
        self.result: Result | None = None
        options = {name: call.options[name] for name in ROWS if name in call.options}
        self.rows = Rows(call.X, call.y, options)
        self.rows_key = tuple(id(value) for value in (call.X, call.y, *options.values()))
        self._network, self._call, self._deadline = network, call, deadline
        self.packed = b""
        self._outcome: Returned | Exception | None = None
        self._steps: Generator[None, None, History] = network._model.guard.stepping(
            "fit_many", NOTHING, self._course(), undo=_nothing
        )

    def begin(self) -> None:
        """Lock the network and pack it; an error is the `result`."""
        self._go_on()

    def end(self, outcome: Returned | Exception) -> None:
        """Take over what came back, and unlock the network."""
        self._outcome = outcome
        self._go_on()

    def close(self) -> None:
        """Unlock the network if it is not back."""
        self._steps.close()

    def _go_on(self) -> None:
        try:
            next(self._steps)
        except StopIteration as end:
            self.result = end.value
        except Exception as error:
            self.result = error

    def _course(self) -> Generator[None, None, History]:
        model: Model = self._network._model
        options = {name: value for name, value in self._call.options.items() if name not in ROWS}
        try:
            self.packed = pickled(
                (self._network, self._call._replace(X=None, y=None, options=options), self._deadline)
            )
        except Exception as error:
            raise ParameterError(
                f"network {self.index}, or an option of its fit, cannot be sent to a worker: "
                f"{type(error).__name__}: {error}"
            ) from error
        yield
        if not isinstance(self._outcome, Returned):
            assert self._outcome is not None
            raise self._outcome
        other = Model.from_state(self._outcome.state, type(self._network)._engine_class)
        optimizer = model.optimizer if self._outcome.has_same_optimizer else other.optimizer
        _core.to_the_end(_take_over, (model, other, optimizer))
        if isinstance(self._outcome.result, Exception):
            raise self._outcome.result
        return self._outcome.result


def _take_over(model: Model, other: Model, optimizer: Optimizer) -> None:
    """Make a model what a copy of it has become; it keeps its optimizer, whose functions were copied, too."""
    model.take_over(other)
    model.put_in_force(optimizer, other.schedule)
    model.adopt(other.feature_names)


def _nothing(error: BaseException) -> None:
    """Undo nothing: the network changes only when it is back."""


# ---- on a worker -------------------------------------------------------------------------------------------


def trained(rows: Rows, packed: bytes, isa: str) -> Returned:
    """Train a network on rows that it shares with others; return its state and what its fit returned."""
    network, call, deadline = pickle.loads(packed)
    model: Model = network._model
    optimizer = model.optimizer
    if isinstance(model.engine, _core.Engine):
        model.engine.use_isa(isa)
    call = call._replace(X=rows.X, y=rows.y, options=call.options | rows.options)
    job = Job(0, network, call, perf_counter() + deadline - time())
    while job.go_on():
        if is_cancelled():
            job.break_off()
            raise CancelledTaskError
        job.do()
    assert job.result is not None
    result = portable(job.result) if isinstance(job.result, Exception) else job.result
    return Returned(model.state(), model.optimizer is optimizer, result)


def portable(error: Exception) -> Exception:
    """Return an error that can be sent, with its traceback as a note."""
    trace = "".join(format_exception(error)).rstrip()
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = Error(f"{type(error).__name__}: {error}")
    error = error.with_traceback(None)
    error.__cause__ = error.__context__ = None
    error.add_note(f"on a worker:\n{trace}")
    return error
