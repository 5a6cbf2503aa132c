"""Times many small networks: one after the other, by `fit_many`, and by a loop of PyTorch.

`fit_many` gets all processors. The two loops train one network at a time, on one thread, which is the fastest
for networks of this size. PyTorch trains one network for as many epochs, in a process of its own, and its
time is multiplied by the number of networks. In a round, each takes its turn, so what slows down a whole
round hardly counts.
"""

from contextlib import nullcontext
from pathlib import Path
from time import perf_counter

import numpy as np

import fastbp
from fastbp.cli.rivals.process import CPUS
from machine import processor, quartiles
from rivals import RIVALS, UnsupportedError
from workloads import RL

ROUNDS = 11
NETWORKS = 64
EPOCHS = 200
LEAST_TIMES_FASTER = {"one after the other": 1.9, "PyTorch": 20.0}  # on two processors that share no core
TITLE = f"{NETWORKS} networks {RL}; times are medians and quartiles; {processor()['name']}"


def cores():
    """Return how many cores the processors of this process have: siblings share one."""
    folder = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    return len({Path(folder.format(cpu)).read_text() for cpu in CPUS})


def seconds_of(train):
    start = perf_counter()
    train()
    return perf_counter() - start


def test_many(process, benchmark, report):
    X, y = RL.data()
    options = {"epochs": EPOCHS, "batch_size": RL.batch_size, "shuffle": RL.shuffle}
    try:
        torch = process(RIVALS["PyTorch"])
        torch.ask("load", "Training", RL)
    except UnsupportedError as error:
        torch = None
        report.append(f"without PyTorch: {error}")
    alone, many = ([RL.network() for _ in range(NETWORKS)] for _ in range(2))
    times = {"fit_many": [], "one after the other": [], "PyTorch": []}

    def train_alone():
        with fastbp.threads(1):
            for net in alone:
                net.fit(X, y, **options)

    def train_many():
        with fastbp.threads(len(CPUS)):
            fastbp.fit_many(many, X, y, **options)

    def once():
        with torch.stopped() if torch else nullcontext():
            times["one after the other"].append(seconds_of(train_alone))
            times["fit_many"].append(seconds_of(train_many))
        if torch:
            times["PyTorch"].append(NETWORKS * torch.ask("seconds", EPOCHS))

    benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=1)
    assert all(np.array_equal(a.parameters, b.parameters) for a, b in zip(alone, many, strict=True))
    found = {name: np.array(seconds[1:]) for name, seconds in times.items() if seconds}
    faster = {}
    for name, seconds in found.items():
        low, median, high = faster[name] = quartiles(seconds / found["fit_many"])
        report.append(
            f"{name:20} {np.median(seconds):7.3f} s   {median:.3g} times fit_many ({low:.3g} to {high:.3g})"
        )
    benchmark.extra_info.update(
        test="many",
        description=str(RL),
        networks=NETWORKS,
        processors=len(CPUS),
        cores=cores(),
        seconds={name: quartiles(seconds) for name, seconds in found.items()},
        faster=faster,
    )
    if cores() >= 2:
        for name, least in LEAST_TIMES_FASTER.items():
            assert name not in faster or faster[name][1] >= least, name
