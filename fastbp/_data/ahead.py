"""An iterator that is read ahead on a thread."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from queue import SimpleQueue
from threading import Thread
from typing import Any

LOST: tuple[Any, BaseException] = None, MemoryError("no memory for the thread that reads ahead")


class Ahead:
    """Yields the items of an endless iterator, which a thread reads ahead.

    Errors of the iterator are raised where its item would be yielded. The thread starts with the first item.

    Parameters
    ----------
    items : generator
        Only the thread uses it from now on, and closes it in the end.
    most : int, >= 1
        Number of items to read ahead.
    """

    def __init__(self, items: Generator[Any], most: int) -> None:
        self._items, self._most, self._is_closed = items, most, False
        self._read: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()  # an entry for each item that may be read after these
        # it does not keep the process alive: an iterable may wait forever
        self._thread = Thread(target=self._work, name="fastbp-prefetch", daemon=True)

    def _work(self) -> None:
        """Read items; whatever ends that, nobody waits for the next one forever."""
        try:
            self._read_all()
        finally:
            self._read.put(LOST)  # made before: there may be no memory

    def _read_all(self) -> None:
        """Read items while there is room, until an error or `close`."""
        error: BaseException | None = None
        left = self._most  # items that may be read at once
        while error is None:
            if left > 0:
                left -= 1
            else:
                self._room.get()
            if self._is_closed:
                break
            item = None
            try:
                item = next(self._items)
            except BaseException as caught:  # also what is raised to end the program
                error = caught
            self._read.put((item, error))
        self._items.close()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._thread.ident is None:
            self._thread.start()
        item, error = self._read.get()
        if error is not None:
            raise error
        self._room.put(None)
        return item

    def close(self) -> None:
        """Stop reading, after the item that is being read."""
        self._is_closed = True
        self._room.put(None)
