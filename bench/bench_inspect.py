"""Times the derivatives of `fastbp.inspect` beside PyTorch's, and a landscape beside as many predictions.

PyTorch computes each derivative in several ways: by torch.func as its documentation shows, and by hand with
autograd. All results must agree before any time is taken. Then all take turns on one and on two threads, each
in its own process (race.py), which keeps freed memory: otherwise the system clears the 52 MB of gradients of
784-128-10 anew in each call, in both libraries. fastbp on its better number of threads is compared with the
fastest way of torch.func on its own, which it must beat by `LEAST_TIMES_FASTER`, and with PyTorch by hand.

The landscape has 101 x 101 points over all rows of the digits. It is compared with the time of as many calls
of `predict` on the same rows and threads.
"""

from operator import itemgetter
from time import perf_counter
from typing import NamedTuple

import numpy as np
import pytest

import fastbp
import race
from fastbp import datasets, inspect
from fastbp.cli.rivals import KEEP_MEMORY
from fastbp.cli.rivals.process import CPUS
from inspections import SHAPES, WHATS
from machine import processor, quartiles
from rivals import Rival, UnsupportedError

SECONDS, ROUNDS = 0.05, 15  # per timing; rounds, of which the first is not counted
THREADS = tuple(dict.fromkeys((1, min(2, len(CPUS)))))
BY_HAND = "by hand"  # a way of PyTorch
LEAST_TIMES_FASTER = {"rl": 5.0, "mnist": 2.0}
OURS = Rival("fastbp", "rivals.inspect_fastbp", KEEP_MEMORY)
THEIRS = Rival("PyTorch", "rivals.inspect_torch", KEEP_MEMORY, package="torch")
RESOLUTION, LANDSCAPES, MOST_TIMES_PREDICT = 101, 5, 2.0
TITLE = f"derivatives: microseconds, and how many times faster fastbp is; {processor()['name']}"


class Contestant(NamedTuple):
    """One way of a library to compute a derivative, on a number of threads."""

    process: race.Process
    library: str
    way: str
    threads: int

    def __str__(self):
        return " ".join([self.library, self.way, str(self.threads)])

    def ask(self, function, what, *arguments):
        return self.process.ask("call", function, what, self.way, *arguments)


def contestants_of(process, what):
    """Return all contestants for a derivative; skip the test without PyTorch."""
    found = []
    for rival in (OURS, THEIRS):
        for n in THREADS:
            try:
                each = process(rival, n)
            except UnsupportedError as error:
                pytest.skip(str(error))
            found += [Contestant(each, rival.name, way, n) for way in each.ask("call", "ways", what)]
    return found


def assert_same(contestants, what, shape):
    truth = contestants[0].ask("result", what, shape)
    for each in contestants[1:]:
        found = each.ask("result", what, shape)
        error = np.abs(found - truth).max() / np.abs(truth).max()
        assert error < shape.rtol, f"{each} differs by {error:.2g}"


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_derivative(process, benchmark, report, shape, what):
    contestants = contestants_of(process, what)
    assert_same(contestants, what, shape)
    processes = {id(each.process): each.process for each in contestants}
    counts = {each: each.ask("count", what, shape, SECONDS) for each in contestants}
    times = {each: [] for each in contestants}

    def once():
        for each, count in counts.items():
            with race.alone(each.process, processes.values()):
                times[each].append(1e6 * each.ask("seconds", what, shape, count) / count)

    benchmark.pedantic(once, rounds=ROUNDS)
    us = {each: np.array(found[1:]) for each, found in times.items()}
    ours = fastest(us, OURS.name)
    ways = {each.way: fastest(us, THEIRS.name, each.way) for each in us if each.library == THEIRS.name}
    ratios = {way: quartiles(us[each] / us[ours]) for way, each in ways.items()}
    low, ratio, high = min((found for way, found in ratios.items() if way != BY_HAND), key=itemgetter(1))
    report.append(
        f"{shape.name:6} {what:26} {np.median(us[ours]):8.4g} on {ours.threads}"
        f"   {ratio:.3g} times faster than torch.func ({low:.3g} to {high:.3g}),"
        f" {ratios[BY_HAND][1]:.3g} than by hand; PyTorch: "
        + ", ".join(f"{way} {np.median(us[each]):.4g} on {each.threads}" for way, each in ways.items())
    )
    benchmark.extra_info.update(
        test="derivative",
        what=what,
        description=str(shape),
        rival=THEIRS.name,
        version=contestants[-1].process.version,
        us={str(each): quartiles(found) for each, found in us.items()},
        threads=ours.threads,
        ratios=ratios,
    )
    assert ratio >= LEAST_TIMES_FASTER[shape.name]


def fastest(us, library, way=""):
    """Return the contestant with the least median among those of a library and way."""
    among = [each for each in us if each.library == library and each.way == way]
    return min(among, key=lambda each: np.median(us[each]))


@pytest.mark.parametrize("threads", THREADS)
def test_landscape(benchmark, report, threads):
    X, y = datasets.load_digits()
    X = X.astype(np.float32)
    net = fastbp.Network([64, 32, 10], activation="relu", loss="cross_entropy", dtype="float32", seed=0)
    net.fit(X, y, epochs=3, batch_size=64)
    out = net.predict(X)
    points, landscapes, predictions = RESOLUTION**2, [], []
    calls = points // 20

    def once():
        start = perf_counter()
        found = inspect.landscape(net, X, y, resolution=RESOLUTION)
        between = perf_counter()
        for _ in range(calls):
            net.predict(X, out=out)
        landscapes.append(between - start)
        predictions.append((perf_counter() - between) / calls * points)
        return found

    with fastbp.threads(threads):
        agrees(net, X, y, once())
        landscapes.clear()
        predictions.clear()
        benchmark.pedantic(once, rounds=LANDSCAPES)
    low, ratio, high = quartiles(np.array(landscapes) / predictions)
    report.append(
        f"landscape {RESOLUTION} x {RESOLUTION} of digits on {threads}: {np.median(landscapes):.3g} s, "
        f"{ratio:.3g} ({low:.3g} to {high:.3g}) times {points} predictions"
    )
    benchmark.extra_info.update(
        test="landscape",
        threads=threads,
        seconds=quartiles(landscapes),
        seconds_of_predictions=quartiles(predictions),
        times_predict=[low, ratio, high],
    )
    assert ratio <= MOST_TIMES_PREDICT


def agrees(net, X, y, landscape):
    """Compare some points of a landscape with `evaluate`."""
    twin = net.clone()
    for i, j in ((0, 0), (RESOLUTION // 2, RESOLUTION // 3), (RESOLUTION - 1, 7)):
        twin.parameters[:] = landscape.at(landscape.a[j], landscape.b[i])
        np.testing.assert_allclose(landscape.losses[i, j], twin.evaluate(X, y, [])["loss"], rtol=1e-4)
