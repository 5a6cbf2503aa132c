"""Times predictions of one row and of batches."""

from operator import attrgetter

import pytest

from workloads import INFERENCE


@pytest.mark.parametrize("rival", ["NumPy", "JAX", "PyTorch", "onnxruntime"])
@pytest.mark.parametrize("workload", INFERENCE, ids=attrgetter("name"))
def test_inference(compare, workload, rival):
    compare(workload, rival, task="Inference")
