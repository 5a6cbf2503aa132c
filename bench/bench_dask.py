"""Times training on one and two worker processes, and compares the times with a model of their costs.

Both modes of `fastbp.dask.fit`, beside `Network.fit` in this process and dask-ml's Incremental over
scikit-learn's MLP, on two networks: the step of one takes a tenth of a millisecond, that of the other a tenth
of a second. Each worker has one thread. With two processors, the caller with the scheduler and two workers
share them.

The model (`cluster_costs.py`) is fitted to the least times of rounds that only send and receive. What it says
about both modes must be within a factor of two of the least time of an epoch. Then it is asked about up to
100 workers and a network between them; the records call this "extrapolated".
"""

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest

from cluster_costs import Costs, Round, break_even, fitted
from dask_workloads import (
    QUICK,
    SHARDS,
    SLOW,
    by_incremental,
    local_round,
    on_this_machine,
    on_workers,
    rows,
    synchronous_round,
)
from fastbp._base.shown import counted
from fastbp.cli.rivals.process import CPUS
from machine import processor, quartiles

pytest.importorskip("distributed", reason="Dask is not installed")

WORKERS = (1, 2)
MODES = {"synchronous": synchronous_round, "local": local_round}
SIZES = (
    (400_000, 400_000),
    (3_000_000, 400_000),
    (400_000, 3_000_000),
    (8_000_000, 8_000_000),
)  # down and up
REPEATED = 9  # timings of each round of the calibration
AGREES = 2  # the largest ratio of the model and a time
LINK, LATENCY = 1.25e9, 1e-4  # extrapolation: a network of 10 Gbit/s, and 0.1 ms to reach a machine
MANY = (1, 2, 10, 100)
TITLE = f"rows per second on worker processes; {processor()['name']}"


@pytest.fixture(scope="module")
def clients():
    """Return clients of clusters of one and two workers, which do nothing until they are used."""
    from distributed import Client, LocalCluster

    started = []
    for workers in WORKERS:
        started.append(LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="localhost:0"))
        started.append(Client(started[-1], set_as_default=False))
    yield dict(zip(WORKERS, started[1::2], strict=True))
    for each in reversed(started):
        each.close()


@pytest.fixture(scope="module")
def epochs():
    """Return the seconds of epochs by workload, way and number of workers, as far as they were timed."""
    return {}


@pytest.fixture(scope="module")
def costs(clients):
    """Return the costs of a cluster on this machine."""
    return fitted([each for workers, client in clients.items() for each in rounds_timed(client, workers)])


def rounds_timed(client, workers: int) -> list[tuple[Round, int, float]]:
    """Return rounds of tasks that compute nothing, with the least of their times."""
    from fastbp.dask._cluster import executor_of
    from fastbp.dask._executor import Load

    executor = executor_of(client, None, 3, 300.0)
    found = []
    try:
        for tasks in (1, 4, 8):
            handles = executor.place([Load(int, ())] * tasks)
            for down, up in SIZES:
                common, own = (np.ones(down, np.int8),), [(up,)] * tasks
                seconds = []
                for _ in range(REPEATED):
                    start = perf_counter()
                    executor.call(answer, handles, own, common)
                    seconds.append(perf_counter() - start)
                one = Round(tasks, down, up)
                found.append((one, workers, min(seconds[1:])))
    finally:
        executor.close()
    return found


def answer(shard: int, size: int, common: np.ndarray) -> np.ndarray:
    """Return so many bytes."""
    return np.ones(size, np.int8)


def ways(workload, clients):
    """Return functions that return the seconds of epochs, by what trains and its number of workers."""
    found = {("Network.fit", counted(n, "thread")): (on_this_machine, n) for n in (1, len(CPUS))}
    for workers, client in clients.items():
        name = counted(workers, "worker")
        found |= {(mode, name): (on_workers, mode, client) for mode in MODES}
        found["Incremental", name] = (by_incremental, client)
    return found


