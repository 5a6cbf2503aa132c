"""`Placed`: a shard in the memory of a cluster; and how work is sent there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from fastbp.dask._executor import Load
from fastbp.dask._worker import Delayed, load
from fastbp.dask._workers import Workers

#: Where Dask keeps from which size on it warns of what is sent.
THRESHOLD = "distributed.admin.large-graph-warning-threshold"


class Placed:
    """A shard on a cluster, which is loaded again if it is lost for good.

    Attributes
    ----------
    future : distributed.Future or None
    workers : frozenset of str, optional
        The only workers that may have loaded it; None: all of them.
    """

    def __init__(self, load: Load) -> None:
        self.load, self.future = load, None
        self.workers: frozenset[str] | None = None

    def lost(self, present: set[str]) -> bool:
        """Return whether it has to be loaded again."""
        if self.workers is not None and not self.workers & present:
            return True
        return self.future is None or self.future.status not in ("pending", "finished")

    def release(self) -> None:
        """Let go of the shard."""
        future, self.future = self.future, None
        released([future])


def submit_loads(client: Any, workers: Workers, shards: Sequence[Placed]) -> None:
    """Submit the loading of shards, under new keys. Delayed arguments are computed in one graph."""
    only = workers.restriction()
    graphs = [[one for one in shard.load.arguments if is_delayed(one)] for shard in shards]
    inputs = iter(client.compute([one for graph in graphs for one in graph]))
    for shard, graph in zip(shards, graphs, strict=True):
        shard.release()
        mine = [next(inputs) for _ in graph]
        numbers = iter(range(len(mine)))
        function, arguments = shard.load
        kept = tuple(Delayed(next(numbers)) if is_delayed(one) else one for one in arguments)
        data = packed(workers, function, kept)
        with large(len(data)):
            shard.future = client.submit(load, data, *mine, key=key("load"), pure=False, workers=only)
        shard.workers = None if only is None else frozenset(only)
        released(mine)  # the graph keeps what it needs


def packed(workers: Workers, function: Any, arguments: tuple[Any, ...]) -> bytes:
    """Return what `fastbp.dask._worker.unpacked` opens."""
    return dumps((workers.kind, workers.isa, function, arguments))


def dumps(value: Any) -> bytes:
    """Return a pickle; functions that workers cannot import are in it as a whole."""
    from distributed.protocol.pickle import dumps

    return bytes(dumps(value))


def key(what: str) -> str:
    """Return a key that no task has had."""
    return f"fastbp-{what}-{uuid4().hex}"


def is_delayed(value: Any) -> bool:
    """Return whether Dask computes the value."""
    return hasattr(value, "__dask_graph__")


def released(futures: Sequence[Any]) -> None:
    """Let go of futures, also of those whose cluster is gone."""
    for future in futures:
        try:
            if future is not None:
                future.release()
        except RuntimeError:  # the client's event loop is closed
            pass


@contextmanager
def large(size: int) -> Iterator[None]:
    """Send this many bytes without a warning: they go to the scheduler once and are released soon."""
    import dask

    if size < 1_000_000:
        yield
        return
    with dask.config.set({THRESHOLD: f"{2 * size + 10_000_000} B"}):
        yield
