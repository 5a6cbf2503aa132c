"""The model of a cluster's costs: its arithmetic, and that it finds the costs that times were made from."""

from itertools import product

import numpy as np
import pytest

from helpers.paths import ROOT

if not (ROOT / "bench").is_dir():
    pytest.skip("the benchmarks are not beside these tests", allow_module_level=True)

from cluster_costs import Costs, Round, break_even, fitted

COSTS = Costs(round=4e-3, task=5e-4, down=2e-9, up=1e-9)


def rounds():
    """Return rounds of several sizes on one and two workers."""
    sizes = (1000, 1_000_000, 4_000_000)
    return [
        (Round(tasks, down, up), workers)
        for tasks, down, up, workers in product((1, 2, 8), sizes, sizes, (1, 2))
    ]


def test_a_round_is_the_sum_of_its_parts():
    one = Round(tasks=3, bytes_down=10**6, bytes_up=2 * 10**6, work=0.1, caller=0.01)
    # two tasks one after the other on one of the two workers
    assert COSTS.seconds(one, 2) == pytest.approx(4e-3 + 1.5e-3 + 4e-3 + 6e-3 + 0.2 + 0.01)
    # three of a hundred workers are sent the arguments
    assert COSTS.seconds(one, 100) == pytest.approx(4e-3 + 1.5e-3 + 6e-3 + 6e-3 + 0.1 + 0.01)


def test_costs_are_found_from_times():
    timed = [(one, workers, COSTS.seconds(one, workers)) for one, workers in rounds()]
    found = fitted(timed)
    assert found.round == pytest.approx(COSTS.round)
    assert found.task == pytest.approx(COSTS.task)
    assert found.down == pytest.approx(COSTS.down)
    assert found.up == pytest.approx(COSTS.up)


def test_noise_makes_no_cost_negative():
    free = Costs(round=4e-3, task=0, down=0, up=1e-9)
    rng = np.random.default_rng(0)
    for _ in range(20):
        timed = [(one, w, free.seconds(one, w) * rng.uniform(0.7, 1.3)) for one, w in rounds()]
        found = fitted(timed)
        assert min(found.round, found.task, found.down, found.up) >= 0
        assert found.round == pytest.approx(free.round, rel=0.5)


def test_a_network_is_never_faster_than_this_machine():
    slow = COSTS.over(bandwidth=1e8, latency=1e-3)
    assert slow == Costs(round=6e-3, task=5e-4, down=1e-8, up=1e-8)
    assert COSTS.over(bandwidth=1e12, latency=0) == COSTS


def test_break_even():
    assert break_even(lambda work: work / 0.02) == pytest.approx(0.02, rel=0.02)
    assert break_even(lambda work: 0.9) == float("inf")