@pytest.mark.parametrize("workload", [QUICK, SLOW], ids=lambda workload: workload.name)
def test_rows_per_second(workload, clients, epochs, benchmark, report):
    cannot = {}

    def once():
        for (way, on), (function, *arguments) in ways(workload, clients).items():
            try:
                epochs[workload.name, way, on] = function(workload, *arguments)
            except ImportError as error:
                cannot[way] = str(error)

    benchmark.pedantic(once, rounds=1)
    speeds = {
        f"{way}, {on}": quartiles(rows(workload) / np.array(seconds))
        for (name, way, on), seconds in epochs.items()
        if name == workload.name
    }
    for way, (low, middle, high) in speeds.items():
        report.append(f"{workload.name:6} {way:24} {middle:12,.0f} ({low:,.0f} to {high:,.0f}) rows/s")
    benchmark.extra_info.update(
        test="cluster",
        workload=workload.name,
        description=str(workload),
        rows=rows(workload),
        shards=SHARDS,
        rows_per_second=speeds,
        cannot=cannot,
        versions=versions(),
    )


def versions() -> list[str]:
    """Return the versions of what is installed of the packages that were timed."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in ("distributed", "dask-ml", "scikit-learn"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("workload", [QUICK, SLOW], ids=lambda workload: workload.name)
def test_the_model_says_the_times(workload, mode, clients, costs, epochs, benchmark, report):
    """Compare the seconds of a round that the model says with the least that were timed."""
    one = MODES[mode](workload)
    per_epoch = workload.batches if mode == "synchronous" else 1
    said, timed = {}, {}

    def once():
        for workers, client in clients.items():
            key = workload.name, mode, counted(workers, "worker")
            if key not in epochs:
                epochs[key] = on_workers(workload, mode, client)
            said[workers] = costs.seconds(one, workers)
            timed[workers] = min(epochs[key]) / per_epoch

    benchmark.pedantic(once, rounds=1)
    for workers in WORKERS:
        report.append(
            f"{workload.name:6} {mode:12} round on {workers}: {1e3 * timed[workers]:8.2f} ms, "
            f"model {1e3 * said[workers]:8.2f} ms, of which tasks compute {1e3 * one.work:.3g} ms each"
        )
    benchmark.extra_info.update(
        test="cluster_model",
        workload=workload.name,
        mode=mode,
        costs=vars(costs),
        round=vars(one),
        timed={str(workers): seconds for workers, seconds in timed.items()},
        said={str(workers): seconds for workers, seconds in said.items()},
    )
    assert all(1 / AGREES < said[workers] / timed[workers] < AGREES for workers in WORKERS)


def test_extrapolated(costs, benchmark, report):
    """Ask the model about many workers on a network: no measurement."""
    far, steps = costs.over(LINK, LATENCY), 10

    def once():
        batch = SLOW.batch_size
        same = {n: synchronous_round(SLOW, n) for n in MANY}
        more = {n: synchronous_round(SLOW, n, size=n * batch) for n in MANY}
        local = {n: local_round(SLOW, n, epochs=steps) for n in MANY}
        gains = {
            "synchronous, the same batch": gains_of(far, same, lambda n: same[1].work),
            "synchronous, a batch per worker": gains_of(far, more, lambda n: n * more[n].work),
            f"local, {steps} steps of a batch per worker": gains_of(far, local, lambda n: n * local[n].work),
        }
        return gains, {n: least_step(far, same[n], n) for n in MANY[1:]}

    gains, least = benchmark.pedantic(once, rounds=1)
    for name, found in gains.items():
        values = ", ".join(f"{n}: {value:.3g}" for n, value in found.items())
        report.append(f"extrapolated, times one thread of one machine, {name}: {values}")
    report.append(f"extrapolated, seconds of a step from which workers gain: {least}")
    benchmark.extra_info.update(
        test="cluster_extrapolated",
        description=str(SLOW),
        parameters=len(SLOW.network().parameters),
        link=LINK,
        latency=LATENCY,
        gains={name: {str(n): value for n, value in found.items()} for name, found in gains.items()},
        least_step={str(n): seconds for n, seconds in least.items()},
    )


def gains_of(costs: Costs, rounds: dict[int, Round], alone) -> dict[int, float]:
    """Return how many times faster rounds on n workers are than ``alone(n)`` seconds of one thread, by n."""
    return {n: alone(n) / costs.seconds(one, n) for n, one in rounds.items()}


def least_step(costs: Costs, one: Round, workers: int) -> float:
    """Return the seconds of a step from which it is faster on so many workers, for these bytes."""
    return break_even(lambda work: work / costs.seconds(replace(one, work=work / workers), workers))
