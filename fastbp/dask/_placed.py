"""`Placed`: a shard in the memory of a cluster; and how loading is sent there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastbp.dask._executor import Load, is_dask
from fastbp.dask._sending import key, large, packed, released, sent
from fastbp.dask._worker import Slot, load
from fastbp.dask._workers import Workers


class Placed:
    """A shard on a cluster, which is loaded again if it is lost for good.

    Attributes
    ----------
    load : Load
    future : distributed.Future or None
    only : frozenset of str, optional
        The only workers that may load it; None: all of them.
    """

    def __init__(self, load: Load) -> None:
        self.load = load
        self.future: Any = None
        self.only: frozenset[str] | None = None

    def is_lost(self, present: set[str]) -> bool:
        """Return whether it has to be loaded again: the scheduler cannot or must not do so by itself."""
        if self.future is None or self.future.status in ("error", "cancelled"):
            return True
        return self.only is not None and not self.only & present

    def release(self) -> None:
        """Let go of the shard."""
        future, self.future = self.future, None
        if future is not None:
            released([future])


def submit_loads(client: Any, workers: Workers, shards: Sequence[Placed]) -> None:
    """Submit the loading of shards, under new keys. Delayed arguments of all of them are one graph."""
    awaited = "the loading of shards"
    only = workers.restriction(awaited)
    graphs = [[one for one in shard.load.arguments if is_dask(one)] for shard in shards]
    with workers.sending():
        inputs = iter(client.compute([one for graph in graphs for one in graph]))
    for shard, graph in zip(shards, graphs, strict=True):
        shard.release()
        mine = [next(inputs) for _ in graph]
        numbers = iter(range(len(mine)))
        function, arguments = shard.load
        kept = tuple(Slot(next(numbers)) if is_dask(one) else one for one in arguments)
        data = sent(client, workers, packed(workers, function, kept), only, awaited)
        with workers.sending(), large(data):
            shard.future = client.submit(load, data, *mine, key=key("load"), pure=False, workers=only)
        shard.only = None if only is None else frozenset(only)
        released([*mine, data])  # the graph keeps what it needs
