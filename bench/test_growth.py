"""How the cost of a step grows with the width of the layers, and with the rows of a batch."""

import pytest

import race
from workloads import GROWTH

CASES = [pytest.param(each, id=f"{axis}-{each.name}") for axis, cases in GROWTH.items() for each in cases]


@pytest.mark.parametrize("rival", ["NumPy", "JAX", "PyTorch"])
@pytest.mark.parametrize("workload", CASES)
def test_growth(compare, workload, rival):
    compare(workload, rival, rounds=race.LEAST_ROUNDS)
