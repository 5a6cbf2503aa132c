"""Batches of some examples, and iterables of them."""

SIZES, ROWS, SIZE = (5, 6, 3), 23, 8


def cut(*arrays, size=SIZE):
    """Return the batches of so many rows of some arrays."""
    return [tuple(a[i : i + size] for a in arrays) for i in range(0, len(arrays[0]), size)]


class Loader:
    """An iterable without a length that starts anew each time."""

    def __init__(self, batches):
        self.batches, self.times = batches, 0

    def __iter__(self):
        self.times += 1
        return iter(self.batches)


def again(batches, times):
    """Yield the batches several times."""
    for _ in range(times):
        yield from batches
