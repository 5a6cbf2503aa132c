"""Tests of waits for a cluster."""

import asyncio
import threading
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from fastbp.dask import _waiting


@pytest.fixture
def client():
    """Something with an event loop in a thread, as a client has one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield SimpleNamespace(loop=SimpleNamespace(asyncio_loop=loop))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def later(seconds=0.0, error=None):
    await asyncio.sleep(seconds)
    if error is not None:
        raise error
    return "the result"


def test_a_result_that_comes_right_after_a_tick(client, monkeypatch):
    result = Future.result

    def too_late(future, timeout=None):
        if timeout is not None:
            result(future)  # it ends between the end of the tick and the look at it
            raise TimeoutError
        return result(future)

    monkeypatch.setattr(Future, "result", too_late)
    assert _waiting.waited(client, later(), pytest.fail) == "the result"


def test_an_error_of_what_is_awaited(client):
    with pytest.raises(TimeoutError, match="its own"):
        _waiting.waited(client, later(error=TimeoutError("its own")), pytest.fail)


def test_looks_until_the_result_comes(client):
    looks = []
    assert _waiting.waited(client, later(0.05), lambda: looks.append(0), tick=0.01) == "the result"
    assert looks


def test_an_error_of_a_look_cancels_what_is_awaited(client):
    cancelled = threading.Event()

    async def forever():
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    def look():
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        _waiting.waited(client, forever(), look, tick=0.01)
    assert cancelled.wait(10)
