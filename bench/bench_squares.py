"""Times training steps of two square layers of 512 to 4096 units, on one and two threads."""

from operator import attrgetter

import pytest

import race
from workloads import SQUARES


@pytest.mark.parametrize("rival", ["NumPy", "JAX", "PyTorch"])
@pytest.mark.parametrize("threads", [1, 2], ids=["one_thread", "two_threads"])
@pytest.mark.parametrize("workload", SQUARES, ids=attrgetter("name"))
def test_squares(compare, workload, threads, rival):
    compare(workload, rival, threads=threads, rounds=race.LEAST_ROUNDS)
