"""How calls and data are sent to a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from fastbp.dask._waiting import TICK, lasting, waited
from fastbp.dask._worker import Packed, pickled
from fastbp.dask._workers import Workers
from fastbp.exceptions import ParameterError

#: Data of more bytes than this are sent to a worker; fewer are part of a graph. The scheduler keeps graphs,
#: and Dask's streams keep their last thousand messages of less than 1 MB.
SMALL = 16_384
#: Seconds to wait for a worker to send data to.
PATIENCE = 10.0
#: Where Dask keeps from which size on it warns of a graph.
THRESHOLD = "distributed.admin.large-graph-warning-threshold"


def packed(workers: Workers, function: Any, arguments: tuple[Any, ...]) -> bytes:
    """Return the bytes that `fastbp.dask._worker.unpacked` reads; ParameterError if there are none."""
    try:
        return pickled(tuple(Packed(workers.kind, workers.isa, function, arguments)))
    except Exception as error:
        raise ParameterError(
            "something that workers need cannot be sent to them, such as a function of yours that loads a "
            f"shard, a loss, an activation or a metric: {type(error).__name__}: {error}"
        ) from error


def key(what: str) -> str:
    """Return a key that no task has had."""
    return f"fastbp-{what}-{uuid4().hex}"


def sent(
    client: Any, workers: Workers, data: bytes, only: list[str] | None, awaited: str, uses: int = 1
) -> Any:
    """Return a future of data that some worker has got; data as they are if they are few, or no worker has.

    Workers pass them on to each other. They are lost with the last worker that has them, and then so are the
    tasks that need them. It waits for a worker, but not for long: clusters that grow on demand start one
    when there is a task. Errors as in `Workers.watch`.
    """
    if uses * len(data) <= SMALL:
        return data
    name, begun = key("data"), monotonic()
    while True:
        answer = client.scatter({name: data}, workers=only, timeout=0, asynchronous=True)
        try:
            return waited(client, lasting(answer), lambda: workers.watch(awaited))[name]
        except TimeoutError:  # there is no worker that runs
            workers.watch(awaited)
            if max(workers.absent(), monotonic() - begun) > PATIENCE:
                return data
            sleep(TICK)
        except (OSError, KeyError):  # it is gone
            workers.check_scheduler()
            return data


def released(values: Iterable[Any]) -> None:
    """Let go of those values that are futures, also of a cluster that is gone."""
    for value in values:
        if not isinstance(value, bytes):
            with suppress(RuntimeError):  # the client's event loop is closed
                value.release()


@contextmanager
def large(*data: Any) -> Iterator[None]:
    """Let bytes be part of a graph without a warning of Dask's: they are sent once."""
    size = sum(len(one) for one in data if isinstance(one, bytes))
    if size < 1_000_000:
        yield
        return
    import dask

    with dask.config.set({THRESHOLD: f"{2 * size + 10_000_000} B"}):
        yield
