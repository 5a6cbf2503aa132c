"""Guard of a network against concurrent calls, and snapshots that undo a change."""

from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

R = TypeVar("R")
T = TypeVar("T")

class Guard:
    def reading(self, work: Callable[..., T], *args: Any) -> T: ...
    @property
    def left(self) -> Any: ...
    def writing(
        self,
        what: str,
        leaves: Any,
        work: Callable[..., T],
        *args: Any,
        undo: Callable[[BaseException], object] | None = None,
    ) -> T: ...
    def stepping(
        self,
        what: str,
        leaves: Any,
        steps: Generator[T, None, R],
        undo: Callable[[BaseException], object],
    ) -> Generator[T, None, R]: ...
    def following(self, after: Any, what: str, leaves: Any, work: Callable[..., T], *args: Any) -> T: ...
    def changing(self, what: str, leaves: Any, work: Callable[..., object], *args: Any) -> None: ...

def to_the_end(work: Callable[..., object], args: tuple[Any, ...]) -> None: ...

class Exchange:
    @property
    def is_done(self) -> bool: ...
    def __init__(self, one: NDArray[Any], other: NDArray[Any]) -> None: ...
    def set(self, done: bool) -> None: ...

class _Numbers(Protocol):  # what `Snapshot` copies of an engine, and to where
    t: int
    memory: NDArray[np.float64] | None
    spare_arrays: tuple[NDArray[Any], NDArray[Any]] | None
    @property
    def parameters(self) -> NDArray[Any]: ...
    @property
    def state(self) -> NDArray[Any]: ...

class Snapshot:
    @property
    def engine(self) -> Any: ...
    @property
    def epoch(self) -> int | None: ...
    @property
    def extra(self) -> Any: ...
    def __init__(self, engine: _Numbers) -> None: ...
    @property
    def numbers(self) -> tuple[NDArray[Any], NDArray[Any], int, NDArray[np.float64] | None] | None: ...
    def take(self, epoch: int, extra: object = None) -> object: ...
    def put(
        self,
        epoch: int,
        extra: object,
        parameters: NDArray[Any],
        state: NDArray[Any],
        t: int,
        memory: NDArray[np.float64] | None,
    ) -> None: ...
    def restore(self) -> None: ...
