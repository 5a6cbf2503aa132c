"""`Round`: one call on each of some shards, submitted again where workers are lost."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from fastbp._base.shown import counted
from fastbp.dask._executor import Arrived, note_name
from fastbp.dask._placed import Placed, submit_loads
from fastbp.dask._sending import key, large, packed, released, sent
from fastbp.dask._waiting import lasting, waited
from fastbp.dask._worker import UnfitWorkerError, call, pickled
from fastbp.dask._workers import Workers
from fastbp.exceptions import ShardError


class Round:
    """One call on each of some shards.

    Parameters
    ----------
    client : distributed.Client
    workers : Workers
    shards : sequence of Placed
    names : sequence of str
        What the calls are in errors.
    max_retries : int
        How often a call that was lost is submitted again.
    arrived : callable, optional
        Is called with the number and the result of each call.
    """

    def __init__(
        self,
        client: Any,
        workers: Workers,
        shards: Sequence[Placed],
        names: Sequence[str],
        max_retries: int,
        arrived: Arrived | None = None,
    ) -> None:
        self._arrived = arrived
        self._client, self._workers, self._shards = client, workers, shards
        self._names, self._max_retries = names, max_retries
        self._futures: dict[int, Any] = {}
        self._only: dict[int, frozenset[str] | None] = {}
        self._losses = [0] * len(shards)
        self._stranded: list[int] = []
        self._suspects: dict[
            int, bool
        ] = {}  # blamed calls, and whether it was for the loading of their shards
        self._failed: tuple[int, BaseException] | None = None

    def results(
        self, function: Callable[..., Any], own: Sequence[tuple[Any, ...]], common: tuple[Any, ...]
    ) -> list[Any]:
        """Return the results of the calls in order; errors as in `Executor.call`."""
        self._own = [pickled(arguments) for arguments in own]
        self._common = packed(self._workers, function, common)
        self._workers.expect()
        found: dict[int, Any] = {}
        try:
            missing = [shard for shard in self._shards if shard.future is None]  # a reload was interrupted
            submit_loads(self._client, self._workers, missing)
            self._submit(range(len(self._shards)))
            while awaited := [i for i in range(self._end()) if i not in found]:
                found.update(new := self._wait(self._under_way(awaited)))
                if self._arrived is not None:
                    for i, value in new.items():
                        self._arrived(i, value)
            if self._failed is not None:
                i, error = self._failed
                note_name(error, self._names[i])
                raise error
            return [found[i] for i in range(len(self._shards))]
        finally:
            released(self._futures.values())
            self._futures.clear()
            self._failed = None  # its traceback leads here

    def _end(self) -> int:
        """Return up to which call results count: all of them, or those before the first error."""
        return len(self._shards) if self._failed is None else self._failed[0]

    def _under_way(self, awaited: Sequence[int]) -> list[int]:
        """Return those of the calls that are submitted; if there is none, submit a suspect.

        The scheduler blames every task of a lost worker. So a call that was lost is submitted again when no
        other is under way: if it was not the one that took its worker with it, it is not lost again.
        """
        under_way = [i for i in awaited if i not in self._suspects]
        if not under_way:
            under_way = [next(i for i in awaited if i in self._suspects)]
            reload = self._suspects.pop(under_way[0])
            self._submit_again(under_way, under_way if reload else ())
        return under_way

    def _wait(self, awaited: Sequence[int]) -> dict[int, Any]:
        """Return results; without all of them, do what has to be done before the next attempt."""

        def look() -> None:
            able = self._workers.watch(self._awaited(awaited))
            self._stranded = [i for i in awaited if self._is_stranded(i, able)]
            if self._stranded:
                raise ShardError("the workers that calls were restricted to are gone")

        self._stranded = []
        try:
            found = self._results(awaited, look)
        except Exception:
            if not self._repair(awaited):
                raise
            return {}
        return {i: pickle.loads(value) for i, value in found.items()}

    def _results(self, awaited: Sequence[int], look: Callable[[], object]) -> dict[int, Any]:
        """Return the pickled results of these calls, all at once; an error if one of them has none."""
        futures = [self._futures[i] for i in awaited]
        values = waited(self._client, lasting(self._client.gather(futures, asynchronous=True)), look)
        return dict(zip(awaited, values, strict=True))

    def _is_stranded(self, i: int, able: set[str]) -> bool:
        """Return whether a call waits for workers that are gone."""
        chosen = self._only[i], self._shards[i].only
        return bool(able) and any(only is not None and not only & able for only in chosen)

    def _awaited(self, calls: Sequence[int]) -> str:
        """Return what the error says if no worker takes these calls."""
        return ", ".join(self._names[i] for i in calls)

    def _repair(self, awaited: Sequence[int]) -> bool:
        """Submit again what was lost or refused; note the first error. False: nothing was wrong."""
        again, reload, is_repaired = set(self._stranded), set(), bool(self._stranded)
        for i in awaited:
            if not self._goes_on(i):
                break
            fault = fault_of(self._futures[i])
            if fault is None:
                continue
            is_repaired = True
            if isinstance(fault, Lost):
                self._count(i, fault)
                if fault.key is None:
                    again.add(i)
                    reload.add(i)
                else:
                    self._suspects[i] = fault.key == self._shards[i].future.key
            elif is_refusal(fault):
                self._workers.refused(fault.args[0] if isinstance(fault, UnfitWorkerError) else None)
                again.add(i)
            else:
                self._fail(i, fault)
        self._submit_again([i for i in sorted(again - self._suspects.keys()) if self._goes_on(i)], reload)
        return is_repaired

    def _submit_again(self, calls: Sequence[int], reload: Collection[int] = ()) -> None:
        """Submit calls again, after their shards if these are lost, too, or have to be loaded again."""
        if not calls:
            return
        present = self._workers.present()
        lost = [self._shards[i] for i in calls if i in reload or self._shards[i].is_lost(present)]
        submit_loads(self._client, self._workers, [*dict.fromkeys(lost)])  # calls may share a shard
        self._submit(calls)

    def _goes_on(self, i: int) -> bool:
        """Return whether the result of a call is still of interest."""
        return i < self._end()

    def _fail(self, i: int, error: BaseException) -> None:
        """Note the first error; later calls are of no interest."""
        self._failed = i, error
        released(future for j, future in self._futures.items() if j > i)

    def _count(self, i: int, lost: Lost) -> None:
        """Count a loss; ShardError if it was one too many."""
        if self._losses[i] == self._max_retries:
            raise ShardError(
                f"{self._names[i]} was lost with its workers {counted(self._losses[i] + 1, 'time')} "
                f"(max_retries={self._max_retries}): {lost.reason}"
            )
        self._losses[i] += 1

    def _submit(self, calls: Sequence[int]) -> None:
        """Submit calls, under new keys."""
        self._workers.check_scheduler()
        waiting = self._awaited(calls)
        only = self._workers.restriction(waiting)
        released(self._futures[i] for i in calls if i in self._futures)
        common = sent(self._client, self._workers, self._common, only, waiting, uses=len(calls))
        own = [sent(self._client, self._workers, self._own[i], only, waiting) for i in calls]
        with self._workers.sending(), large(common, *own):
            futures = self._client.map(
                call,
                [self._shards[i].future for i in calls],
                own,
                [common] * len(calls),
                key=[key("call") for _ in calls],
                pure=False,
                workers=only,
            )
        released([common, *own])  # the calls keep them
        self._futures.update(zip(calls, futures, strict=True))
        self._only.update((i, None if only is None else frozenset(only)) for i in calls)


class Lost(NamedTuple):
    """Why a task was lost, and the key of the task that is blamed for the loss of workers; None: none is."""

    reason: str
    key: Any = None


def fault_of(future: Any) -> BaseException | Lost | None:
    """Return what went wrong with a task; None if it is under way or has a result."""
    from distributed.scheduler import KilledWorker

    if future.status == "cancelled":
        return Lost("what it needs is gone")
    if future.status != "error":  # a result that was lost is computed again by the scheduler
        return None
    error: BaseException = future.exception()
    if isinstance(error, KilledWorker):
        return Lost(str(error), error.task)
    return error.with_traceback(future.traceback())


def is_refusal(error: BaseException) -> bool:
    """Return whether a worker cannot compute what others can, or has no fastbp at all."""
    return isinstance(error, UnfitWorkerError) or (
        isinstance(error, ModuleNotFoundError) and error.name == "fastbp"
    )
