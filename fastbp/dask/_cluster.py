"""`ClusterExecutor`: calls functions on shards that are in the memory of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastbp import _core
from fastbp._base.arguments import integer, number
from fastbp._base.optional import load as module
from fastbp.dask._arrivals import Arrivals
from fastbp.dask._executor import Arrived, Executor, Load, SerialExecutor, names_of_shards
from fastbp.dask._placed import Placed, submit_loads
from fastbp.dask._round import Round
from fastbp.dask._workers import Workers
from fastbp.exceptions import ParameterError, ShardError
from fastbp.network import Network, check_network

USER = "fastbp.dask with a client"


def executor_of(client: Any, isa: str | None, max_retries: int = 3, timeout: float = 300.0) -> Executor:
    """Return what calls functions on shards: this process if `client` is None, else its cluster.

    Parameters
    ----------
    client : distributed.Client or None
    isa : str or None
        The instruction set of the caller's engine, "numpy" for that of `fastbp.reference`; None: this
        process's.
    max_retries : int
        How often, in a round, a call that was lost with its workers is submitted again under a new key.
    timeout : float
        Seconds for which there may be no worker that can compute.

    Raises
    ------
    ParameterError
        `client` is something else, asynchronous, or closed; workers lack fastbp, or have another version;
        another argument is out of range.
    ShardError
        There are no workers, or no scheduler.
    """
    max_retries = integer("max_retries", max_retries, at_least=0)
    timeout = number("timeout", timeout, above=0)
    if client is None:
        return SerialExecutor(isa)
    return ClusterExecutor(client, isa, max_retries, timeout)


class ClusterExecutor:
    """Calls functions on shards on the workers of a `distributed.Client`; parameters as in `executor_of`."""

    loads_again = True

    def __init__(self, client: Any, isa: str | None, max_retries: int = 3, timeout: float = 300.0) -> None:
        check_client(client)
        self._client, self._max_retries = client, max_retries
        self._placed: list[Placed] = []
        self._closed = False
        self._workers = Workers(client, _core.isa() if isa is None else isa, timeout)
        self._seceded = secede()
        try:
            self._workers.agree()
        except BaseException:
            self.close()
            raise

    @property
    def isa(self) -> str:
        """The best instruction set that the caller and all workers of the beginning have."""
        return self._workers.isa

    def place(self, loads: Sequence[Load]) -> Sequence[Any]:
        """Begin to load shards on workers; return a handle of each."""
        self._check_open()
        placed = [Placed(one) for one in loads]
        self._placed += placed
        self._workers.expect()
        submit_loads(self._client, self._workers, placed)
        return placed

    def call(
        self,
        function: Callable[..., Any],
        handles: Sequence[Any],
        own: Sequence[tuple[Any, ...]],
        common: tuple[Any, ...] = (),
        names: Sequence[str] = (),
        arrived: Arrived | None = None,
    ) -> list[Any]:
        """Return ``function(shard, *own[i], *common)`` for the shard of each handle; see `Executor`."""
        self._check_open()
        names = names or names_of_shards(len(handles))
        kind = Round if arrived is None else Arrivals
        calls = kind(self._client, self._workers, handles, names, self._max_retries, arrived)
        return calls.results(function, own, common)

    def close(self) -> None:
        """Cancel what is under way and let go of all shards; may be repeated, also without a cluster."""
        self._closed = True
        for placed in self._placed:
            placed.release()
        self._placed.clear()
        if self._seceded:
            self._seceded = False
            rejoin()

    def _check_open(self) -> None:
        if self._closed:
            raise ShardError("the executor is closed, and its shards are gone")


def check_first(client: Any, net: object) -> None:
    """Raise ParameterError unless `net` is a network; the error says so if the client was forgotten."""
    if isinstance(client, Network):
        raise ParameterError(
            "client is a Network, expected a distributed.Client before it, or None to compute in this process"
        )
    check_network(net)


def check_client(client: Any) -> None:
    """Raise ParameterError unless `client` is a synchronous client that is connected."""
    distributed = module("distributed", "distributed", USER)
    if not isinstance(client, distributed.Client):
        raise ParameterError(
            f"client is {type(client).__name__}, expected distributed.Client, or None to compute here"
        )
    if client.asynchronous:
        raise ParameterError("client is asynchronous, expected Client(..., asynchronous=False)")
    if client.status != "running":
        raise ParameterError(f"client is {client.status}, expected one that is connected to a scheduler")


@contextmanager
def seceded() -> Iterator[None]:
    """Inside a task, leave the worker's thread to other tasks, for which the block waits."""
    inside = secede()
    try:
        yield
    finally:
        if inside:
            rejoin()


def rejoin() -> None:
    """Take a worker's thread back."""
    module("distributed", "distributed", USER).rejoin()


def secede() -> bool:
    """Inside a task, leave the worker's thread to other tasks; return whether it was taken before."""
    names = "threadpoolexecutor", "worker"
    pool, worker = (module(f"distributed.{name}", "distributed", USER) for name in names)
    inside = hasattr(worker.thread_state, "key") and getattr(pool.thread_state, "proceed", False)
    if inside:
        module("distributed", "distributed", USER).secede()
    return inside
