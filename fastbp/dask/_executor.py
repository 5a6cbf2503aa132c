"""`Executor`: calls functions on shards, in this process or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from fastbp import _core

Arrived: TypeAlias = Callable[[int, Any], object]


class Load(NamedTuple):
    """A call whose result is a shard: ``function(*arguments)``.

    On a cluster it runs on a worker, again whenever the result is lost. Arguments may be Dask's delayed
    objects; the function then gets their values.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


def is_dask(value: Any) -> bool:
    """Tell whether this is a collection of Dask, such as an array or a data frame, or a delayed object."""
    return hasattr(type(value), "__dask_graph__")


class Executor(Protocol):
    """Calls functions on shards.

    Results depend on the arguments alone, not on where and when calls run. Functions and arguments can be
    pickled; functions do not change their arguments. What they get are arrays that are aligned.
    """

    loads_again: bool  #: Whether a shard may be loaded a second time.

    @property
    def isa(self) -> str:
        """The instruction set that all calls have to use: the best one that all machines have."""

    def place(self, loads: Sequence[Load]) -> Sequence[Any]:
        """Begin to load shards; return a handle of each for `call`. It waits only to send arguments."""

    def call(
        self,
        function: Callable[..., Any],
        handles: Sequence[Any],
        own: Sequence[tuple[Any, ...]],
        common: tuple[Any, ...] = (),
        names: Sequence[str] = (),
        arrived: Arrived | None = None,
    ) -> list[Any]:
        """Return ``function(shard, *own[i], *common)`` for the shard of each handle, in their order.

        `names` says what the calls are in errors; the default is that of `names_of_shards`. `arrived` is for
        calls that are independent of each other: it is called in this thread with the number and the result
        of each of them, as they end, and the result of a call that raises, or is lost too often, is its
        error.

        Raises
        ------
        Exception
            Of several calls that raise, the error of the first one, with a note of its name.
        ShardError
            A call was lost with its worker too often, or there are no workers, or no scheduler.
        """

    def close(self) -> None:
        """Cancel what is under way and let go of all shards; may be repeated."""


def names_of_shards(n: int, what: str = "shard") -> list[str]:
    """Return what n shards are called in errors."""
    return [f"{what} {i + 1} of {n}" for i in range(n)]


def note_name(error: BaseException, name: str) -> None:
    """Let an error tell which call raised it, unless it does so itself."""
    if name not in str(error):
        error.add_note(f"in {name}")


class SerialExecutor:
    """Calls functions one after the other in this process. It keeps the shards that it has loaded."""

    loads_again = False

    def __init__(self, isa: str | None = None) -> None:
        self.isa = _core.isa() if isa is None else isa

    def place(self, loads: Sequence[Load]) -> Sequence[Any]:
        """Return handles of shards, each of which is loaded by the first call."""
        return [Shard(load) for load in loads]

    def call(
        self,
        function: Callable[..., Any],
        handles: Sequence[Any],
        own: Sequence[tuple[Any, ...]],
        common: tuple[Any, ...] = (),
        names: Sequence[str] = (),
        arrived: Arrived | None = None,
    ) -> list[Any]:
        """Return the results of the calls in order; without `arrived`, the first error ends them."""
        results = []
        for i, (handle, arguments) in enumerate(zip(handles, own, strict=True)):
            try:
                result = function(handle.value(), *arguments, *common)
            except Exception as error:
                if names:
                    note_name(error, names[i])
                if arrived is None:
                    raise
                result = error
            results.append(result)
            if arrived is not None:
                arrived(i, result)
        return results

    def close(self) -> None:
        """Do nothing: handles go with whoever holds them."""


class Shard:
    """A shard in this process, loaded when it is first needed."""

    def __init__(self, load: Load) -> None:
        self._load: Load | None = load
        self._value: Any = None

    def value(self) -> Any:
        """Return the shard."""
        if self._load is not None:
            function, arguments = self._load
            if any(map(is_dask, arguments)):
                from dask import compute

                arguments = compute(*arguments, scheduler="synchronous")
            self._value, self._load = function(*arguments), None
        return self._value
