"""Times one network on several threads, and two networks on two threads, against one network on one."""

from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from time import perf_counter

import pytest

import fastbp
from fastbp.cli.rivals.process import CPUS
from workloads import MNIST, ROWS, WORKLOADS

ROUNDS = 11
EPOCHS = 20  # a quarter of a second


def thread_counts():
    """Return 2, 4, 8 ... up to the number of CPUs."""
    return [2**i for i in range(1, len(CPUS).bit_length())] or [2]


@pytest.mark.parametrize("threads", thread_counts())
@pytest.mark.parametrize("workload", [*WORKLOADS, ROWS], ids=attrgetter("name"))
def test_scaling(compare, workload, threads):
    compare(workload, "one thread", threads=threads)


def test_two_networks(benchmark):
    """Measure how much more work two networks do, each trained by its own thread, than one alone."""
    if len(CPUS) < 2:
        pytest.skip("one processor to run on")
    X, y = MNIST.data()
    networks = [MNIST.network() for _ in range(2)]
    alone = []

    def train(network):
        network.fit(X, y, epochs=EPOCHS, batch_size=MNIST.batch_size)

    def train_alone():
        start = perf_counter()
        with fastbp.threads(1):
            train(networks[0])
        alone.append(perf_counter() - start)

    with ThreadPoolExecutor(2) as pool:
        benchmark.pedantic(
            lambda: list(pool.map(train, networks)), setup=train_alone, rounds=ROUNDS, warmup_rounds=1
        )
    together = benchmark.stats.stats.data
    ratios = [2 * one / two for one, two in zip(alone[-ROUNDS:], together, strict=True)]
    benchmark.extra_info.update(test="two_networks", times_the_work_of_one=ratios)
