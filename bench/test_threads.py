"""Two networks trained by two threads at once, against one trained alone: what releasing the GIL gives."""

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import fastbp
from workloads import WORKLOADS

ROUNDS = 11
EPOCHS = 60  # about a second


def test_two_networks(benchmark):
    workload = next(workload for workload in WORKLOADS if workload.name == "mnist")
    X, y = workload.data()
    networks = [workload.network(fastbp.Network) for _ in range(2)]
    alone = []

    def train(network):
        network.fit(X, y, epochs=EPOCHS, batch_size=workload.batch_size)

    def train_alone():
        start = perf_counter()
        train(networks[0])
        alone.append(perf_counter() - start)

    with ThreadPoolExecutor(2) as pool:
        benchmark.pedantic(
            lambda: list(pool.map(train, networks)), setup=train_alone, rounds=ROUNDS, warmup_rounds=1
        )
    together = benchmark.stats.stats.data
    ratios = [2 * one / two for one, two in zip(alone[-ROUNDS:], together, strict=True)]
    benchmark.extra_info.update(times_the_work_of_one=ratios)
