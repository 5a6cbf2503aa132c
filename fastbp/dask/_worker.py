"""What runs on a worker: it says what it can compute, loads shards, and calls functions on them.

Arrays that Dask passes from one process to another may begin at any address, and NumPy sums those in another
order that are not aligned. What functions get here comes out of bytes instead, wherever it has been: their
results do not depend on which worker had what they need.
"""

from __future__ import annotations

import pickle
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from fastbp import _core
from fastbp._version import __version__

#: What `isa` of the engine of `fastbp.reference` is; it runs everywhere.
REFERENCE = "numpy"
#: Bytes between addresses at which numbers of every type are aligned.
ALIGNMENT = 16


class Kind(NamedTuple):
    """What has to be the same on all workers, besides the instruction set, for results to be the same."""

    version: str
    machine: str


class Facts(NamedTuple):
    """What a process can compute: instruction sets, best first, down from the one that it uses itself."""

    kind: Kind
    isas: tuple[str, ...]


class UnfitWorkerError(Exception):
    """The worker with this address cannot compute what others can; the task has to run on another one."""


class Packed(NamedTuple):
    """A function, arguments, and what they need of a worker."""

    kind: Kind
    isa: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Slot(NamedTuple):
    """Stands for an argument that Dask passes to `load`, by its number."""

    i: int


class Held:
    """A shard in the memory of a worker. On its way to another one it is bytes."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __sizeof__(self) -> int:
        """Return the bytes of the shard, by which the scheduler decides if it is worth its way."""
        data, buffers = split(self.value)
        return len(data) + sum(buffer.raw().nbytes for buffer in buffers)

    def __reduce__(self) -> tuple[Any, ...]:
        return held, (pickled(self.value),)


def held(data: bytes) -> Held:
    """Return the shard that has come as bytes."""
    return Held(pickle.loads(data))


def facts() -> Facts:
    """Return what this process can compute. FASTBP_ISA is an upper limit: the user of the machine set it."""
    isas = _core.available_isas()
    return Facts(Kind(__version__, platform.machine()), (*isas[isas.index(_core.isa()) :], REFERENCE))


def unpacked(data: bytes) -> Packed:
    """Return the `Packed` of bytes; UnfitWorkerError if it needs another kind of worker."""
    packed = Packed(*pickle.loads(data))
    mine = facts()
    if mine.kind != packed.kind or packed.isa not in mine.isas:
        from distributed import get_worker

        raise UnfitWorkerError(get_worker().address)
    return packed


def load(data: bytes, *delayed: Any) -> Held:
    """Return a shard; `delayed` are values of those arguments in `data` that are a `Slot`."""
    _, _, function, arguments = unpacked(data)
    found = (aligned(delayed[one.i]) if isinstance(one, Slot) else one for one in arguments)
    with staying():
        return Held(function(*found))


def call(shard: Held, own: bytes, common: bytes) -> bytes:
    """Return the pickled result of a call on a shard."""
    _, _, function, arguments = unpacked(common)
    with staying():
        return pickled(function(shard.value, *pickle.loads(own), *arguments))


@contextmanager
def staying() -> Iterator[None]:
    """Make an error of `sys.exit` in a function of the user: it would end the worker, and the next ones."""
    try:
        yield
    except SystemExit as error:
        raise RuntimeError(f"SystemExit was raised on a worker: {error}") from error


def is_cancelled() -> bool:
    """Return whether nobody waits for the present task any more; False outside of tasks.

    Dask does not end a task that runs. Long ones have to ask.
    """
    worker = sys.modules.get("distributed.worker")
    key = None if worker is None else getattr(worker.thread_state, "key", None)
    if worker is None or key is None:
        return False
    task = worker.get_worker().state.tasks.get(key)
    return task is None or task.state == "cancelled"


class CancelledTaskError(Exception):
    """The task has ended early, because nobody waits for it."""


def aligned(value: Any) -> Any:
    """Return the same value, with arrays that are aligned."""
    _, buffers = split(value)
    addresses = (
        np.frombuffer(buffer.raw(), np.uint8).ctypes.data for buffer in buffers if buffer.raw().nbytes
    )
    return pickle.loads(pickled(value)) if any(one % ALIGNMENT for one in addresses) else value


def split(value: Any) -> tuple[bytes, list[pickle.PickleBuffer]]:
    """Return a pickle, and the memory of arrays apart from it, which is not copied."""
    from distributed.protocol.pickle import dumps

    buffers: list[pickle.PickleBuffer] = []
    return dumps(value, buffer_callback=buffers.append), buffers


def pickled(value: Any) -> bytes:
    """Return a pickle; functions that cannot be imported are in it as a whole."""
    from distributed.protocol.pickle import dumps

    return bytes(dumps(value))
