"""`Arrivals`: calls that are independent of one another, and whose results are handed on as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastbp.dask._executor import note_name
from fastbp.dask._round import Lost, Round
from fastbp.dask._waiting import waited
from fastbp.exceptions import ShardError

PAUSE = 0.02  # seconds between two looks at whether a call has ended


class Arrivals(Round):
    """A `Round` in which the error of a call is its result, and ends no other call."""

    def _wait(self, awaited: Sequence[int]) -> dict[int, Any]:
        self._errors: dict[int, BaseException] = {}
        return super()._wait(awaited) | self._errors

    def _results(self, awaited: Sequence[int], look: Callable[[], object]) -> dict[int, Any]:
        """Wait for a call to end; return the results that there are then, or raise an error without any."""
        waited(self._client, one_ended([self._futures[i] for i in awaited]), look)
        finished = [i for i in awaited if self._futures[i].status == "finished"]
        if not finished:
            raise ShardError("a call has failed")
        return super()._results(finished, look)

    def _goes_on(self, i: int) -> bool:
        return i not in self._errors

    def _fail(self, i: int, error: BaseException) -> None:
        note_name(error, self._names[i])
        self._errors[i] = error

    def _count(self, i: int, lost: Lost) -> None:
        try:
            super()._count(i, lost)
        except ShardError as error:
            self._fail(i, error)


async def one_ended(futures: Iterable[Any]) -> None:
    """Wait until one of the tasks is no longer under way."""
    while all(future.status == "pending" for future in futures):
        await asyncio.sleep(PAUSE)
