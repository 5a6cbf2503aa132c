"""Times training steps for growing layer widths and growing batches."""

import pytest

from workloads import GROWTH

ROUNDS = 5
# every other size, from the smallest to the largest
CASES = [
    pytest.param(each, id=f"{axis}-{each.name}") for axis, cases in GROWTH.items() for each in cases[::2]
]


@pytest.mark.parametrize("rival", ["NumPy", "JAX", "PyTorch"])
@pytest.mark.parametrize("workload", CASES)
def test_growth(compare, workload, rival):
    compare(workload, rival, rounds=ROUNDS)
