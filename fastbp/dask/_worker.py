"""What runs on a worker: it says what it can compute, loads shards, and calls functions on them."""

from __future__ import annotations

import pickle
import platform
from collections.abc import Callable
from typing import Any, NamedTuple

from fastbp import _core
from fastbp._version import __version__

#: What `isa` of the engine of `fastbp.reference` is; it runs everywhere.
REFERENCE = "numpy"


class Kind(NamedTuple):
    """What has to be the same on all workers, besides the instruction set, for results to be the same."""

    version: str
    machine: str


class Facts(NamedTuple):
    """What a process can compute: instruction sets, best first, down from the one that it uses itself."""

    kind: Kind
    isas: tuple[str, ...]


class UnfitWorkerError(Exception):
    """A worker cannot compute what the others can; the task has to run on another one."""


class Opened(NamedTuple):
    """A function, what it needs of a worker, and arguments that all calls have in common."""

    kind: Kind
    isa: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Delayed(NamedTuple):
    """Stands for an argument that Dask passes to `load`, by its number."""

    i: int


def facts() -> Facts:
    """Return what this process can compute. FASTBP_ISA is an upper limit: the user of the machine set it."""
    isas = _core.available_isas()
    return Facts(Kind(__version__, platform.machine()), (*isas[isas.index(_core.isa()) :], REFERENCE))


def check(opened: Opened) -> None:
    """Raise UnfitWorkerError if this worker is of another kind, or lacks the instruction set."""
    mine = facts()
    if mine.kind != opened.kind or opened.isa not in mine.isas:
        raise UnfitWorkerError(f"this worker is {mine}, expected {opened.kind} with {opened.isa}")


def unpacked(data: bytes) -> Opened:
    """Return what `data` holds; once per round, as a task of its own."""
    opened = Opened(*pickle.loads(data))
    check(opened)
    return opened


def load(data: bytes, *delayed: Any) -> Any:
    """Return a shard; `delayed` are values of those arguments in `data` that are `Delayed`."""
    _, _, function, arguments = unpacked(data)
    return function(*(delayed[one.i] if isinstance(one, Delayed) else one for one in arguments))


def call(shard: Any, own: bytes, common: bytes | Opened) -> Any:
    """Return the result of a call on a shard; bytes of what is common come with each call if they are few."""
    if isinstance(common, bytes):
        common = unpacked(common)
    check(common)
    return common.function(shard, *pickle.loads(own), *common.arguments)
