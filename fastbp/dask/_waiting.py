"""Waits for a cluster, with a look at it from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

#: Seconds between two looks at the cluster.
TICK = 0.5


def waited(client: Any, awaitable: Awaitable[Any], look: Callable[[], object], tick: float = TICK) -> Any:
    """Return what the client's event loop makes of `awaitable`; call `look` every `tick` seconds until then.

    An error of `look`, or Ctrl-C, ends the wait and cancels what is awaited.
    """

    async def run() -> Any:
        return await awaitable

    future = asyncio.run_coroutine_threadsafe(run(), client.loop.asyncio_loop)
    try:
        while True:
            try:
                return future.result(tick)
            except TimeoutError:
                if future.done():  # the error is its own, or it has ended since
                    return future.result()
            look()
    finally:
        future.cancel()


async def lasting(awaitable: Awaitable[Any]) -> Any:
    """Return what comes of `awaitable`, which goes on if the wait for it is canceled.

    What Dask leaves behind when it is canceled itself are tasks of asyncio whose errors nobody fetches, of
    which asyncio tells the user, and data that nobody lets go of.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise
