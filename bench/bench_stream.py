"""Measures what a batch costs that comes from an iterable, beyond a step of `fit` on the same rows in arrays.

Each round trains once in every way, in turn. Times are wall-clock times, because reading ahead needs a second
thread. The difference of a round is that of two times close to each other, so what slows down a whole round
hardly counts.
"""

from operator import attrgetter
from time import perf_counter

import numpy as np
import pytest

import fastbp
from machine import processor, quartiles
from workloads import MNIST, RL

ROUNDS = 51
STEPS = 512  # per timing
TITLE = f"microseconds per batch; medians and quartiles; {processor()['name']}"


class Batches:
    """Batches of rows that are cut anew in each epoch; `copied` makes fresh arrays, as reading does."""

    def __init__(self, X, y, size, copied=False):
        self._X, self._y, self._size, self._copied = X, y, size, copied

    def __iter__(self):
        for i in range(0, len(self._X), self._size):
            x, t = self._X[i : i + self._size], self._y[i : i + self._size]
            yield (x.copy(), t.copy()) if self._copied else (x, t)

    def __len__(self):
        return -(-len(self._X) // self._size)


@pytest.mark.parametrize("workload", [RL, MNIST], ids=attrgetter("name"))
def test_stream(workload, benchmark, report):
    (X, y), size = workload.data(), workload.batch_size
    epochs = STEPS // workload.batches
    cut, copied = Batches(X, y, size), Batches(X, y, size, copied=True)
    ways = {
        "arrays": lambda net: net.fit(X, y, epochs=epochs, batch_size=size, shuffle=False),
        "list": lambda net: net.fit(list(cut), epochs=epochs),
        "generator": lambda net: net.fit(cut, epochs=epochs),
        "copies": lambda net: net.fit(copied, epochs=epochs),
        "copies, prefetch=2": lambda net: net.fit(copied, epochs=epochs, prefetch=2),
    }
    networks = {way: workload.network() for way in ways}
    us = {way: [] for way in ways}

    def once():
        for way, fit in ways.items():
            start = perf_counter()
            fit(networks[way])
            us[way].append(1e6 * (perf_counter() - start) / (epochs * workload.batches))

    with fastbp.threads(1):
        benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=1)
    first = networks["arrays"].parameters
    assert all(np.array_equal(net.parameters, first) for net in networks.values())

    times = {way: np.array(each[1:]) for way, each in us.items()}
    beyond = {way: quartiles(each - times["arrays"]) for way, each in times.items()}
    for way, each in times.items():
        low, median, high = beyond[way]
        line = f"{workload.name:6} {way:20} {np.median(each):8.2f}"
        line += f"   beyond arrays {median:6.2f} ({low:.2f} to {high:.2f})" if way != "arrays" else ""
        report.append(line)
    benchmark.extra_info.update(
        test="stream",
        description=str(workload),
        us={way: quartiles(each) for way, each in times.items()},
        beyond=beyond,
    )
