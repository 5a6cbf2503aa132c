"""An iterator that is read ahead on a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Ahead:
    """Yields the items of an iterator without end, of which a thread has read the next ones.

    Errors of the iterator are raised where its item would be yielded.

    Parameters
    ----------
    items : iterator
        Only the thread uses it from now on.
    most : int, >= 1
        Number of items to read ahead.
    """

    def __init__(self, items: Iterator[Any], most: int) -> None:
        self._items = items
        self._pool = ThreadPoolExecutor(1, "fastbp-prefetch")
        self._read: deque[Future[Any]] = deque()
        for _ in range(most):
            self._submit()

    def _submit(self) -> None:
        self._read.append(self._pool.submit(next, self._items, None))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        first = self._read.popleft()
        self._submit()
        return first.result()

    def close(self) -> None:
        """Stop reading, after the item that is being read."""
        self._pool.shutdown(wait=False, cancel_futures=True)
