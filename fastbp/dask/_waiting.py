"""Waits for a cluster, with a look at it from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
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
                if future.done():
                    raise
            look()
    finally:
        future.cancel()


async def gathered(client: Any, futures: Sequence[Any]) -> Any:
    """Return the results of tasks, or raise the error of one.

    If the wait is canceled, what it waits with goes on until the tasks are let go of: asyncio would tell the
    user of errors of tasks that nobody waits for.
    """
    task = asyncio.ensure_future(client.gather(futures, asynchronous=True))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise
